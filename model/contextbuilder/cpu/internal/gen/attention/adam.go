package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

// adam works on a vector of lanes: a lane is a sample, a row a position or a column; columns come in groups of four. Nothing crosses lanes.
func adam() {
	begin("adam", "adamPlain", "func(theta, m, v, w, mul, dot, gu, u, hot *float32, length, groups int, invB, rate, scale float32)")
	length := get("length")
	SHLQ(U8(6), length)
	at := func(p, i Register, column int) Mem { return Mem{Base: p, Index: i, Scale: 1, Disp: column * row} }
	positions := func(label string, i Register) {
		ADDQ(Imm(row), i)
		CMPQ(i, length)
		JLT(LabelRef(label))
	}
	w, gu, hot, k := get("w"), get("gu"), get("hot"), get("groups")
	SHLQ(U8(8), k)
	columns := func(label string, j Register) {
		ADDQ(U32(group*row), j)
		CMPQ(j, k)
		JLT(LabelRef(label))
	}
	i, j := GP64(), GP64()
	d, y := New(), New() // Σ dot·g over columns
	{
		dot := get("dot")
		Zero(d)
		XORQ(j, j)
		Label("product")
		for c := range group {
			VMOVUPS(at(dot, j, c), y)
			VFMADD231PS(at(gu, j, c), y, d)
		}
		columns("product", j)
	}
	top, theta := New(), get("theta")
	VMOVUPS(Float(lowest), top)
	{
		m, v, mul, h := get("m"), get("v"), get("mul"), GP64()
		invB, rate, scale := Broadcast("invB"), Broadcast("rate"), Broadcast("scale")
		b1, b2, c2, eps := constant(0.1), constant(0.999), constant(0.001), constant(1e-8)
		MOVQ(hot, h)
		XORQ(i, i)
		Label("moments")
		x, z, t := New(), New(), New()
		Zero(x) // a position's gradient is that of its column
		XORQ(j, j)
		Label("collect")
		for c := range group {
			VMOVUPS(at(h, j, c), y)
			VFMADD231PS(at(gu, j, c), y, x)
		}
		columns("collect", j)
		ADDQ(k, h)
		VSUBPS(d, x, x)
		VMULPS(at(mul, i, 0), x, x)
		VMULPS(invB, x, x) // gradient in θ
		VMOVUPS(at(m, i, 0), y)
		VMOVUPS(at(v, i, 0), z)
		VMULPS(b2, z, z)
		VMULPS(x, x, t)
		VFMADD231PS(c2, t, z)
		VMOVUPS(z, at(v, i, 0))
		VSUBPS(y, x, x)
		VFMADD231PS(b1, x, y)
		VMOVUPS(y, at(m, i, 0))
		VSQRTPS(z, z)
		VFMADD213PS(eps, scale, z)
		VDIVPS(z, y, y)
		VFNMADD213PS(at(theta, i, 0), rate, y)
		VMOVUPS(y, at(theta, i, 0))
		VMAXPS(y, top, top)
		positions("moments", i)
	}
	sum, base2, exp := New(), constant(log2e), newExponential()
	Zero(sum)
	XORQ(i, i)
	Label("softmax")
	VMOVUPS(at(theta, i, 0), y)
	VSUBPS(top, y, y)
	VMULPS(base2, y, y)
	exp(y)
	VADDPS(y, sum, sum)
	VMOVUPS(y, at(w, i, 0))
	positions("softmax", i)
	one := New()
	VMOVUPS(Float(1), one)
	VDIVPS(sum, one, sum)
	u, h, sums := get("u"), GP64(), Several(group)
	XORQ(j, j)
	Label("spread") // u: sums of the attention over equal events
	Zero(sums...)
	LEAQ(at(hot, j, 0), h)
	XORQ(i, i)
	Label("spreadposition")
	VMOVUPS(at(w, i, 0), y)
	for c, s := range sums {
		VFMADD231PS(Mem{Base: h, Disp: c * row}, y, s)
	}
	ADDQ(k, h)
	positions("spreadposition", i)
	for c, s := range sums {
		VMULPS(sum, s, s)
		VMOVUPS(s, at(u, j, c))
	}
	columns("spread", j)
	XORQ(i, i)
	Label("normalise")
	VMULPS(at(w, i, 0), sum, y)
	VMOVUPS(y, at(w, i, 0))
	positions("normalise", i)
	End()
}
