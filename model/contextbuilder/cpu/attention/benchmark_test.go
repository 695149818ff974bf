package attention

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// BenchmarkKernels runs each inner loop once: one sample of 4 distinct events, for adam the eight samples of a block.
func BenchmarkKernels(b *testing.B) {
	const distinct = 4
	for _, n := range []int{16, 64, 304} {
		var g guarded
		blk := guardedBlock(&g, n, 10, distinct)
		s := &blk.samples[0]
		logits := append([]float32{}, s.e...)
		for _, k := range available() {
			for _, kernel := range []struct {
				name string
				run  func()
			}{
				{"forward", func() { k.forward(s, blk, 0) }},
				{"gradient", func() { copy(s.e, logits); k.gradient(s, blk, 0) }},
				{"flip", func() { k.flip(s.p, s.a[3:], s.a[:n], 1e-9, n, distinct) }},
				{"adam", func() { k.adam(blk, blk.one, blk.zero, 1e-3, 0.1, 1) }},
			} {
				b.Run(fmt.Sprintf("%s/N=%d/%s", kernel.name, n, k.name), func(b *testing.B) {
					for b.Loop() {
						kernel.run()
					}
				})
			}
		}
	}
}

// BenchmarkQuery answers the samples of the golden files, all on one core, and one alone.
func BenchmarkQuery(b *testing.B) {
	for _, name := range []string{"n15", "n60", "n300"} {
		g := loadGolden(b, name)
		l := g.samples.Length
		for _, k := range available() {
			d := newDecoder(g.weights, k)
			for _, rows := range []int{1, len(g.samples.Events)} {
				b.Run(fmt.Sprintf("N=%d/rows=%d/%s", g.weights.Config.Events, rows, k.name), func(b *testing.B) {
					row := 0
					for b.Loop() {
						s := contextbuilder.Samples{Length: l, Contexts: g.samples.Contexts[row*l:][:rows*l], Events: g.samples.Events[row:][:rows]}
						_, err := d.Query(context.Background(), s, g.initial[row*l:][:rows*l], contextbuilder.DefaultQuery(), 1)
						require.NoError(b, err)
						row = (row + rows) % len(g.samples.Events)
					}
					b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "samples/s")
				})
			}
		}
	}
}

// BenchmarkNew lays out a decoder, which costs O(N³) on all cores.
func BenchmarkNew(b *testing.B) {
	for _, events := range []int{100, 1000, 3000} {
		w := network(b, events, 10, 1, 1)
		for _, k := range available() {
			b.Run(fmt.Sprintf("N=%d/%s", events, k.name), func(b *testing.B) {
				for b.Loop() {
					newDecoder(w, k)
				}
			})
		}
	}
}
