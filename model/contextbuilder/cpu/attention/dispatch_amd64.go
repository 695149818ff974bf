package attention

import "golang.org/x/sys/cpu"

// available are the kernels that this processor can run, the fastest first.
func available() []kernels {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		return []kernels{avx2, plain}
	}
	return []kernels{plain}
}

var avx2 = kernels{
	name: "AVX2",
	forward: func(s *sample, b *block, lane int) (flips bool) {
		return forwardAVX2(&s.a[0], &s.p[0], &b.u[lane], &s.e[0], &s.top[0], &s.active[0], &s.next[0], len(s.e), s.k) != 0
	},
	gradient: func(s *sample, b *block, lane int) (confidence float32) {
		return gradientAVX2(&s.p[0], &s.e[0], &s.top[0], &b.gu[lane], len(s.e), s.k, s.y)
	},
	flip: func(p, a, col []float32, sign float32, n, k int) { flipAVX2(&p[0], &a[0], &col[0], sign, n, k) },
	adam: func(b *block, mul, dot []float32, invB, rate, scale float32) {
		adamAVX2(&b.theta[0], &b.m[0], &b.v[0], &b.w[0], &b.g[0], &mul[0], &dot[0], &b.gu[0], &b.u[0], &b.hot[0], b.length, b.k, invB, rate, scale)
	},
}
