// Command attention writes the AVX2 and FMA kernels of package attention; the plain Go twins there say what each computes.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const lane = 32 // bytes in a row of eight lanes

func main() {
	forward()
	gradient()
	flip()
	adam()
	Generate()
}

// constant returns eight copies of x in memory.
func constant(name string, x Constant) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 8 {
		DATA(4*i, x)
	}
	return m
}

var (
	one    = constant("one", F32(1))
	lowest = constant("lowest", F32(-3e38)) // below every logit that is finite
	low    = constant("low", F32(-87.3))    // below it eˣ is denormal
	log2e  = constant("log2e", F32(1.44269504088896341))
	ln2hi  = constant("ln2hi", F32(0.693359375))
	ln2lo  = constant("ln2lo", F32(-2.12194440e-4))
	bias   = constant("bias", I32(127))
	poly   = polynomial(1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)

func polynomial(coefficients ...float32) (p []Mem) {
	for i, c := range coefficients {
		p = append(p, constant(fmt.Sprint("exp", i), F32(c)))
	}
	return p
}

// exp replaces every x by eˣ (Cephes expf) for x ≤ 88; below -87.3 it stays at e^-87.3, so that nothing is denormal. NaN stays NaN.
// Several vectors take turns, so that one's latency hides the other's.
func exp(xs ...VecVirtual) {
	n, p := make([]VecVirtual, len(xs)), make([]VecVirtual, len(xs))
	each := func(f func(i int)) {
		for i := range xs {
			f(i)
		}
	}
	lo := YMM()
	VMOVUPS(low, lo)
	each(func(i int) { VMAXPS(xs[i], lo, xs[i]) }) // with x as the second source NaN stays
	each(func(i int) { n[i] = YMM(); VMULPS(log2e, xs[i], n[i]); VROUNDPS(U8(8), n[i], n[i]) })
	each(func(i int) { VFNMADD231PS(ln2hi, n[i], xs[i]) })
	each(func(i int) { VFNMADD231PS(ln2lo, n[i], xs[i]) })
	each(func(i int) { p[i] = YMM(); VMOVUPS(poly[0], p[i]) })
	for _, c := range poly[1:] {
		each(func(i int) { VFMADD213PS(c, xs[i], p[i]) })
	}
	each(func(i int) {
		VFMADD213PS(one, xs[i], p[i]) // x·p + 1
		VFMADD213PS(one, p[i], xs[i]) // x·(x·p + 1) + 1
		VCVTPS2DQ(n[i], n[i])
		VPADDD(bias, n[i], n[i])
		VPSLLD(U8(23), n[i], n[i])
		VMULPS(n[i], xs[i], xs[i])
	})
}

// document says whose twin the kernel is, and that Go may keep what it is given on the stack.
func document(name string) {
	Doc(fmt.Sprintf("%sAVX2 is %sPlain in AVX2 and FMA.", name, name))
	Pragma("noescape")
}

func get(name string) Register { return Load(Param(name), GP64()) }

func zero(vs ...VecVirtual) {
	for _, v := range vs {
		VXORPS(v, v, v)
	}
}

// reduce leaves op over the eight lanes of v in its lane 0.
func reduce(v VecVirtual, op func(a, b, c Op)) {
	h := XMM()
	VEXTRACTF128(U8(1), v, h)
	op(h, v.AsX(), v.AsX())
	VPERMILPS(U8(0x4e), v.AsX(), h)
	op(h, v.AsX(), v.AsX())
	VPERMILPS(U8(0xb1), v.AsX(), h)
	op(h, v.AsX(), v.AsX())
}

// forward multiplies A and P by u in one pass, 16 rows at a time.
func forward() {
	TEXT("forwardAVX2", NOSPLIT, "func(a, p, u, e, top *float32, active, next *uint16, n, k int) (flips int)")
	document("forward")
	a, p, u, e, active, next, n, k := get("a"), get("p"), get("u"), get("e"), get("active"), get("next"), get("n"), get("k")
	stride, flips, off, j, old := GP64(), GP64(), GP64(), GP64(), GP32()
	MOVQ(n, stride)
	SHLQ(U8(2), stride)
	XORQ(flips, flips)
	SHLQ(U8(5), k) // columns × bytes of a row of u
	top, none := YMM(), YMM()
	zero(none)
	VMOVUPS(lowest, top)
	Label("rows")
	z0, z1, l0, l1, b := YMM(), YMM(), YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: a}, z0)
	VMOVUPS(Mem{Base: a, Disp: 32}, z1)
	VMOVUPS(Mem{Base: p}, l0)
	VMOVUPS(Mem{Base: p, Disp: 32}, l1)
	MOVQ(stride, off)
	XORQ(j, j)
	Label("columns")
	VBROADCASTSS(Mem{Base: u, Index: j, Scale: 1}, b)
	VFMADD231PS(Mem{Base: a, Index: off, Scale: 1}, b, z0)
	VFMADD231PS(Mem{Base: a, Index: off, Scale: 1, Disp: 32}, b, z1)
	VFMADD231PS(Mem{Base: p, Index: off, Scale: 1}, b, l0)
	VFMADD231PS(Mem{Base: p, Index: off, Scale: 1, Disp: 32}, b, l1)
	ADDQ(stride, off)
	ADDQ(Imm(lane), j)
	CMPQ(j, k)
	JLT(LabelRef("columns"))
	VCMPPS(U8(1), z0, none, z0) // 0 < z
	VCMPPS(U8(1), z1, none, z1)
	m0, m1 := GP32(), GP32()
	VMOVMSKPS(z0, m0)
	VMOVMSKPS(z1, m1)
	SHLL(U8(8), m1)
	ORL(m1, m0)
	MOVW(m0.As16(), Mem{Base: next})
	MOVWLZX(Mem{Base: active}, old)
	XORL(m0, old)
	ORL(old, flips.As32())
	VMAXPS(l0, top, top)
	VMAXPS(l1, top, top)
	VMOVUPS(l0, Mem{Base: e})
	VMOVUPS(l1, Mem{Base: e, Disp: 32})
	ADDQ(Imm(64), e)
	ADDQ(Imm(64), a)
	ADDQ(Imm(64), p)
	ADDQ(Imm(2), active)
	ADDQ(Imm(2), next)
	SUBQ(Imm(16), n)
	JG(LabelRef("rows"))
	VMOVUPS(top, Mem{Base: get("top")})
	Store(flips, Return("flips"))
	VZEROUPPER() // Go's scalar code is legacy SSE, slow while upper halves are in use; so at the end of every kernel
	RET()
}

// gradient takes exponentials, then multiplies their transpose by P, two columns at a time.
func gradient() {
	TEXT("gradientAVX2", NOSPLIT, "func(p, e, top, gu *float32, n, k, y int) (confidence float32)")
	document("gradient")
	p, e, n, k, y, gu := get("p"), get("e"), get("n"), get("k"), get("y"), get("gu")
	stride, r := GP64(), GP64()
	MOVQ(n, stride)
	SHLQ(U8(2), stride)
	top := YMM()
	VMOVUPS(Mem{Base: get("top")}, top)
	reduce(top, func(a, b, c Op) { VMAXPS(a, b, c) })
	VBROADCASTSS(top.AsX(), top)
	sum, sum1, x0, x1, ey, none := YMM(), YMM(), YMM(), YMM(), YMM(), GP32()
	VBROADCASTSS(Mem{Base: e, Index: y, Scale: 4}, ey)
	MOVL(U32(0xff800000), none) // y's logit becomes -Inf: it is not one of the others
	MOVL(none, Mem{Base: e, Index: y, Scale: 4})
	VSUBPS(top, ey, ey)
	exp(ey)
	zero(sum, sum1)
	XORQ(r, r)
	Label("exps")
	VMOVUPS(Mem{Base: e, Index: r, Scale: 4}, x0)
	VMOVUPS(Mem{Base: e, Index: r, Scale: 4, Disp: 32}, x1)
	VSUBPS(top, x0, x0)
	VSUBPS(top, x1, x1)
	exp(x0, x1)
	VADDPS(x0, sum, sum)
	VADDPS(x1, sum1, sum1)
	VMOVUPS(x0, Mem{Base: e, Index: r, Scale: 4})
	VMOVUPS(x1, Mem{Base: e, Index: r, Scale: 4, Disp: 32})
	ADDQ(Imm(16), r)
	CMPQ(r, n)
	JLT(LabelRef("exps"))
	VADDPS(sum1, sum, sum)
	reduce(sum, func(a, b, c Op) { VADDPS(a, b, c) })
	inv, others := XMM(), XMM()
	VXORPS(others, others, others)
	VSUBSS(sum.AsX(), others, others)
	VMOVSS(others, Mem{Base: e, Index: y, Scale: 4})
	VADDSS(ey.AsX(), sum.AsX(), sum.AsX())
	VMOVSS(one, inv)
	VDIVSS(sum.AsX(), inv, inv)
	VPERMILPS(U8(0), inv, inv)
	VMULSS(ey.AsX(), inv, ey.AsX())
	Store(ey.AsX(), Return("confidence"))
	Label("pairs")
	ADDQ(stride, p)
	q := GP64()
	LEAQ(Mem{Base: p, Index: stride, Scale: 1}, q)
	XORQ(r, r)
	s0, s1, t0, t1, d0, d1 := YMM(), YMM(), YMM(), YMM(), YMM(), YMM()
	zero(s0, s1, t0, t1)
	Label("dots")
	VMOVUPS(Mem{Base: e, Index: r, Scale: 4}, d0)
	VMOVUPS(Mem{Base: e, Index: r, Scale: 4, Disp: 32}, d1)
	VFMADD231PS(Mem{Base: p, Index: r, Scale: 4}, d0, s0)
	VFMADD231PS(Mem{Base: p, Index: r, Scale: 4, Disp: 32}, d1, s1)
	VFMADD231PS(Mem{Base: q, Index: r, Scale: 4}, d0, t0)
	VFMADD231PS(Mem{Base: q, Index: r, Scale: 4, Disp: 32}, d1, t1)
	ADDQ(Imm(16), r)
	CMPQ(r, n)
	JLT(LabelRef("dots"))
	VADDPS(s1, s0, s0)
	VADDPS(t1, t0, t0)
	VHADDPS(t0, s0, s0) // s01 s23 t01 t23 | s45 s67 t45 t67
	h := XMM()
	VEXTRACTF128(U8(1), s0, h)
	VADDPS(h, s0.AsX(), s0.AsX())
	VHADDPS(s0.AsX(), s0.AsX(), s0.AsX()) // s t s t
	VMULPS(inv, s0.AsX(), s0.AsX())
	VMOVSS(s0.AsX(), Mem{Base: gu})
	VEXTRACTPS(U8(1), s0.AsX(), Mem{Base: gu, Disp: lane})
	MOVQ(q, p)
	ADDQ(Imm(2*lane), gu)
	SUBQ(Imm(2), k)
	JG(LabelRef("pairs"))
	VZEROUPPER()
	RET()
}

// flip adds multiples of one column to k+1 columns.
func flip() {
	TEXT("flipAVX2", NOSPLIT, "func(p, a, col *float32, sign float32, n, k int)")
	document("flip")
	p, a, col, n, k := get("p"), get("a"), get("col"), get("n"), get("k")
	sign := Load(Param("sign"), XMM())
	Label("column")
	s, r := YMM(), GP64()
	VMULSS(Mem{Base: a}, sign, s.AsX())
	VBROADCASTSS(s.AsX(), s)
	XORQ(r, r)
	Label("row")
	x0, x1 := YMM(), YMM()
	VMOVUPS(Mem{Base: p, Index: r, Scale: 4}, x0)
	VMOVUPS(Mem{Base: p, Index: r, Scale: 4, Disp: 32}, x1)
	VFMADD231PS(Mem{Base: col, Index: r, Scale: 4}, s, x0)
	VFMADD231PS(Mem{Base: col, Index: r, Scale: 4, Disp: 32}, s, x1)
	VMOVUPS(x0, Mem{Base: p, Index: r, Scale: 4})
	VMOVUPS(x1, Mem{Base: p, Index: r, Scale: 4, Disp: 32})
	ADDQ(Imm(16), r)
	CMPQ(r, n)
	JLT(LabelRef("row"))
	LEAQ(Mem{Base: p, Index: n, Scale: 4}, p)
	LEAQ(Mem{Base: a, Index: n, Scale: 4}, a)
	DECQ(k)
	JGE(LabelRef("column"))
	VZEROUPPER()
	RET()
}

// adam works on rows of eight lanes: a lane is a sample, a row a position or a column. Nothing crosses lanes. (A parameter cannot be called
// g, which names a register.)
func adam() {
	TEXT("adamAVX2", NOSPLIT, "func(theta, m, v, w, grad, mul, dot, gu, u, hot *float32, l, k int, invB, rate, scale float32)")
	document("adam")
	length := get("l")
	SHLQ(U8(5), length)
	row := func(p Register, i Register) Mem { return Mem{Base: p, Index: i, Scale: 1} }
	broadcast := func(name string) VecVirtual {
		a, err := Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		v := YMM()
		VBROADCASTSS(a.Addr, v)
		return v
	}
	g, w, u, hot, k := get("grad"), get("w"), get("u"), get("hot"), get("k")
	SHLQ(U8(5), k)
	i, j := GP64(), GP64()
	d := YMM() // Σ dot·g over positions
	{
		dot, gu, x, h := get("dot"), get("gu"), YMM(), GP64()
		zero(d)
		XORQ(i, i)
		MOVQ(hot, h)
		Label("collect") // a position's gradient is that of its column
		zero(x)
		XORQ(j, j)
		Label("collectcolumn")
		b := YMM()
		VMOVUPS(row(h, j), b)
		VFMADD231PS(row(gu, j), b, x)
		ADDQ(Imm(lane), j)
		CMPQ(j, k)
		JLT(LabelRef("collectcolumn"))
		ADDQ(k, h)
		VMOVUPS(x, row(g, i))
		VFMADD231PS(row(dot, i), x, d)
		ADDQ(Imm(lane), i)
		CMPQ(i, length)
		JLT(LabelRef("collect"))
	}
	theta := get("theta")
	top := YMM()
	VMOVUPS(lowest, top)
	{
		m, v, mul := get("m"), get("v"), get("mul")
		invB, rate, scale := broadcast("invB"), broadcast("rate"), broadcast("scale")
		b1, b2, c2, eps := YMM(), YMM(), YMM(), YMM()
		VMOVUPS(constant("beta1", F32(0.1)), b1)
		VMOVUPS(constant("beta2", F32(0.999)), b2)
		VMOVUPS(constant("comp2", F32(0.001)), c2)
		VMOVUPS(constant("eps", F32(1e-8)), eps)
		XORQ(i, i)
		Label("moments")
		x, y, z, t := YMM(), YMM(), YMM(), YMM()
		VMOVUPS(row(g, i), x)
		VSUBPS(d, x, x)
		VMULPS(row(mul, i), x, x)
		VMULPS(invB, x, x) // gradient in θ
		VMOVUPS(row(m, i), y)
		VMULPS(row(v, i), b2, z)
		VMULPS(x, x, t)
		VFMADD231PS(t, c2, z)
		VMOVUPS(z, row(v, i))
		VSUBPS(y, x, x)
		VFMADD231PS(x, b1, y)
		VMOVUPS(y, row(m, i))
		VSQRTPS(z, z)
		VFMADD213PS(eps, scale, z)
		VDIVPS(z, y, y)
		VFNMADD213PS(row(theta, i), rate, y)
		VMOVUPS(y, row(theta, i))
		VMAXPS(y, top, top)
		ADDQ(Imm(lane), i)
		CMPQ(i, length)
		JLT(LabelRef("moments"))
	}
	sum, x := YMM(), YMM()
	zero(sum)
	XORQ(i, i)
	Label("softmax")
	VMOVUPS(row(theta, i), x)
	VSUBPS(top, x, x)
	exp(x)
	VADDPS(x, sum, sum)
	VMOVUPS(x, row(w, i))
	ADDQ(Imm(lane), i)
	CMPQ(i, length)
	JLT(LabelRef("softmax"))
	VMOVUPS(one, x)
	VDIVPS(sum, x, sum)
	XORQ(i, i)
	Label("normalise")
	VMULPS(row(w, i), sum, x)
	VMOVUPS(x, row(w, i))
	ADDQ(Imm(lane), i)
	CMPQ(i, length)
	JLT(LabelRef("normalise"))
	XORQ(j, j)
	Label("spread") // u: sums of the attention over equal events
	zero(x)
	h := GP64()
	LEAQ(Mem{Base: hot, Index: j, Scale: 1}, h)
	XORQ(i, i)
	Label("spreadposition")
	y := YMM()
	VMOVUPS(Mem{Base: h}, y)
	VFMADD231PS(row(w, i), y, x)
	ADDQ(k, h)
	ADDQ(Imm(lane), i)
	CMPQ(i, length)
	JLT(LabelRef("spreadposition"))
	VMOVUPS(x, row(u, j))
	ADDQ(Imm(lane), j)
	CMPQ(j, k)
	JLT(LabelRef("spread"))
	VZEROUPPER()
	RET()
}
