package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model/decisions"
)

// Preview says what a decision would have settled in the last seven days. Nothing is decided.
func (d *Desk) Preview(ctx context.Context, in review.Decide) (review.Effect, error) {
	if in.Action == actionMute { // what is missing yet does not change the figures
		if in.Why == "" {
			in.Why = "?"
		}
		if in.Expires == "" {
			in.Expires = "24h"
		}
	}
	r, err := d.check(ctx, in)
	for errors.Is(err, errAgain) {
		r, err = d.check(ctx, in)
	}
	if err != nil {
		return review.Effect{}, err
	}
	return d.effect(r), nil
}

// mustConfirm tells whether whoever decides must have seen what it would settle.
func (d *Desk) mustConfirm(r *request) (e review.Effect, needed bool) {
	if r.Action != actionScore && r.Action != actionMute {
		return e, false
	}
	answers := slices.ContainsFunc(r.targets, func(x *target) bool { return x.answers() })
	if r.Action != actionMute && !answers {
		return e, false
	}
	e = d.effect(r)
	return e, r.Action == actionMute || r.Scope != decisions.PatternOnMachine || r.Score == 0 && e.Attacks > 0
}

// effect counts the alerts that a decision would have settled. For scopes of an event it counts all alerts of the event that wait, also those in
// clusters without a score; for a mute those with a score above 0, too.
func (d *Desk) effect(r *request) (e review.Effect) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.o.Board.View(func(v board.View) {
		for n, h := range v.Hours() {
			if n*3600 >= v.Now().Unix()-7*24*3600 {
				for _, alerts := range h.Outcomes {
					e.Recent += alerts
				}
			}
		}
		machines := map[string]bool{}
		counted := map[*board.Question]bool{}
		count := func(alerts int, cases []string, names ...string) {
			if alerts == 0 {
				return
			}
			e.Settled += alerts
			for _, name := range names {
				machines[name] = true
			}
			if slices.ContainsFunc(cases, func(id string) bool { c := v.Cases()[id]; return c != nil && (c.Score > 0 || d.attack(id)) }) {
				e.Attacks += alerts
			}
		}
		of := slices.Index(decisions.Scopes, r.Scope)
		keys, events := map[decisions.Key]bool{}, map[string]bool{}
		for _, x := range r.targets {
			if x.cluster >= 0 && r.Action != actionMute {
				if q := v.Questions()[board.ClusterID(d.serving.generation, x.cluster)]; q != nil && !counted[q] {
					counted[q] = true
					count(q.Bins.Since(v.Now(), rateBins), nil, slices.Collect(maps.Keys(q.Machines))...)
				}
				continue
			}
			if len(x.subjects) == 0 {
				keys[(decisions.Subject{Event: x.event}).Key(r.Scope)] = true
				events[x.event] = true
			}
			for _, s := range x.subjects {
				keys[s.keys[of]] = true
				events[s.Event] = true
			}
		}
		for event := range events {
			for _, q := range v.OfEvent(event) {
				if counted[q] {
					continue
				}
				for _, p := range q.Patterns {
					if keys[p.Keys[of]] && (r.Action == actionMute || d.settle(p).Found == nil || r.Scope == decisions.PatternOnMachine) {
						count(p.Bins.Since(v.Now(), rateBins), p.Cases, p.Machine)
					}
				}
				if q.Kind == review.ClusterKind && r.Scope.OfEvent() {
					d.countCluster(v, r, q, keys, count)
				}
			}
		}
		e.Machines, e.PerDay = len(machines), float64(e.Settled)/liveDays(v)
	})
	e.Sentence = fmt.Sprintf("Would have settled %s of the last 7 days on %s", plural(e.Settled, "alert"), plural(e.Machines, "machine"))
	if e.Attacks > 0 {
		e.Sentence += fmt.Sprintf("; %d of them are in cases scored above 0", e.Attacks)
	}
	e.Sentence += "."
	return e
}

// countCluster counts the alerts of a cluster that a decision about its event covers. Of one machine it knows the share of all its alerts.
func (d *Desk) countCluster(v board.View, r *request, q *board.Question, keys map[decisions.Key]bool, count func(int, []string, ...string)) {
	if d.serving == nil || q.Generation != d.serving.generation || q.Cluster >= len(d.serving.model.Clusters) || q.Alerts == 0 {
		return
	}
	score := d.scoreOf(q.Cluster)
	if covered := score == nil || r.Action == actionMute && *score > 0; !covered {
		return
	}
	recent := q.Bins.Since(v.Now(), rateBins)
	if r.Scope == decisions.Event {
		count(recent, q.Cases, slices.Collect(maps.Keys(q.Machines))...)
		return
	}
	for machine, alerts := range q.Machines {
		if keys[(decisions.Subject{Event: q.Event, Machine: machine}).Key(r.Scope)] {
			count(recent*alerts/q.Alerts, q.Cases, machine)
		}
	}
}

// attack tells whether somebody closed a case with a score above 0. mu is held.
func (d *Desk) attack(id string) bool {
	v := d.verdicts[id]
	return v.closed && v.score != nil && *v.score > 0
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
