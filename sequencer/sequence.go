package sequencer

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"

	"connect-deepcase/internal/parallel"
)

// SequenceOptions are the settings of the original's Preprocessor, and a callback.
type SequenceOptions struct {
	Options
	NoEvent  string                // the name of NO_EVENT, which no event may have; "" is the original's, -1337
	Label    *float64              // one label for all rows, instead of the table's
	Progress func(done, total int) // rows; may be nil
}

const defaultNoEvent = "-1337"

// Sequences are a table's events with their contexts, in the table's row order. They share the table's memory.
type Sequences struct {
	Names    []string  // distinct event names, sorted; id len(Names) is NO_EVENT
	Length   int       // events in a context
	Contexts []int32   // rows × Length, oldest first
	Events   []int32   // rows
	Labels   []float64 // rows; nil if no row has a label
	Kinds    []string  // texts of labels, in the order of first use
	Kind     []uint32  // rows: an index into Kinds, whose text is "" for a row without a label; nil if no file had labels
	Machines []string  // in the order of first use
	Machine  []uint32  // rows: an index into Machines; nil if not known
	Times    []int64   // rows: Unix nanoseconds; nil if not known
}

// Context gives the names of the events before a row, oldest first; "" for NO_EVENT.
func (s *Sequences) Context(row int) []string {
	names := make([]string, s.Length)
	for i, id := range s.Contexts[row*s.Length : (row+1)*s.Length] {
		if int(id) < len(s.Names) {
			names[i] = s.Names[id]
		}
	}
	return names
}

// Sequence finds the context of each event. It is an error if an option is out of range, or if NoEvent is the name of an event.
func (t *Table) Sequence(opts SequenceOptions) (*Sequences, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if _, ok := t.names.ids[cmp.Or(opts.NoEvent, defaultNoEvent)]; ok {
		return nil, fmt.Errorf("NO_EVENT %q is also an event: want a name that no event has", cmp.Or(opts.NoEvent, defaultNoEvent))
	}
	labels := slices.Clone(t.labels)
	if opts.Label != nil {
		labels = slices.Repeat([]float64{*opts.Label}, t.Len())
	}
	names, ids := t.vocabulary()
	s := &Sequences{
		Names:    names,
		Length:   opts.Length,
		Contexts: make([]int32, t.Len()*opts.Length),
		Events:   make([]int32, t.Len()),
		Labels:   labels,
		Kinds:    t.kinds.texts,
		Kind:     t.fullKinds(),
		Machines: t.machines.texts,
		Machine:  t.machine,
		Times:    t.time,
	}
	for row, name := range t.name {
		s.Events[row] = ids[name]
	}
	t.contexts(s, opts)
	return s, nil
}

func (t *Table) fullKinds() []uint32 {
	if t.kind != nil {
		t.fillKinds(t.Len())
	}
	return t.kind
}

// vocabulary returns the sorted event names, and for each interned name its place among them.
func (t *Table) vocabulary() (names []string, ids []int32) {
	names = slices.Sorted(slices.Values(t.names.texts))
	ids = make([]int32, len(names))
	for id, name := range names {
		ids[t.names.ids[name]] = int32(id)
	}
	return names, ids
}

// contexts fills s.Contexts, several machines at once.
func (t *Table) contexts(s *Sequences, opts SequenceOptions) {
	rows, starts := t.byMachine()
	shares := machineShares(starts)
	filled := make([]chan struct{}, len(shares))
	for i := range filled {
		filled[i] = make(chan struct{})
	}
	go parallel.Each(context.Background(), runtime.GOMAXPROCS(0), len(shares), func(next func() (int, bool)) {
		var events []int32
		for i, more := next(); more; i, more = next() {
			for m := shares[i].from; m < shares[i].to; m++ {
				events = s.fill(rows[starts[m]:starts[m+1]], opts.Options, events[:0])
			}
			close(filled[i])
		}
	})
	reported := 0
	for i, share := range shares {
		<-filled[i]
		if done := int(starts[share.to]); opts.Progress != nil && (done-reported >= 1<<16 || done == t.Len()) {
			opts.Progress(done, t.Len())
			reported = done
		}
	}
}

// machines is a range of machines.
type machines struct{ from, to int }

// machineShares cuts the machines into ranges of some thousand rows, which is enough work to pay for handing it to a goroutine.
func machineShares(starts []uint32) (shares []machines) {
	from := 0
	for m := 1; m < len(starts); m++ {
		if starts[m]-starts[from] >= 1<<13 || m == len(starts)-1 {
			shares = append(shares, machines{from, m})
			from = m
		}
	}
	return shares
}

// fill sorts the rows of one machine by time and writes their contexts (paper, section III-A). It returns their events, appended to some.
func (s *Sequences) fill(rows []uint32, o Options, events []int32) []int32 {
	noEvent := int32(len(s.Names))
	sortByTime(rows, s.Times)
	for _, row := range rows {
		events = append(events, s.Events[row])
	}
	young := 0 // the first row that is not too old
	for i, row := range rows {
		for o.tooOld(s.Times[rows[young]], s.Times[row]) {
			young++
		}
		before := events[max(young, i-s.Length):i]
		context := s.Contexts[int(row)*s.Length:][:s.Length]
		missing := s.Length - len(before)
		for k := range missing {
			context[k] = noEvent
		}
		copy(context[missing:], before)
	}
	return events
}

// sortByTime sorts rows by their times. Rows with equal times stay in input order. Most rows are in order already: only the late ones are
// taken out, sorted, and merged again.
func sortByTime(rows []uint32, times []int64) {
	var late []uint32
	inTime := 0
	for _, row := range rows {
		if inTime > 0 && times[row] < times[rows[inTime-1]] {
			late = append(late, row)
			continue
		}
		rows[inTime] = row
		inTime++
	}
	byTime := func(a, b uint32) int { return cmp.Or(cmp.Compare(times[a], times[b]), cmp.Compare(a, b)) }
	slices.SortFunc(late, byTime)
	for to := len(rows) - 1; len(late) > 0; to-- {
		if last := len(late) - 1; inTime == 0 || byTime(late[last], rows[inTime-1]) > 0 {
			rows[to], late = late[last], late[:last]
		} else {
			inTime--
			rows[to] = rows[inTime]
		}
	}
}

// byMachine groups the rows: machine m has those from starts[m] to starts[m+1], in input order.
func (t *Table) byMachine() (rows, starts []uint32) {
	starts = make([]uint32, len(t.machines.texts)+1)
	for _, m := range t.machine {
		starts[m+1]++
	}
	for m := range t.machines.texts {
		starts[m+1] += starts[m]
	}
	rows = make([]uint32, t.Len())
	next := slices.Clone(starts)
	for row, m := range t.machine {
		rows[next[m]] = uint32(row)
		next[m]++
	}
	return rows, starts
}
