package sequencer

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// entry is a remembered event.
type entry struct {
	time  int64  // Unix nanoseconds
	id    uint64 // mark of the event's ID and Content, 0 for no ID
	name  uint32 // in the shard's names
	order uint32 // of arrival on this machine
}

// window holds the youngest events of a machine. The lock of its shard guards all fields except mu.
type window struct {
	machine    string
	entries    []entry // by time, equal times by arrival
	next       uint32  // order of the next arrival
	arrived    uint64  // number of events ever, without redeliveries: of two states of a machine, the one with more is later
	stale      uint32  // consecutive arrivals that were later than Late allows
	updates    int32   // Updates that run or wait; if there are any, the window is in no list
	named      int     // bytes of the names that arrived, even if other windows share them
	size       int     // bytes that its shard counts for it
	weight     int     // bytes that its list counts for it
	in         *list   // nil if in no list
	prev, succ *window // in the list
	mu         sync.Mutex
}

// Arrival says how an event arrived.
type Arrival struct {
	Again   bool          // it is a redelivery; all fields after Other are zero then
	Other   bool          // the redelivery has another Content: its id may belong to something else
	Reused  bool          // the machine remembers an event with the same id and another name or time
	Held    int           // remembered events of the machine
	Younger int           // how many of them are younger; if more than Late, the context may be too short
	Behind  time.Duration // how much younger the youngest of them is
}

// mark is what an entry keeps of the ID and Content of an event: a hash of the ID in the upper 48 bits, and of the Content in the lower 16
// (0 for none). 0 means no ID. It is the same in every process, because snapshots contain it.
func mark(e Event) uint64 {
	if e.ID == "" {
		return 0
	}
	m := max(xxhash.Sum64String(e.ID)>>16, 1) << 16
	if e.Content != 0 {
		m |= max(e.Content&0xffff, 1)
	}
	return m
}

// add inserts an event, unless it is a redelivery, and returns its context. The same id is not enough for a redelivery: if a mapping gives
// one id to all events ("null/null"), contexts would never change again. The same id and name are not enough either: most machines repeat
// names all the time.
func (w *window) add(n *names, o *WindowOptions, e Event) (context []string, how Arrival) {
	id, at := mark(e), nanos(e.Time)
	if id != 0 {
		for i := len(w.entries) - 1; i >= 0; i-- {
			known := &w.entries[i]
			if known.id>>16 != id>>16 {
				continue
			}
			if known.time == at && n.text(known.name) == e.Name {
				before, now := uint16(known.id), uint16(id)
				return w.context(n, o, i, at, known.order), Arrival{Again: true, Other: before != now && before != 0 && now != 0}
			}
			how.Reused = true
		}
	}
	i := len(w.entries)
	for i > 0 && w.entries[i-1].time > at {
		i--
	}
	if how.Held = len(w.entries); i < how.Held {
		how.Younger = how.Held - i
		how.Behind = time.Duration(min(uint64(w.last())-uint64(at), math.MaxInt64)) // the difference may overflow an int64
	}
	context = w.context(n, o, i, at, math.MaxUint32)
	i = w.forgetFuture(n, o, i)
	w.insert(n, o, i, entry{time: at, id: id, name: n.use(e.Name), order: w.arrival()})
	w.named += len(e.Name)
	return context, how
}

// last is the time of the youngest event; there must be one.
func (w *window) last() int64 { return w.entries[len(w.entries)-1].time }

// expired reports whether the context of an event at that time would be NO_EVENT alone.
func (w *window) expired(o *WindowOptions, now int64) bool {
	return len(w.entries) == 0 || w.last() < now && o.tooOld(w.last(), now)
}

// context returns the events before position i that had arrived before the given order.
func (w *window) context(n *names, o *WindowOptions, i int, now int64, order uint32) []string {
	context := make([]string, o.Length)
	for k := o.Length; i > 0 && k > 0; i-- {
		e := &w.entries[i-1]
		if o.tooOld(e.time, now) {
			break // and so are all before it
		}
		if e.order < order {
			k--
			context[k] = n.text(e.name)
		}
	}
	return context
}

// insert puts e at position i. If there are too many events, it drops the oldest one, which may be e.
func (w *window) insert(n *names, o *WindowOptions, i int, e entry) {
	if keep := o.keep(); len(w.entries) < keep {
		if len(w.entries) == cap(w.entries) { // append would waste up to half of the memory of most windows
			w.entries = append(make([]entry, 0, min(keep, max(4, 2*len(w.entries)))), w.entries...)
		}
		w.entries = slices.Insert(w.entries, i, e)
		return
	}
	if i == 0 {
		n.release(e.name)
		return
	}
	n.release(w.entries[0].name)
	copy(w.entries, w.entries[1:i])
	w.entries[i-1] = e
}

// forgetFuture drops the events that are younger than an arrival at position i, if too many arrivals in a row were later than Late allows:
// the younger events came from a clock that was ahead, and would otherwise fill the window for ever. It returns i.
func (w *window) forgetFuture(n *names, o *WindowOptions, i int) int {
	if len(w.entries)-i <= o.Late {
		w.stale = 0
		return i
	}
	if w.stale++; int(w.stale) >= o.keep() {
		for _, e := range w.entries[i:] {
			n.release(e.name)
		}
		w.entries, w.stale = w.entries[:i], 0
	}
	return i
}

// arrival numbers an arrival. When the numbers run out, it renumbers the remembered events.
func (w *window) arrival() uint32 {
	if w.next == math.MaxUint32 {
		for rank, i := range w.byArrival() {
			w.entries[i].order = uint32(rank)
		}
		w.next = uint32(len(w.entries))
	}
	w.next++
	w.arrived++
	return w.next - 1
}

// byArrival lists the positions of the entries in order of arrival.
func (w *window) byArrival() []int {
	positions := make([]int, len(w.entries))
	for i := range positions {
		positions[i] = i
	}
	slices.SortFunc(positions, func(a, b int) int { return cmp.Compare(w.entries[a].order, w.entries[b].order) })
	return positions
}

// clear forgets everything.
func (w *window) clear(n *names) {
	for _, e := range w.entries {
		n.release(e.name)
	}
	w.entries, w.next, w.stale, w.arrived, w.named = nil, 0, 0, 0, 0
}
