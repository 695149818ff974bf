package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

// products writes tiles of one row up to as many as there are registers for, of one and two vectors of columns; and of
// one row and many vectors, so that B is read from one end to the other.
func products() {
	for m := 1; m <= map[int]int{8: 6, 16: 12}[Width]; m++ {
		gemm(m, 2)
		if Width == 16 { // columns come in sixteens
			gemm(m, 1)
		}
	}
	gemm(1, 8)
	if Width == 16 {
		gemm(1, 24)
	}
}

// gemm: tiles×m rows of C, so many vectors of columns: C = A·B or C += A·B. A(i,k) lies at a + i·rs + k·cs (bytes), so A may be
// transposed.
func gemm(m, columns int) {
	text(fmt.Sprintf("gemm%dx%d", m, columns), "func(tiles, k int, a *float32, rs, cs int, b *float32, ldb int, c *float32, ldc, acc int)",
		fmt.Sprintf("tiles×%d rows by %d columns; strides in bytes.", m, columns*Width))
	tiles := Load(Param("tiles"), GP64())
	a0 := Load(Param("a"), GP64())
	rs := Load(Param("rs"), GP64())
	cs := Load(Param("cs"), GP64())
	ldb := Load(Param("ldb"), GP64())
	c := Load(Param("c"), GP64())
	b, k := GP64(), GP64()
	const group = 6 // rows that one pointer and multiples of rs reach
	pointers := make([]GPVirtual, (m+group-1)/group)
	for i := range pointers {
		pointers[i] = GP64()
	}
	rs3, rs5 := GP64(), GP64()
	LEAQ(Mem{Base: rs, Index: rs, Scale: 2}, rs3)
	LEAQ(Mem{Base: rs, Index: rs, Scale: 4}, rs5)
	at := func(i int) Mem {
		a := pointers[i/group]
		switch i %= group; i {
		case 0:
			return Mem{Base: a}
		case 3:
			return Mem{Base: a, Index: rs3, Scale: 1}
		case 5:
			return Mem{Base: a, Index: rs5, Scale: 1}
		}
		return Mem{Base: a, Index: rs, Scale: uint8(i)}
	}
	acc := make([][]VecVirtual, m)
	for i := range acc {
		for range columns {
			acc[i] = append(acc[i], New())
		}
	}
	Label("tile")
	MOVQ(a0, pointers[0])
	for i := 1; i < len(pointers); i++ {
		LEAQ(Mem{Base: pointers[i-1], Index: rs3, Scale: 2}, pointers[i])
	}
	Load(Param("b"), b)
	Load(Param("k"), k)
	for i := range acc {
		Zero(acc[i]...)
	}
	step := func() {
		if m == 1 { // each vector of B is used once
			x := New()
			VBROADCASTSS(at(0), x)
			for j := range columns {
				VFMADD231PS(Mem{Base: b, Disp: 4 * Width * j}, x, acc[0][j])
			}
			ADDQ(ldb, b)
			ADDQ(cs, pointers[0])
			return
		}
		var bs []VecVirtual
		for j := range columns {
			bs = append(bs, New())
			VMOVUPS(Mem{Base: b, Disp: 4 * Width * j}, bs[j])
		}
		ADDQ(ldb, b)
		x := []VecVirtual{New(), New()}
		for i := range acc {
			VBROADCASTSS(at(i), x[i%2])
			for j := range columns {
				VFMADD231PS(x[i%2], bs[j], acc[i][j])
			}
		}
		for _, a := range pointers {
			ADDQ(cs, a)
		}
	}
	const unrolled = 4
	SUBQ(Imm(unrolled), k)
	JL(LabelRef("rest"))
	Label("several")
	for range unrolled {
		step()
	}
	SUBQ(Imm(unrolled), k)
	JGE(LabelRef("several"))
	Label("rest")
	ADDQ(Imm(unrolled), k)
	JZ(LabelRef("store"))
	Label("one")
	step()
	DECQ(k)
	JNZ(LabelRef("one"))
	Label("store")
	ldc := Load(Param("ldc"), GP64())
	flag := Load(Param("acc"), GP64())
	row := GP64()
	MOVQ(c, row)
	store := func(add bool) {
		for i := range acc {
			for j, v := range acc[i] {
				to := Mem{Base: row, Disp: 4 * Width * j}
				if add {
					VADDPS(to, v, v)
				}
				VMOVUPS(v, to)
			}
			ADDQ(ldc, row)
		}
	}
	TESTQ(flag, flag)
	JZ(LabelRef("set"))
	store(true)
	JMP(LabelRef("next"))
	Label("set")
	store(false)
	Label("next")
	MOVQ(row, c)
	for range m {
		ADDQ(rs, a0)
	}
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	End()
}
