package processor

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// order watches whether events come in the order of time. It logs once for each way in which they do not.
type order struct {
	limit       int // the field late
	late        *service.MetricCounter
	overlapping *service.MetricCounter
	log         *service.Logger

	running atomic.Int32

	mu                           sync.Mutex
	back                         int           // events in a row that came behind their machines
	furthest                     time.Duration // by how much at most
	overlapped, lost, wentBehind bool          // what was logged
	file                         struct {      // that the events come from
		path, before string
		back         int  // how many of its events came first, behind their machines
		inOrder      bool // whether one came that was not behind
	}
}

func newOrder(mgr *service.Resources, limit int) *order {
	o := &order{
		limit:       limit,
		late:        mgr.Metrics().NewCounter("deepcase_sequence_late", "outcome"),
		overlapping: mgr.Metrics().NewCounter("deepcase_sequence_overlapping_calls"),
		log:         mgr.Logger(),
	}
	o.late.Incr(0, "placed")
	o.late.Incr(0, "beyond")
	o.overlapping.Incr(0)
	return o
}

const (
	backInARow = 16          // fewer events in a row may have been reordered on their way
	backAtOnce = 3           // but a file that begins with so many was read too late
	backBy     = time.Minute // events may overtake each other by less than this anywhere
)

// call begins a call of ProcessBatch. The function that it returns ends it.
func (o *order) call() (end func()) {
	if o.running.Add(1) > 1 {
		o.overlapping.Incr(1)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.once(&o.overlapped, "Two batches were sequenced at the same time. They can overtake each other, and then contexts are wrong. Set pipeline.threads: 1. "+
			"More threads are right only if the source gives the events of each machine one batch after the other")
	}
	return func() { o.running.Add(-1) }
}

// watch looks at the events of a batch that have a context.
func (o *order) watch(events []pending) {
	placed, beyond := int64(0), int64(0)
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range events {
		p := &events[i]
		if p.err != nil || p.how.Again {
			continue
		}
		switch {
		case p.how.Younger > o.limit:
			beyond++
			if !o.lost {
				o.once(&o.lost, "An event of machine %q came after %d younger ones, more than `%s` (%d), so its context may lack events. "+
					"Let the source send events in the order of time (files: oldest first), set pipeline.threads: 1, or raise `%[3]s` (further events are only counted)",
					p.event.Machine, p.how.Younger, fieldLate, o.limit)
			}
		case p.how.Younger > 0:
			placed++
		}
		o.follow(p)
		o.followFile(p)
	}
	o.late.Incr(placed, "placed")
	o.late.Incr(beyond, "beyond")
}

// follow notices if the source as a whole goes back in time. A single late machine, or a new one, does not count.
func (o *order) follow(p *pending) {
	switch {
	case p.how.Behind > backBy:
		o.back++
		o.furthest = max(o.furthest, p.how.Behind)
	case p.how.Held > 0:
		o.back, o.furthest = 0, 0
	}
	if o.back == backInARow {
		o.once(&o.wentBehind, "The source went back in time: the last %d events came after events of their machines that are younger by up to %s, so their contexts may be wrong. "+
			"Read files oldest first. To score a source again, start with empty windows (another `%s` or state directory), "+
			"or score the documents with the contexts that they have, without deepcase_sequence", backInARow, o.furthest.Round(time.Second), fieldCachePrefix)
	}
}

// followFile notices if a file begins with events that are older than what came before it: its name did not show that it is older.
func (o *order) followFile(p *pending) {
	f := &o.file
	if p.path != f.path {
		f.path, f.before, f.back, f.inOrder = p.path, f.path, 0, false
	}
	switch {
	case p.path == "" || f.before == "" || f.inOrder || p.how.Held == 0:
		return
	case p.how.Behind <= backBy:
		f.inOrder = true
		return
	}
	if f.back++; f.back == backAtOnce {
		o.once(&o.wentBehind, "The source went back in time: %s was read after %s, and begins with events that came after events of their machines that are "+
			"younger by up to %s, so their contexts may be wrong. Read the files in the order of their events: list them in it, oldest first, with `order: given`. "+
			"A file that was read before needs empty windows (another `%s` or state directory)", f.path, f.before, o.furthest.Round(time.Second), fieldCachePrefix)
	}
}

// once logs a warning unless it was logged before. mu is held.
func (o *order) once(told *bool, format string, args ...any) {
	if !*told {
		*told = true
		o.log.Warnf(format, args...)
	}
}
