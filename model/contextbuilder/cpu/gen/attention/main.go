// Command attention writes the kernels of package attention, each in AVX2 with FMA and in AVX-512; the plain Go twins there say what
// each computes.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

const (
	row    = 64    // bytes in a row of sixteen lanes, and in a chunk of sixteen events
	lowest = -3e38 // below every logit that is finite
)

func main() {
	Each(signs, confide, flip, adam)
	Generate()
}

// begin starts a kernel and says whose twin it is, and that Go may keep what it is given on the stack.
func begin(name, signature string) {
	TEXT(Name(name), NOSPLIT, signature)
	Doc(Name(name) + " is " + name + "Plain.")
	Pragma("noescape")
}

func get(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }

// pointer makes a new register point at base + offset.
func pointer(base, offset Register) GPVirtual {
	p := GP64()
	LEAQ(Mem{Base: base, Index: offset, Scale: 1}, p)
	return p
}

// abreast is how many samples a kernel works on in turns, so that one does something while the other waits for a result: as many as there
// are registers for. half is how many vectors make up a chunk of sixteen events.
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

// chunks writes a loop over all events, two chunks of sixteen at a time and one that is left over.
func chunks(name string, left Register, body func(label string, chunks int)) {
	for _, n := range []int{2, 1} {
		label := name + map[int]string{1: "one", 2: "two"}[n]
		Label(label)
		CMPQ(left, Imm(uint64(n*row)))
		JLT(LabelRef(label + "end"))
		body(label, n)
		SUBQ(Imm(uint64(n*row)), left)
		JMP(LabelRef(label))
		Label(label + "end")
	}
}

// exp replaces every x by eˣ (Cephes expf) for x ≤ 0; below -87.3 it stays at e^-87.3, so that nothing is denormal. NaN stays NaN.
// Several vectors take turns, so that one's latency hides the other's.
func exp(xs ...VecVirtual) {
	n, p := Several(len(xs)), Several(len(xs))
	each := func(f func(i int)) {
		for i := range xs {
			f(i)
		}
	}
	low := New()
	VMOVUPS(Float(-87.3), low)
	each(func(i int) { VMAXPS(xs[i], low, xs[i]) }) // with x as the second source NaN stays
	each(func(i int) { VMULPS(Float(1.44269504088896341), xs[i], n[i]); Round(n[i]) })
	each(func(i int) { VFNMADD231PS(Float(0.693359375), n[i], xs[i]) })
	each(func(i int) { VFNMADD231PS(Float(-2.12194440e-4), n[i], xs[i]) })
	each(func(i int) { VMOVUPS(Float(1.9875691500e-4), p[i]) })
	for _, c := range []float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1} {
		each(func(i int) { VFMADD213PS(Float(c), xs[i], p[i]) })
	}
	each(func(i int) { VFMADD213PS(Float(1), xs[i], p[i]) }) // x·p + 1
	each(func(i int) { VFMADD213PS(Float(1), p[i], xs[i]) }) // x·(x·p + 1) + 1
	each(func(i int) {
		if Width == 16 {
			VSCALEFPS(n[i], xs[i], xs[i])
			return
		}
		VCVTPS2DQ(n[i], n[i])
		VPADDD(Bits(127), n[i], n[i])
		VPSLLD(U8(23), n[i], n[i])
		VMULPS(n[i], xs[i], xs[i])
	})
}

// signs multiplies A by u. A's columns are b1 and the rows of w1 that offsets select.
func signs() {
	begin("signs", "func(w1, b1, u *float32, offsets *int32, active, next, changed *uint16, n, k64, lanes int)")
	u, offsets, active, next, changed := get("u"), get("offsets"), get("active"), get("next"), get("changed")
	Label("lanes")
	w, b, left := get("w1"), get("b1"), times4("n")
	differ := []GPVirtual{GP32(), GP32()}[:abreast()]
	for _, d := range differ {
		XORL(d, d)
	}
	chunks("rows", left, func(label string, n int) {
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
		none, size := New(), get("n") // size: bytes between two samples' bits
		Zero(none)
		SHRQ(Imm(3), size)
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
		ADDQ(Imm(uint64(n*row)), w)
		ADDQ(Imm(uint64(n*row)), b)
		ADDQ(Imm(uint64(2*n)), next)
		ADDQ(Imm(uint64(2*n)), active)
	})
	for s, d := range differ {
		MOVW(d.As16(), Mem{Base: changed, Disp: 2 * s})
	}
	if abreast() > 1 {
		size := get("n")
		SHRQ(Imm(3), size)
		ADDQ(size, next)
		ADDQ(size, active)
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

// flip adds multiples of one column to the columns of p.
func flip() {
	begin("flip", "func(p, b1, w1 *float32, offsets *int32, col *float32, sign float32, n, k int)")
	p, a, w1, offsets, col, k := get("p"), get("b1"), get("w1"), get("offsets"), get("col"), get("k")
	sign := Load(Param("sign"), XMM())
	Label("column")
	s, r, left := New(), GP64(), get("n")
	VMULSS(Mem{Base: a}, sign, s.AsX())
	VBROADCASTSS(s.AsX(), s)
	XORQ(r, r)
	SHLQ(U8(2), left)
	chunks("rows", left, func(_ string, n int) {
		x := Several(n * halves())
		for i := range x {
			at := 4 * Width * i
			VMOVUPS(Mem{Base: p, Disp: at}, x[i])
			VFMADD231PS(Mem{Base: col, Index: r, Scale: 1, Disp: at}, s, x[i])
			VMOVUPS(x[i], Mem{Base: p, Disp: at})
		}
		ADDQ(Imm(uint64(n*row)), r)
		ADDQ(Imm(uint64(n*row)), p)
	})
	MOVLQSX(Mem{Base: offsets}, r) // of the next column; the last has none, but lanes have a row to spare
	LEAQ(Mem{Base: w1, Index: r, Scale: 4}, a)
	ADDQ(Imm(row), offsets)
	DECQ(k)
	JGE(LabelRef("column"))
	End()
}
