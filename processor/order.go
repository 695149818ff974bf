package processor

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// order watches whether events come in the order of time, and tells once of each way in which they do not.
type order struct {
	limit       int // late
	late        *service.MetricCounter
	overlapping *service.MetricCounter
	log         *service.Logger

	running atomic.Int32

	mu                           sync.Mutex
	back                         int           // events in a row that came behind their machines
	furthest                     time.Duration // by how much at most
	overlapped, lost, wentBehind bool          // what was told
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
	backInARow = 16          // so many events behind their machines are no reordering on the way
	backBy     = time.Minute // by less than this events overtake each other everywhere
)

// call begins a call of ProcessBatch; what it returns ends it.
func (o *order) call() (end func()) {
	if o.running.Add(1) > 1 {
		o.overlapping.Incr(1)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.once(&o.overlapped, "Two batches were sequenced at the same time, so they can overtake each other, and contexts are then wrong. Set pipeline.threads: 1. "+
			"More threads are right only for a source that gives the events of a machine one batch after the other")
	}
	return func() { o.running.Add(-1) }
}

// watch looks at the events of a batch that have a context.
func (o *order) watch(events []*pending) {
	placed, beyond := int64(0), int64(0)
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range events {
		if p.err != nil || p.how.Again {
			continue
		}
		switch {
		case p.how.Younger > o.limit:
			beyond++
			if !o.lost {
				o.once(&o.lost, "An event of machine %q came after %d younger ones, more than `%s` (%d), so its context may lack events; further ones are only counted. "+
					"Have the source send events in the order of time (files: oldest first), set pipeline.threads: 1, or raise `%[3]s`",
					p.event.Machine, p.how.Younger, fieldLate, o.limit)
			}
		case p.how.Younger > 0:
			placed++
		}
		o.follow(p)
	}
	o.late.Incr(placed, "placed")
	o.late.Incr(beyond, "beyond")
}

// follow notices when the source goes back in time as a whole: a single machine that is late, or a new one, would not show that.
func (o *order) follow(p *pending) {
	switch {
	case p.how.Behind > backBy:
		o.back++
		o.furthest = max(o.furthest, p.how.Behind)
	case p.how.Held > 0:
		o.back, o.furthest = 0, 0
	}
	if o.back == backInARow {
		o.once(&o.wentBehind, "The source went back in time: the last %d events came after events of their machines that are younger by up to %s, and their contexts may be wrong. "+
			"Read files oldest first. To score a source anew, begin with empty windows (another `%s` or state directory), "+
			"or score the documents by the contexts that they have, without deepcase_sequence", backInARow, o.furthest.Round(time.Second), fieldCachePrefix)
	}
}

// once logs a warning, unless it was told before. mu is held.
func (o *order) once(told *bool, format string, args ...any) {
	if !*told {
		*told = true
		o.log.Warnf(format, args...)
	}
}
