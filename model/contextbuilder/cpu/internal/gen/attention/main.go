// Command attention writes the kernels of package attention, each in AVX2 with FMA and in AVX-512; the plain Go twins there say what
// each computes.
package main

import (
	"fmt"
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

const (
	group  = 4     // columns that are taken at a time
	row    = 64    // bytes in a row of sixteen lanes, and in a chunk of sixteen events
	lowest = -3e38 // below every θ that is finite

	lowTotal, highTotal = 0x1p-60, 0x1p100 // as in package attention

	ln2     = 0.69314718055994531
	log2e   = 1.44269504088896341
	eighths = 3 << 19 // added to a small number, it leaves whole eighths
)

// exp2Polynomial: see exp2 of package attention. That of AVX-512 is for eighths that are rounded down: it is exact at r = 0 and where a Chebyshev
// polynomial that is 0 there has its other zeros. The highest power comes first.
var exp2Polynomial = map[int][]float32{
	8:  {0.05550842359662056, 0.2402576357126236, 0.6931471824645996},
	16: {0.05786808855203141, 0.24005398211115064, 0.69315074435535562},
}

func main() {
	ConstraintExpr("amd64,!purego")
	Each(signs, confide, settle, flip, adam)
	narrowFlip() // the last width is that of AVX-512
	narrowConfide()
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

// chunks writes a loop over all events, so many chunks of sixteen at a time.
func chunks(left Register, sizes []int, body func(label string, chunks int)) {
	for _, n := range sizes {
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

// exponential replaces every number x of some vectors by 2ˣ. Several vectors take turns, so that one's latency hides the other's.
type exponential func(xs ...VecVirtual)

// newExponential goes before the loop that it is used in.
func newExponential() exponential {
	low, magic, table := constant(-100), constant(eighths), powers()
	var c []Op
	for _, x := range exp2Polynomial[Width] {
		c = append(c, constant(x))
	}
	some := func(xs []VecVirtual) {
		t, y, q := Several(len(xs)), Several(len(xs)), Several(len(xs))
		each := func(f func(x, t, y, q VecVirtual)) {
			for i := range xs {
				f(xs[i], t[i], y[i], q[i])
			}
		}
		bound := New() // with x as the second source NaN stays
		VMOVUPS(low, bound)
		each(func(x, _, _, _ VecVirtual) { VMAXPS(x, bound, x) })
		r := xs // what is left of x without its whole eighths
		if Width == 16 {
			const down, eighth = 1, 3 << 4
			each(func(x, t, _, _ VecVirtual) { VADDPS_RD_SAE(magic, x, t) }) // its last three bits count eighths now
			each(func(_, t, y, _ VecVirtual) { VPERMPS(table, t, y) })
			each(func(x, t, _, _ VecVirtual) { VREDUCEPS(Imm(eighth|down), x, t) })
			r = t
		} else {
			VMOVUPS(Float(126), bound)
			each(func(x, _, _, _ VecVirtual) { VMINPS(x, bound, x) })
			each(func(x, t, _, _ VecVirtual) { VADDPS(magic, x, t) })
			each(func(_, t, y, _ VecVirtual) { VPERMPS(table, t, y) })
			each(func(_, t, y, q VecVirtual) {
				VPSLLD(U8(20), t, q)
				VPADDD(q, y, y)
			})
			each(func(_, t, _, _ VecVirtual) { VSUBPS(magic, t, t) })
			each(func(x, t, _, _ VecVirtual) { VSUBPS(t, x, x) })
		}
		for i := range xs {
			VMOVUPS(c[0], q[i])
		}
		for _, next := range c[1:] {
			for i := range xs {
				VFMADD213PS(next, r[i], q[i])
			}
		}
		for i := range xs {
			VMULPS(y[i], r[i], r[i])
		}
		for i := range xs {
			VFMADD213PS(y[i], q[i], r[i])
		}
		if Width == 16 { // by the whole part of x
			each(func(x, t, _, _ VecVirtual) { VSCALEFPS(x, t, x) })
		}
	}
	return func(xs ...VecVirtual) {
		for some4 := range slices.Chunk(xs, Width/4) {
			some(some4)
		}
	}
}

var tables = map[int]Mem{} // of powers, by width

// powers are 2^(i/8). AVX2 adds the whole exponent to them later, in whose lowest bits it has i itself: that is taken away here.
func powers() Op {
	m, ok := tables[Width]
	if !ok {
		m = GLOBL(Name("powers"), RODATA|NOPTR)
		tables[Width] = m
		for i := range Width {
			b := math.Float32bits(float32(math.Exp2(float64(i%8) / 8)))
			if Width == 8 {
				b -= uint32(i) << 20
			}
			DATA(4*i, U32(b))
		}
	}
	if Width == 8 {
		return m
	}
	v := New()
	VMOVUPS(m, v)
	return v
}

// signs multiplies A by u: those columns of a that offsets select. bits is how many bytes lie between two samples' bits.
func signs() {
	begin("signs", "signsPlain", "func(a, u *float32, offsets *int32, active, next *uint64, changed *uint16, n, k64, bits, lanes int)")
	u, offsets, active, next, changed := get("u"), get("offsets"), get("active"), get("next"), get("changed")
	Label("lanes")
	a, left := get("a"), times4("n")
	differ := []GPVirtual{GP32(), GP32()}[:abreast()]
	for _, d := range differ {
		XORL(d, d)
	}
	chunks(left, []int{6, 4, 2, 1}, func(label string, n int) {
		all := parts(n)
		z, x, j := Several(len(all)), Several(abreast()), GP64()
		column := func(first bool) {
			for s := range x {
				at := GP64()
				MOVLQSX(Mem{Base: offsets, Index: j, Scale: 1, Disp: 4 * s}, at)
				VBROADCASTSS(Mem{Base: u, Index: j, Scale: 1, Disp: 4 * s}, x[s])
				for i, p := range all {
					m := Mem{Base: a, Index: at, Scale: 4, Disp: p.disp}
					switch {
					case p.sample != s:
					case first:
						VMULPS(m, x[s], z[i])
					default:
						VFMADD231PS(m, x[s], z[i])
					}
				}
			}
		}
		XORQ(j, j)
		column(true)
		ADDQ(Imm(row), j)
		Label(label + "columns")
		column(false)
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
		ADDQ(U32(n*row), a)
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
