package review

import (
	"time"

	"connect-deepcase/model"
)

// Outcome is what became of an alert.
type Outcome int

// The outcomes, in the order in which the page stacks them.
const (
	Benign   Outcome = iota // score 0 of a cluster or an answer, or muted: nobody looks
	Alarm                   // a score above 0
	Unscored                // a cluster that nobody has scored
	LowConfidence
	NoCluster
	UnknownEvent
	Disputed
	NoModel
	Outcomes // how many there are
)

// OutcomeOf is what became of an alert with a status, and a score if the status has one.
func OutcomeOf(status model.Status, score float64) Outcome {
	switch status {
	case model.Scored, model.Answered:
		if score > 0 {
			return Alarm
		}
		return Benign
	case model.Muted:
		return Benign
	case model.Unscored:
		return Unscored
	case model.LowConfidence:
		return LowConfidence
	case model.NoCluster:
		return NoCluster
	case model.UnknownEvent:
		return UnknownEvent
	case model.Disputed:
		return Disputed
	}
	return NoModel
}

// Overview says how the work goes.
type Overview struct {
	Start            time.Time       // of the first quarter of a day
	Quarters         [][Outcomes]int // alerts in six hours each, the last 8 days
	Confidence       []float64       // mean in six hours each; NaN if there was none
	Needed           float64         // the confidence that the model needs
	Trained          float64         // mean confidence of the training, NaN if unknown
	NoLook           float64         // share of the live alerts that nobody looks at
	PerDay           float64
	Spared           float64 // a day
	Waiting          float64 // a day
	OpenItems        int
	Scored, Clusters int         // clusters of the current model
	Wait             []EventWait // where alerts wait, the most first, at most 7
	Unknown          []Item      // events that were never learnt, the busiest first, at most 5
	Unknowns         int
	Known            int     // events that were learnt
	Quiet            []Quiet // clusters that were learnt and gone quiet, at most 5
	Quiets           int
	Audit            Audit
	CasesPerDay      []Count // cases opened on each of the last 8 days, by day "2006-01-02"
	CasesByKind      []Count // open ones
	Retrain          Retrain
}

// EventWait is how many alerts of an event wait.
type EventWait struct {
	Event string
	Parts [Outcomes]int
	Live  int
	Wait  int
}

// Quiet is a cluster that came in the training and not since.
type Quiet struct {
	Item
	WasPerDay float64
}

// Audit is what decisions about audited alerts say about all that was dismissed.
type Audit struct {
	Decided, Attacks int
	MissRate         float64 // at most so many of the dismissed are attacks, with a confidence of 95 %; 1 if nothing was decided
	Open             int     // audit cases that wait
}

// Retrain says whether a new training would pay.
type Retrain struct {
	Pays     *bool // nil if it cannot be said
	Sentence string
	Reasons  []string
}

// Version is a version of the model.
type Version struct {
	Name     string
	Created  time.Time
	Current  bool
	By       []string // who scored since the version before; nil for a training
	What     string   // in words: "learnt from 31,991 alerts", "3 scores", "damaged: …"
	Clusters int
	Scored   int
	Events   int
	Damaged  string // why it cannot be read
}

// Models are the versions of the model directory, the newest first.
type Models struct {
	Versions []Version
	Compared *Comparison // nil if two were not asked for
}

// Comparison is what a version does differently from another.
type Comparison struct {
	From, To                        string
	Appeared                        []ClusterChange // at most 100 of each
	Vanished                        []ClusterChange
	Rescored                        []ClusterChange
	AppearedN, VanishedN, RescoredN int
	Changed                         int             // of Tried, alerts whose verdict would change
	Tried                           int             // alerts of the last week, drawn at random
	Verdicts                        []VerdictChange // the most frequent changes, at most 20
	Undoes                          []Entry         // decisions that a rollback from From to To would undo
}

// ClusterChange is a cluster that differs.
type ClusterChange struct {
	Cluster  int
	Event    string
	After    []Share
	Size     int
	Old, New *float64
}

// VerdictChange is a change of verdicts and how many alerts it is of.
type VerdictChange struct {
	Event    string
	Old, New string // a status, or a score
	Alerts   int
}
