package attention

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// BenchmarkKernels runs each inner loop once, for the sixteen samples of a block, each of 4 distinct events; in flip, one unit of each changes.
func BenchmarkKernels(b *testing.B) {
	for _, n := range []int{16, 96, 304} {
		for _, k := range available() {
			blk := fourColumns(b, n, k)
			blk.changed = [lanes]uint16(slices.Repeat([]uint16{1}, lanes))
			for _, kernel := range []struct {
				name string
				run  func()
			}{
				{"signs", func() { k.signs(blk) }},
				{"confide", func() { k.confide(blk) }},
				{"flip", func() {
					for lane := range lanes {
						blk.next[lane*len(blk.d.first)] ^= 1 << 5
					}
					k.flip(blk)
				}},
				{"adam", func() { k.adam(blk, blk.one, blk.zero, 1e-3, 0.1, 1) }},
			} {
				b.Run(fmt.Sprintf("%s/N=%d/kernels=%s", kernel.name, n, k.name), func(b *testing.B) {
					for b.Loop() {
						kernel.run()
					}
				})
			}
		}
	}
}

// fourColumns is a full block of samples that have four distinct events each.
func fourColumns(b *testing.B, n int, k kernels) *block {
	d := newDecoder(network(b, n, 10, 3, 1), k)
	s, initial := contextbuilder.Samples{Length: 10}, make([]float32, lanes*10)
	fill(initial, 0.1)
	var rows []int32
	for i := range int32(lanes) {
		rows = append(rows, i)
		s.Events = append(s.Events, i)
		for j := range int32(10) {
			s.Contexts = append(s.Contexts, (i*j+j%4*5)%4+(i+7)%8)
		}
	}
	blk := newBlock(d)
	blk.set(s, initial, rows)
	blk.forward()
	return blk
}

// BenchmarkNarrow runs the inner loops of a narrow block; one unit of each sample changes, or none.
func BenchmarkNarrow(b *testing.B) {
	for _, k := range available() {
		if k.narrowFlip == nil {
			continue
		}
		blk := fourColumns(b, narrowest, k)
		blk.relate()
		blk.turn()
		k.narrowFlip(blk)
		for _, units := range []int{0, 1, lanes} {
			b.Run(fmt.Sprintf("flip/units=%d/kernels=%s", units, k.name), func(b *testing.B) {
				for b.Loop() {
					for lane := range units {
						blk.narrow.active[lane] ^= 1 << lane
					}
					k.narrowFlip(blk)
				}
			})
		}
		b.Run("confide/kernels="+k.name, func(b *testing.B) {
			for b.Loop() {
				k.narrowConfide(blk)
			}
		})
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
				b.Run(fmt.Sprintf("N=%d/rows=%d/kernels=%s", g.weights.Config.Events, rows, k.name), func(b *testing.B) {
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
		b.Run(fmt.Sprintf("N=%d", events), func(b *testing.B) {
			for b.Loop() {
				New(w)
			}
		})
	}
}
