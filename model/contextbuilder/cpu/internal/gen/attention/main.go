// Command attention writes the kernels of package attention, each in AVX2 with FMA and in AVX-512; the plain Go twins there say what
// each computes.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

const (
	group  = 4     // columns that are taken at a time
	row    = 64    // bytes in a row of sixteen lanes, and in a chunk of sixteen events
	lowest = -3e38 // below every logit that is finite
)

func main() {
	ConstraintExpr("amd64,!purego")
	Each(signs, logits, exponentials, derivatives, flip, adam)
	Generate()
}

// begin starts a kernel and says of which plain one it is the twin, or a part. In its signature n is the number of events with padding,
// k64 that of columns times 64, the bytes of a row of lanes.
func begin(name, plain, signature string) {
	TEXT(Name(name), NOSPLIT, signature)
	Doc(fmt.Sprintf("%s: see %s.", Name(name), plain))
}

func get(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }

// pointer makes a new register point at base + offset.
func pointer(base, offset Register) GPVirtual {
	p := GP64()
	LEAQ(Mem{Base: base, Index: offset, Scale: 1}, p)
	return p
}

// abreast is how many samples a kernel works on in turns, so that one does something while the other waits for a result: as many as there
// are registers for. halves is how many vectors make up a chunk of sixteen events.
func abreast() int { return Width / 8 }
func halves() int  { return 16 / Width }

// part is one vector of a chunk of one sample.
type part struct{ sample, disp int }

// parts are the vectors of so many chunks of the samples abreast.
func parts(chunks int) (all []part) {
	for i := range abreast() {
		for j := range chunks * halves() {
			all = append(all, part{i, 4 * Width * j})
		}
	}
	return all
}

// chunks writes a loop over all events, four chunks of sixteen at a time, then two, then one.
func chunks(left Register, body func(label string, chunks int)) {
	for _, n := range []int{4, 2, 1} {
		label := fmt.Sprint("chunks", n)
		Label(label)
		CMPQ(left, U32(n*row))
		JLT(LabelRef(label + "end"))
		body(label, n)
		SUBQ(U32(n*row), left)
		JMP(LabelRef(label))
		Label(label + "end")
	}
}

// constant is a number in every lane: in memory, or with AVX-512, which has registers for that, in one.
func constant(x float32) Op {
	if Width == 8 {
		return Float(x)
	}
	v := New()
	VMOVUPS(Float(x), v)
	return v
}

// exponential replaces every number x of some vectors by eˣ (Cephes expf) for x ≤ 0; below -87.3 it stays at e^-87.3, so that nothing is
// denormal. NaN stays NaN. Several vectors take turns, so that one's latency hides the other's.
type exponential func(xs ...VecVirtual)

// newExponential goes before the loop that it is used in.
func newExponential() exponential {
	log2e, ln2high, ln2low, first, one := constant(Log2E), constant(Ln2High), constant(Ln2Low), constant(ExpPolynomial[0]), constant(1)
	var rest []Op
	for _, c := range ExpPolynomial[1:] {
		rest = append(rest, constant(c))
	}
	return func(xs ...VecVirtual) {
		n, p := Several(len(xs)), Several(len(xs))
		each := func(f func(x, n, p VecVirtual)) {
			for i := range xs {
				f(xs[i], n[i], p[i])
			}
		}
		low := New()
		VMOVUPS(Float(-87.3), low)
		each(func(x, _, _ VecVirtual) { VMAXPS(x, low, x) }) // with x as the second source NaN stays
		each(func(x, n, _ VecVirtual) { VMULPS(log2e, x, n); Round(n) })
		each(func(x, n, _ VecVirtual) { VFNMADD231PS(ln2high, n, x) })
		each(func(x, n, _ VecVirtual) { VFNMADD231PS(ln2low, n, x) })
		each(func(_, _, p VecVirtual) { VMOVUPS(first, p) })
		for _, c := range append(rest, one) {
			each(func(x, _, p VecVirtual) { VFMADD213PS(c, x, p) }) // at last x·p + 1
		}
		each(func(x, _, p VecVirtual) { VFMADD213PS(one, p, x) }) // x·(x·p + 1) + 1
		each(func(x, n, _ VecVirtual) {
			if Width == 16 {
				VSCALEFPS(n, x, x)
				return
			}
			VCVTPS2DQ(n, n)
			VPADDD(Bits(127), n, n)
			VPSLLD(U8(23), n, n)
			VMULPS(n, x, x)
		})
	}
}

// signs multiplies A by u. A's columns are b1 and the rows of w1 that offsets select; bits is how many bytes lie between two samples' bits.
func signs() {
	begin("signs", "signsPlain", "func(w1, b1, u *float32, offsets *int32, active, next *uint64, changed *uint16, n, k64, bits, lanes int)")
	u, offsets, active, next, changed := get("u"), get("offsets"), get("active"), get("next"), get("changed")
	Label("lanes")
	w, b, left := get("w1"), get("b1"), times4("n")
	differ := []GPVirtual{GP32(), GP32()}[:abreast()]
	for _, d := range differ {
		XORL(d, d)
	}
	chunks(left, func(label string, n int) {
		all := parts(n)
		z, x, j := Several(len(all)), Several(abreast()), GP64()
		for i, p := range all {
			VMOVUPS(Mem{Base: b, Disp: p.disp}, z[i])
		}
		XORQ(j, j)
		Label(label + "columns")
		for s := range x {
			at := GP64()
			MOVLQSX(Mem{Base: offsets, Index: j, Scale: 1, Disp: 4 * s}, at)
			VBROADCASTSS(Mem{Base: u, Index: j, Scale: 1, Disp: 4 * s}, x[s])
			for i, p := range all {
				if p.sample == s {
					VFMADD231PS(Mem{Base: w, Index: at, Scale: 4, Disp: p.disp}, x[s], z[i])
				}
			}
		}
		nextColumn(j, label)
		none, size := New(), get("bits")
		Zero(none)
		for i := 0; i < len(all); i += halves() {
			m, disp := positive(none, z[i:i+halves()]), all[i].disp/row*2
			to, from := Mem{Base: next, Disp: disp}, Mem{Base: active, Disp: disp}
			if all[i].sample > 0 {
				to.Index, to.Scale, from.Index, from.Scale = size, 1, size, 1
			}
			MOVW(m.As16(), to)
			XORW(from, m.As16())
			ORL(m, differ[all[i].sample])
		}
		ADDQ(U32(n*row), w)
		ADDQ(U32(n*row), b)
		ADDQ(Imm(uint64(2*n)), next)
		ADDQ(Imm(uint64(2*n)), active)
	})
	for s, d := range differ {
		MOVW(d.As16(), Mem{Base: changed, Disp: 2 * s})
	}
	done := get("n") // a bit an event
	SHRQ(Imm(3), done)
	for _, p := range []Register{next, active} {
		SUBQ(done, p)
		for range abreast() {
			ADDQ(argument("bits"), p)
		}
	}
	ADDQ(Imm(uint64(4*abreast())), u)
	ADDQ(Imm(uint64(4*abreast())), offsets)
	ADDQ(Imm(uint64(2*abreast())), changed)
	nextLanes()
	End()
}

// nextColumn closes a loop over the columns of the samples, whose numbers lie in rows of lanes; j is the offset of the row.
func nextColumn(j Register, label string) {
	ADDQ(Imm(row), j)
	CMPQ(j, argument("k64"))
	JLT(LabelRef(label + "columns"))
}

// nextLanes closes the loop over lanes, whose number it counts down.
func nextLanes() {
	SUBQ(Imm(uint64(abreast())), argument("lanes"))
	JG(LabelRef("lanes"))
}

// argument is where an argument lies: registers are scarce.
func argument(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// times4 is the size in bytes of an argument that counts floats.
func times4(argument string) GPVirtual {
	r := get(argument)
	SHLQ(U8(2), r)
	return r
}

// positive makes a bit of each number of a chunk: whether it is above zero.
func positive(none VecVirtual, z []VecVirtual) GPVirtual {
	const below = 1 // none < z
	m := GP32()
	if Width == 16 {
		k := K()
		VCMPPS(U8(below), z[0], none, k)
		KMOVW(k, m)
		return m
	}
	high := GP32()
	VCMPPS(U8(below), z[0], none, z[0])
	VCMPPS(U8(below), z[1], none, z[1])
	VMOVMSKPS(z[0], m)
	VMOVMSKPS(z[1], high)
	SHLL(U8(8), high)
	ORL(high, m)
	return m
}

// flip adds multiples of some units' columns of w2 to the columns of p. The multiples are the units' rows of A with a sign.
func flip() {
	begin("flip", "flipPlain", "func(p, b1, w1 *float32, offsets *int32, w2 *float32, units *int32, signs *float32, count, n, k int)")
	p, a, offsets, units, signs, count := get("p"), get("b1"), get("offsets"), get("units"), get("signs"), get("count")
	Label("column")
	left, w2 := times4("n"), get("w2")
	chunks(left, func(label string, n int) {
		x := Several(n * halves())
		for i := range x {
			VMOVUPS(Mem{Base: p, Disp: 4 * Width * i}, x[i])
		}
		f := GP64()
		XORQ(f, f)
		Label(label + "units")
		unit, s := GP64(), New()
		MOVLQSX(Mem{Base: units, Index: f, Scale: 4}, unit)
		VMOVSS(Mem{Base: a, Index: unit, Scale: 4}, s.AsX())
		VMULSS(Mem{Base: signs, Index: f, Scale: 4}, s.AsX(), s.AsX())
		VBROADCASTSS(s.AsX(), s)
		IMULQ(argument("n"), unit)
		for i := range x {
			VFMADD231PS(Mem{Base: w2, Index: unit, Scale: 4, Disp: 4 * Width * i}, s, x[i])
		}
		INCQ(f)
		CMPQ(f, count)
		JLT(LabelRef(label + "units"))
		for i := range x {
			VMOVUPS(x[i], Mem{Base: p, Disp: 4 * Width * i})
		}
		ADDQ(U32(n*row), p)
		ADDQ(U32(n*row), w2)
	})
	next := GP64()
	MOVLQSX(Mem{Base: offsets}, next) // of the next column; the last has none, but lanes have a row to spare
	SHLQ(U8(2), next)
	ADDQ(argument("w1"), next)
	MOVQ(next, a)
	ADDQ(Imm(row), offsets)
	DECQ(argument("k"))
	JGE(LabelRef("column"))
	End()
}
