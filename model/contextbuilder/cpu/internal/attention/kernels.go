package attention

import (
	"math"
	"slices"
)

// kernels is one implementation of the inner loops. Lanes never mix and every sum has a fixed order.
type kernels struct {
	name string
	// signs leaves the units with A·u > 0 in b.next and what differs from b.active in b.changed.
	signs func(b *block)
	// confide leaves in b.e the exponentials of the logits P·u below their maximum, but 0 at the true event, in b.confidence
	// that event's share of them, and in b.gu the gradient of −log confidence in u. Its derivative by the true event's logit is minus the
	// sum of the others: confidence − 1 would cancel near confidence 1.
	confide func(b *block)
	// flip adds to a lane's P, for each of b.units, its column of W2 times its row of A times b.signs.
	flip func(b *block, lane int)
	// adam moves θ by one step for the gradient mul·(g − Σ dot·gu)·invB in it, the sum over columns, and leaves the next attention in b.w
	// and b.u. rate is the learning rate and scale the factor of √v, both with bias correction.
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

// plain is for processors without kernels of their own.
var plain = kernels{name: "plain Go", signs: signsPlain, confide: confidePlain, flip: flipPlain, adam: adamPlain}

func signsPlain(b *block) {
	d, z := b.d, b.z
	n := len(z)
	for lane := range b.rows {
		copy(z, d.b1)
		for j := range b.k {
			a, f := d.w1[b.offsets[j*lanes+lane]:][:n], b.u[j*lanes+lane]
			for r := range z {
				z[r] += a[r] * f
			}
		}
		next, active := b.next[lane*len(d.first):][:len(d.first)], b.active[lane*len(d.first):]
		clear(next)
		for r, x := range z {
			if x > 0 {
				next[r/64] |= 1 << (r % 64)
			}
		}
		b.changed[lane] = 0
		for v, units := range next {
			if units != active[v] {
				b.changed[lane] = 1
			}
		}
	}
}

func confidePlain(b *block) {
	n := b.d.stride
	for lane := range b.rows {
		e, all := b.e[lane*n:][:n], b.p[lane*b.pStride:]
		copy(e, all)
		for j := range b.k {
			p, f := all[(j+1)*n:][:n], b.u[j*lanes+lane]
			for r := range e {
				e[r] += p[r] * f
			}
		}
		top, y := slices.Max(e), int(b.events[lane])
		hit := exp32(e[y] - top)
		e[y] = negativeInf
		var others float32
		for r, x := range e {
			e[r] = exp32(x - top)
			others += e[r]
		}
		e[y] = 0
		sum := others + hit
		b.confidence[lane] = hit / sum
		for j := range b.k {
			p := all[(j+1)*n:][:n]
			var dot float32
			for r, x := range e {
				dot += x * p[r]
			}
			b.gu[j*lanes+lane] = (dot - others*p[y]) / sum
		}
	}
}

func flipPlain(b *block, lane int) {
	d := b.d
	n := d.stride
	p, a := b.p[lane*b.pStride:], d.b1
	for j := range b.distinct[lane] + 1 {
		to := p[j*n:][:n]
		for i, unit := range b.units {
			f := b.signs[i] * a[unit]
			for r, x := range d.w2[int(unit)*n:][:n] {
				to[r] += f * x
			}
		}
		a = d.w1[b.offsets[j*lanes+lane]:]
	}
}

func adamPlain(b *block, mul, dot []float32, invB, rate, scale float32) {
	for lane := range b.rows {
		var d, sum float32
		for j := range b.k {
			d += dot[j*lanes+lane] * b.gu[j*lanes+lane]
		}
		for j := range b.k {
			b.u[j*lanes+lane] = 0
		}
		top := float32(-3e38)
		for p := range b.d.length {
			i := p*lanes + lane
			g := (b.gu[int(b.column[i])*lanes+lane] - d) * mul[i] * invB
			b.m[i] += (g - b.m[i]) * 0.1
			b.v[i] = b.v[i]*0.999 + g*g*0.001
			b.theta[i] -= rate * b.m[i] / (float32(math.Sqrt(float64(b.v[i])))*scale + 1e-8)
			top = max(top, b.theta[i])
		}
		for p := range b.d.length {
			i := p*lanes + lane
			b.w[i] = exp32(b.theta[i] - top)
			sum += b.w[i]
		}
		for p := range b.d.length {
			i := p*lanes + lane
			b.w[i] /= sum
			b.u[int(b.column[i])*lanes+lane] += b.w[i]
		}
	}
}
