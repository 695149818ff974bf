// Package stream plays labelled alerts in time order through all that stands between an alert and a person: the verdict of a model, the answers
// that were given before, and cases. The label of an alert is what a person answers when it asks.
package stream

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/report"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/sequencer"
)

// Options say how people work.
type Options struct {
	Cases cases.Options
	Scope decisions.Scope // of their answers
	Hold  decisions.Hold
	Delay time.Duration // between an alert that asks and its answer
}

// DefaultOptions answer at once, and each pattern on each machine on its own.
func DefaultOptions() Options {
	o := Options{Cases: cases.DefaultOptions(), Scope: decisions.PatternOnMachine, Hold: decisions.DefaultHold}
	o.Cases.Audit = 0 // a matter of chance
	o.Cases.Late = 0  // no alert comes twice
	return o
}

// Play plays alerts. verdicts has the verdict on each of them, by a model with these clusters. Alerts without a label are left out.
func Play(q *sequencer.Sequences, verdicts []model.Verdict, clusters []model.Cluster, o Options) (*Result, error) {
	if q.Labels == nil || q.Times == nil || q.Machine == nil {
		return nil, errors.New("alerts need labels, times and machines")
	}
	p := player{Options: o, alerts: q, clusters: clusters, keys: map[string][4]decisions.Key{}, answers: decisions.NewFold(o.Hold),
		scope: slices.Index(decisions.Scopes, o.Scope), asked: map[decisions.Key]bool{}, machines: make([]cases.Machine, len(q.Machines)),
		quiet: map[place]*hour{}, tally: newTally()}
	for _, row := range InTime(q) {
		if q.Labels[row] >= 0 {
			if err := p.play(row, verdicts[row]); err != nil {
				return nil, fmt.Errorf("alert %d: %w", row+1, err)
			}
		}
	}
	return p.tally.result(), nil
}

// InTime gives the rows of alerts by time. Alerts of one time keep their order.
func InTime(q *sequencer.Sequences) []int {
	rows := make([]int, len(q.Events))
	for row := range rows {
		rows[row] = row
	}
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(q.Times[a], q.Times[b]) })
	return rows
}

// player is the state between two alerts.
type player struct {
	Options
	alerts   *sequencer.Sequences
	clusters []model.Cluster
	keys     map[string][4]decisions.Key // by event, sorted context and machine: alerts repeat
	scope    int                         // of the answers, in decisions.Scopes
	answers  *decisions.Fold
	asked    map[decisions.Key]bool // whose answer is still to come
	waiting  []decisions.Decision   // these answers, oldest first
	machines []cases.Machine
	quiet    map[place]*hour
	tally    *tally
}

// place is where bursts are counted.
type place struct {
	machine uint32
	cluster int
}

// hour has the dismissed alerts of a place since a full hour. If they turn out to be the beginning of a burst, they are part of its case: whoever
// opens it looks at the hour.
type hour struct {
	number int64
	alerts []alert
}

func (p *player) play(row int, v model.Verdict) error {
	at, label := time.Unix(0, p.alerts.Times[row]).UTC(), p.alerts.Labels[row]
	if err := p.answer(at); err != nil {
		return err
	}
	keys := p.keysOf(row)
	settled := p.answers.Look(at).Settle(v, keys)
	asks := settled.Status.Unsure() && !p.asked[keys[p.scope]]
	if asks {
		p.asked[keys[p.scope]] = true
		p.waiting = append(p.waiting, decisions.Decision{Kind: decisions.Answer, Scope: p.Scope, Key: keys[p.scope], Score: label, At: at.Add(p.Delay)})
		// The alert itself is seen. Its answer is for those after it.
	}
	a := alert{at: at, label: label, step: p.step(row), event: p.alerts.Events[row], asked: asks,
		today: v.Status != model.Scored || v.Score > 0, in: p.caseOf(row, at, v, settled)}
	p.tally.add(a)
	if settled.Status == model.Scored && settled.Score == 0 {
		p.watch(place{p.alerts.Machine[row], v.Cluster}, a)
	}
	return nil
}

// answer puts the answers into force that were given by a time.
func (p *player) answer(now time.Time) error {
	for len(p.waiting) > 0 && !p.waiting[0].At.After(now) {
		if err := p.answers.Add(p.waiting[0]); err != nil {
			return err
		}
		delete(p.asked, p.waiting[0].Key)
		p.waiting = p.waiting[1:]
	}
	return nil
}

// watch keeps an alert that was dismissed, until a burst of its hour takes it up.
func (p *player) watch(at place, a alert) {
	h := p.quiet[at]
	if h == nil {
		h = &hour{}
		p.quiet[at] = h
	}
	if number := a.at.Truncate(time.Hour).Unix(); h.number != number {
		*h = hour{number: number}
	}
	switch a.in.Kind {
	case cases.None:
		h.alerts = append(h.alerts, a)
	case cases.Burst:
		for _, earlier := range h.alerts {
			p.tally.takeUp(earlier, a)
		}
		h.alerts = nil
	}
}

func (p *player) caseOf(row int, at time.Time, v model.Verdict, s decisions.Settled) cases.Case {
	machine := p.alerts.Machine[row]
	a := cases.Alert{Machine: p.alerts.Machines[machine], Event: p.alerts.Names[p.alerts.Events[row]], At: at, ID: strconv.Itoa(row),
		Status: s.Status, Score: s.Score, Cluster: v.Cluster}
	if v.Cluster >= 0 {
		a.HourlyMax = p.clusters[v.Cluster].HourlyMax
	}
	return p.machines[machine].Add(p.Cases, a)
}

// keysOf are the keys of the pattern of a row.
func (p *player) keysOf(row int) [4]decisions.Key {
	q := p.alerts
	ids := slices.Clone(q.Contexts[row*q.Length : (row+1)*q.Length])
	slices.Sort(ids)
	ids = append(ids, q.Events[row], int32(q.Machine[row]))
	text := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		text = binary.LittleEndian.AppendUint32(text, uint32(id))
	}
	keys, known := p.keys[string(text)]
	if !known {
		keys = decisions.Subject{Event: q.Names[q.Events[row]], Context: q.Context(row), Machine: q.Machines[q.Machine[row]]}.Keys()
		p.keys[string(text)] = keys
	}
	return keys
}

// step names the step of an attack that a row belongs to, "" if it is benign.
func (p *player) step(row int) string {
	switch q := p.alerts; {
	case q.Labels[row] == 0:
		return ""
	case q.Kind != nil:
		return q.Kinds[q.Kind[row]]
	default:
		return fmt.Sprintf("label %s", report.Number(q.Labels[row]))
	}
}
