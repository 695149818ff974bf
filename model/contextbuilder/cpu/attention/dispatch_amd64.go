//go:build amd64 && !purego

package attention

import "golang.org/x/sys/cpu"

// available are the kernels that this processor can run, the fastest first.
func available() (all []kernels) {
	x := cpu.X86
	if x.HasAVX2 && x.HasFMA {
		if x.HasAVX512F && x.HasAVX512DQ {
			all = append(all, avx512.kernels())
		}
		all = append(all, avx2.kernels())
	}
	return append(all, plain)
}

// assembly are the kernels for one kind of vectors, as the generator writes them.
type assembly struct {
	name    string
	width   int // lanes that adam works on
	signs   func(w1, b1, u *float32, offsets *int32, active, next, changed *uint16, n, k64, lanes int)
	confide func(p, u, e, gu, others, confidence *float32, events *int32, n, k64, stride, lanes int)
	flip    func(p, b1, w1 *float32, offsets *int32, col *float32, sign float32, n, k int)
	adam    func(theta, m, v, w, grad, mul, dot, gu, u, hot *float32, length, k int, invB, rate, scale float32)
}

var (
	avx2   = assembly{"AVX2", 8, signsAVX2, confideAVX2, flipAVX2, adamAVX2}
	avx512 = assembly{"AVX-512", 16, signsAVX512, confideAVX512, flipAVX512, adamAVX512}
)

func (x assembly) kernels() kernels {
	const row = 4 * lanes // bytes
	return kernels{
		name: x.name,
		signs: func(b *block) {
			d := b.d
			x.signs(&d.w1[0], &d.b1[0], &b.u[0], &b.offsets[0], &b.active[0], &b.next[0], &b.changed[0], d.stride, b.k*row, b.rows)
		},
		confide: func(b *block) {
			d := b.d
			x.confide(&b.p[0], &b.u[0], &b.e[0], &b.gu[0], &d.others[0], &b.confidence[0], &b.events[0], d.stride, b.k*row, b.pStride, b.rows)
		},
		flip: func(b *block, lane, unit int, sign float32) {
			d := b.d
			x.flip(&b.p[lane*b.pStride], &d.b1[unit], &d.w1[unit], &b.offsets[lane], &d.w2[unit*d.stride], sign, d.stride, b.distinct[lane])
		},
		adam: func(b *block, mul, dot []float32, invB, rate, scale float32) {
			for i := 0; i < b.rows; i += x.width {
				x.adam(&b.theta[i], &b.m[i], &b.v[i], &b.w[i], &b.g[i], &mul[i], &dot[i], &b.gu[i], &b.u[i], &b.hot[i], b.length, b.k, invB, rate, scale)
			}
		},
	}
}
