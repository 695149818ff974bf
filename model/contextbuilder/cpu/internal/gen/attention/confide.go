package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

// confide takes one sample after the other: e = 2^(P·u), the sum of e in others and Pᵀ·e in sums. The next sample depends on nothing here,
// so that the processor starts it while sums of this one are still on their way.
func confide() {
	begin("confide", "confidePlain", "func(p, u, e, sums, others *float32, n, k64, stride, pitch, lanes int)")
	p, u, e, sums, others, n, exp := get("p"), get("u"), get("e"), get("sums"), get("others"), times4("n"), newExponential()
	next := func(label string) {
		advance(p, "stride")
		advance(e, "n")
		advance(sums, "pitch")
		ADDQ(Imm(4), u)
		ADDQ(Imm(4), others)
		DECQ(argument("lanes"))
		JG(LabelRef(label))
		End()
	}
	whole := []int{2, 3, 4, 5, 6} // chunks whose exponentials stay in registers
	if Width == 8 {
		whole = nil // fewer registers
	}
	label := func(chunks int) string { return fmt.Sprint("whole", chunks) }
	for _, chunks := range whole {
		CMPQ(n, U32(chunks*row))
		JEQ(LabelRef(label(chunks)))
	}
	Label("lanes")
	gradient("", p, n, sums, others, exponentials(exp, p, u, e, n), func(label string, column, n3 GPVirtual, columns int) []VecVirtual {
		s, x, at := Several(columns), New(), GP64()
		Zero(s...)
		XORQ(at, at)
		Label(label)
		for h := range halves() {
			disp := 4 * Width * h
			VMOVUPS(Mem{Base: e, Index: at, Scale: 1, Disp: disp}, x)
			for c := range s {
				VFMADD231PS(columnAt(column, n, n3, c, disp), x, s[c])
			}
		}
		ADDQ(Imm(row), at)
		ADDQ(Imm(row), column)
		CMPQ(at, n)
		JLT(LabelRef(label))
		return s
	})
	next("lanes")
	for _, chunks := range whole {
		Label(label(chunks))
		l := logits(label(chunks), chunks, p, u, n)
		exp(l[:chunks/2]...)
		exp(l[chunks/2:]...)
		total := New()
		VADDPS(l[1], l[0], total)
		for i, x := range l {
			VMOVUPS(x, atRow(e, i))
			if i > 1 {
				VADDPS(x, total, total)
			}
		}
		gradient(label(chunks), p, n, sums, others, total, func(_ string, column, n3 GPVirtual, columns int) []VecVirtual {
			s := Several(columns)
			for i, x := range l {
				for c := range s {
					if m := columnAt(column, n, n3, c, i*row); i == 0 {
						VMULPS(m, x, s[c])
					} else {
						VFMADD231PS(m, x, s[c])
					}
				}
			}
			ADDQ(n, column)
			return s
		})
		next(label(chunks))
	}
}

// exponentials writes e, and returns its sum in as many parts as a vector has.
func exponentials(exp exponential, p, u, e, n Register) VecVirtual {
	total, left, at := Several(2), GP64(), GP64() // totals take turns
	Zero(total...)
	MOVQ(n, left)
	XORQ(at, at)
	sizes := []int{8, 6, 4, 2, 1}
	if Width == 8 { // fewer registers
		sizes = []int{2, 1}
	}
	chunks(left, sizes, func(label string, n16 int) {
		l := logits(label, n16, pointer(p, at), u, n)
		exp(l...)
		to := pointer(e, at)
		for i := range l {
			VADDPS(l[i], total[i%2], total[i%2])
			VMOVUPS(l[i], Mem{Base: to, Disp: 4 * Width * i})
		}
		ADDQ(U32(n16*row), at)
	})
	VADDPS(total[1], total[0], total[0])
	return total[0]
}

// logits are so many chunks of P·u from p on.
func logits(label string, chunks int, p, u, n Register) []VecVirtual {
	l, x, column, j := Several(chunks*halves()), New(), GP64(), GP64()
	vector := func(i int) Mem { return Mem{Base: column, Disp: 4 * Width * i} }
	MOVQ(p, column)
	for i := range l {
		VMOVUPS(vector(i), l[i])
	}
	XORQ(j, j)
	Label(label + "columns")
	ADDQ(n, column)
	VBROADCASTSS(Mem{Base: u, Index: j, Scale: 1}, x)
	for i := range l {
		VFMADD231PS(vector(i), x, l[i])
	}
	nextColumn(j, label)
	return l
}

// columnAt is in the c-th of four columns, which lie n apart; n3 is three times that.
func columnAt(first, n, n3 Register, c, disp int) Mem {
	switch c {
	case 0:
		return Mem{Base: first, Disp: disp}
	case 3:
		return Mem{Base: first, Index: n3, Scale: 1, Disp: disp}
	}
	return Mem{Base: first, Index: n, Scale: uint8(c), Disp: disp}
}

// advance moves a pointer on by so many floats.
func advance(p Register, apart string) { ADDQ(times4(apart), p) }

// gradient stores Pᵀ·e by groups of four columns, and the sum of total's lanes, for which the last group, which has three or fewer, has room. products
// multiplies up to four columns by e, and moves column on by n.
func gradient(label string, p, n, sums, others GPVirtual, total VecVirtual, products func(label string, column, n3 GPVirtual, columns int) []VecVirtual) {
	column, n3, out, rest := pointer(p, n), GP64(), GP64(), get("k64")
	LEAQ(Mem{Base: n, Index: n, Scale: 2}, n3)
	MOVQ(sums, out)
	Label(label + "group")
	CMPQ(rest, U32(group*row))
	JLT(LabelRef(label + "rest3"))
	VMOVUPS(fold(products(label+"columns4", column, n3, group)), Mem{Base: out})
	ADDQ(Imm(16), out)
	ADDQ(n3, column)
	SUBQ(U32(group*row), rest)
	JMP(LabelRef(label + "group"))
	for c := group - 1; c > 0; c-- {
		Label(fmt.Sprint(label, "rest", c))
		CMPQ(rest, U32(c*row))
		JNE(LabelRef(fmt.Sprint(label, "rest", c-1)))
		all := fold(append(products(fmt.Sprint(label, "columns", c), column, n3, c), total))
		VEXTRACTPS(U8(c), all, Mem{Base: others})
		VINSERTPS(U8(1<<c), all, all, all) // 0 in its place
		VMOVUPS(all, Mem{Base: out})
		JMP(LabelRef(label + "done"))
	}
	Label(label + "rest0")
	VMOVSS(fold([]VecVirtual{total}), Mem{Base: others})
	Label(label + "done")
}

// fold adds up the lanes of up to four vectors: their sums lie side by side.
func fold(v []VecVirtual) VecVirtual {
	if len(v) < group {
		zero := New()
		Zero(zero)
		for len(v) < group {
			v = append(v, zero)
		}
	}
	add := func(x, y VecVirtual) VecVirtual {
		a, b := New(), New()
		VSHUFPS(U8(0x88), y, x, a)
		VSHUFPS(U8(0xdd), y, x, b)
		VADDPS(b, a, a)
		return a
	}
	a := add(add(v[0], v[1]), add(v[2], v[3]))
	if Width == 16 {
		high := YMM()
		VEXTRACTF64X4(U8(1), a, high)
		VADDPS(high, a.AsY(), high)
		a = high
	}
	high := XMM()
	VEXTRACTF128(U8(1), a.AsY(), high)
	VADDPS(high, a.AsX(), high)
	return high
}

// share stores a vector of totals, which of them are outside of the range in which exponentials are precise, and the confidences. It returns what sums are
// to be multiplied with.
func share(hit, total VecVirtual) (scale VecVirtual) {
	const lessThan = 17 // false for NaN
	VMOVUPS(total, Mem{Base: get("total")})
	low, inside, to := New(), GP32(), Mem{Base: get("outside")}
	VMOVUPS(Float(lowTotal), low)
	if Width == 16 {
		above, both := K(), K()
		VCMPPS(U8(lessThan), total, low, above)
		VCMPPS(U8(lessThan), Float(highTotal), total, above, both)
		KMOVW(both, inside)
		NOTL(inside)
		MOVW(inside.As16(), to)
	} else {
		below := New()
		VCMPPS(U8(lessThan), total, low, low)
		VCMPPS(U8(lessThan), Float(highTotal), total, below)
		VANDPS(below, low, low)
		VMOVMSKPS(low, inside)
		NOTL(inside)
		MOVB(inside.As8(), to)
	}
	scale = New()
	VMOVUPS(Float(1), scale)
	VDIVPS(total, scale, scale)
	VMULPS(scale, hit, hit)
	VMOVUPS(hit, Mem{Base: get("confidence")})
	VMULPS(Float(ln2), scale, scale)
	return scale
}

// settle works on a vector of lanes: total is the sum of others and hit, the true event's exponential, confidence its share, and gu sums·ln 2 / total.
// Each sample's sums lie in one piece; here they become rows of lanes.
func settle() {
	begin("settle", "confidePlain", "func(sums, others, hit, total, confidence, gu *float32, outside *uint8, pitch, groups int)")
	hit, t := New(), New()
	VMOVUPS(Mem{Base: get("hit")}, hit)
	VADDPS(Mem{Base: get("others")}, hit, t)
	scale := share(hit, t)
	pitch, three, four, gu := times4("pitch"), GP64(), times4("pitch"), get("gu")
	LEAQ(Mem{Base: pitch, Index: pitch, Scale: 2}, three)
	SHLQ(U8(2), four)
	from := []GPVirtual{get("sums")}
	for len(from) < Width/4 {
		from = append(from, pointer(from[len(from)-1], four))
	}
	groups := get("groups")
	Label("group")
	v := Several(group)
	for q := range v {
		for c, base := range from {
			m := Mem{Base: base, Index: pitch, Scale: uint8(q)}
			switch q {
			case 0:
				m = Mem{Base: base}
			case 3:
				m = Mem{Base: base, Index: three, Scale: 1}
			}
			switch {
			case c == 0:
				VMOVUPS(m, v[q].AsX())
			case Width == 16:
				VINSERTF32X4(U8(c), m, v[q], v[q])
			default:
				VINSERTF128(U8(c), m, v[q], v[q])
			}
		}
	}
	low, high, all := Several(2), Several(2), Several(group)
	for i := range 2 {
		VUNPCKLPS(v[2*i+1], v[2*i], low[i])
		VUNPCKHPS(v[2*i+1], v[2*i], high[i])
	}
	VUNPCKLPD(low[1], low[0], all[0])
	VUNPCKHPD(low[1], low[0], all[1])
	VUNPCKLPD(high[1], high[0], all[2])
	VUNPCKHPD(high[1], high[0], all[3])
	for c, x := range all {
		VMULPS(scale, x, x)
		VMOVUPS(x, Mem{Base: gu, Disp: c * row})
	}
	for _, base := range from {
		ADDQ(Imm(16), base)
	}
	ADDQ(U32(group*row), gu)
	DECQ(groups)
	JG(LabelRef("group"))
	End()
}
