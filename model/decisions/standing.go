package decisions

import (
	"slices"
	"time"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

// In is what a scope looks at of a subject.
func (s Subject) In(scope Scope) Subject {
	if scope.OfEvent() {
		s.Context = nil
	}
	if scope == Pattern || scope == Event {
		s.Machine = ""
	}
	return s
}

// OfCluster completes the score of a cluster of a version: what it is about, and the score before.
func (d Decision) OfCluster(version string, c model.Cluster) Decision {
	d.Kind, d.Cluster, d.Version, d.Subject = Cluster, c.ID, version, Subject{Event: c.Event}
	if c.Score != interpreter.NoScore {
		d.Old = &c.Score
	}
	return d
}

// Narrower tells whether a scope is narrower than another.
func (s Scope) Narrower(than Scope) bool { return slices.Index(Scopes, s) < slices.Index(Scopes, than) }

// OfEvent tells whether a scope covers an event after any events.
func (s Scope) OfEvent() bool { return s == EventOnMachine || s == Event }

// On is the last answer or mute on a key that was not undone, and whether it is in force; nil if there is none.
func (l Look) On(kind Kind, key Key) (standing *Found, inForce bool) {
	k := slices.Index(kinds[:], kind)
	if k < 0 {
		return nil, false
	}
	for _, latest := range l.fold.latest[k] { // a key is of one scope
		if i, there := latest[key]; there {
			if e := l.fold.standing(i); e != nil {
				return l.fold.found(e), l.fold.state(e, l.now.UnixMicro()) == InForce
			}
		}
	}
	return nil, false
}

// Number is the answer or mute of a number, whatever became of it; nil if the number is that of none.
func (l Look) Number(number uint64) *Found {
	i, there := l.fold.find(number)
	if !there {
		return nil
	}
	return l.fold.found(&l.fold.entries[i])
}

// Last is the number of the last decision, 0 if there is none.
func (l Look) Last() uint64 { return l.fold.last }

// Now is the time of the look.
func (l Look) Now() time.Time { return l.now }
