// Package replay says what a decision would have done to the alerts of the last days, before it is made.
package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"time"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/textfile"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

// Alerts are annotated documents that decisions are replayed on. The zero value has none. It keeps one entry for all alerts that are alike,
// and no documents.
type Alerts struct {
	count   int
	alike   map[alert]int
	keys    map[decisions.Key][4]decisions.Key // of each pattern
	attacks map[string]bool                    // cases with a score above 0
}

// alert is what decides what becomes of an alert.
type alert struct {
	pattern decisions.Key
	machine string
	status  model.Status // that the model gave
	score   float64      // 0 if there is none, or if the alert is muted
	muted   bool
	answer  decisions.Scope // of the answer that settled it, "" if none did
	id      string          // of its case, "" if it has none
}

// Figures say what a decision would have done.
type Figures struct {
	Recent   int `json:"recent"`   // alerts that it was replayed on
	Settled  int `json:"settled"`  // of these, alerts that it would have settled
	Attacks  int `json:"attacks"`  // of the settled, alerts that have a score above 0 (also muted ones), or are in a case that has one
	Machines int `json:"machines"` // of the settled
}

func (f Figures) String() string {
	return fmt.Sprintf("of the %d recent alerts it would have settled %d (machines: %d); with a score above 0, or in a case with one: %d",
		f.Recent, f.Settled, f.Machines, f.Attacks)
}

// Add takes up a document with the annotation of deepcase_predict, and of deepcase_case if there is one.
func (a *Alerts) Add(target annotation.Target, document json.RawMessage) error {
	sequence, err := target.JSONSequence(document)
	if err != nil {
		return err
	}
	v, err := target.JSONVerdict(document)
	if err != nil {
		return err
	}
	status, err := model.ParseStatus(v.Underlying())
	if err != nil {
		return fmt.Errorf("%s.status: %w", target, err)
	}
	if a.alike == nil {
		*a = Alerts{alike: map[alert]int{}, keys: map[decisions.Key][4]decisions.Key{}, attacks: map[string]bool{}}
	}
	keys := sequence.Subject().Keys()
	found := alert{pattern: keys[0], machine: sequence.Machine, status: status, muted: v.Status == model.Muted.String(), id: v.Case}
	if v.Score != nil {
		found.score = *v.Score
	}
	if v.Answer != nil && !found.muted {
		found.answer = v.Answer.Scope
	}
	a.count++
	a.alike[found]++
	a.keys[found.pattern] = keys
	if found.id != "" && found.score > 0 {
		a.attacks[found.id] = true
	}
	return nil
}

// Read takes up documents, one per line, and leaves out lines that Add refuses. It says how many these are, and why the first one is.
func (a *Alerts) Read(target annotation.Target, in io.Reader) (refused int, why error, err error) {
	text, err := textfile.NewReader(in)
	if err != nil {
		return 0, nil, err
	}
	number, err := textfile.EachLine(text, func(number int, line []byte) error {
		if bad := a.Add(target, line); bad != nil {
			if refused++; refused == 1 {
				why = fmt.Errorf("line %d: %w", number, bad)
			}
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("line %d: %w", number, err)
	}
	return refused, why, err
}

// Replay says what an answer or a mute would have done. A narrower answer that settled an alert stays in force.
func (a *Alerts) Replay(d decisions.Decision) (Figures, error) {
	alone := decisions.NewFold(decisions.DefaultHold)
	d.At, d.Until = time.Now(), time.Time{}
	if d.Kind == decisions.Mute { // it has an end in any case
		d.Until = d.At.Add(time.Hour)
	}
	if err := alone.Add(d); err != nil {
		return Figures{}, err
	}
	look := alone.Look(d.At)
	figures, machines := Figures{Recent: a.count}, map[string]bool{}
	for alert, count := range a.alike {
		if !alert.settledBy(d, look, a.keys[alert.pattern]) {
			continue
		}
		figures.Settled += count
		machines[alert.machine] = true
		if alert.score > 0 || alert.muted || a.attacks[alert.id] {
			figures.Attacks += count
		}
	}
	figures.Machines = len(machines)
	return figures, nil
}

// settledBy tells whether a decision would have settled an alert. look knows no other decision.
func (x alert) settledBy(d decisions.Decision, look decisions.Look, keys [4]decisions.Key) bool {
	v := model.Verdict{Status: x.status, Score: x.score}
	switch {
	case d.Kind == decisions.Mute: // it also settles what an answer or a mute has settled
		v.Status = model.Scored
		if x.muted {
			v.Score = 1
		}
	case x.answer != "":
		v.Score = 0 // that of the cluster, or none: the score is that of the answer
		if x.answer.Narrower(d.Scope) {
			return false
		}
	}
	return look.Settle(v, keys).Found != nil
}

// Len is the number of alerts.
func (a *Alerts) Len() int { return a.count }

// Clone gives a copy that others can be added to.
func (a *Alerts) Clone() *Alerts {
	return &Alerts{a.count, maps.Clone(a.alike), maps.Clone(a.keys), maps.Clone(a.attacks)}
}
