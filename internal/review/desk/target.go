package desk

import (
	"context"
	"fmt"
	"slices"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model/decisions"
)

// target is an item that is decided about.
type target struct {
	id       string
	seen     revision
	kind     review.Kind
	event    string
	cluster  int      // −1 for none
	old      *float64 // the score of the cluster
	alerts   int
	subjects []subject // of its patterns that the analyst saw
	bare     bool      // the subjects have no contexts
	part     bool      // the subjects are those that the analyst chose
	caseKind string
	aside    int  // its revision now
	moved    bool // to a cluster of a newer model
}

// rev is the revision of an item whose patterns were seen, after other decisions.
func (x *target) rev(journal uint64, aside int) string {
	return revision{journal, x.seen.seq, aside, x.seen.life}.String()
}

type subject struct {
	decisions.Subject
	keys    [4]decisions.Key
	decided bool
}

// target is an item as it is now. A cluster of the model before is found by its contexts.
func (d *Desk) target(ctx context.Context, id string, seen revision) (x *target, conflict *review.Conflict, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.o.Board.View(func(v board.View) {
		found := d.find(v, id)
		if found == nil {
			return
		}
		if conflict = d.otherLife(v, found, seen); conflict != nil {
			return
		}
		x = &target{id: id, seen: seen, kind: found.kind, event: found.event, cluster: found.cluster, alerts: found.alerts(), aside: d.asideOf(id)}
		switch found.kind {
		case review.ClusterKind:
			x.old = d.scoreOf(found.cluster)
		case review.PatternKind:
			for _, p := range d.listed(found.question, seen.seq) {
				x.subjects = append(x.subjects, d.subject(found.event, p))
			}
		default:
			d.caseTarget(v, found.one, x)
		}
	})
	if conflict != nil {
		return nil, conflict, nil
	}
	if x != nil {
		if x.kind == review.PatternKind && len(x.subjects) == 0 {
			return nil, &review.Conflict{ID: id, Event: x.event, What: "the patterns that were listed are gone: look at it again"}, nil
		}
		slices.SortFunc(x.subjects, func(a, b subject) int { return slices.Compare(a.keys[0][:], b.keys[0][:]) })
		return x, nil, nil
	}
	return d.movedTarget(ctx, id, seen)
}

// otherLife is the conflict of who has seen another item of the same ID, or decisions that are gone since: nobody knows what was listed then.
// mu is held.
func (d *Desk) otherLife(v board.View, x *item, seen revision) *review.Conflict {
	conflict := &review.Conflict{ID: x.id, Event: x.event}
	switch {
	case seen.journal > d.known:
		conflict.What = "the decision journal has fewer decisions than when this was shown, so somebody restored an earlier one: look at it again"
	case seen.life != x.life(v):
		conflict.What = "asked anew: the review store was lost, or has forgotten what was listed: look at it again"
	default:
		return nil
	}
	return conflict
}

func (d *Desk) caseTarget(v board.View, c *board.Case, x *target) {
	x.caseKind = c.Kind
	if c.Kind == "unscored" {
		for id := range c.Questions {
			if i := d.clusterOf(id); i >= 0 {
				x.cluster, x.old = i, d.scoreOf(i)
			}
		}
	} else {
		for i, k := range c.Patterns {
			if q := v.ByPattern(k); q != nil && i < x.seen.seq {
				x.subjects = append(x.subjects, d.subject(q.Event, q.Patterns[k]))
			}
		}
	}
	if len(x.subjects) == 0 && len(c.Machines) == 1 { // for a mute
		for machine := range c.Machines {
			s := decisions.Subject{Event: c.Event, Machine: machine}
			x.subjects, x.bare = []subject{{Subject: s, keys: s.Keys(), decided: true}}, true
		}
	}
}

func (d *Desk) subject(event string, p *board.Pattern) subject {
	settled := d.settle(p)
	return subject{decisions.Subject{Event: event, Context: p.Context, Machine: p.Machine}, p.Keys, settled.Found != nil || !settled.Status.Unsure()}
}

// choose keeps the patterns with these keys alone.
func (x *target) choose(keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	if !x.answers() {
		return fmt.Errorf("%s has no patterns that can be answered alone", x.id)
	}
	for _, k := range keys {
		if !slices.ContainsFunc(x.subjects, func(s subject) bool { return s.keys[0].String() == k }) {
			return fmt.Errorf("pattern %q was not listed in %s", k, x.id)
		}
	}
	x.part = true
	x.subjects = slices.DeleteFunc(x.subjects, func(s subject) bool { return !slices.Contains(keys, s.keys[0].String()) })
	return nil
}

// answers tells whether a score of the item answers its patterns. That of an alarm or a burst is a verdict on the case alone.
func (x *target) answers() bool {
	return x.kind == review.PatternKind || x.kind == review.CaseKind && (x.caseKind == "new" || x.caseKind == "audit") && len(x.subjects) > 0 && !x.bare
}

// fits tells whether an action can be done with an item.
func (r *request) fits(x *target) error {
	switch r.Action {
	case actionSnooze:
		if x.part {
			return fmt.Errorf("patterns of %s cannot be put off alone", x.id)
		}
	case actionClose:
		if x.part {
			return fmt.Errorf("patterns of %s cannot be closed alone", x.id)
		}
		if x.kind != review.CaseKind {
			return fmt.Errorf("%s is no case: only cases can be closed", x.id)
		}
	case actionMute:
		if (len(x.subjects) == 0 || x.bare) && !r.Scope.OfEvent() {
			return fmt.Errorf("%s has no patterns to mute: need the scope event or event_on_machine", x.id)
		}
		if len(x.subjects) == 0 && x.kind == review.ClusterKind && r.Scope != decisions.Event {
			return fmt.Errorf("%s is of many machines: need the scope event", x.id)
		}
	case actionScore, actionWithdraw:
		if x.kind == review.ClusterKind && r.Scope != decisions.PatternOnMachine {
			return fmt.Errorf("%s is a cluster: its score has no scope", x.id)
		}
		if x.kind == review.ClusterKind && !r.until.IsZero() {
			return fmt.Errorf("%s is a cluster: its score does not expire", x.id)
		}
	}
	return nil
}
