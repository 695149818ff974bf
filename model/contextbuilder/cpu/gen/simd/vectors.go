package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// gather: dst = max(floor, base + Σ w[k]·table[idx[k]]), width a multiple of 16; blocks of 64 columns, then of 16
func gather() {
	text("gatherAVX2", "func(dst, base, table *float32, ld int, idx *int32, w *float32, n int, width int, floor float32)")
	Doc("gatherAVX2: dst = max(floor, base + Σ w[k]·table[idx[k]]); ld in bytes, width a multiple of 16.")
	dst, base, table := Load(Param("dst"), GP64()), Load(Param("base"), GP64()), Load(Param("table"), GP64())
	ld, idx, w, n := Load(Param("ld"), GP64()), Load(Param("idx"), GP64()), Load(Param("w"), GP64()), Load(Param("n"), GP64())
	width := Load(Param("width"), GP64())
	fl := broadcast("floor")
	block := func(name string, vecs int) {
		acc := make([]VecVirtual, vecs)
		Label(name)
		CMPQ(width, U32(8*vecs))
		JL(LabelRef(name + "_end"))
		for i := range acc {
			acc[i] = YMM()
			VMOVUPS(Mem{Base: base, Disp: 32 * i}, acc[i])
		}
		k := GP64()
		XORQ(k, k)
		Label(name + "_k")
		CMPQ(k, n)
		JGE(LabelRef(name + "_store"))
		row, x := GP64(), YMM()
		MOVLQSX(Mem{Base: idx, Index: k, Scale: 4}, row)
		IMULQ(ld, row)
		ADDQ(table, row)
		VBROADCASTSS(Mem{Base: w, Index: k, Scale: 4}, x)
		for i := range acc {
			VFMADD231PS(Mem{Base: row, Disp: 32 * i}, x, acc[i])
		}
		INCQ(k)
		JMP(LabelRef(name + "_k"))
		Label(name + "_store")
		for i := range acc {
			VMAXPS(fl, acc[i], acc[i])
			VMOVUPS(acc[i], Mem{Base: dst, Disp: 32 * i})
		}
		ADDQ(U32(32*vecs), dst)
		ADDQ(U32(32*vecs), base)
		ADDQ(U32(32*vecs), table)
		SUBQ(U32(8*vecs), width)
		JMP(LabelRef(name))
		Label(name + "_end")
	}
	block("wide", 12)
	block("narrow", 2)
	VZEROUPPER()
	RET()
}

func hsum(s VecVirtual) VecVirtual {
	x := XMM()
	VEXTRACTF128(Imm(1), s, x)
	lo := s.AsX()
	VADDPS(x, lo, lo)
	VHADDPS(lo, lo, lo)
	VHADDPS(lo, lo, lo)
	return lo.(VecVirtual)
}

func expSum() {
	text("expSumAVX2", "func(dst, x *float32, shift float32, n int) float32")
	Doc("expSumAVX2: dst = e^(x−shift) for n (a multiple of 8) values; returns their sum.")
	dst, x, n := Load(Param("dst"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	SHRQ(Imm(3), n)
	s, sh := YMM(), broadcast("shift")
	VXORPS(s, s, s)
	loop("l", n, func() {
		v := YMM()
		VMOVUPS(Mem{Base: x}, v)
		VSUBPS(sh, v, v)
		exp(v)
		VMOVUPS(v, Mem{Base: dst})
		VADDPS(v, s, s)
		ADDQ(Imm(32), x)
		ADDQ(Imm(32), dst)
	})
	Store(hsum(s), ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func maximum() {
	text("maximumAVX2", "func(x *float32, n int) float32")
	Doc("maximumAVX2: the largest of n (a multiple of 8) values.")
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	SHRQ(Imm(3), n)
	s := YMM()
	VMOVUPS(c32(-math.MaxFloat32), s)
	loop("l", n, func() {
		VMAXPS(Mem{Base: x}, s, s)
		ADDQ(Imm(32), x)
	})
	hi := XMM()
	VEXTRACTF128(Imm(1), s, hi)
	VMAXPS(hi, s.AsX(), hi)
	t := XMM()
	VPERMILPS(Imm(0x4e), hi, t)
	VMAXPS(t, hi, hi)
	VPERMILPS(Imm(0xb1), hi, t)
	VMAXPS(t, hi, hi)
	Store(hi, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func axpy() {
	text("axpyAVX2", "func(dst, x *float32, a float32, n int)")
	Doc("axpyAVX2: dst += a·x, n a multiple of 8.")
	dst, x, n := Load(Param("dst"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	SHRQ(Imm(3), n)
	a := broadcast("a")
	loop("l", n, func() {
		v := YMM()
		VMOVUPS(Mem{Base: dst}, v)
		VFMADD231PS(Mem{Base: x}, a, v)
		VMOVUPS(v, Mem{Base: dst})
		ADDQ(Imm(32), x)
		ADDQ(Imm(32), dst)
	})
	VZEROUPPER()
	RET()
}

func dot() {
	text("dotAVX2", "func(x, y *float32, n int) float32")
	Doc("dotAVX2: Σ x·y, n a multiple of 16.")
	x, y, n := Load(Param("x"), GP64()), Load(Param("y"), GP64()), Load(Param("n"), GP64())
	SHRQ(Imm(4), n)
	s, t := YMM(), YMM()
	VXORPS(s, s, s)
	VXORPS(t, t, t)
	loop("l", n, func() {
		v, w := YMM(), YMM()
		VMOVUPS(Mem{Base: x}, v)
		VMOVUPS(Mem{Base: x, Disp: 32}, w)
		VFMADD231PS(Mem{Base: y}, v, s)
		VFMADD231PS(Mem{Base: y, Disp: 32}, w, t)
		ADDQ(Imm(64), x)
		ADDQ(Imm(64), y)
	})
	VADDPS(t, s, s)
	Store(hsum(s), ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func scaleShift() {
	text("scaleShiftAVX2", "func(dst, x *float32, a, b float32, n int)")
	Doc("scaleShiftAVX2: dst = a·x + b, n a multiple of 8.")
	dst, x, n := Load(Param("dst"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	SHRQ(Imm(3), n)
	a, b := broadcast("a"), broadcast("b")
	loop("l", n, func() {
		v := YMM()
		VMOVUPS(Mem{Base: x}, v)
		VFMADD213PS(b, a, v)
		VMOVUPS(v, Mem{Base: dst})
		ADDQ(Imm(32), x)
		ADDQ(Imm(32), dst)
	})
	VZEROUPPER()
	RET()
}

func maskPositive() {
	text("maskPositiveAVX2", "func(dst, h *float32, n int)")
	Doc("maskPositiveAVX2: dst = 0 where h is not positive, n a multiple of 8.")
	dst, h, n := Load(Param("dst"), GP64()), Load(Param("h"), GP64()), Load(Param("n"), GP64())
	SHRQ(Imm(3), n)
	zero := YMM()
	VXORPS(zero, zero, zero)
	loop("l", n, func() {
		m := YMM()
		VCMPPS(Imm(0x11), Mem{Base: h}, zero, m) // 0 < h
		VANDPS(Mem{Base: dst}, m, m)
		VMOVUPS(m, Mem{Base: dst})
		ADDQ(Imm(32), h)
		ADDQ(Imm(32), dst)
	})
	VZEROUPPER()
	RET()
}

func transpose8() {
	text("transpose8AVX2", "func(dst *float32, ldd int, src *float32, lds int, blocks int)")
	Doc("transpose8AVX2: 8 rows of src become 8 columns of dst, blocks×8 of them; strides in bytes.")
	dst, ldd, src, lds := Load(Param("dst"), GP64()), Load(Param("ldd"), GP64()), Load(Param("src"), GP64()), Load(Param("lds"), GP64())
	n := Load(Param("blocks"), GP64())
	loop("l", n, func() {
		r := make([]VecVirtual, 8)
		p := GP64()
		MOVQ(src, p)
		for i := range r {
			r[i] = YMM()
			VMOVUPS(Mem{Base: p}, r[i])
			ADDQ(lds, p)
		}
		t := make([]VecVirtual, 8)
		for i := 0; i < 8; i += 2 {
			t[i], t[i+1] = YMM(), YMM()
			VUNPCKLPS(r[i+1], r[i], t[i])
			VUNPCKHPS(r[i+1], r[i], t[i+1])
		}
		u := make([]VecVirtual, 8)
		for i := 0; i < 8; i += 4 {
			for j := 0; j < 2; j++ {
				u[i+2*j], u[i+2*j+1] = YMM(), YMM()
				VSHUFPS(Imm(0x44), t[i+2+j], t[i+j], u[i+2*j])
				VSHUFPS(Imm(0xee), t[i+2+j], t[i+j], u[i+2*j+1])
			}
		}
		MOVQ(dst, p)
		for j := 0; j < 8; j++ {
			v := YMM()
			im := 0x20
			if j >= 4 {
				im = 0x31
			}
			VPERM2F128(Imm(uint64(im)), u[4+j%4], u[j%4], v)
			VMOVUPS(v, Mem{Base: p})
			ADDQ(ldd, p)
		}
		ADDQ(Imm(32), src)
		for j := 0; j < 8; j++ {
			ADDQ(ldd, dst)
		}
	})
	VZEROUPPER()
	RET()
}

func adam() {
	text("adamAVX2", "func(w, grad, m, v *float32, n int, beta1, beta2, scale, unbias, epsilon float32)")
	Doc("adamAVX2: one step of Adam over n (a multiple of 8) weights: w −= scale·m/(√v·unbias + epsilon).")
	w, grad, m, v := Load(Param("w"), GP64()), Load(Param("grad"), GP64()), Load(Param("m"), GP64()), Load(Param("v"), GP64())
	n := Load(Param("n"), GP64())
	SHRQ(Imm(3), n)
	b1, b2, scale, unbias, eps := broadcast("beta1"), broadcast("beta2"), broadcast("scale"), broadcast("unbias"), broadcast("epsilon")
	loop("l", n, func() {
		g, x, y := YMM(), YMM(), YMM()
		VMOVUPS(Mem{Base: grad}, g)
		VMOVUPS(Mem{Base: m}, x)
		VSUBPS(g, x, x) // m = g + β1 (m−g)
		VFMADD213PS(g, b1, x)
		VMOVUPS(x, Mem{Base: m})
		VMULPS(g, g, g)
		VMOVUPS(Mem{Base: v}, y)
		VSUBPS(g, y, y)
		VFMADD213PS(g, b2, y)
		VMOVUPS(y, Mem{Base: v})
		VSQRTPS(y, y)
		VFMADD213PS(eps, unbias, y)
		VMULPS(scale, x, x)
		VDIVPS(y, x, x)
		VMOVUPS(Mem{Base: w}, y)
		VSUBPS(x, y, y)
		VMOVUPS(y, Mem{Base: w})
		advance(w, grad, m, v)
	})
	VZEROUPPER()
	RET()
}
