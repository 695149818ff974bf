package decisions

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Hold says how long a benign answer holds before the question is asked again. An answer of another score holds until it is changed.
type Hold struct {
	First  time.Duration // after the first answer
	Growth float64       // times longer after each confirmation
	Max    time.Duration
}

// DefaultHold asks again after 12 hours, 2 days, 8 days, 32 days, and then every 90 days.
var DefaultHold = Hold{First: 12 * time.Hour, Growth: 4, Max: 90 * 24 * time.Hour}

// after is how long an answer holds that was confirmed so many times.
func (h Hold) after(confirmed int) time.Duration {
	return time.Duration(min(float64(h.First)*math.Pow(h.Growth, float64(confirmed)), float64(h.Max)))
}

// maxSkew is a difference between two clocks that is normal.
const maxSkew = time.Minute

// maxConfirmed bounds what a fold counts.
const maxConfirmed = math.MaxUint8

// entry is what a fold keeps of an answer or a mute. Times are in microseconds since 1970: nanoseconds would not reach the year 9999.
type entry struct {
	key       Key
	number    uint64
	at, until int64 // until 0 for none
	score     float64
	by        uint32
	previous  int32 // the entry before on this key, −1 for none
	confirmed uint8
	scope     uint8
	kind      uint8
	undone    bool
}

// Fold is what decisions come to, in memory. Add and Look must not run at the same time.
type Fold struct {
	hold    Hold
	holds   [maxConfirmed + 1]int64 // microseconds, by confirmations
	last    uint64                  // number
	entries []entry                 // by number
	latest  [2][4]map[Key]int32     // answers and mutes, by scope: the last entry on each key
	people  []string
	ids     map[string]uint32
}

const (
	kindAnswer = iota
	kindMute
)

var kinds = [2]Kind{Answer, Mute}

// NewFold gives a fold without decisions.
func NewFold(hold Hold) *Fold {
	f := &Fold{hold: hold, ids: map[string]uint32{}}
	for kind := range f.latest {
		for scope := range f.latest[kind] {
			f.latest[kind][scope] = map[Key]int32{}
		}
	}
	for n := range f.holds {
		f.holds[n] = hold.after(n).Microseconds()
	}
	return f
}

// Add takes the next decision. It gets the next number if it has none. It is an error if it is not valid, or takes back what cannot be.
func (f *Fold) Add(d Decision) error {
	if d.Number == 0 {
		d.Number = f.last + 1
	}
	if err := f.check(&d); err != nil {
		return err
	}
	f.add(&d)
	return nil
}

// check says why a decision cannot be the next one.
func (f *Fold) check(d *Decision) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if d.Number <= f.last {
		return outOfOrder(d.Number, f.last)
	}
	if d.Kind != Undo {
		return nil
	}
	switch i, there := f.find(d.Undoes); {
	case !there:
		return fmt.Errorf("undo %d: %w", d.Undoes, ErrNoDecision)
	case f.entries[i].undone:
		return fmt.Errorf("undo %d: %w", d.Undoes, ErrUndone)
	}
	return nil
}

func outOfOrder(number, last uint64) error {
	return fmt.Errorf("number %d comes after number %d", number, last)
}

func (f *Fold) addAll(decisions []Decision) {
	for i := range decisions {
		f.add(&decisions[i])
	}
}

// add takes the next decision. It is valid, and its number is above the last one.
func (f *Fold) add(d *Decision) {
	f.last = d.Number
	switch d.Kind {
	case Undo:
		if i, there := f.find(d.Undoes); there {
			f.undo(int32(i))
		}
		return
	case Cluster:
		return
	}
	e := entry{key: d.Key, number: d.Number, at: d.At.UnixMicro(), score: d.Score, by: f.person(d.By), previous: -1,
		scope: uint8(slices.Index(Scopes, d.Scope)), kind: uint8(slices.Index(kinds[:], d.Kind))}
	if !d.Until.IsZero() {
		e.until = cmp.Or(d.Until.UnixMicro(), -1) // 0 stands for none
	}
	latest := f.latest[e.kind][e.scope]
	if i, there := latest[d.Key]; there {
		e.previous = i
	}
	e.confirmed = f.confirmed(&e)
	latest[d.Key] = int32(len(f.entries))
	f.entries = append(f.entries, e)
}

func (f *Fold) person(name string) uint32 {
	id, known := f.ids[name]
	if !known {
		id = uint32(len(f.people))
		f.ids[name] = id
		f.people = append(f.people, name)
	}
	return id
}

// confirmed counts how often a benign answer was given again after it was due. The count starts anew if the time of an answer is before that of
// the one that it confirms: one of the two clocks was wrong, and perhaps the answer was not due at all.
func (f *Fold) confirmed(e *entry) uint8 {
	before := f.standing(e.previous)
	if before == nil || before.score != 0 || e.score != 0 || e.at < before.at-maxSkew.Microseconds() {
		return 0
	}
	if e.at < before.at+f.holds[before.confirmed] || before.confirmed == maxConfirmed {
		return before.confirmed
	}
	return before.confirmed + 1
}

// undo makes all be as if the decision had never been made.
func (f *Fold) undo(i int32) {
	undone := &f.entries[i]
	undone.undone = true
	var later []int32 // on its key
	for at := f.latest[undone.kind][undone.scope][undone.key]; at > i; at = f.entries[at].previous {
		later = append(later, at)
	}
	for _, at := range slices.Backward(later) {
		f.entries[at].confirmed = f.confirmed(&f.entries[at])
	}
}

// find gives the place of the answer or mute of a number.
func (f *Fold) find(number uint64) (int, bool) {
	return slices.BinarySearchFunc(f.entries, number, func(e entry, n uint64) int { return cmp.Compare(e.number, n) })
}

// standing is the last entry that was not undone, of i and those before it on its key; nil if there is none.
func (f *Fold) standing(i int32) *entry {
	for ; i >= 0; i = f.entries[i].previous {
		if e := &f.entries[i]; !e.undone {
			return e
		}
	}
	return nil
}
