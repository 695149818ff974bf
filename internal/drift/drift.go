// Package drift says how far alerts have moved away from what a model learnt, whether training again would pay (Report), and what
// another model would make of the same alerts (Comparison).
package drift

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/report"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
)

// Alert is an alert with what the model says about it.
type Alert struct {
	Event   string
	Machine string
	At      time.Time // zero if it is not known
	Keys    [4]decisions.Key
	Verdict Verdict
	// Case is what deepcase_case wrote, "" if it wrote nothing.
	Case, CaseKind string
}

// Verdict is a verdict of a model, and what the journal makes of it.
type Verdict struct {
	model.Verdict
	Settled decisions.Settled
}

// Report is what Figures come to. Shares are of all alerts unless they say otherwise.
type Report struct {
	Alerts int       `json:"alerts"`
	First  time.Time `json:"first,omitzero"` // times of the first and the last alert that has one
	Last   time.Time `json:"last,omitzero"`
	Days   []Day     `json:"days"` // in UTC; alerts without a time are on none

	Unknown      report.Share `json:"unknown"`  // share of alerts with the status unknown_event
	UnknownNames []Name       `json:"names"`    // their names, most alerts first
	Unscored     report.Share `json:"unscored"` // share of alerts in clusters that nobody has scored
	Outside      Beside       `json:"outside"`  // share of alerts in no cluster
	Mean         Beside       `json:"mean_confidence"`
	Low          Beside       `json:"low_confidence"` // share with a confidence below the threshold, of those that have one
	Quiet        []Quiet      `json:"quiet"`          // null if the model or the alerts have no times
	Answers      Answers      `json:"answers"`
	Cases        *Cases       `json:"cases"` // null if no alert has a case
	Retrain      Retrain      `json:"retrain"`
}

// Beside is a figure of the alerts beside that of the training. It is NaN (null) if it is not known.
type Beside struct {
	Now      report.Share `json:"now"`
	Training report.Share `json:"training"`
}

// Day sums up a day.
type Day struct {
	Day      string         `json:"day"`
	Alerts   int            `json:"alerts"`
	Statuses map[string]int `json:"statuses"`        // of the model alone
	Outside  int            `json:"outside"`         // in no cluster
	NewNames []string       `json:"new_names"`       // names that training did not have, on the day of their first alert
	Answered int            `json:"answered"`        // alerts that answers settle
	Cases    int            `json:"cases"`           // opened; audits do not count
	NewCases int            `json:"new_cases"`       // of kind new
	Mean     report.Share   `json:"mean_confidence"` // of the alerts that have one

	confidences model.Confidences
}

// Name is the name of events that are in no cluster because the model has none for the name.
type Name struct {
	Name     string    `json:"name"`
	Alerts   int       `json:"alerts"`
	Machines int       `json:"machines"`
	First    time.Time `json:"first,omitzero"`
	Learnt   bool      `json:"learnt"` // training had the name, but too few events that are alike
	machines map[string]bool
}

// Quiet is a cluster that had alerts all through the training and has none now.
type Quiet struct {
	Cluster  int       `json:"cluster"`
	Event    string    `json:"event"`
	Size     int       `json:"size"`
	Score    *float64  `json:"score"`    // nil if nobody has scored it
	Expected float64   `json:"expected"` // alerts that it would have had at the rate of the training
	LastSeen time.Time `json:"last_seen"`
	// Continues says that other alerts have the name of the event: its contexts have changed. Otherwise the event itself has stopped.
	Continues bool `json:"event_continues"`
}

// Cases counts the cases that alerts opened, audits apart, which are random.
type Cases struct {
	Opened int            `json:"opened"`
	ByKind map[string]int `json:"by_kind"`
	New    report.Share   `json:"new"` // share of kind new
}

var caseNew, caseAudit = cases.New.String(), cases.Audit.String()

// Figures collects the figures of a Report.
type Figures struct {
	model    *model.Model
	known    map[string]bool
	alerts   int
	days     map[string]*Day
	statuses map[model.Status]int
	names    map[string]*Name
	events   map[string]bool // names of all alerts
	clusters []int           // alerts by cluster
	outside  map[decisions.Key]*pattern
	cases    map[string]string // kind by id
	answers  []decisions.Decision
	undone   map[uint64]bool
	settled  map[string]int // by event: alerts that answers settle

	first, last time.Time
	confidences model.Confidences
}

// pattern counts the alerts in no cluster that are alike: they have one name, and the same events before them in any order.
type pattern struct {
	event            string
	alerts, answered int
	days             map[string]int // alerts by day
}

// New begins the figures of alerts that m gave verdicts on.
func New(m *model.Model) *Figures {
	f := &Figures{model: m, known: map[string]bool{}, days: map[string]*Day{}, statuses: map[model.Status]int{}, names: map[string]*Name{},
		events: map[string]bool{}, clusters: make([]int, len(m.Clusters)), outside: map[decisions.Key]*pattern{}, cases: map[string]string{},
		undone: map[uint64]bool{}, settled: map[string]int{}}
	for _, name := range m.Names {
		f.known[name] = true
	}
	return f
}

// Add takes an alert.
func (f *Figures) Add(a Alert) {
	f.alerts++
	f.events[a.Event] = true
	f.statuses[a.Verdict.Status]++
	var day *Day
	if !a.At.IsZero() {
		if f.first.IsZero() || a.At.Before(f.first) {
			f.first = a.At
		}
		if a.At.After(f.last) {
			f.last = a.At
		}
		day = f.day(a.At)
		day.Alerts++
		day.Statuses[a.Verdict.Status.String()]++
	}
	if a.Verdict.Status == model.UnknownEvent {
		f.unknown(a)
	} else {
		f.confidence(a.Verdict.Confidence, day)
	}
	answered := a.Verdict.Settled.Status == model.Answered
	if answered {
		f.settled[a.Event]++
		if day != nil {
			day.Answered++
		}
	}
	if a.Verdict.Cluster < 0 { // no cluster holds it, whatever people answered
		key := a.Keys[slices.Index(decisions.Scopes, decisions.Pattern)]
		p := f.outside[key]
		if p == nil {
			p = &pattern{event: a.Event, days: map[string]int{}}
			f.outside[key] = p
		}
		p.alerts++
		if answered {
			p.answered++
		}
		if day != nil {
			day.Outside++
			p.days[day.Day]++
		}
	} else {
		f.clusters[a.Verdict.Cluster]++
	}
	if _, seen := f.cases[a.Case]; a.Case != "" && !seen {
		f.cases[a.Case] = a.CaseKind
		if day != nil && a.CaseKind != caseAudit {
			day.Cases++
			if a.CaseKind == caseNew {
				day.NewCases++
			}
		}
	}
}

func (f *Figures) day(at time.Time) *Day {
	text := at.UTC().Format(time.DateOnly)
	if f.days[text] == nil {
		f.days[text] = &Day{Day: text, Statuses: map[string]int{}, NewNames: []string{}}
	}
	return f.days[text]
}

func (f *Figures) unknown(a Alert) {
	n := f.names[a.Event]
	if n == nil {
		n = &Name{Name: a.Event, Learnt: f.known[a.Event], machines: map[string]bool{}}
		f.names[a.Event] = n
	}
	n.Alerts++
	n.machines[a.Machine] = true
	if !a.At.IsZero() && (n.First.IsZero() || a.At.Before(n.First)) {
		n.First = a.At
	}
}

// confidence takes the confidence of an alert. One with the status unknown_event has none that could be compared.
func (f *Figures) confidence(x float64, day *Day) {
	f.confidences.Add(float32(x))
	if day != nil {
		day.confidences.Add(float32(x))
	}
}

// Decide takes a decision of the journal. They must come in their order.
func (f *Figures) Decide(d decisions.Decision) {
	switch d.Kind {
	case decisions.Answer:
		f.answers = append(f.answers, d)
	case decisions.Undo:
		f.undone[d.Undoes] = true
	}
}

// Report sums up what was added.
func (f *Figures) Report() *Report {
	r := &Report{Alerts: f.alerts, First: f.first, Last: f.last, UnknownNames: []Name{}, Quiet: f.quiet(), Days: []Day{}}
	share := func(n int) report.Share { return report.Ratio(n, f.alerts) }
	r.Unknown, r.Unscored = share(f.statuses[model.UnknownEvent]), share(f.statuses[model.Unscored])
	total := 0
	for _, p := range f.outside {
		total += p.alerts
	}
	r.Outside = Beside{share(total), f.trainedOutside()}
	threshold, training := f.model.Params.Interpreter.Threshold, f.model.Confidence
	if training == nil {
		training = &model.Confidences{}
	}
	r.Mean = Beside{report.Share(f.confidences.Mean()), report.Share(training.Mean())}
	r.Low = Beside{report.Share(f.confidences.Below(threshold)), report.Share(training.Below(threshold))}
	for _, n := range f.names {
		n.Machines = len(n.machines)
		r.UnknownNames = append(r.UnknownNames, *n)
		if !n.Learnt && !n.First.IsZero() {
			day := f.day(n.First)
			day.NewNames = append(day.NewNames, n.Name)
		}
	}
	slices.SortFunc(r.UnknownNames, func(a, b Name) int { return cmp.Or(cmp.Compare(b.Alerts, a.Alerts), cmp.Compare(a.Name, b.Name)) })
	r.Answers = f.answered()
	r.Cases = f.opened()
	for _, day := range slices.Sorted(maps.Keys(f.days)) {
		d := *f.days[day]
		slices.Sort(d.NewNames)
		d.Mean = report.Share(d.confidences.Mean())
		r.Days = append(r.Days, d)
	}
	r.Retrain = f.retrain(r)
	return r
}

// trainedOutside is the share of the training's samples that came into no cluster; NaN if it is not known how many there were.
func (f *Figures) trainedOutside() report.Share {
	if f.model.Samples == 0 {
		return report.Share(math.NaN())
	}
	inside := 0
	for _, c := range f.model.Clusters {
		inside += c.Size
	}
	return report.Ratio(f.model.Samples-inside, f.model.Samples)
}

func (f *Figures) opened() *Cases {
	if len(f.cases) == 0 {
		return nil
	}
	c := &Cases{ByKind: map[string]int{}}
	for _, kind := range f.cases {
		c.ByKind[kind]++
		if kind != caseAudit {
			c.Opened++
		}
	}
	c.New = report.Ratio(c.ByKind[caseNew], c.Opened)
	return c
}

// A cluster is quiet if it had alerts for at least half of the time that the training's samples span, would have had at least quietExpected
// at that rate, and has none. A burst of one hour is not missed.
const quietExpected = 10

// quiet is nil if rates are not known.
func (f *Figures) quiet() []Quiet {
	var from, to time.Time
	for _, c := range f.model.Clusters {
		if c.FirstSeen.IsZero() {
			continue
		}
		if from.IsZero() || c.FirstSeen.Before(from) {
			from = c.FirstSeen
		}
		if c.LastSeen.After(to) {
			to = c.LastSeen
		}
	}
	training, now := to.Sub(from), f.last.Sub(f.first)
	if training <= 0 || now <= 0 {
		return nil
	}
	found := []Quiet{}
	for i, c := range f.model.Clusters {
		expected := float64(c.Size) * float64(now) / float64(training)
		if f.clusters[i] > 0 || expected < quietExpected || c.LastSeen.Sub(c.FirstSeen) < training/2 {
			continue
		}
		q := Quiet{Cluster: i, Event: c.Event, Size: c.Size, Expected: expected, LastSeen: c.LastSeen, Continues: f.events[c.Event]}
		if c.Score != interpreter.NoScore {
			q.Score = &c.Score
		}
		found = append(found, q)
	}
	slices.SortStableFunc(found, func(a, b Quiet) int { return cmp.Compare(b.Expected, a.Expected) })
	return found
}
