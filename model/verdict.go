package model

import (
	"fmt"

	"connect-deepcase/model/interpreter"
)

// Status says what a verdict means.
type Status uint8

// The statuses, and the original's codes for them.
const (
	Scored        Status = iota // in a cluster with a score
	Unscored                    // in a cluster that nobody scored
	LowConfidence               // the original's −1
	UnknownEvent                // −2: not in the vocabulary, or without clusters
	NoCluster                   // −3
	NoModel                     // nothing was published yet
)

var statuses = [...]string{"scored", "unscored", "low_confidence", "unknown_event", "no_cluster", "no_model"}

func (s Status) String() string {
	if int(s) < len(statuses) {
		return statuses[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// Verdict is what a model says of a sample.
type Verdict struct {
	Status     Status
	Score      float64   // only where Scored
	Cluster    int       // −1 where none
	Confidence float64   // in the event under the attention found; 0 where UnknownEvent has no id
	Distance   float64   // L1 to the nearest vector, only where a cluster was compared
	Attention  []float32 // a share a position of the context, shared between equal samples: read only
}

// Code is the verdict as the original gives it: the score (NoScore where unscored or without a model: −1), −1, −2 or −3.
func (v Verdict) Code() float64 {
	switch v.Status {
	case Scored:
		return v.Score
	case LowConfidence:
		return interpreter.NotConfident
	case UnknownEvent:
		return interpreter.UnknownEvent
	case NoCluster:
		return interpreter.NoCluster
	}
	return interpreter.NoScore
}
