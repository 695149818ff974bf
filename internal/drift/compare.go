package drift

import (
	"cmp"
	"encoding/json"
	"slices"

	"connect-deepcase/internal/clusterjson"
	"connect-deepcase/model"
)

// Class is what becomes of an alert.
type Class string

const (
	alarm     Class = "alarm"     // a score above 0: a person looks at it
	question  Class = "question"  // no score: a person has to say what it is
	dismissed Class = "dismissed" // nobody looks at it
)

// Classes are all classes.
var Classes = []Class{alarm, question, dismissed}

// Outcome is what a model and the journal make of an alert.
type Outcome struct {
	Class   Class    `json:"class"`
	Status  string   `json:"status"`
	Score   *float64 `json:"score,omitempty"`   // nil if there is none
	Cluster *int     `json:"cluster,omitempty"` // nil if it is in none
}

// outcome is an Outcome that can be compared.
type outcome struct {
	status  model.Status
	score   float64
	cluster int
}

func outcomeOf(v Verdict) outcome { return outcome{v.Settled.Status, v.Settled.Score, v.Cluster} }

func (o outcome) class() Class {
	switch {
	case o.status == model.Muted:
		return dismissed
	case o.status != model.Scored && o.status != model.Answered:
		return question
	case o.score > 0:
		return alarm
	}
	return dismissed
}

// same tells whether two outcomes mean the same. Clusters of two trainings have different numbers.
func (o outcome) same(other outcome) bool { return o.status == other.status && o.score == other.score }

func (o outcome) shown() Outcome {
	shown := Outcome{Class: o.class(), Status: o.status.String()}
	if o.status == model.Scored || o.status == model.Answered {
		shown.Score = &o.score
	}
	if o.cluster >= 0 {
		shown.Cluster = &o.cluster
	}
	return shown
}

// Change is a group of alerts of one event that get the same verdict of either model, and another one than before.
type Change struct {
	Event        string                `json:"event"`
	Before       Outcome               `json:"before"`
	Now          Outcome               `json:"now"`
	Alerts       int                   `json:"alerts"`
	MachineCount int                   `json:"machine_count"`
	Machines     []clusterjson.Machine `json:"machines"` // those with most alerts, at most model.MaxMachines
	Example      json.RawMessage       `json:"example"`  // the first alert
}

// Comparison is what two models make of the same alerts.
type Comparison struct {
	alerts  int
	classes map[[2]Class]int
	changes map[changeKey]*change
}

type changeKey struct {
	event       string
	before, now outcome
}

type change struct {
	alerts   int
	machines map[string]int
	example  json.RawMessage
	order    int // of its first alert
}

// Compare begins a comparison.
func Compare() *Comparison {
	return &Comparison{classes: map[[2]Class]int{}, changes: map[changeKey]*change{}}
}

// Add takes an alert. document is asked for if the alert is the first one of its group.
func (c *Comparison) Add(event, machine string, before, now Verdict, document func() json.RawMessage) {
	c.alerts++
	key := changeKey{event, outcomeOf(before), outcomeOf(now)}
	c.classes[[2]Class{key.before.class(), key.now.class()}]++
	if key.before.same(key.now) {
		return
	}
	g := c.changes[key]
	if g == nil {
		g = &change{machines: map[string]int{}, example: document(), order: c.alerts}
		c.changes[key] = g
	}
	g.alerts++
	g.machines[machine]++
}

// Alerts is how many alerts were compared.
func (c *Comparison) Alerts() int { return c.alerts }

// Count is how many alerts had one class before and have another, or the same, now.
func (c *Comparison) Count(before, now Class) int { return c.classes[[2]Class{before, now}] }

// rank is the order in which a person must look at changes: first what may hide an attack, then new work, then what only has another reason.
func rank(before, now Class) int {
	return slices.Index([][2]Class{
		{alarm, dismissed}, {question, dismissed}, {alarm, question}, {dismissed, alarm}, {question, alarm}, {dismissed, question},
		{alarm, alarm}, {question, question}, {dismissed, dismissed},
	}, [2]Class{before, now})
}

// Changes are the groups of alerts whose verdict changes: those first that a person must look at first, then the largest.
func (c *Comparison) Changes() []Change {
	keys := make([]changeKey, 0, len(c.changes))
	for key := range c.changes {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b changeKey) int {
		x, y := c.changes[a], c.changes[b]
		return cmp.Or(cmp.Compare(rank(a.before.class(), a.now.class()), rank(b.before.class(), b.now.class())),
			cmp.Compare(y.alerts, x.alerts), cmp.Compare(x.order, y.order))
	})
	changes := make([]Change, 0, len(keys))
	for _, key := range keys {
		g := c.changes[key]
		var machines []clusterjson.Machine
		for machine, count := range g.machines {
			machines = append(machines, clusterjson.Machine{Machine: machine, Count: count})
		}
		slices.SortFunc(machines, func(a, b clusterjson.Machine) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Machine, b.Machine))
		})
		changes = append(changes, Change{Event: key.event, Before: key.before.shown(), Now: key.now.shown(), Alerts: g.alerts,
			MachineCount: len(machines), Machines: machines[:min(len(machines), model.MaxMachines)], Example: g.example})
	}
	return changes
}
