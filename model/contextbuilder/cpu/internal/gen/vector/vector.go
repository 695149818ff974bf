// Package vector has what the kernel generators share: they write each kernel once for vectors of 8 floats (AVX2 with FMA) and once for
// vectors of 16 (AVX-512).
package vector

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Width is the number of floats in a vector of the kernels that are being written.
var Width int

// Each writes kernels for both widths.
func Each(kernels ...func()) {
	for _, Width = range []int{8, 16} {
		for _, k := range kernels {
			k()
		}
	}
}

// Name is a kernel's name with the vectors it is for.
func Name(kernel string) string { return kernel + map[int]string{8: "AVX2", 16: "AVX512"}[Width] }

// New is a new vector register.
func New() VecVirtual {
	if Width == 16 {
		return ZMM()
	}
	return YMM()
}

// Several are new vector registers.
func Several(n int) (vs []VecVirtual) {
	for range n {
		vs = append(vs, New())
	}
	return vs
}

// Bytes is the size of so many vectors.
func Bytes(vectors int) Constant { return U32(4 * Width * vectors) }

// Zero clears vectors.
func Zero(vs ...VecVirtual) {
	for _, v := range vs {
		VXORPS(v, v, v)
	}
}

var constants = map[uint32]Mem{}

// Float is a constant in every lane of a vector, in memory.
func Float(x float32) Mem { return Bits(math.Float32bits(x)) }

// Bits is Float for the bits of a number.
func Bits(b uint32) Mem {
	if m, ok := constants[b]; ok {
		return m
	}
	m := GLOBL(fmt.Sprintf("k%08x", b), RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(b))
	}
	constants[b] = m
	return m
}

// eˣ as Cephes' expf has it: 2ⁿ·eʳ with n = round(x·log2 e) and r = x − n·ln 2, which is taken away in two parts. ExpPolynomial is that of
// (eʳ − 1 − r)/r², the highest power first.
const (
	Log2E   = 1.44269504088896341
	Ln2High = 0.693359375
	Ln2Low  = -2.12194440e-4
)

// ExpPolynomial: see Log2E.
var ExpPolynomial = []float32{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1}

// Broadcast loads a float32 argument to all lanes.
func Broadcast(name string) VecVirtual {
	v := New()
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(p.Addr, v)
	return v
}

// Round rounds to the nearest integer, halves to the even one.
func Round(x VecVirtual) {
	if Width == 16 {
		VRNDSCALEPS(Imm(8), x, x)
		return
	}
	VROUNDPS(Imm(8), x, x)
}

// End leaves a kernel. Go's scalar code is legacy SSE, slow while upper halves are in use.
func End() {
	VZEROUPPER()
	RET()
}
