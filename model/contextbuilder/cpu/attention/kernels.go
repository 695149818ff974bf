package attention

import (
	"math"
	"slices"
)

// kernels is one implementation of the inner loops. Lanes never mix and every sum has a fixed order.
type kernels struct {
	name string
	// forward leaves P·u in s.e, its maximum in s.top and the units with A·u > 0 in s.next, and tells if they differ from s.active.
	forward func(s *sample, b *block, lane int) (flips bool)
	// gradient turns logits into multiples of the derivatives of −log confidence by them and leaves the gradient in u in b.gu.
	// The derivative by y's logit is minus the sum of the others: confidence − 1 would cancel near confidence 1.
	gradient func(s *sample, b *block, lane int) (confidence float32)
	// flip adds sign · col · (row of a) to p, columns 0 to k; n is the stride.
	flip func(p, a, col []float32, sign float32, n, k int)
	// adam moves θ by one step for the gradient mul·(g − Σ dot·g)·invB in it, and leaves the next attention in b.w and b.u. rate is
	// the learning rate and scale the factor of √v, both with bias correction.
	adam func(b *block, mul, dot []float32, invB, rate, scale float32)
}

var negativeInf = float32(math.Inf(-1))

// exp32 is eˣ for x ≤ 0 (Cephes expf), relative error below 1e-7 down to −87.3; below that it stays at e^−87.3, so that it is never
// denormal. NaN stays NaN.
func exp32(x float32) float32 {
	if x < -87.3 {
		x = -87.3
	}
	n := float32(math.RoundToEven(float64(x * 1.44269504088896341)))
	r := x - n*0.693359375 + n*2.12194440e-4
	p := float32(1.9875691500e-4)
	p = p*r + 1.3981999507e-3
	p = p*r + 8.3334519073e-3
	p = p*r + 4.1665795894e-2
	p = p*r + 1.6666665459e-1
	p = p*r + 5.0000001201e-1
	return ((p*r+1)*r + 1) * math.Float32frombits(uint32(int32(n)+127)<<23)
}

// softmax writes the softmax of the first logits to out; those beyond are padding.
func softmax(out, logits []float32) {
	logits = logits[:len(out)]
	top := slices.Max(logits)
	var sum float32
	for i, x := range logits {
		out[i] = exp32(x - top)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
}

// plain is for processors without kernels of their own.
var plain = kernels{name: "plain Go", forward: forwardPlain, gradient: gradientPlain, flip: flipPlain, adam: adamPlain}

func forwardPlain(s *sample, b *block, lane int) (flips bool) {
	z, e := b.z, s.e
	n := len(e)
	copy(z, s.a)
	copy(e, s.p)
	for j := range s.k {
		a, p, f := s.a[(j+1)*n:][:n], s.p[(j+1)*n:][:n], b.u[j*lanes+lane]
		for r := range e {
			z[r] += a[r] * f
			e[r] += p[r] * f
		}
	}
	for v := range s.next {
		var units uint16
		for t, x := range z[v*16:][:16] {
			if x > 0 {
				units |= 1 << t
			}
		}
		s.next[v] = units
		flips = flips || units != s.active[v]
	}
	top := slices.Max(e)
	for i := range s.top {
		s.top[i] = top
	}
	return flips
}

func gradientPlain(s *sample, b *block, lane int) (confidence float32) {
	e, top := s.e, s.top[0]
	n := len(e)
	ey := exp32(e[s.y] - top)
	e[s.y] = negativeInf
	var sum float32
	for r, x := range e {
		e[r] = exp32(x - top)
		sum += e[r]
	}
	e[s.y] = -sum
	sum += ey
	for j := range s.k {
		var dot float32
		p := s.p[(j+1)*n:][:n]
		for r, x := range e {
			dot += x * p[r]
		}
		b.gu[j*lanes+lane] = dot / sum
	}
	return ey / sum
}

func flipPlain(p, a, col []float32, sign float32, n, k int) {
	col = col[:n]
	for j := range k + 1 {
		f := sign * a[j*n]
		column := p[j*n:][:n]
		for r, x := range col {
			column[r] += f * x
		}
	}
}

func adamPlain(b *block, mul, dot []float32, invB, rate, scale float32) {
	end := b.length * lanes
	clear(b.u)
	for lane := range lanes {
		var d, sum float32
		for i := lane; i < end; i += lanes {
			b.g[i] = b.gu[int(b.column[i])*lanes+lane]
			d += dot[i] * b.g[i]
		}
		top := float32(-3e38)
		for i := lane; i < end; i += lanes {
			g := (b.g[i] - d) * mul[i] * invB
			b.m[i] += (g - b.m[i]) * 0.1
			b.v[i] = b.v[i]*0.999 + g*g*0.001
			b.theta[i] -= rate * b.m[i] / (float32(math.Sqrt(float64(b.v[i])))*scale + 1e-8)
			top = max(top, b.theta[i])
		}
		for i := lane; i < end; i += lanes {
			b.w[i] = exp32(b.theta[i] - top)
			sum += b.w[i]
		}
		for i := lane; i < end; i += lanes {
			b.w[i] /= sum
			b.u[int(b.column[i])*lanes+lane] += b.w[i]
		}
	}
}
