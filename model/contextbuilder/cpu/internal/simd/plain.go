package simd

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// plain are the loops in Go: the definition of what the assembly computes.
var plain = kernels{
	name: "plain Go", gemm: gemm, gruForward: gruForward, gruBackward: gruBackward, lstmForward: lstmForward, lstmBackward: lstmBackward,
	gather: gather, expSum: expSum, maximum: maximum, axpy: axpy, dot: dot, scaleShift: scaleShift, maskPositive: maskPositive,
	transpose: transpose, adam: adam,
}

// gemm is that of gonum, except for a column of equal numbers, which BLAS cannot express.
func gemm(m, n, k int, a []float32, rs, cs int, b []float32, ldb int, c []float32, ldc int, add bool) {
	beta := float32(0)
	if add {
		beta = 1
	}
	switch {
	case cs == 1 && rs >= k:
		gonum.Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, a, rs, b, ldb, beta, c, ldc)
	case rs == 1 && cs >= m:
		gonum.Implementation{}.Sgemm(blas.Trans, blas.NoTrans, m, n, k, 1, a, cs, b, ldb, beta, c, ldc)
	default:
		for i := range m {
			row := c[i*ldc : i*ldc+n]
			if !add {
				clear(row)
			}
			for p := range k {
				axpy(row, b[p*ldb:p*ldb+n], a[i*rs+p*cs])
			}
		}
	}
}

func gruForward(gi, bias, gh, bhn, hp, rznq, h []float32) {
	n := len(h)
	for j := range h {
		r := sigmoid(gi[j] + bias[j] + gh[j])
		z := sigmoid(gi[n+j] + bias[n+j] + gh[n+j])
		q := gh[2*n+j] + bhn[j]
		t := tanh(gi[2*n+j] + bias[2*n+j] + r*q)
		rznq[j], rznq[n+j], rznq[2*n+j], rznq[3*n+j] = r, z, t, q
		h[j] = t + z*(hp[j]-t)
	}
}

func gruBackward(dh, rznq, hp, dgi, dgh, dhp []float32, addI, addP bool) {
	start(addI, dgi)
	start(addP, dgh, dhp)
	n := len(dh)
	for j, d := range dh {
		r, z, t, q := rznq[j], rznq[n+j], rznq[2*n+j], rznq[3*n+j]
		dhp[j] += d * z
		dz := d * (hp[j] - t) * z * (1 - z)
		dn := d * (1 - z) * (1 - t*t)
		dr := dn * q * r * (1 - r)
		dgi[j] += dr
		dgi[n+j] += dz
		dgi[2*n+j] += dn
		dgh[j] += dr
		dgh[n+j] += dz
		dgh[2*n+j] += dn * r
	}
}

func lstmForward(gi, bias, gh, cp, ifgo, c, h []float32) {
	n := len(h)
	for j := range h {
		i := sigmoid(gi[j] + bias[j] + gh[j])
		f := sigmoid(gi[n+j] + bias[n+j] + gh[n+j])
		g := tanh(gi[2*n+j] + bias[2*n+j] + gh[2*n+j])
		o := sigmoid(gi[3*n+j] + bias[3*n+j] + gh[3*n+j])
		ifgo[j], ifgo[n+j], ifgo[2*n+j], ifgo[3*n+j] = i, f, g, o
		c[j] = f*cp[j] + i*g
		h[j] = o * tanh(c[j])
	}
}

func lstmBackward(dh, dc, ifgo, c, cp, dgi, dgh, dcp []float32, addI, addP bool) {
	start(addI, dgi)
	start(addP, dgh, dcp)
	n := len(dh)
	for j := range dh {
		i, f, g, o, t := ifgo[j], ifgo[n+j], ifgo[2*n+j], ifgo[3*n+j], tanh(c[j])
		s := dc[j] + dh[j]*o*(1-t*t)
		dcp[j] += s * f
		for q, d := range [4]float32{s * g * i * (1 - i), s * cp[j] * f * (1 - f), s * i * (1 - g*g), dh[j] * t * o * (1 - o)} {
			dgi[q*n+j] += d
			dgh[q*n+j] += d
		}
	}
}

// start clears what is to be stored and not added to.
func start(add bool, to ...[]float32) {
	for i := 0; i < len(to) && !add; i++ {
		clear(to[i])
	}
}

func gather(dst, base, table []float32, ld int, index []int32, w []float32, floor float32) {
	copy(dst, base)
	for k, i := range index {
		axpy(dst, table[int(i)*ld:int(i)*ld+len(dst)], w[k])
	}
	for i, v := range dst {
		dst[i] = max(floor, v)
	}
}

func expSum(dst, x []float32, shift float32) (sum float32) {
	for i, v := range x {
		dst[i] = exp(v - shift)
		sum += dst[i]
	}
	return sum
}

func maximum(x []float32) float32 {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	return top
}

func axpy(dst, x []float32, a float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += a * x[i]
	}
}

func dot(x, y []float32) (sum float32) {
	y = y[:len(x)]
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

func scaleShift(dst, x []float32, a, b float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = a*x[i] + b
	}
}

func maskPositive(dst, h []float32) {
	for i, v := range h {
		if !(v > 0) {
			dst[i] = 0
		}
	}
}

func transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	for i := range rows {
		for j := range cols {
			dst[j*ldd+i] = src[i*lds+j]
		}
	}
}

func adam(w, g, m, v []float32, a AdamStep) {
	for i, d := range g {
		m[i] = d + a.Beta1*(m[i]-d)
		v[i] = d*d + a.Beta2*(v[i]-d*d)
		w[i] -= a.Scale * m[i] / (float32(math.Sqrt(float64(v[i])))*a.Unbias + a.Epsilon)
	}
}

func sigmoid(x float32) float32 { return 1 / (1 + exp(-x)) }

// exp is Cephes' expf, about 1 ulp, with arguments clamped to −87.3 … 88, so that it neither overflows nor gives a denormal.
func exp(x float32) float32 {
	x = max(-87.3, min(88, x))
	k := float32(math.RoundToEven(float64(x * math.Log2E)))
	r := x - k*0.693359375
	r -= k * -2.12194440e-4
	p := float32(1.9875691500e-4)
	for _, c := range [...]float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1} {
		p = p*r + c
	}
	return (p*r*r + r + 1) * math.Float32frombits(uint32(int32(k)+127)<<23)
}

// tanh is Eigen's rational approximation, a few ulp.
func tanh(x float32) float32 {
	x = max(-7.90531110763549805, min(7.90531110763549805, x))
	s := x * x
	p := float32(-2.76076847742355e-16)
	for _, c := range [...]float32{2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05,
		6.37261928875436e-04, 4.89352455891786e-03} {
		p = p*s + c
	}
	q := float32(1.19825839466702e-06)
	for _, c := range [...]float32{1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03} {
		q = q*s + c
	}
	return x * p / q
}
