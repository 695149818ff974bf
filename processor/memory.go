package processor

import (
	"fmt"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
	"connect-deepcase/sequencer"
)

// memory watches how much memory the machines that a processor holds take. It logs once if machines are forgotten that were still in use.
type memory struct {
	warning     func(machines, bytes int) string
	held, bytes *service.MetricGauge
	evicted     *service.MetricCounter
	log         *service.Logger
	told        atomic.Bool
}

// newMemory names the metrics that count machines, and says what to log.
func newMemory(mgr *service.Resources, metric string, warning func(machines, bytes int) string) *memory {
	m := &memory{
		warning: warning,
		held:    mgr.Metrics().NewGauge(metric),
		bytes:   mgr.Metrics().NewGauge(metric + "_bytes"),
		evicted: mgr.Metrics().NewCounter(metric+"_evicted", "outcome"),
		log:     mgr.Logger(),
	}
	m.evicted.Incr(0, "lost")
	return m
}

// watch is told after a batch what is held, and how many machines were evicted since the last one. cached says whether a cache has these.
func (m *memory) watch(machines, bytes int, live, expired int64, cached bool) {
	m.held.Set(int64(machines))
	m.bytes.Set(int64(bytes))
	if cached {
		m.evicted.Incr(live+expired, "cached")
		return
	}
	m.evicted.Incr(live, "lost")
	m.evicted.Incr(expired, "expired")
	if live > 0 && !m.told.Swap(true) {
		m.log.Warn(m.warning(machines, bytes))
	}
}

// windowsForgotten is what to log if windows are lost.
func windowsForgotten(o sequencer.WindowOptions) func(machines, bytes int) string {
	return func(machines, bytes int) string {
		return fmt.Sprintf("Machines are forgotten although they had events within `%s` (%s), and their contexts begin empty: %d machines are held, of at most %d (`%s`), in %d bytes, of at most %d (`%s`). "+
			"Check whether someone invents names of machines or events. If all are real, raise these limits or set a `%s` (further machines are only counted)",
			fieldTimeout, o.Timeout, machines, o.MaxMachines, fieldMaxMachines, bytes, o.MaxBytes, fieldMaxBytes, configfield.FieldCache)
	}
}
