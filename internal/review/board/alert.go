// Package board collects annotated alerts for the review page: the questions that they ask, their cases, and what became of them.
//
// A question is a cluster of a model, or patterns of one event that look alike and that no cluster explains. Counts are in memory and in the
// database; documents and the log of all alerts are in the database alone. An alert that is delivered twice counts twice.
package board

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/attack"
	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/jsontext"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

// Alert is an annotated document.
type Alert struct {
	At         time.Time
	Machine    string
	Event      string
	Context    []string     // oldest first, "" for NO_EVENT
	Attention  []float64    // of each of them; nil if the document has none
	Status     model.Status // that the model gave, without an answer
	Settled    model.Status // with the answer or mute in force
	Score      float64      // if Settled has one
	Cluster    int          // −1 for none
	Confidence float64      // NaN if there is none
	Version    string       // of the model, "" for none
	Pattern    decisions.Key
	Case       string // of deepcase_case, "" for none
	CaseKind   cases.Kind
	Techniques []string // of MITRE ATT&CK that the document names, at most attack.Most
	Body       []byte   // the document, at most maxBody bytes
	Cut        bool     // it was longer
}

// maxBody is the most of a document that is kept.
const maxBody = 64 << 10

// maxAnnotation is the most that an annotation may have, because its names stay in memory.
const maxAnnotation = 1 << 20

// Times that everything here can write and read.
var (
	firstTime = time.Unix(0, 0)
	lastTime  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func isShare(x float64) bool { return x >= 0 && x <= 1 }

// Read reads a document that deepcase_predict annotated, and deepcase_case if the pipeline has one. The alert keeps a copy of the document. An
// error names the field and its value.
func Read(target annotation.Target, document []byte, at time.Time) (a Alert, err error) {
	if !jsontext.Valid(document) {
		return a, fmt.Errorf("document: not JSON: %w", json.Unmarshal(document, new(json.RawMessage)))
	}
	object := field.FindJSON(document, target.String())
	if len(object) > maxAnnotation {
		return a, fmt.Errorf("document: %s has %d bytes, need at most %d", target, len(object), maxAnnotation)
	}
	var d annotated
	if err := d.read(object); err != nil || d.Status == "" {
		return a, target.Unreadable(err)
	}
	switch {
	case d.Event == "" || d.Context == nil:
		return a, fmt.Errorf("document: %s: no event with its context: need what deepcase_sequence wrote", target)
	case d.Attention != nil && len(d.Attention) != len(d.Context):
		return a, fmt.Errorf("document: %s.attention has %d numbers, need one for each of the %d events of the context", target, len(d.Attention), len(d.Context))
	case at.IsZero():
		return a, errors.New("document: it has no time")
	case at.Before(firstTime) || at.After(lastTime):
		return a, fmt.Errorf("document: its time is %s, need one from 1970 to 2200", at.Format(time.RFC3339))
	case d.Confidence != nil && !isShare(*d.Confidence):
		return a, fmt.Errorf("document: %s.confidence is %v, need a number from 0 to 1", target, *d.Confidence)
	}
	for i, x := range d.Attention {
		if !isShare(x) {
			return a, fmt.Errorf("document: %s.attention[%d] is %v, need a number from 0 to 1", target, i, x)
		}
	}
	a = Alert{At: at, Machine: d.Machine, Event: d.Event, Context: d.Context, Attention: d.Attention, Cluster: -1, Confidence: math.NaN(),
		Version: d.Model, Case: d.Case}
	if a.Settled, err = model.ParseStatus(d.Status); err != nil {
		return Alert{}, fmt.Errorf("document: %s.%w", target, err)
	}
	if a.Status = a.Settled; d.Answer != nil {
		if a.Status, err = model.ParseStatus(d.Answer.Verdict); err != nil {
			return Alert{}, fmt.Errorf("document: %s.answer.verdict: %w", target, err)
		}
	}
	if a.Settled.HasScore() {
		if d.Score == nil || *d.Score < 0 {
			return Alert{}, fmt.Errorf("document: %s.score is missing or negative, need a number ≥ 0 with the status %s", target, d.Status)
		}
		a.Score = *d.Score
	}
	if d.Cluster != nil {
		a.Cluster = *d.Cluster
	}
	if (a.Status == model.Scored || a.Status == model.Unscored) && a.Cluster < 0 {
		return Alert{}, fmt.Errorf("document: %s.cluster is missing or negative, need the cluster of an event with the status %s", target, a.Status)
	}
	if d.Confidence != nil {
		a.Confidence = *d.Confidence
	}
	if a.CaseKind, err = cases.ParseKind(d.CaseKind); err != nil {
		return Alert{}, fmt.Errorf("document: %s.%w", target, err)
	}
	if a.Pattern, err = decisions.ParseKey(d.Pattern); err != nil { // an older program wrote none
		a.Pattern = a.subject().Key(decisions.PatternOnMachine)
	}
	a.Techniques = attack.OfJSON(document)
	a.Cut = len(document) > maxBody
	a.Body = append([]byte(nil), document[:min(len(document), maxBody)]...)
	return a, nil
}

func (a *Alert) subject() decisions.Subject {
	return decisions.Subject{Event: a.Event, Context: a.Context, Machine: a.Machine}
}

// clustered tells whether the question of the alert is its cluster.
func (a *Alert) clustered() bool { return a.Status == model.Scored || a.Status == model.Unscored }

// asks tells whether the alert asks something that a person can answer.
func (a *Alert) asks() bool { return a.clustered() || a.Status.Unsure() }
