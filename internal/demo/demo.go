// Package demo invents the alerts of a security operations centre: machines with routines, noise and bursts, and labelled attacks
// with several steps. Routines and attacks have alerts with the same names, so that only the context tells them apart. The same options
// give the same alerts.
package demo

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Options say what to invent. A field that is 0 has its default.
type Options struct {
	Seed     uint64    // 1
	Start    time.Time // Wednesday 2026-01-07 00:00 UTC
	Days     int       // 8
	Machines int       // 40
}

func (o Options) orDefault() Options {
	o.Seed = cmp.Or(o.Seed, 1)
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 1, 7, 0, 0, 0, 0, time.UTC)
	}
	o.Start = o.Start.UTC().Truncate(time.Millisecond)
	o.Days = cmp.Or(max(o.Days, 0), 8)
	o.Machines = cmp.Or(max(o.Machines, 0), 40)
	return o
}

// Split is the time, after three quarters, at which the alerts to learn from end and the new ones begin. All kinds of attacks are on both
// sides, except for one (novelAttack), which appears only from the first midnight after it.
func (o Options) Split() time.Time {
	o = o.orDefault()
	return o.Start.Add(time.Duration(o.Days) * 24 * time.Hour * 3 / 4)
}

// Alert is one alert.
type Alert struct {
	Timestamp time.Time `json:"timestamp"`
	ID        string    `json:"id"`
	Machine   string    `json:"machine"`
	Event     string    `json:"event"`
	SourceIP  string    `json:"source_ip"`
	User      string    `json:"user"`
	Message   string    `json:"message"`
	Label     int       `json:"label"`            // 0 is benign, 1 to 3 the severity of the attack's step
	Attack    string    `json:"attack,omitempty"` // kind and number of the attack
}

// generator holds the state while alerts are invented.
type generator struct {
	Options
	random *rand.Rand
	alerts []Alert
}

// Generate invents the alerts in time order, by default some 40,000.
func Generate(opts Options) []Alert {
	g := &generator{Options: opts.orDefault()}
	g.random = rand.New(rand.NewPCG(g.Seed, 0xdeeca5e))
	end := g.Start.Add(time.Duration(g.Days) * 24 * time.Hour)
	for _, m := range g.machines() {
		g.live(m, end)
	}
	slices.SortStableFunc(g.alerts, func(a, b Alert) int { return a.Timestamp.Compare(b.Timestamp) })
	last, _ := slices.BinarySearchFunc(g.alerts, end, func(a Alert, end time.Time) int { return a.Timestamp.Compare(end) })
	g.alerts = g.alerts[:last]
	for i := range g.alerts {
		g.alerts[i].ID = fmt.Sprintf("alert-%06d", i+1)
	}
	return g.alerts
}

// between draws a number from both ends and all between them, with equal chances.
func (g *generator) between(least, most int) int { return least + g.random.IntN(most-least+1) }

// chance is true with probability p.
func (g *generator) chance(p float64) bool { return g.random.Float64() < p }

// after draws a time that is 0.5 to 1.5 times d later.
func (g *generator) after(at time.Time, d time.Duration) time.Time {
	return at.Add(time.Duration((0.5 + g.random.Float64()) * float64(d))).Truncate(time.Millisecond)
}
