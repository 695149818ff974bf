package model

import (
	"fmt"
	"slices"
	"strings"

	"connect-deepcase/model/interpreter"
)

// Status says what a verdict means.
type Status uint8

// The statuses, and the original's codes for them.
const (
	Scored        Status = iota // in a cluster with a score
	Unscored                    // in a cluster without a score
	LowConfidence               // the context does not explain the event; −1 in the original
	UnknownEvent                // not in the vocabulary, or without clusters; −2 in the original
	NoCluster                   // too far from all clusters of the event; −3 in the original
	NoModel                     // nothing was published yet
	Answered                    // not sure, or scored 0, but a person has answered the pattern of the event (package decisions)
	Muted                       // scored above 0, but a person lets the pattern of the event pass for a time (package decisions)
	Disputed                    // in a cluster with a score above 0, but the labels of its samples, or those nearest to the event, say benign
)

var statuses = [...]string{"scored", "unscored", "low_confidence", "unknown_event", "no_cluster", "no_model", "answered", "muted", "disputed"}

func (s Status) String() string {
	if int(s) < len(statuses) {
		return statuses[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// ParseStatus reads what String gives.
func ParseStatus(text string) (Status, error) {
	if i := slices.Index(statuses[:], text); i >= 0 {
		return Status(i), nil
	}
	return 0, fmt.Errorf("status %q: want one of %s", text, strings.Join(statuses[:], ", "))
}

// Unsure tells whether a model has looked at an event and cannot score it, so that the answer of a person counts.
func (s Status) Unsure() bool {
	return s == Unscored || s == LowConfidence || s == UnknownEvent || s == NoCluster || s == Disputed
}

// HasScore tells whether an event has a score, of its cluster or of a person.
func (s Status) HasScore() bool { return s == Scored || s == Answered || s == Muted }

// Verdict is what a model says about a sample.
type Verdict struct {
	Status     Status
	Score      float64   // only if Scored
	Cluster    int       // −1 for none
	Confidence float64   // in the event, under Attention; 0 if the event is not in the vocabulary
	Distance   float64   // L1 distance to the nearest vector of the event; 0 if there was none to compare with
	Attention  []float32 // one share per event of the context; read-only, since equal samples share it

	disputed float64 // the score of the cluster, if Disputed: the original has no doubts
}

// Code is the verdict as the number that the original returns: the score (also if it is Disputed), −1 (also for Unscored and NoModel), −2 or −3.
func (v Verdict) Code() float64 {
	switch v.Status {
	case Scored:
		return v.Score
	case Disputed:
		return v.disputed
	case LowConfidence:
		return interpreter.NotConfident
	case UnknownEvent:
		return interpreter.UnknownEvent
	case NoCluster:
		return interpreter.NoCluster
	}
	return interpreter.NoScore
}
