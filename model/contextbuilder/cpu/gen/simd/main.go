// Command simd generates the kernels of package simd, each in AVX2 with FMA and in AVX-512; see the go:generate line there. The ends of
// their names say which, and keep them apart from their plain Go twins.
package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// width is the number of floats in a vector of the kernels that are being written.
var width int

func main() {
	ConstraintExpr("amd64,!purego")
	for _, width = range []int{8, 16} {
		for m := 1; m <= tileRows(); m++ {
			gemm(m, 1)
			gemm(m, 2)
		}
		gemm(1, 8)
		gruForward()
		gruBackward()
		lstmForward()
		lstmBackward()
		gather()
		expSum()
		maximum()
		axpy()
		dot()
		scaleShift()
		maskPositive()
		adam()
	}
	width = 8
	transpose8()
	Generate()
}

// tileRows is how many rows of a product's tile fit into the registers.
func tileRows() int { return map[int]int{8: 6, 16: 12}[width] }

// vec is a new vector register.
func vec() VecVirtual {
	if width == 16 {
		return ZMM()
	}
	return YMM()
}

// bytes is the size of so many vectors.
func bytes(vectors int) Constant { return U32(4 * width * vectors) }

// vectors turns a number of floats into one of vectors.
func vectors(n Register) { SHRQ(Imm(map[int]uint64{8: 3, 16: 4}[width]), n) }

func zero(vs ...VecVirtual) {
	for _, v := range vs {
		VXORPS(v, v, v)
	}
}

var consts = map[uint32]Mem{}

// c32 is a constant in every lane.
func c32(v float32) Mem { return bits(math.Float32bits(v)) }
func bits(b uint32) Mem {
	if m, ok := consts[b]; ok {
		return m
	}
	m := GLOBL(fmt.Sprintf("k%08x", b), RODATA|NOPTR)
	for i := 0; i < 16; i++ {
		DATA(4*i, U32(b))
	}
	consts[b] = m
	return m
}

func loop(name string, n Register, body func()) {
	Label(name)
	TESTQ(n, n)
	JLE(LabelRef(name + "_end"))
	body()
	DECQ(n)
	JMP(LabelRef(name))
	Label(name + "_end")
}

// advance moves pointers on by a vector.
func advance(pointers ...Register) {
	for _, p := range pointers {
		ADDQ(bytes(1), p)
	}
}

// broadcast loads a float32 argument to all lanes.
func broadcast(name string) VecVirtual {
	y := vec()
	p, _ := Param(name).Resolve()
	VBROADCASTSS(p.Addr, y)
	return y
}

// mask loads a uint32 argument to all lanes.
func mask(name string) VecVirtual {
	y := vec()
	VMOVD(Load(Param(name), GP32()), y.AsX())
	VPBROADCASTD(y.AsX(), y)
	return y
}

// text begins a kernel.
func text(name, signature, doc string, more ...string) {
	name += map[int]string{8: "AVX2", 16: "AVX512"}[width]
	TEXT(name, NOSPLIT, signature)
	Doc(append([]string{name + ": " + doc}, more...)...)
	Pragma("noescape")
}

// end leaves a kernel: Go's scalar code is legacy SSE, slow while upper halves are in use.
func end() {
	VZEROUPPER()
	RET()
}
