package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

// exp replaces x by e^x (Cephes, about 1 ulp), arguments clamped to −87.3 … 88
func exp(x VecVirtual) {
	k, r, p := New(), New(), New()
	VMINPS(Float(88), x, x)
	VMAXPS(Float(-87.3), x, x)
	VMULPS(Float(Log2E), x, k)
	Round(k)
	VMOVAPS(x, r)
	VFNMADD231PS(Float(Ln2High), k, r)
	VFNMADD231PS(Float(Ln2Low), k, r)
	VMOVUPS(Float(ExpPolynomial[0]), p)
	for _, c := range ExpPolynomial[1:] {
		VFMADD213PS(Float(c), r, p)
	}
	VMULPS(r, r, x)
	VFMADD213PS(r, x, p) // p·r² + r
	VADDPS(Float(1), p, p)
	if Width == 16 {
		VSCALEFPS(k, p, x)
		return
	}
	VCVTPS2DQ(k, k)
	VPSLLD(Imm(23), k, k)
	VPADDD(k, p, x) // times 2^k: p is in [0.7, 1.42), so the exponent field cannot overflow within the clamp
}

// curve is plus + times · tanh(scale · x), all of them powers of two or 0: as factors they change no digit of the coefficients.
type curve struct{ plus, times, scale float32 }

var (
	tanh    = curve{0, 1, 1}
	sigmoid = curve{0.5, 0.5, 0.5} // 1/(1+e^-x) = ½ + ½ tanh(x/2)
)

// ratio is plus + p/q. The q of a curve is between 0.004 and 1.
type ratio struct {
	plus float32
	p, q VecVirtual
}

// ratios has a curve of several x, which it overwrites, by Eigen's rational approximation. They take turns, so that one's latency hides the others'.
func (c curve) ratios(xs ...VecVirtual) []ratio {
	limit := 7.90531110763549805 / c.scale
	squares, all := Several(len(xs)), make([]ratio, len(xs))
	for _, x := range xs {
		VMINPS(Float(limit), x, x)
	}
	for _, x := range xs {
		VMAXPS(Float(-limit), x, x)
	}
	for i, x := range xs {
		VMULPS(x, x, squares[i])
	}
	polynomial := func(factor float32, coefficients ...float32) []VecVirtual { // in x², the highest power first
		for i := len(coefficients) - 1; i >= 0; i-- {
			coefficients[i] *= factor
			factor *= c.scale * c.scale
		}
		sums, next := Several(len(xs)), New()
		for _, sum := range sums {
			VMOVUPS(Float(coefficients[0]), sum)
		}
		for _, coefficient := range coefficients[1:] {
			VMOVUPS(Float(coefficient), next)
			for i, sum := range sums {
				VFMADD213PS(next, squares[i], sum)
			}
		}
		return sums
	}
	ps := polynomial(c.times*c.scale, -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05,
		6.37261928875436e-04, 4.89352455891786e-03)
	for i, x := range xs {
		VMULPS(x, ps[i], ps[i])
	}
	qs := polynomial(1, 1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
	for i := range all {
		all[i] = ratio{c.plus, ps[i], qs[i]}
	}
	return all
}

// hyperbolic replaces several x by their tanh.
func hyperbolic(xs ...VecVirtual) {
	for i, r := range tanh.ratios(xs...) {
		VDIVPS(r.q, r.p, xs[i])
	}
}

// divide writes two ratios to x and y. Division is slow: both share one.
func divide(a, b ratio, x, y VecVirtual) {
	inverse, one := New(), New()
	VMULPS(a.q, b.q, inverse)
	VMOVUPS(Float(1), one)
	VDIVPS(inverse, one, inverse)
	finish := func(r ratio, otherQ, to VecVirtual) {
		VMULPS(otherQ, r.p, r.p)
		if r.plus == 0 {
			VMULPS(inverse, r.p, to)
			return
		}
		VMOVUPS(Float(r.plus), to)
		VFMADD231PS(inverse, r.p, to)
	}
	finish(a, b.q, x)
	finish(b, a.q, y)
}

func gate3(p, h4 Register) [3]Mem {
	return [3]Mem{{Base: p}, {Base: p, Index: h4, Scale: 1}, {Base: p, Index: h4, Scale: 2}}
}

func gruForward() {
	text("gruForward", "func(h int, gi, bias, gh, bhn, hp, rznq, out *float32)",
		"GRU gates of one row of h units (h a multiple of 16): r, z, n and the n part of gh with its bias to rznq, the new state to out.")
	n, h4, h12 := units()
	gi, bias, gh := Load(Param("gi"), GP64()), Load(Param("bias"), GP64()), Load(Param("gh"), GP64())
	bhn, hp, rznq, out := Load(Param("bhn"), GP64()), Load(Param("hp"), GP64()), Load(Param("rznq"), GP64()), Load(Param("out"), GP64())
	several := func(vectors int) {
		i, b, g, o := gate3(gi, h4), gate3(bias, h4), gate3(gh, h4), gate4(rznq, h4, h12)
		at := func(m Mem, vector int) Mem {
			m.Disp += 4 * Width * vector
			return m
		}
		rz, t, u := Several(2*vectors), Several(vectors), New()
		for k, v := range rz {
			q, vector := k%2, k/2
			VMOVUPS(at(i[q], vector), v)
			VADDPS(at(b[q], vector), v, v)
			VADDPS(at(g[q], vector), v, v)
		}
		ratios := sigmoid.ratios(rz...)
		for k := range t {
			r, z := rz[2*k], rz[2*k+1]
			divide(ratios[2*k], ratios[2*k+1], r, z)
			VMOVUPS(r, at(o[0], k))
			VMOVUPS(z, at(o[1], k))
			VMOVUPS(at(g[2], k), u)
			VADDPS(at(Mem{Base: bhn}, k), u, u)
			VMOVUPS(u, at(o[3], k))
			VMOVUPS(at(i[2], k), t[k])
			VADDPS(at(b[2], k), t[k], t[k])
			VFMADD231PS(r, u, t[k])
		}
		hyperbolic(t...)
		for k, t := range t {
			VMOVUPS(t, at(o[2], k))
			VMOVUPS(at(Mem{Base: hp}, k), u)
			VSUBPS(t, u, u)
			VFMADD231PS(rz[2*k+1], u, t) // n + z(h−n)
			VMOVUPS(t, at(Mem{Base: out}, k))
		}
		for _, p := range []Register{gi, bias, gh, bhn, hp, rznq, out} {
			ADDQ(Bytes(vectors), p)
		}
	}
	if Width == 16 { // registers for two at a time
		SUBQ(Imm(2), n)
		JL(LabelRef("last"))
		Label("pair")
		several(2)
		SUBQ(Imm(2), n)
		JGE(LabelRef("pair"))
		Label("last")
		ADDQ(Imm(2), n)
	}
	loop("l", n, func() { several(1) })
	End()
}

func gruBackward() {
	text("gruBackward", "func(h int, dh, rznq, hp, dgi, dgh, dhp *float32, addI, addP uint32)",
		"the gates' gradients of one row: dgi (dr dz dn), dgh (dr dz dn·r) and dhp (dh·z); added to dgi if addI is all ones,",
		"stored if it is 0; likewise addP for dgh and dhp.")
	n, h4, h12 := units()
	dh, rznq := Load(Param("dh"), GP64()), Load(Param("rznq"), GP64())
	hp, dgi, dgh, dhp := Load(Param("hp"), GP64()), Load(Param("dgi"), GP64()), Load(Param("dgh"), GP64()), Load(Param("dhp"), GP64())
	mi, mp := mask("addI"), mask("addP")
	loop("l", n, func() {
		g, di, dg := gate4(rznq, h4, h12), gate3(dgi, h4), gate3(dgh, h4)
		d, r, z, t, one := New(), New(), New(), New(), New()
		VMOVUPS(Float(1), one)
		VMOVUPS(Mem{Base: dh}, d)
		VMOVUPS(g[0], r)
		VMOVUPS(g[1], z)
		VMOVUPS(g[2], t)
		x, y := New(), New()
		VANDPS(Mem{Base: dhp}, mp, x)
		VFMADD231PS(d, z, x)
		VMOVUPS(x, Mem{Base: dhp})
		// dz = d (h−n) z (1−z)
		dz := New()
		VMOVUPS(Mem{Base: hp}, dz)
		VSUBPS(t, dz, dz)
		VMULPS(d, dz, dz)
		VMULPS(z, dz, dz)
		VSUBPS(z, one, x)
		VMULPS(x, dz, dz)
		// dn = d (1−z) (1−n²)
		VMULPS(x, d, d)
		VMOVAPS(one, y)
		VFNMADD231PS(t, t, y)
		VMULPS(y, d, d)
		// dr = dn q r (1−r)
		dr := New()
		VMULPS(g[3], d, dr)
		VMULPS(r, dr, dr)
		VSUBPS(r, one, x)
		VMULPS(x, dr, dr)
		VMULPS(d, r, r) // dn·r
		for q, v := range []VecVirtual{dr, dz, d} {
			VANDPS(di[q], mi, x)
			VADDPS(v, x, x)
			VMOVUPS(x, di[q])
		}
		for q, v := range []VecVirtual{dr, dz, r} {
			VANDPS(dg[q], mp, x)
			VADDPS(v, x, x)
			VMOVUPS(x, dg[q])
		}
		advance(dh, rznq, hp, dgi, dgh, dhp)
	})
	End()
}

func gate4(p, h4, h12 Register) [4]Mem {
	return [4]Mem{{Base: p}, {Base: p, Index: h4, Scale: 1}, {Base: p, Index: h4, Scale: 2}, {Base: p, Index: h12, Scale: 1}}
}

func lstmForward() {
	text("lstmForward", "func(h int, gi, bias, gh, cp, ifgo, c, out *float32)",
		"LSTM gates of one row of h units (h a multiple of 16): i, f, g, o to ifgo, the new cell state to c and state to out.")
	n, h4, h12 := units()
	gi, bias, gh := Load(Param("gi"), GP64()), Load(Param("bias"), GP64()), Load(Param("gh"), GP64())
	cp, ifgo, c, out := Load(Param("cp"), GP64()), Load(Param("ifgo"), GP64()), Load(Param("c"), GP64()), Load(Param("out"), GP64())
	loop("l", n, func() {
		x, b, g, o := gate4(gi, h4, h12), gate4(bias, h4, h12), gate4(gh, h4, h12), gate4(ifgo, h4, h12)
		v := [4]VecVirtual{New(), New(), New(), New()}
		for q := range v {
			VMOVUPS(x[q], v[q])
			VADDPS(b[q], v[q], v[q])
			VADDPS(g[q], v[q], v[q])
		}
		s := sigmoid.ratios(v[0], v[1], v[3])
		divide(s[0], s[1], v[0], v[1])
		divide(s[2], tanh.ratios(v[2])[0], v[3], v[2])
		for q := range v {
			VMOVUPS(v[q], o[q])
		}
		VMULPS(Mem{Base: cp}, v[1], v[1])
		VFMADD231PS(v[0], v[2], v[1])
		VMOVUPS(v[1], Mem{Base: c})
		hyperbolic(v[1])
		VMULPS(v[3], v[1], v[1])
		VMOVUPS(v[1], Mem{Base: out})
		advance(gi, bias, gh, cp, ifgo, c, out)
	})
	End()
}

func lstmBackward() {
	text("lstmBackward", "func(h int, dh, dc, ifgo, c, cp, dgi, dgh, dcp *float32, addI, addP uint32)",
		"the gates' gradients of one row: dgi and dgh (both di df dg do) and dcp (the cell state's before); added to dgi if",
		"addI is all ones, stored if it is 0; likewise addP for dgh and dcp.")
	n, h4, h12 := units()
	dh, dc, ifgo, c := Load(Param("dh"), GP64()), Load(Param("dc"), GP64()), Load(Param("ifgo"), GP64()), Load(Param("c"), GP64())
	cp, dgi, dgh, dcp := Load(Param("cp"), GP64()), Load(Param("dgi"), GP64()), Load(Param("dgh"), GP64()), Load(Param("dcp"), GP64())
	mi, mp := mask("addI"), mask("addP")
	loop("l", n, func() {
		g, di, dg := gate4(ifgo, h4, h12), gate4(dgi, h4, h12), gate4(dgh, h4, h12)
		store := func(q int, v VecVirtual) {
			x := New()
			VANDPS(di[q], mi, x)
			VADDPS(v, x, x)
			VMOVUPS(x, di[q])
			VANDPS(dg[q], mp, x)
			VADDPS(v, x, x)
			VMOVUPS(x, dg[q])
		}
		one, t, d, s, y := New(), New(), New(), New(), New()
		VMOVUPS(Mem{Base: c}, t)
		hyperbolic(t)
		VMOVUPS(Float(1), one)
		// do = dh tanh(c) o (1−o)
		VMOVUPS(Mem{Base: dh}, d)
		VMOVUPS(g[3], s)
		VMULPS(s, d, d) // dh·o
		VSUBPS(s, one, y)
		VMULPS(d, y, y)
		VMULPS(t, y, y)
		store(3, y)
		// s = dc + dh o (1−tanh²(c))
		VMOVAPS(one, s)
		VFNMADD231PS(t, t, s)
		VFMADD213PS(Mem{Base: dc}, d, s)
		// df = s cp f (1−f), dcp = s f
		VMOVUPS(g[1], t)
		VMULPS(s, t, d)
		VANDPS(Mem{Base: dcp}, mp, y)
		VADDPS(d, y, y)
		VMOVUPS(y, Mem{Base: dcp})
		VSUBPS(t, one, y)
		VMULPS(d, y, y)
		VMULPS(Mem{Base: cp}, y, y)
		store(1, y)
		// di = s g i (1−i), dg = s i (1−g²)
		i, n := New(), New()
		VMOVUPS(g[0], i)
		VMOVUPS(g[2], n)
		VMULPS(i, s, s)
		VSUBPS(i, one, y)
		VMULPS(s, y, y)
		VMULPS(n, y, y)
		store(0, y)
		VMOVAPS(one, y)
		VFNMADD231PS(n, n, y)
		VMULPS(s, y, y)
		store(2, y)
		advance(dh, dc, ifgo, c, cp, dgi, dgh, dcp)
	})
	End()
}

// units loads h: the number of vectors of units, and the bytes from gate 0 to gates 1 and 3.
func units() (n, h4, h12 Register) {
	n = Load(Param("h"), GP64())
	h4, h12 = GP64(), GP64()
	MOVQ(n, h4)
	SHLQ(Imm(2), h4)
	LEAQ(Mem{Base: h4, Index: h4, Scale: 2}, h12)
	vectors(n)
	return n, h4, h12
}
