package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

// The kernels for at most sixteen events, which AVX-512 has registers for: rows of A and P have one number per sample, and there is one for each event of
// each column, so that nothing crosses lanes.

const (
	rows   = 16
	column = rows * row // bytes
)

func atRow(p Register, i int) Mem { return Mem{Base: p, Disp: i * row} }

// otherColumns is a loop over the columns after the first of a matrix, and their rows of lanes in u, or gu. It moves both.
func otherColumns(label string, matrix, u Register, body func()) {
	left := get("columns")
	Label(label)
	ADDQ(U32(column), matrix)
	body()
	ADDQ(Imm(row), u)
	DECQ(left)
	JG(LabelRef(label))
}

// product adds the other columns of a matrix, times u, to its first one.
func product(label, matrix string) []VecVirtual {
	sums, m, u, x := Several(rows), get(matrix), get("u"), New()
	for i, s := range sums {
		VMOVUPS(atRow(m, i), s)
	}
	otherColumns(label, m, u, func() {
		VMOVUPS(Mem{Base: u}, x)
		for i, s := range sums {
			VFMADD231PS(atRow(m, i), x, s)
		}
	})
	return sums
}

// narrowFlip is signs and flip.
func narrowFlip() {
	begin("narrowFlip", "signsPlain and flipPlain", "func(a, p, u, w2 *float32, events *int32, active, next *uint16, columns int)")
	none, next, active, differ := New(), get("next"), get("active"), GP32()
	Zero(none)
	for i, z := range product("hidden", "a") {
		bits, k := GP32(), K()
		VCMPPS(U8(1), z, none, k)
		KMOVW(k, bits)
		MOVW(bits.As16(), Mem{Base: next, Disp: 2 * i})
	}
	now, before := YMM(), YMM()
	VMOVDQU(Mem{Base: next}, now)
	VMOVDQU(Mem{Base: active}, before)
	VPCMPEQW(now, before, before)
	VPMOVMSKB(before, differ) // two bits a unit
	NOTL(differ)
	TESTL(differ, differ)
	JZ(LabelRef("done"))
	events, minus := New(), New()
	VMOVUPS(Bits(1<<31), minus)
	{
		y := get("events")
		VMOVUPS(Mem{Base: y}, events)
	}
	Label("unit")
	unit := GP64()
	{
		bits, flips, x := GP32(), GP32(), GP32()
		BSFL(differ, unit.As32())
		for range 2 {
			LEAL(Mem{Base: differ.As64(), Disp: -1}, x)
			ANDL(x, differ)
		}
		MOVWLZX(Mem{Base: next, Index: unit, Scale: 1}, bits)
		MOVWLZX(Mem{Base: active, Index: unit, Scale: 1}, flips)
		MOVW(bits.As16(), Mem{Base: active, Index: unit, Scale: 1})
		XORL(bits, flips)
		NOTL(bits)
		ANDL(flips, bits)
		SHLQ(U8(5), unit) // from bytes of masks to those of rows
		flipUnit(unit, flips, bits, events, minus)
	}
	TESTL(differ, differ)
	JNZ(LabelRef("unit"))
	Label("done")
	End()
}

// flipUnit adds to P the column of w2 that begins at unit, less its number at the true event, times the unit's row of A, in the lanes that flips names. In
// those of off, the unit becomes inactive.
func flipUnit(unit, flips, off Register, events, minus VecVirtual) {
	kFlips, kOff, w2, a, p, u := K(), K(), get("w2"), get("a"), get("p"), get("u")
	KMOVW(flips, kFlips)
	KMOVW(off, kOff)
	ADDQ(unit, w2)
	ADDQ(unit, a)
	w, truth, f, x := Several(rows), New(), New(), New()
	VPERMPS(Mem{Base: w2}, events, truth)
	for i := range w {
		VBROADCASTSS(Mem{Base: w2, Disp: 4 * i}, w[i])
		VSUBPS(truth, w[i], w[i])
	}
	add := func() {
		VMOVUPS_Z(Mem{Base: a}, kFlips, f)
		VPXORD(minus, f, kOff, f)
		for i := range w {
			VMOVUPS(atRow(p, i), x)
			VFMADD231PS(w[i], f, x)
			VMOVUPS(x, atRow(p, i))
		}
	}
	add()
	otherColumns("rank1", p, u, func() {
		ADDQ(U32(column), a)
		add()
	})
}

// narrowConfide is confide and settle.
func narrowConfide() {
	begin("narrowConfide", "confidePlain", "func(p, u, hit, total, confidence, gu *float32, outside *uint8, columns int)")
	exp := newExponential()
	l := product("logits", "p")
	for i := 0; i < rows; i += 2 {
		exp(l[i : i+2]...)
	}
	hit, total := New(), Several(2)
	VMOVUPS(Mem{Base: get("hit")}, hit)
	VMOVUPS(hit, total[0])
	VMOVUPS(l[0], total[1])
	for i := 1; i < rows; i++ {
		VADDPS(l[i], total[i%2], total[i%2])
	}
	VADDPS(total[1], total[0], total[0])
	scale := share(hit, total[0])
	p, gu, g := get("p"), get("gu"), Several(4)
	otherColumns("gradient", p, gu, func() {
		for i := range l {
			if i < len(g) {
				VMULPS(atRow(p, i), l[i], g[i])
				continue
			}
			VFMADD231PS(atRow(p, i), l[i], g[i%len(g)])
		}
		VADDPS(g[1], g[0], g[0])
		VADDPS(g[3], g[2], g[2])
		VADDPS(g[2], g[0], g[0])
		VMULPS(scale, g[0], g[0])
		VMOVUPS(g[0], Mem{Base: gu})
	})
	End()
}
