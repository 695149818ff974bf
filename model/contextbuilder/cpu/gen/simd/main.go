// Command simd generates the AVX2/FMA kernels of package simd; see the go:generate line there. Names that end in AVX2 keep them apart
// from their plain Go twins.
package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64,!purego")
	for m := 1; m <= 6; m++ {
		gemm(m)
	}
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
	transpose8()
	adam()
	Generate()
}

var consts = map[uint32]Mem{}

// c32 is a constant in all eight lanes
func c32(v float32) Mem { return bits(math.Float32bits(v)) }
func bits(b uint32) Mem {
	if m, ok := consts[b]; ok {
		return m
	}
	m := GLOBL(fmt.Sprintf("k%08x", b), RODATA|NOPTR)
	for i := 0; i < 8; i++ {
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

// gemm: tiles×m rows of C, 16 columns: C = A·B or C += A·B. A(i,k) lies at a + i·rs + k·cs (bytes), so A may be transposed.
func gemm(m int) {
	text(fmt.Sprintf("gemm%dAVX2", m), "func(tiles, k int, a *float32, rs, cs int, b *float32, ldb int, c *float32, ldc, acc int)")
	Doc(fmt.Sprintf("gemm%dAVX2 computes tiles×%d rows by 16 columns; strides in bytes.", m, m))
	tiles := Load(Param("tiles"), GP64())
	a0 := Load(Param("a"), GP64())
	rs := Load(Param("rs"), GP64())
	cs := Load(Param("cs"), GP64())
	ldb := Load(Param("ldb"), GP64())
	c := Load(Param("c"), GP64())
	a, b, k := GP64(), GP64(), GP64()
	rs3, rs5 := GP64(), GP64()
	LEAQ(Mem{Base: rs, Index: rs, Scale: 2}, rs3)
	LEAQ(Mem{Base: rs, Index: rs, Scale: 4}, rs5)
	at := func(i int) Mem {
		switch i {
		case 0:
			return Mem{Base: a}
		case 3:
			return Mem{Base: a, Index: rs3, Scale: 1}
		case 5:
			return Mem{Base: a, Index: rs5, Scale: 1}
		}
		return Mem{Base: a, Index: rs, Scale: uint8(i)}
	}
	acc := make([][2]VecVirtual, m)
	for i := range acc {
		acc[i] = [2]VecVirtual{YMM(), YMM()}
	}
	Label("tile")
	MOVQ(a0, a)
	Load(Param("b"), b)
	Load(Param("k"), k)
	for i := range acc {
		VXORPS(acc[i][0], acc[i][0], acc[i][0])
		VXORPS(acc[i][1], acc[i][1], acc[i][1])
	}
	b0, b1 := YMM(), YMM()
	step := func() {
		VMOVUPS(Mem{Base: b}, b0)
		VMOVUPS(Mem{Base: b, Disp: 32}, b1)
		ADDQ(ldb, b)
		x := []VecVirtual{YMM(), YMM()}
		for i := range acc {
			VBROADCASTSS(at(i), x[i%2])
			VFMADD231PS(x[i%2], b0, acc[i][0])
			VFMADD231PS(x[i%2], b1, acc[i][1])
		}
		ADDQ(cs, a)
	}
	SUBQ(Imm(4), k)
	JL(LabelRef("rest"))
	Label("k4")
	for u := 0; u < 4; u++ {
		step()
	}
	SUBQ(Imm(4), k)
	JGE(LabelRef("k4"))
	Label("rest")
	ADDQ(Imm(4), k)
	JZ(LabelRef("store"))
	Label("k1")
	step()
	DECQ(k)
	JNZ(LabelRef("k1"))
	Label("store")
	ldc := Load(Param("ldc"), GP64())
	flag := Load(Param("acc"), GP64())
	TESTQ(flag, flag)
	JZ(LabelRef("set"))
	row := GP64()
	MOVQ(c, row)
	for i := range acc {
		for j := 0; j < 2; j++ {
			VADDPS(Mem{Base: row, Disp: 32 * j}, acc[i][j], acc[i][j])
			VMOVUPS(acc[i][j], Mem{Base: row, Disp: 32 * j})
		}
		ADDQ(ldc, row)
	}
	JMP(LabelRef("next"))
	Label("set")
	MOVQ(c, row)
	for i := range acc {
		for j := 0; j < 2; j++ {
			VMOVUPS(acc[i][j], Mem{Base: row, Disp: 32 * j})
		}
		ADDQ(ldc, row)
	}
	Label("next")
	MOVQ(row, c)
	for i := 0; i < m; i++ {
		ADDQ(rs, a0)
	}
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// advance moves pointers on by eight floats.
func advance(pointers ...Register) {
	for _, p := range pointers {
		ADDQ(Imm(32), p)
	}
}

// broadcast loads a float32 argument to all eight lanes.
func broadcast(name string) VecVirtual {
	y := YMM()
	p, _ := Param(name).Resolve()
	VBROADCASTSS(p.Addr, y)
	return y
}

// mask loads a uint32 argument to all eight lanes.
func mask(name string) VecVirtual {
	y := YMM()
	VMOVD(Load(Param(name), GP32()), y.AsX())
	VPBROADCASTD(y.AsX(), y)
	return y
}

func text(name, signature string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
}
