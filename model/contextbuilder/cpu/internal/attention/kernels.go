package attention

import "math"

// kernels is one implementation of the inner loops. Lanes never mix and every sum has a fixed order.
type kernels struct {
	name string
	// signs leaves the units with A·u > 0 in b.next and what differs from b.active in b.changed.
	signs func(b *block)
	// confide leaves in b.e 2 to the power of the logits P·u, in b.others their sum, in b.total and b.confidence what the true event makes
	// of it, in b.outside whether the lane needs a rebase, and in b.gu the gradient of −log confidence in u.
	confide func(b *block)
	// flip makes b.active what b.next is, in lanes that b.changed names. To their P it adds, for each unit that differed, its column of W2, relative to the
	// true event's number, times its row of A, and minus that if the unit becomes inactive.
	flip func(b *block)
	// adam moves θ by one step for the gradient mul·(g − Σ dot·gu)·invB in it, the sum over columns, and leaves the next attention in b.w
	// and b.u. rate is the learning rate and scale the factor of √v, both with bias correction.
	adam func(b *block, mul, dot []float32, invB, rate, scale float32)
	// narrowFlip and narrowConfide do in a narrow block what signs and flip, and confide, do in others. They are nil if there are none.
	narrowFlip, narrowConfide func(b *block)
}

var negativeInf = float32(math.Inf(-1))

// lowest is the least exponent that exp2 tells apart.
const lowest = 100

// exp2 is 2ˣ, relative error below 1.2e-7 from −100 to where float32 ends, about 2^127; below −100 it stays at 2^-100, so that
// neither it nor its product with a number of P is denormal. NaN stays NaN.
//
// x = n + r with n in whole eighths, and 2^r = 1 + r·(c1 + r·(c2 + r·c3)), which is exact at r = 0 and 0.91/16 and −0.91/16, so that the error
// is about the same at the ends as between. It is at most 2.7e-8. With AVX-512 n is rounded down, and the numbers are others, with at most 2.2e-8.
func exp2(x float32) float32 {
	if x < -lowest {
		x = -lowest
	}
	if x > 126 {
		x = 126
	}
	if x != x {
		return x
	}
	n := float32(math.RoundToEven(float64(x*8))) / 8
	r, power := x-n, float32(math.Exp2(float64(n)))
	return power + power*r*((0.05550842359662056*r+0.2402576357126236)*r+0.6931471824645996)
}

// plain is for processors without kernels of their own.
var plain = kernels{name: "plain Go", signs: signsPlain, confide: confidePlain, flip: flipPlain, adam: adamPlain}

func signsPlain(b *block) {
	d, z := b.d, b.z
	n := len(z)
	for lane := range b.rows {
		clear(z)
		for j := range b.k {
			a, f := d.a[b.offsets[j*lanes+lane]:][:n], b.u[j*lanes+lane]
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
		e, hit := b.e[lane*n:][:n], b.hit[lane]
		b.logits(lane, e)
		var others float32
		for r, x := range e {
			e[r] = exp2(x)
			others += e[r]
		}
		total := others + hit
		b.others[lane], b.total[lane], b.confidence[lane] = others, total, hit/total
		b.outside[lane/8] &^= 1 << (lane % 8)
		if !(total > lowTotal && total < highTotal) {
			b.outside[lane/8] |= 1 << (lane % 8)
		}
		for j := b.from; j < b.k; j++ {
			p := b.p[lane*b.pStride+(j+1)*n:][:n]
			var dot float32
			for r, x := range e {
				dot += x * p[r]
			}
			b.gu[j*lanes+lane] = dot / total * math.Ln2
		}
	}
}

func flipPlain(b *block) {
	d, size, n := b.d, len(b.d.first), b.d.stride
	for lane, differs := range b.changed[:b.rows] {
		if differs == 0 {
			continue
		}
		active, next := b.active[lane*size:][:size], b.next[lane*size:][:size]
		bias := d.a[b.bias[lane]:][:n]
		p := b.p[lane*b.pStride:]
		for j := b.from; j <= b.distinct[lane]; j++ {
			to := p[j*n:][:n]
			for unit := range n {
				now := next[unit/64] >> (unit % 64) & 1
				if now == active[unit/64]>>(unit%64)&1 {
					continue
				}
				f, column := bias[unit], d.w2[unit*n:][:n]
				if j > b.from {
					f = d.a[int(b.offsets[(j-1)*lanes+lane])+unit] - f
				}
				f *= float32(int(now)*2 - 1)
				truth := column[b.events[lane]]
				for r, x := range column {
					to[r] += f * (x - truth)
				}
			}
		}
		copy(active, next)
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
			b.w[i] = exp2((b.theta[i] - top) * math.Log2E)
			sum += b.w[i]
		}
		for p := range b.d.length {
			i := p*lanes + lane
			b.w[i] /= sum
			b.u[int(b.column[i])*lanes+lane] += b.w[i]
		}
	}
}
