// Command simd generates the kernels of package simd, each in AVX2 with FMA and in AVX-512; see the go:generate line there. The ends of
// their names say which, and keep them apart from their plain Go twins.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

func main() {
	ConstraintExpr("amd64,!purego")
	Each(products, gruForward, gruBackward, lstmForward, lstmBackward, gather, expSum, maximum, axpy, dot, scaleShift, maskPositive, adam)
	Width = 8
	transpose8()
	Generate()
}

// vectors turns a number of floats into one of vectors.
func vectors(n Register) { SHRQ(Imm(map[int]uint64{8: 3, 16: 4}[Width]), n) }

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
		ADDQ(Bytes(1), p)
	}
}

// mask loads a uint32 argument to all lanes.
func mask(name string) VecVirtual {
	y := New()
	VMOVD(Load(Param(name), GP32()), y.AsX())
	VPBROADCASTD(y.AsX(), y)
	return y
}

// text begins a kernel.
func text(name, signature, doc string, more ...string) {
	name = Name(name)
	TEXT(name, NOSPLIT, signature)
	Doc(append([]string{name + ": " + doc}, more...)...)
}
