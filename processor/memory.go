package processor

import (
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
	"connect-deepcase/sequencer"
)

// memory watches how much memory windows take. It logs once if machines are forgotten that still had recent events.
type memory struct {
	options     sequencer.WindowOptions
	held, bytes *service.MetricGauge
	evicted     *service.MetricCounter
	log         *service.Logger
	told        atomic.Bool
}

func newMemory(mgr *service.Resources, options sequencer.WindowOptions) *memory {
	m := &memory{
		options: options,
		held:    mgr.Metrics().NewGauge("deepcase_windows"),
		bytes:   mgr.Metrics().NewGauge("deepcase_windows_bytes"),
		evicted: mgr.Metrics().NewCounter("deepcase_windows_evicted", "outcome"),
		log:     mgr.Logger(),
	}
	m.evicted.Incr(0, "lost")
	return m
}

// watch looks at the windows after a batch. cached says whether a cache has the evicted ones.
func (m *memory) watch(windows *sequencer.Windows, cached bool) {
	machines, bytes := windows.Len(), windows.Bytes()
	m.held.Set(int64(machines))
	m.bytes.Set(int64(bytes))
	live, expired := windows.TakeEvicted()
	if cached {
		m.evicted.Incr(live+expired, "cached")
		return
	}
	m.evicted.Incr(live, "lost")
	m.evicted.Incr(expired, "expired")
	if live > 0 && !m.told.Swap(true) {
		m.log.Warnf("Machines are forgotten although they had events within `%s` (%s), and their contexts begin empty: %d machines are held, of at most %d (`%s`), in %d bytes, of at most %d (`%s`). "+
			"Check whether someone invents names of machines or events. If all are real, raise these limits or set a `%s` (further machines are only counted)",
			fieldTimeout, m.options.Timeout, machines, m.options.MaxMachines, fieldMaxMachines, bytes, m.options.MaxBytes, fieldMaxBytes, configfield.FieldCache)
	}
}
