package drift

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"connect-deepcase/model/decisions"
)

// Answers sums up the answers of the journal. Answers that were undone do not count.
type Answers struct {
	Patterns int         `json:"patterns"` // that have an answer, at any scope; one that was given again counts once
	Narrow   int         `json:"narrow"`   // of them those that look at the context
	Settled  int         `json:"settled"`  // alerts that answers settle
	Days     []AnswerDay `json:"days"`     // on which answers were given
	Piles    []Pile      `json:"piles"`    // events with many narrow answers, most answers first
}

// AnswerDay is how many answers were given on a day, in UTC.
type AnswerDay struct {
	Day     string `json:"day"`
	Answers int    `json:"answers"`
}

// Pile is an event with at least pile narrow answers: people answer it again and again.
type Pile struct {
	Event    string `json:"event"`
	Answers  int    `json:"answers"`
	Benign   int    `json:"benign"` // answers with score 0
	Machines int    `json:"machines"`
	Settled  int    `json:"settled"` // alerts of the event that answers settle
}

const pile = 10

func (f *Figures) answered() Answers {
	a := Answers{Settled: f.settledAlerts(), Days: []AnswerDay{}, Piles: []Pile{}}
	days, latest := map[string]int{}, map[decisions.Key]decisions.Decision{}
	for _, d := range f.answers {
		if !f.undone[d.Number] {
			days[d.At.UTC().Format(time.DateOnly)]++
			latest[d.Key] = d
		}
	}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		a.Days = append(a.Days, AnswerDay{day, days[day]})
	}
	a.Patterns = len(latest)
	piles, machines := map[string]*Pile{}, map[string]map[string]bool{}
	for _, d := range latest {
		if d.Scope != decisions.PatternOnMachine && d.Scope != decisions.Pattern {
			continue
		}
		a.Narrow++
		event := d.Subject.Event
		if piles[event] == nil {
			piles[event], machines[event] = &Pile{Event: event, Settled: f.settled[event]}, map[string]bool{}
		}
		piles[event].Answers++
		if d.Score == 0 {
			piles[event].Benign++
		}
		if d.Scope == decisions.PatternOnMachine {
			machines[event][d.Subject.Machine] = true
		}
	}
	for event, p := range piles {
		if p.Machines = len(machines[event]); p.Answers >= pile {
			a.Piles = append(a.Piles, *p)
		}
	}
	slices.SortFunc(a.Piles, func(a, b Pile) int { return cmp.Or(cmp.Compare(b.Answers, a.Answers), cmp.Compare(a.Event, b.Event)) })
	return a
}

func (f *Figures) settledAlerts() (n int) {
	for _, alerts := range f.settled {
		n += alerts
	}
	return n
}
