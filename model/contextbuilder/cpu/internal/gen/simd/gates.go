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

// sigmoid replaces x by 1/(1+e^-x)
func sigmoid(x VecVirtual) {
	VXORPS(Bits(0x80000000), x, x)
	exp(x)
	one := New()
	VMOVUPS(Float(1), one)
	VADDPS(one, x, x)
	VDIVPS(x, one, x)
}

// tanh by Eigen's rational approximation
func tanh(x VecVirtual) {
	VMINPS(Float(7.90531110763549805), x, x)
	VMAXPS(Float(-7.90531110763549805), x, x)
	x2, p, q := New(), New(), New()
	VMULPS(x, x, x2)
	VMOVUPS(Float(-2.76076847742355e-16), p)
	for _, c := range []float32{2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05,
		6.37261928875436e-04, 4.89352455891786e-03} {
		VFMADD213PS(Float(c), x2, p)
	}
	VMULPS(x, p, p)
	VMOVUPS(Float(1.19825839466702e-06), q)
	for _, c := range []float32{1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03} {
		VFMADD213PS(Float(c), x2, q)
	}
	VDIVPS(q, p, x)
}

func gate3(p, h4 Register) [3]Mem {
	return [3]Mem{{Base: p}, {Base: p, Index: h4, Scale: 1}, {Base: p, Index: h4, Scale: 2}}
}

func gruForward() {
	text("gruForward", "func(h int, gi, bias, gh, bhn, hp, rzn, out *float32)",
		"GRU gates of one row of h units (h a multiple of 16): r, z, n to rzn, the new state to out.")
	n, h4, _ := units()
	gi, bias, gh := Load(Param("gi"), GP64()), Load(Param("bias"), GP64()), Load(Param("gh"), GP64())
	bhn, hp, rzn, out := Load(Param("bhn"), GP64()), Load(Param("hp"), GP64()), Load(Param("rzn"), GP64()), Load(Param("out"), GP64())
	loop("l", n, func() {
		i, b, g, o := gate3(gi, h4), gate3(bias, h4), gate3(gh, h4), gate3(rzn, h4)
		r, z, t, u := New(), New(), New(), New()
		for q, v := range []VecVirtual{r, z} {
			VMOVUPS(i[q], v)
			VADDPS(b[q], v, v)
			VADDPS(g[q], v, v)
			sigmoid(v)
			VMOVUPS(v, o[q])
		}
		VMOVUPS(g[2], u)
		VADDPS(Mem{Base: bhn}, u, u)
		VMOVUPS(i[2], t)
		VADDPS(b[2], t, t)
		VFMADD231PS(r, u, t)
		tanh(t)
		VMOVUPS(t, o[2])
		VMOVUPS(Mem{Base: hp}, u)
		VSUBPS(t, u, u)
		VFMADD231PS(z, u, t) // n + z(h−n)
		VMOVUPS(t, Mem{Base: out})
		advance(gi, bias, gh, bhn, hp, rzn, out)
	})
	End()
}

func gruBackward() {
	text("gruBackward", "func(h int, dh, rzn, ghn, bhn, hp, dgi, dgh, dhp *float32, addI, addP uint32)",
		"the gates' gradients of one row: dgi (dr dz dn), dgh (dr dz dn·r) and dhp (dh·z); added to dgi if addI is all ones,",
		"stored if it is 0; likewise addP for dgh and dhp.")
	n, h4, _ := units()
	dh, rzn, ghn, bhn := Load(Param("dh"), GP64()), Load(Param("rzn"), GP64()), Load(Param("ghn"), GP64()), Load(Param("bhn"), GP64())
	hp, dgi, dgh, dhp := Load(Param("hp"), GP64()), Load(Param("dgi"), GP64()), Load(Param("dgh"), GP64()), Load(Param("dhp"), GP64())
	mi, mp := mask("addI"), mask("addP")
	loop("l", n, func() {
		g, di, dg := gate3(rzn, h4), gate3(dgi, h4), gate3(dgh, h4)
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
		// dr = dn (ghn + bhn) r (1−r)
		dr := New()
		VMOVUPS(Mem{Base: ghn}, dr)
		VADDPS(Mem{Base: bhn}, dr, dr)
		VMULPS(d, dr, dr)
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
		advance(dh, rzn, ghn, bhn, hp, dgi, dgh, dhp)
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
			if q == 2 {
				tanh(v[q])
			} else {
				sigmoid(v[q])
			}
			VMOVUPS(v[q], o[q])
		}
		VMULPS(Mem{Base: cp}, v[1], v[1])
		VFMADD231PS(v[0], v[2], v[1])
		VMOVUPS(v[1], Mem{Base: c})
		tanh(v[1])
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
		tanh(t)
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
