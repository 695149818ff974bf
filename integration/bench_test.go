//go:build integration

package integration

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// BenchmarkRead reads 200,000 alerts of some 300 bytes from two indices.
func BenchmarkRead(b *testing.B) {
	const n = 200_000
	for _, name := range engines {
		s := engine(b, name)
		given := alerts(n/6, 500)
		s.give(b, "alerts-bench-"+name, given)
		for _, slices := range []int{1, 2, 4} {
			b.Run(fmt.Sprintf("%s/slices=%d", name, slices), func(b *testing.B) {
				for b.Loop() {
					var read atomic.Int64
					begin := time.Now()
					s.read(b, fmt.Sprintf("index: alerts-bench-%s-*\nslices: %d\nbatch_size: 5000", name, slices),
						func(_ context.Context, batch service.MessageBatch) error { read.Add(int64(len(batch))); return nil }).finished(b, 5*time.Minute)
					require.EqualValues(b, len(given), read.Load())
					b.ReportMetric(float64(len(given))/time.Since(begin).Seconds(), "documents/s")
				}
			})
		}
	}
}

// BenchmarkEnrich annotates 60,000 alerts in their documents: from the start of the process to its end, windows and cursor in Redis.
func BenchmarkEnrich(b *testing.B) {
	redis := launch(b, "redis")
	for _, name := range engines {
		b.Run(name, func(b *testing.B) {
			s := engine(b, name)
			given := alerts(10_000, 500)
			round := 0
			for b.Loop() {
				e := newEnrichment(b, s, redis, fmt.Sprintf("alerts-rate-%d", round), given)
				round++
				begin := time.Now()
				e.begin(b).finish(b, 5*time.Minute)
				b.ReportMetric(float64(len(given))/time.Since(begin).Seconds(), "documents/s")
				e.requireAll(b, given)
			}
		})
	}
}
