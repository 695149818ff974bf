package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

// gather: dst = max(floor, base + Σ w[k]·table[idx[k]]), columns a multiple of 16; blocks of 96 columns, then of 16
func gather() {
	text("gather", "func(dst, base, table *float32, ld int, idx *int32, w *float32, n, columns int, floor float32)",
		"dst = max(floor, base + Σ w[k]·table[idx[k]]); ld in bytes, columns a multiple of 16.")
	dst, base, table := Load(Param("dst"), GP64()), Load(Param("base"), GP64()), Load(Param("table"), GP64())
	ld, idx, w, n := Load(Param("ld"), GP64()), Load(Param("idx"), GP64()), Load(Param("w"), GP64()), Load(Param("n"), GP64())
	columns := Load(Param("columns"), GP64())
	fl := Broadcast("floor")
	block := func(name string, vecs int) {
		acc := make([]VecVirtual, vecs)
		Label(name)
		CMPQ(columns, U32(Width*vecs))
		JL(LabelRef(name + "_end"))
		for i := range acc {
			acc[i] = New()
			VMOVUPS(Mem{Base: base, Disp: 4 * Width * i}, acc[i])
		}
		k := GP64()
		XORQ(k, k)
		Label(name + "_k")
		CMPQ(k, n)
		JGE(LabelRef(name + "_store"))
		row, x := GP64(), New()
		MOVLQSX(Mem{Base: idx, Index: k, Scale: 4}, row)
		IMULQ(ld, row)
		ADDQ(table, row)
		VBROADCASTSS(Mem{Base: w, Index: k, Scale: 4}, x)
		for i := range acc {
			VFMADD231PS(Mem{Base: row, Disp: 4 * Width * i}, x, acc[i])
		}
		INCQ(k)
		JMP(LabelRef(name + "_k"))
		Label(name + "_store")
		for i := range acc {
			VMAXPS(fl, acc[i], acc[i])
			VMOVUPS(acc[i], Mem{Base: dst, Disp: 4 * Width * i})
		}
		ADDQ(Bytes(vecs), dst)
		ADDQ(Bytes(vecs), base)
		ADDQ(Bytes(vecs), table)
		SUBQ(U32(Width*vecs), columns)
		JMP(LabelRef(name))
		Label(name + "_end")
	}
	block("wide", 96/Width)
	block("narrow", 16/Width)
	End()
}

// reduce leaves op over all lanes of v in its lane 0.
func reduce(v VecVirtual, op func(ops ...Op)) Register {
	if Width == 16 {
		y := YMM()
		VEXTRACTF64X4(Imm(1), v, y)
		op(y, v.AsY(), v.AsY())
	}
	x, lo := XMM(), v.AsX()
	VEXTRACTF128(Imm(1), v.AsY(), x)
	op(x, lo, lo)
	VPERMILPS(Imm(0x4e), lo, x)
	op(x, lo, lo)
	VPERMILPS(Imm(0xb1), lo, x)
	op(x, lo, lo)
	return lo
}

func expSum() {
	text("expSum", "func(dst, x *float32, shift float32, n int) float32",
		"dst = e^(x−shift) for n (a multiple of 16) values; returns their sum.")
	dst, x, n := Load(Param("dst"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	vectors(n)
	s, sh := New(), Broadcast("shift")
	Zero(s)
	loop("l", n, func() {
		v := New()
		VMOVUPS(Mem{Base: x}, v)
		VSUBPS(sh, v, v)
		exp(v)
		VMOVUPS(v, Mem{Base: dst})
		VADDPS(v, s, s)
		advance(x)
		advance(dst)
	})
	Store(reduce(s, VADDPS), ReturnIndex(0))
	End()
}

func maximum() {
	text("maximum", "func(x *float32, n int) float32",
		"the largest of n (a multiple of 16) values.")
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	vectors(n)
	s := New()
	VMOVUPS(Float(-math.MaxFloat32), s)
	loop("l", n, func() {
		VMAXPS(Mem{Base: x}, s, s)
		advance(x)
	})
	Store(reduce(s, VMAXPS), ReturnIndex(0))
	End()
}

func axpy() {
	text("axpy", "func(dst, x *float32, a float32, n int)",
		"dst += a·x, n a multiple of 16.")
	dst, x, n := Load(Param("dst"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	vectors(n)
	a := Broadcast("a")
	loop("l", n, func() {
		v := New()
		VMOVUPS(Mem{Base: dst}, v)
		VFMADD231PS(Mem{Base: x}, a, v)
		VMOVUPS(v, Mem{Base: dst})
		advance(x)
		advance(dst)
	})
	End()
}

func dot() {
	text("dot", "func(x, y *float32, n int) float32",
		"Σ x·y, n a multiple of 16.")
	x, y, n := Load(Param("x"), GP64()), Load(Param("y"), GP64()), Load(Param("n"), GP64())
	vectors(n)
	s, t := New(), New()
	Zero(s, t)
	SUBQ(Imm(2), n)
	JL(LabelRef("last"))
	Label("pair")
	v, w := New(), New()
	VMOVUPS(Mem{Base: x}, v)
	VMOVUPS(Mem{Base: x, Disp: 4 * Width}, w)
	VFMADD231PS(Mem{Base: y}, v, s)
	VFMADD231PS(Mem{Base: y, Disp: 4 * Width}, w, t)
	ADDQ(Bytes(2), x)
	ADDQ(Bytes(2), y)
	SUBQ(Imm(2), n)
	JGE(LabelRef("pair"))
	Label("last")
	ADDQ(Imm(2), n)
	JZ(LabelRef("sum"))
	VMOVUPS(Mem{Base: x}, v)
	VFMADD231PS(Mem{Base: y}, v, s)
	Label("sum")
	VADDPS(t, s, s)
	Store(reduce(s, VADDPS), ReturnIndex(0))
	End()
}

func scaleShift() {
	text("scaleShift", "func(dst, x *float32, a, b float32, n int)",
		"dst = a·x + b, n a multiple of 16.")
	dst, x, n := Load(Param("dst"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	vectors(n)
	a, b := Broadcast("a"), Broadcast("b")
	loop("l", n, func() {
		v := New()
		VMOVUPS(Mem{Base: x}, v)
		VFMADD213PS(b, a, v)
		VMOVUPS(v, Mem{Base: dst})
		advance(x)
		advance(dst)
	})
	End()
}

func maskPositive() {
	text("maskPositive", "func(dst, h *float32, n int)",
		"dst = 0 where h is not positive, n a multiple of 16.")
	dst, h, n := Load(Param("dst"), GP64()), Load(Param("h"), GP64()), Load(Param("n"), GP64())
	vectors(n)
	none := New()
	Zero(none)
	loop("l", n, func() {
		m := New()
		const positive = 0x11 // 0 < h
		if Width == 16 {
			k := K()
			VCMPPS(Imm(positive), Mem{Base: h}, none, k)
			VMOVUPS_Z(Mem{Base: dst}, k, m)
		} else {
			VCMPPS(Imm(positive), Mem{Base: h}, none, m)
			VANDPS(Mem{Base: dst}, m, m)
		}
		VMOVUPS(m, Mem{Base: dst})
		advance(h)
		advance(dst)
	})
	End()
}

func transpose8() {
	text("transpose8", "func(dst *float32, ldd int, src *float32, lds int, blocks int)",
		"8 rows of src become 8 columns of dst, blocks×8 of them; strides in bytes.")
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
		advance(src)
		for j := 0; j < 8; j++ {
			ADDQ(ldd, dst)
		}
	})
	End()
}

func adam() {
	text("adam", "func(w, grad, m, v *float32, n int, beta1, beta2, scale, unbias, epsilon float32)",
		"one step of Adam over n (a multiple of 16) weights: w −= scale·m/(√v·unbias + epsilon).")
	w, grad, m, v := Load(Param("w"), GP64()), Load(Param("grad"), GP64()), Load(Param("m"), GP64()), Load(Param("v"), GP64())
	n := Load(Param("n"), GP64())
	vectors(n)
	b1, b2, scale, unbias, eps := Broadcast("beta1"), Broadcast("beta2"), Broadcast("scale"), Broadcast("unbias"), Broadcast("epsilon")
	loop("l", n, func() {
		g, x, y := New(), New(), New()
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
	End()
}
