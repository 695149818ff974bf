package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

// adam works on a vector of lanes: a lane is a sample, a row a position or a column. Nothing crosses lanes. (A parameter cannot be called
// g, which names a register.)
func adam() {
	begin("adam", "func(theta, m, v, w, grad, mul, dot, gu, u, hot *float32, length, k int, invB, rate, scale float32)")
	length := get("length")
	SHLQ(U8(6), length)
	at := func(p Register, i Register) Mem { return Mem{Base: p, Index: i, Scale: 1} }
	positions := func(label string, i Register) {
		ADDQ(Imm(row), i)
		CMPQ(i, length)
		JLT(LabelRef(label))
	}
	columns := func(label string, j, k Register) {
		ADDQ(Imm(row), j)
		CMPQ(j, k)
		JLT(LabelRef(label))
	}
	g, w, u, hot, k := get("grad"), get("w"), get("u"), get("hot"), get("k")
	SHLQ(U8(6), k)
	i, j := GP64(), GP64()
	d := New() // Σ dot·g over positions
	{
		dot, gu, x, b, h := get("dot"), get("gu"), New(), New(), GP64()
		Zero(d)
		XORQ(i, i)
		MOVQ(hot, h)
		Label("collect") // a position's gradient is that of its column
		Zero(x)
		XORQ(j, j)
		Label("collectcolumn")
		VMOVUPS(at(h, j), b)
		VFMADD231PS(at(gu, j), b, x)
		columns("collectcolumn", j, k)
		ADDQ(k, h)
		VMOVUPS(x, at(g, i))
		VFMADD231PS(at(dot, i), x, d)
		positions("collect", i)
	}
	theta := get("theta")
	top := New()
	VMOVUPS(Float(lowest), top)
	{
		m, v, mul := get("m"), get("v"), get("mul")
		invB, rate, scale := Broadcast("invB"), Broadcast("rate"), Broadcast("scale")
		b1, b2, c2, eps := New(), New(), New(), New()
		VMOVUPS(Float(0.1), b1)
		VMOVUPS(Float(0.999), b2)
		VMOVUPS(Float(0.001), c2)
		VMOVUPS(Float(1e-8), eps)
		XORQ(i, i)
		Label("moments")
		x, y, z, t := New(), New(), New(), New()
		VMOVUPS(at(g, i), x)
		VSUBPS(d, x, x)
		VMULPS(at(mul, i), x, x)
		VMULPS(invB, x, x) // gradient in θ
		VMOVUPS(at(m, i), y)
		VMULPS(at(v, i), b2, z)
		VMULPS(x, x, t)
		VFMADD231PS(t, c2, z)
		VMOVUPS(z, at(v, i))
		VSUBPS(y, x, x)
		VFMADD231PS(x, b1, y)
		VMOVUPS(y, at(m, i))
		VSQRTPS(z, z)
		VFMADD213PS(eps, scale, z)
		VDIVPS(z, y, y)
		VFNMADD213PS(at(theta, i), rate, y)
		VMOVUPS(y, at(theta, i))
		VMAXPS(y, top, top)
		positions("moments", i)
	}
	sum, x, exp := New(), New(), newExponential()
	Zero(sum)
	XORQ(i, i)
	Label("softmax")
	VMOVUPS(at(theta, i), x)
	VSUBPS(top, x, x)
	exp(x)
	VADDPS(x, sum, sum)
	VMOVUPS(x, at(w, i))
	positions("softmax", i)
	VMOVUPS(Float(1), x)
	VDIVPS(sum, x, sum)
	XORQ(i, i)
	Label("normalise")
	VMULPS(at(w, i), sum, x)
	VMOVUPS(x, at(w, i))
	positions("normalise", i)
	XORQ(j, j)
	Label("spread") // u: sums of the attention over equal events
	Zero(x)
	h, y := GP64(), New()
	LEAQ(at(hot, j), h)
	XORQ(i, i)
	Label("spreadposition")
	VMOVUPS(Mem{Base: h}, y)
	VFMADD231PS(at(w, i), y, x)
	ADDQ(k, h)
	positions("spreadposition", i)
	VMOVUPS(x, at(u, j))
	columns("spread", j, k)
	End()
}
