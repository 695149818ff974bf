package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

// The three kernels that find a sample's confidence and gradient. Of numbers that a sample has one of, the samples abreast have a half of
// a vector each; scratch has room for some vectors.
const (
	maximum = iota // of the logits
	truth          // the true event's logit
	others         // sum of the other events' exponentials
	inverse        // of the sum of all
	numbers
)

// samples points at the data of the samples abreast, so many floats apart.
func samples(first GPVirtual, apart string) []GPVirtual {
	all := []GPVirtual{first}
	if abreast() > 1 {
		all = append(all, pointer(first, times4(apart)))
	}
	return all
}

// forLanes writes a loop over samples. lane is the offset of the first one abreast among float32, scratch points at its numbers.
func forLanes(body func(lane, scratch GPVirtual), advance func(samples int)) {
	lane, scratch := GP64(), get("scratch")
	XORQ(lane, lane)
	Label("lanes")
	body(lane, scratch)
	advance(abreast())
	ADDQ(U32(4*abreast()), lane)
	ADDQ(U32(4*Width*numbers), scratch)
	nextLanes()
	End()
}

func number(scratch Register, which int) Mem { return Mem{Base: scratch, Disp: 4 * Width * which} }

// forward moves a pointer on to the data of the next samples.
func forward(p Register, samples int, apart string) {
	size := times4(apart)
	for range samples {
		ADDQ(size, p)
	}
}

// logits stores P·u in e and its maximum in scratch; likewise the true event's, in whose place comes -Inf: it is not one of the others.
func logits() {
	begin("logits", "confidePlain", "func(p, u, e, scratch *float32, events *int32, n, k64, stride, lanes int)")
	p0, e0 := get("p"), get("e")
	forLanes(func(lane, scratch GPVirtual) {
		p, e := samples(p0, "stride"), samples(e0, "n")
		u, n, left, at := pointer(get("u"), lane), times4("n"), times4("n"), GP64()
		XORQ(at, at)
		top := Several(abreast())
		for _, t := range top {
			VMOVUPS(Float(lowest), t)
		}
		chunks(left, func(label string, sixteens int) {
			all := parts(sixteens)
			l, x, column, j := Several(len(all)), Several(abreast()), GP64(), GP64()
			for i, q := range all {
				VMOVUPS(Mem{Base: p[q.sample], Index: at, Scale: 1, Disp: q.disp}, l[i])
			}
			MOVQ(at, column)
			XORQ(j, j)
			Label(label + "columns")
			ADDQ(n, column)
			for s := range x {
				VBROADCASTSS(Mem{Base: u, Index: j, Scale: 1, Disp: 4 * s}, x[s])
			}
			for i, q := range all {
				VFMADD231PS(Mem{Base: p[q.sample], Index: column, Scale: 1, Disp: q.disp}, x[q.sample], l[i])
			}
			nextColumn(j, label)
			for i, q := range all {
				VMAXPS(l[i], top[q.sample], top[q.sample])
				VMOVUPS(l[i], Mem{Base: e[q.sample], Index: at, Scale: 1, Disp: q.disp})
			}
			ADDQ(U32(sixteens*row), at)
		})
		VMOVUPS(spread(top, VMAXPS), number(scratch, maximum))
		hit, none := New(), GP32()
		MOVL(U32(0xff800000), none)
		for s := range e {
			y, into := trueEvent(lane, s), Register(hit)
			if s > 0 {
				into = YMM()
			}
			VBROADCASTSS(Mem{Base: e[s], Index: y, Scale: 1}, into)
			if s > 0 {
				VINSERTF64X4(U8(1), into, hit, hit)
			}
			MOVL(none, Mem{Base: e[s], Index: y, Scale: 1})
		}
		VMOVUPS(hit, number(scratch, truth))
	}, func(samples int) {
		forward(p0, samples, "stride")
		forward(e0, samples, "n")
	})
}

// spread reduces a vector a sample by op, and leaves each sample's result in all lanes of its half.
func spread(v []VecVirtual, op func(...Op)) VecVirtual {
	a, b := New(), New()
	if Width == 16 {
		VSHUFF32X4(U8(0x44), v[1], v[0], a) // lower halves
		VSHUFF32X4(U8(0xee), v[1], v[0], b) // upper ones
		op(b, a, a)
		VSHUFF32X4(U8(0xb1), a, a, b)
	} else {
		VMOVUPS(v[0], a)
		VPERM2F128(U8(1), a, a, b)
	}
	op(b, a, a)
	VPERMILPS(U8(0x4e), a, b)
	op(b, a, a)
	VPERMILPS(U8(0xb1), a, b)
	op(b, a, a)
	return a
}

// exponentials replaces logits by the exponentials of what they are below the maximum, and finds the true event's confidence. In that event's place
// comes 0: e^−87 times a number of P would be denormal, for which some processors take a hundred times as long.
func exponentials() {
	begin("exponentials", "confidePlain", "func(e, scratch, confidence *float32, events *int32, n, lanes int)")
	e0, exp := get("e"), newExponential()
	forLanes(func(lane, scratch GPVirtual) {
		top := New()
		VMOVUPS(number(scratch, maximum), top)
		e, tops := samples(e0, "n"), whole(top)
		sums := Several(len(parts(1)))
		Zero(sums...)
		at, n := GP64(), times4("n")
		XORQ(at, at)
		some := func(label string, sixteens int) { // several take turns, and are added in order
			Label(label)
			SUBQ(Imm(uint64(sixteens*row)), n)
			JL(LabelRef(label + "end"))
			all := parts(sixteens)
			x := Several(len(all))
			for i, q := range all {
				VMOVUPS(Mem{Base: e[q.sample], Index: at, Scale: 1, Disp: q.disp}, x[i])
				VSUBPS(tops[q.sample], x[i], x[i])
			}
			exp(x...)
			for i, q := range all {
				sum := sums[q.sample*halves()+i%halves()]
				VADDPS(x[i], sum, sum)
				VMOVUPS(x[i], Mem{Base: e[q.sample], Index: at, Scale: 1, Disp: q.disp})
			}
			ADDQ(U32(sixteens*row), at)
			JMP(LabelRef(label))
			Label(label + "end")
			ADDQ(Imm(uint64(sixteens*row)), n)
		}
		if Width == 16 { // registers for two
			some("two", 2)
		}
		some("one", 1)
		if halves() > 1 {
			VADDPS(sums[1], sums[0], sums[0])
		}
		rest := spread(sums[:abreast()], VADDPS)
		hit, share, one := New(), New(), New()
		VMOVUPS(number(scratch, truth), hit)
		VMOVUPS(number(scratch, maximum), top)
		VSUBPS(top, hit, hit)
		exp(hit)
		VADDPS(hit, rest, share)
		VMOVUPS(Float(1), one)
		VDIVPS(share, one, share)
		VMOVUPS(rest, number(scratch, others))
		VMOVUPS(share, number(scratch, inverse))
		VMULPS(share, hit, hit)
		zero := GP32()
		XORL(zero, zero)
		for s := range e {
			MOVL(zero, Mem{Base: e[s], Index: trueEvent(lane, s), Scale: 1})
		}
		confidence := pointer(get("confidence"), lane)
		VMOVSS(hit.AsX(), Mem{Base: confidence})
		if abreast() > 1 {
			x := XMM()
			VEXTRACTF32X4(U8(2), hit, x)
			VMOVSS(x, Mem{Base: confidence, Disp: 4})
		}
	}, func(samples int) { forward(e0, samples, "n") })
}

// whole spreads the halves of a vector over a vector each.
func whole(pair VecVirtual) []VecVirtual {
	if Width == 8 {
		return []VecVirtual{pair}
	}
	v := Several(2)
	VSHUFF32X4(U8(0x00), pair, pair, v[0])
	VSHUFF32X4(U8(0xaa), pair, pair, v[1])
	return v
}

// trueEvent is the offset of the true event of a sample abreast among floats.
func trueEvent(lane Register, sample int) GPVirtual {
	events, y := get("events"), GP64()
	MOVLQSX(Mem{Base: events, Index: lane, Scale: 1, Disp: 4 * sample}, y)
	SHLQ(U8(2), y)
	return y
}

// derivatives computes the gradient in u, by groups of columns: for each (Σ e·p − others · p at the true event)·inverse, as e is 0 at the true event.
func derivatives() {
	begin("derivatives", "confidePlain", "func(p, e, gu, scratch *float32, events *int32, n, k64, stride, lanes int)")
	p, e := get("p"), get("e")
	forLanes(func(lane, scratch GPVirtual) { gradient(p, e, lane, scratch) }, func(samples int) {
		forward(p, samples, "stride")
		forward(e, samples, "n")
	})
}

func gradient(p0, e0, lane, scratch GPVirtual) {
	e, column := samples(e0, "n"), samples(pointer(p0, times4("n")), "stride")
	rests, scale := New(), New()
	VMOVUPS(number(scratch, others), rests)
	VMOVUPS(number(scratch, inverse), scale)
	n, n3, out, rest, at := times4("n"), GP64(), pointer(get("gu"), lane), get("k64"), GP64()
	LEAQ(Mem{Base: n, Index: n, Scale: 2}, n3)
	of := func(base Register, c, disp int) Mem {
		switch c {
		case 0:
			return Mem{Base: base, Disp: disp}
		case 3:
			return Mem{Base: base, Index: n3, Scale: 1, Disp: disp}
		}
		return Mem{Base: base, Index: n, Scale: uint8(c), Disp: disp}
	}
	sums := make([][]VecVirtual, group)
	for c := range sums {
		sums[c] = Several(abreast())
	}
	Label("group")
	for _, s := range sums {
		Zero(s...)
	}
	XORQ(at, at)
	for c := group; c > 0; c-- {
		label := fmt.Sprint("columns", c)
		CMPQ(rest, U32(c*row))
		JLT(LabelRef(label + "end"))
		Label(label)
		for _, q := range parts(1) {
			x := New()
			VMOVUPS(Mem{Base: e[q.sample], Index: at, Scale: 1, Disp: q.disp}, x)
			for i := range c {
				VFMADD231PS(of(column[q.sample], i, q.disp), x, sums[i][q.sample])
			}
		}
		ADDQ(Imm(row), at)
		for _, q := range column {
			ADDQ(Imm(row), q)
		}
		CMPQ(at, n)
		JLT(LabelRef(label))
		JMP(LabelRef("reduce"))
		Label(label + "end")
	}
	Label("reduce") // column is at the group's second now
	total, atTrue := fold(sums), Several(abreast())
	for s := range atTrue {
		y, x := trueEvent(lane, s), XMM()
		ADDQ(column[s], y)
		SUBQ(n, y)
		VMOVSS(of(y, 0, 0), x)
		for c := 1; c < group; c++ {
			VINSERTPS(U8(c<<4), of(y, c, 0), x, x)
		}
		atTrue[s] = x
	}
	low, high, odd := total.AsX(), XMM(), XMM()
	if abreast() > 1 {
		z := ZMM()
		VINSERTF64X4(U8(1), atTrue[1].AsY(), atTrue[0].AsZ(), z)
		VFNMADD231PS(z, rests, total)
		VMULPS(scale, total, total)
		VEXTRACTF32X4(U8(2), total, high)
		VUNPCKHPS(high, low, odd)
		VUNPCKLPS(high, low, low)
		VMOVLPS(low, Mem{Base: out})
		VMOVHPS(low, Mem{Base: out, Disp: row})
		VMOVLPS(odd, Mem{Base: out, Disp: 2 * row})
		VMOVHPS(odd, Mem{Base: out, Disp: 3 * row})
	} else {
		VFNMADD231PS(atTrue[0].AsX(), rests.AsX(), low)
		VMULPS(scale.AsX(), low, low)
		VMOVSS(low, Mem{Base: out})
		for c := 1; c < group; c++ {
			VEXTRACTPS(U8(c), low, Mem{Base: out, Disp: c * row})
		}
	}
	ADDQ(U32(group*row), out)
	for _, q := range column {
		ADDQ(n3, q)
	}
	SUBQ(U32(group*row), rest)
	JG(LabelRef("group"))
}

// fold adds up the lanes of four vectors a sample: the four sums lie side by side, in each half those of its sample.
func fold(sums [][]VecVirtual) VecVirtual {
	v := make([]VecVirtual, len(sums))
	for c, s := range sums {
		v[c] = s[0]
		if Width == 16 {
			a, b := New(), New()
			VSHUFF32X4(U8(0x44), s[1], s[0], a)
			VSHUFF32X4(U8(0xee), s[1], s[0], b)
			VADDPS(b, a, a)
			v[c] = a
		}
	}
	add := func(x, y VecVirtual) VecVirtual {
		a, b := New(), New()
		VSHUFPS(U8(0x88), y, x, a)
		VSHUFPS(U8(0xdd), y, x, b)
		VADDPS(b, a, a)
		return a
	}
	a, b := add(add(v[0], v[1]), add(v[2], v[3])), New()
	if Width == 16 {
		VSHUFF32X4(U8(0xb1), a, a, b)
	} else {
		VPERM2F128(U8(1), a, a, b)
	}
	VADDPS(b, a, a)
	return a
}
