//go:build amd64 && !purego

package attention

import (
	"slices"

	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// available are the kernels that this processor can run, the fastest first.
func available() (all []kernels) {
	for _, x := range []assembly{avx512, avx2} {
		if slices.Contains(simd.Widths(), x.width) {
			all = append(all, x.kernels())
		}
	}
	return append(all, plain)
}

// assembly are the kernels for one kind of vectors, as the generator writes them.
type assembly struct {
	name    string
	width   int // floats in a vector: lanes that settle and adam work on
	signs   func(a, u *float32, offsets *int32, active, next *uint64, changed *uint16, n, k64, bits, lanes int)
	confide func(p, u, e, sums, others *float32, n, k64, stride, pitch, lanes int)
	settle  func(sums, others, hit, total, confidence, gu *float32, outside *uint8, pitch, groups int)
	flip    func(p, a, w2 *float32, offsets, bias *int32, notes, active, next *uint64, changed *uint16, events *int32, distinct *int,
		n, stride, bits, skip, from, lanes int)
	adam func(theta, m, v, w, mul, dot, gu, u, hot *float32, length, groups int, invB, rate, scale float32)
}

var (
	avx2   = assembly{"AVX2", 8, signsAVX2, confideAVX2, settleAVX2, flipAVX2, adamAVX2}
	avx512 = assembly{"AVX-512", 16, signsAVX512, confideAVX512, settleAVX512, flipAVX512, adamAVX512}
)

func (x assembly) kernels() kernels {
	const row = 4 * lanes // bytes
	k := kernels{
		name: x.name,
		signs: func(b *block) {
			d := b.d
			x.signs(&d.a[0], &b.u[0], &b.offsets[0], &b.active[0], &b.next[0], &b.changed[0], d.stride, b.k*row, 8*len(d.first), b.rows)
		},
		confide: func(b *block) {
			k, u, gu := b.k-b.from, b.u[b.from*lanes:], b.gu[b.from*lanes:]
			x.confide(&b.p[b.from*b.d.stride], &u[0], &b.e[0], &b.sums[0], &b.others[0], b.d.stride, k*row, b.pStride, b.padded, b.rows)
			for i := 0; i < b.rows; i += x.width {
				x.settle(&b.sums[i*b.padded], &b.others[i], &b.hit[i], &b.total[i], &b.confidence[i], &gu[i], &b.outside[i/8], b.padded, (k+group-1)/group)
			}
		},
		flip: func(b *block) {
			d := b.d
			x.flip(&b.p[b.from*d.stride], &d.a[0], &d.w2[0], &b.offsets[0], &b.bias[0], &b.notes[0], &b.active[0], &b.next[0], &b.changed[0], &b.events[0],
				&b.distinct[0], d.stride, b.pStride, 8*len(d.first), b.from*row, b.from, 1<<(2*b.rows)-1)
		},
		adam: func(b *block, mul, dot []float32, invB, rate, scale float32) {
			for i := 0; i < b.rows; i += x.width {
				x.adam(&b.theta[i], &b.m[i], &b.v[i], &b.w[i], &mul[i], &dot[i], &b.gu[i], &b.u[i], &b.hot[i], b.d.length, b.padded/group, invB, rate, scale)
			}
		},
	}
	if x.width == lanes {
		k.narrowFlip = func(b *block) {
			t := &b.narrow
			narrowFlipAVX512(&t.a[0], &t.p[0], &b.u[lanes], &b.d.w2[0], &b.events[0], &t.active[0], &t.next[0], b.k-1)
		}
		k.narrowConfide = func(b *block) {
			narrowConfideAVX512(&b.narrow.p[0], &b.u[lanes], &b.hit[0], &b.total[0], &b.confidence[0], &b.gu[lanes], &b.outside[0], b.k-1)
		}
	}
	return k
}
