package attention

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// A narrow block goes on as one does that is not, while attention moves and units flip, and writes nothing around its slices.
func TestNarrowBlocks(t *testing.T) {
	for _, k := range available() {
		if k.narrowFlip == nil {
			continue
		}
		for _, events := range []int{3, 9, 15, 16} {
			for _, rows := range []int{1, 7, lanes} {
				for _, length := range []int{1, 2, 10, 40} {
					t.Run(fmt.Sprintf("%s/N=%d/rows=%d/L=%d", k.name, events, rows, length), func(t *testing.T) {
						w := network(t, events, length, 3, uint64(events))
						d := newDecoder(w, k)
						require.True(t, d.narrow)
						s, initial := question(w, rows, uint64(rows))
						compareNarrow(t, d, s, initial)
					})
				}
			}
		}
	}
}

func compareNarrow(t *testing.T, d *Decoder, s contextbuilder.Samples, initial []float32) {
	var order []int32
	for row := range s.Events {
		order = append(order, int32(row))
	}
	rows := len(order)
	wide, slim := newBlock(d), newBlock(d)
	for _, b := range []*block{wide, slim} {
		b.set(s, initial, order)
		b.forward()
		b.relate()
	}
	slim.turn()
	var g guarded
	guardOf := func(v []float32) []float32 {
		to := guard[float32](&g, len(v))
		copy(to, v)
		return to
	}
	slim.narrow.p, slim.narrow.a = guardOf(slim.narrow.p), guardOf(slim.narrow.a)
	slim.u, slim.gu = guardOf(slim.u), guardOf(slim.gu)
	random, flipped := rand.New(rand.NewPCG(1, 2)), 0
	for range 20 {
		for lane, k := range wide.distinct[:rows] {
			logits := make([]float64, k)
			for j := range logits {
				logits[j] = 2 * random.NormFloat64()
			}
			for j, a := range softmax64(logits) {
				wide.u[j*lanes+lane], slim.u[j*lanes+lane] = float32(a), float32(a)
			}
		}
		before := append([]uint64{}, wide.active...)
		wide.forward()
		slim.forward()
		for lane := range rows {
			bits := uint64(0)
			for unit, mask := range slim.narrow.active {
				bits |= uint64(mask>>lane&1) << unit
			}
			require.Equal(t, wide.active[lane], bits, "active units, lane %d", lane)
			if bits != before[lane] {
				flipped++
			}
			p, column, event := wide.columnsOf(lane)
			q, narrowColumn, narrowEvent := slim.columnsOf(lane)
			for j := range wide.k {
				for i := range d.events {
					if i != int(wide.events[lane]) || j > 0 { // there, the first column has −∞
						require.InDelta(t, p[j*column+i*event], q[j*narrowColumn+i*narrowEvent], 1e-4, "P, lane %d, column %d, event %d", lane, j, i)
					}
				}
			}
			for j := 1; j < wide.k; j++ {
				require.InDelta(t, wide.gu[j*lanes+lane], slim.gu[j*lanes+lane], 1e-4, "gradient, lane %d, column %d", lane, j)
			}
		}
		requireClose(t, wide.total[:rows], slim.total[:rows], 1e-4, "total")
		requireClose(t, wide.confidence[:rows], slim.confidence[:rows], 1e-5, "confidence")
	}
	if d.events > 3 && d.length > 2 && rows > 1 {
		require.NotZero(t, flipped)
	}
	require.True(t, g.intact(), "written outside of a slice")
}
