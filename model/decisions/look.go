package decisions

import (
	"time"

	"connect-deepcase/model"
)

// Look answers from the decisions of a moment.
type Look struct {
	fold *Fold
	now  time.Time
}

// Look gives what is in force at a time.
func (f *Fold) Look(now time.Time) Look { return Look{f, now} }

// Found is the decision that applies to an event.
type Found struct {
	Number    uint64
	Kind      Kind
	Scope     Scope
	Score     float64
	By        string
	At        time.Time
	Until     time.Time // zero if it has no end
	Due       time.Time // when the question is asked again; zero if never
	Confirmed int       // how often the answer was given again after it was due
}

// State says what became of an answer or a mute.
type State string

// The states of an answer or a mute.
const (
	InForce  State = "in_force"
	Due      State = "due"      // a benign answer that has held for its time: the question is asked again
	Ended    State = "ended"    // it has expired
	Replaced State = "replaced" // a later one on the same key counts
	Undone   State = "undone"
)

// State is that of the answer or mute of a number. It is "" for other decisions, and for those that a compaction has moved to the archive.
func (l Look) State(number uint64) State {
	i, there := l.fold.find(number)
	if !there {
		return ""
	}
	e := &l.fold.entries[i]
	switch {
	case e.undone:
		return Undone
	case l.fold.standing(l.fold.latest[e.kind][e.scope][e.key]) != e:
		return Replaced
	}
	return l.fold.state(e, l.now.UnixMicro())
}

// InForce counts the answers and mutes in force. It goes through all decisions.
func (l Look) InForce() (answers, mutes int) {
	now := l.now.UnixMicro()
	var counts [len(kinds)]int
	for kind := range l.fold.latest {
		for _, latest := range l.fold.latest[kind] {
			for _, i := range latest {
				if e := l.fold.standing(i); e != nil && l.fold.state(e, now) == InForce {
					counts[kind]++
				}
			}
		}
	}
	return counts[kindAnswer], counts[kindMute]
}

// state is InForce, Due or Ended. The benign answer of a clock that is ahead counts as due: it must not hold for longer than its time.
func (f *Fold) state(e *entry, now int64) State {
	benign := e.kind == kindAnswer && e.score == 0
	switch {
	case e.until != 0 && now >= e.until:
		return Ended
	case benign && (now >= e.at+f.holds[e.confirmed] || e.at > now+maxSkew.Microseconds()):
		return Due
	}
	return InForce
}

// answer is the answer in force for a subject's keys: that of the narrowest scope. If there is none, before is the one that is due again or has
// expired, of the narrowest scope.
func (l Look) answer(keys [4]Key) (found, before *Found) { return l.find(kindAnswer, keys) }

// mute is the mute in force for a subject's keys, nil if there is none.
func (l Look) mute(keys [4]Key) *Found {
	found, _ := l.find(kindMute, keys)
	return found
}

func (l Look) find(kind int, keys [4]Key) (found, before *Found) {
	now := l.now.UnixMicro()
	for scope, key := range keys {
		i, there := l.fold.latest[kind][scope][key]
		if !there {
			continue
		}
		e := l.fold.standing(i)
		switch {
		case e == nil:
		case l.fold.state(e, now) == InForce:
			return l.fold.found(e), nil
		case before == nil:
			before = l.fold.found(e)
		}
	}
	return nil, before
}

func (f *Fold) found(e *entry) *Found {
	found := &Found{Number: e.number, Kind: kinds[e.kind], Scope: Scopes[e.scope], Score: e.score, By: f.people[e.by], At: time.UnixMicro(e.at).UTC(),
		Confirmed: int(e.confirmed)}
	if e.until != 0 {
		found.Until = time.UnixMicro(e.until).UTC()
	}
	if e.kind == kindAnswer && e.score == 0 {
		found.Due = time.UnixMicro(e.at + f.holds[e.confirmed]).UTC()
	}
	return found
}

// Settled is what the decisions of people make of a verdict.
type Settled struct {
	Status model.Status // model.Answered, model.Muted, or the status of the verdict
	Score  float64      // of an answered or muted event
	Found  *Found       // the answer or mute that settles it; nil if none does
	Before *Found       // the answer to an unsure verdict that is due again or has expired; nil if there was none
}

// Settle applies the decisions in force to a verdict on a subject that has these keys.
//
//   - An answer settles a verdict that is not sure.
//   - An answer above 0 to the pattern settles a verdict scored 0, too: a later training may have put the pattern of an attack into a benign
//     cluster. A benign answer never silences a cluster scored above 0.
//   - A mute lets an event with a score above 0 pass, whether the score is that of a cluster or of an answer.
func (l Look) Settle(v model.Verdict, keys [4]Key) Settled {
	s := Settled{Status: v.Status, Score: v.Score}
	switch {
	case v.Status.Unsure():
		answer, before := l.answer(keys)
		s.Before = before
		if answer != nil {
			s = Settled{Status: model.Answered, Score: answer.Score, Found: answer}
		}
	case v.Status == model.Scored && v.Score == 0:
		if answer, _ := l.answer(keys); answer != nil && answer.Score > 0 && answer.Scope.ofPattern() {
			s = Settled{Status: model.Answered, Score: answer.Score, Found: answer}
		}
	}
	if sure := s.Status == model.Scored || s.Status == model.Answered; sure && s.Score > 0 {
		if mute := l.mute(keys); mute != nil {
			s = Settled{Status: model.Muted, Found: mute}
		}
	}
	return s
}

// ofPattern tells whether a scope looks at the context of an event.
func (s Scope) ofPattern() bool { return s == PatternOnMachine || s == Pattern }
