package main

import (
	"context"
	"slices"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// timings exports one metric: the times, in milliseconds, that batches took in the processor with the label timed.
type timings struct {
	mu      sync.Mutex
	batches []float64
}

func (t *timings) NewTimerCtor(name string, keys ...string) service.MetricsExporterTimerCtor {
	label := slices.Index(keys, "label")
	return func(values ...string) service.MetricsExporterTimer {
		if name == "processor_latency_ns" && label >= 0 && values[label] == "timed" {
			return t
		}
		return ignored{}
	}
}

// Timing adds a time in nanoseconds.
func (t *timings) Timing(delta int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batches = append(t.batches, float64(delta)/1e6)
}

func (t *timings) NewCounterCtor(string, ...string) service.MetricsExporterCounterCtor {
	return func(...string) service.MetricsExporterCounter { return ignored{} }
}

func (t *timings) NewGaugeCtor(string, ...string) service.MetricsExporterGaugeCtor {
	return func(...string) service.MetricsExporterGauge { return ignored{} }
}

func (t *timings) Close(context.Context) error { return nil }

type ignored struct{}

func (ignored) Incr(int64)   {}
func (ignored) Timing(int64) {}
func (ignored) Set(int64)    {}
