// Package cases groups alerts into cases, which are what a person opens. All alerts of one kind on one machine without a long pause between
// them are one case.
//
// A [Machine] holds the cases of one machine. [Machines] holds those of many in bounded memory.
package cases

import (
	"fmt"
	"time"

	"connect-deepcase/internal/attack"
	"connect-deepcase/model"
)

// Kind says why a person should look at an alert.
type Kind uint8

// The kinds. Their numbers are in snapshots.
const (
	None     Kind = iota // nobody needs to look
	Alarm                // a score above 0
	New                  // no model and no answer says what it is
	Unscored             // nobody has scored the cluster yet
	Burst                // scored 0, but far more of them in an hour than was learnt
	Audit                // dismissed, and drawn at random to find out what is missed
)

// Kinds are all kinds of cases.
var Kinds = []Kind{Alarm, New, Unscored, Burst, Audit}

var kindNames = [...]string{"none", "alarm", "new", "unscored", "burst", "audit"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ParseKind reads the text of a kind; "" is None.
func ParseKind(text string) (Kind, error) {
	for i, name := range kindNames {
		if text == name || text == "" {
			return Kind(i), nil
		}
	}
	return None, fmt.Errorf("case_kind %q: need one of alarm, new, unscored, burst, audit", text)
}

// Options say what belongs together.
type Options struct {
	Gap        time.Duration // the longest pause within a case
	AlarmGap   time.Duration // the same for alarms and unscored clusters: an attack that goes on for days is one case
	ByMachine  bool          // all alarms of a machine are one case, which takes what is new there within Gap, too
	Burst      float64       // a burst has more than so many times the highest hourly count that was learnt; 0 for no bursts
	BurstFloor int           // alerts in an hour that make a burst at least
	Audit      float64       // share of the dismissed alerts that are drawn, 0 to 1
	Late       int           // alerts of a machine that are remembered, so that they change nothing if they come again; 0 for none
}

// DefaultOptions are those that were simulated (docs/tuning.md), and Late as sequencer.DefaultWindowOptions has it.
func DefaultOptions() Options {
	return Options{Gap: time.Hour, AlarmGap: 24 * time.Hour, Burst: 3, BurstFloor: 20, Audit: 0.001, Late: 32}
}

// gap is the longest pause within a case of a kind.
func (o *Options) gap(k Kind) uint64 {
	if k == Alarm || k == Unscored {
		return uint64(o.AlarmGap)
	}
	return uint64(o.Gap)
}

// Alert is what the rules look at.
type Alert struct {
	Machine string
	Event   string
	At      time.Time // from 1678 to 2262
	ID      string    // optional: an alert with the id, event and time of an earlier one of its machine is that alert again

	Status    model.Status // what the model and the answers of people say (decisions.Look.Settle)
	Score     float64      // of Scored and Answered
	Cluster   int          // −1 for none
	HourlyMax int          // the highest number of alerts of the cluster on one machine in an hour of the training; 0 if unknown

	// The document, decoded or not. Its techniques are read if the alert is in a case. There may be none.
	Document map[string]any
	JSON     []byte
}

func (a *Alert) techniques() []string {
	if a.JSON != nil {
		return attack.OfJSON(a.JSON)
	}
	return attack.Techniques(a.Document)
}

// Case is the case of an alert.
type Case struct {
	ID     string // "" for None. It depends on the alerts of the machine alone, so it is the same in every process
	Kind   Kind
	Opened bool // the alert is the first one of the case on its machine
	// Techniques of MITRE ATT&CK that the alerts of the case on the machine name, up to this one: sorted, at most attack.Most.
	Techniques []string
}

// judge is the kind of an alert that its verdict alone decides, None for a dismissed one.
func (a *Alert) judge() Kind {
	switch a.Status {
	case model.Scored, model.Answered:
		if a.Score <= 0 {
			return None
		}
		return Alarm
	case model.Muted:
		return None
	case model.Unscored:
		return Unscored
	}
	return New // whatever else there is, nothing says that it is benign
}
