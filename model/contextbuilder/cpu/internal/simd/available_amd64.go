//go:build amd64 && !purego

package simd

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Widths are the sizes of vectors, in floats, that this processor has kernels for, the widest first: 16 is AVX-512, 8 is AVX2 with FMA.
func Widths() (all []int) {
	x := cpu.X86
	if x.HasAVX2 && x.HasFMA {
		if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512VL {
			all = append(all, 16)
		}
		all = append(all, 8)
	}
	return all
}

// available are the loops that this processor can run, the fastest first.
func available() (all []kernels) {
	for _, x := range []assembly{avx512, avx2} {
		if slices.Contains(Widths(), x.width) {
			all = append(all, x.kernels())
		}
	}
	return append(all, plain)
}

// assembly are the loops for one kind of vectors, as the generator writes them.
type assembly struct {
	name         string
	width        int       // floats in a vector
	gemm         [3][]tile // by vectors of columns, then rows − 1
	wide         []wide    // of one row, the widest first
	gruForward   func(h int, gi, bias, gh, bhn, hp, rznq, out *float32)
	gruBackward  func(h int, dh, rznq, hp, dgi, dgh, dhp *float32, addI, addP uint32)
	lstmForward  func(h int, gi, bias, gh, cp, ifgo, c, out *float32)
	lstmBackward func(h int, dh, dc, ifgo, c, cp, dgi, dgh, dcp *float32, addI, addP uint32)
	gather       func(dst, base, table *float32, ld int, idx *int32, w *float32, n, columns int, floor float32)
	expSum       func(dst, x *float32, shift float32, n int) float32
	maximum      func(x *float32, n int) float32
	axpy         func(dst, x *float32, a float32, n int)
	dot          func(x, y *float32, n int) float32
	scaleShift   func(dst, x *float32, a, b float32, n int)
	maskPositive func(dst, h *float32, n int)
	adam         func(w, grad, m, v *float32, n int, beta1, beta2, scale, unbias, epsilon float32)
}

// tile multiplies tiles of A with a number of rows by a panel of B; strides in bytes.
type tile func(tiles, k int, a *float32, rs, cs int, b *float32, ldb int, c *float32, ldc, acc int)

// wide is a tile of one row and so many vectors.
type wide struct {
	vectors int
	tile    tile
}

var avx2 = assembly{name: "AVX2", width: 8,
	gemm: [3][]tile{2: {gemm1x2AVX2, gemm2x2AVX2, gemm3x2AVX2, gemm4x2AVX2, gemm5x2AVX2, gemm6x2AVX2}},
	wide: []wide{{8, gemm1x8AVX2}}, gruForward: gruForwardAVX2, gruBackward: gruBackwardAVX2, lstmForward: lstmForwardAVX2, lstmBackward: lstmBackwardAVX2,
	gather: gatherAVX2, expSum: expSumAVX2, maximum: maximumAVX2, axpy: axpyAVX2, dot: dotAVX2, scaleShift: scaleShiftAVX2,
	maskPositive: maskPositiveAVX2, adam: adamAVX2}

var avx512 = assembly{name: "AVX-512", width: 16,
	gemm: [3][]tile{
		1: {gemm1x1AVX512, gemm2x1AVX512, gemm3x1AVX512, gemm4x1AVX512, gemm5x1AVX512, gemm6x1AVX512,
			gemm7x1AVX512, gemm8x1AVX512, gemm9x1AVX512, gemm10x1AVX512, gemm11x1AVX512, gemm12x1AVX512},
		2: {gemm1x2AVX512, gemm2x2AVX512, gemm3x2AVX512, gemm4x2AVX512, gemm5x2AVX512, gemm6x2AVX512,
			gemm7x2AVX512, gemm8x2AVX512, gemm9x2AVX512, gemm10x2AVX512, gemm11x2AVX512, gemm12x2AVX512}},
	wide: []wide{{24, gemm1x24AVX512}, {8, gemm1x8AVX512}}, gruForward: gruForwardAVX512, gruBackward: gruBackwardAVX512, lstmForward: lstmForwardAVX512,
	lstmBackward: lstmBackwardAVX512, gather: gatherAVX512, expSum: expSumAVX512, maximum: maximumAVX512, axpy: axpyAVX512, dot: dotAVX512,
	scaleShift: scaleShiftAVX512, maskPositive: maskPositiveAVX512, adam: adamAVX512}

func (x assembly) kernels() kernels {
	return kernels{
		name: x.name,
		gemm: x.product,
		gruForward: func(gi, bias, gh, bhn, hp, rznq, h []float32) {
			x.gruForward(len(h), &gi[0], &bias[0], &gh[0], &bhn[0], &hp[0], &rznq[0], &h[0])
		},
		gruBackward: func(dh, rznq, hp, dgi, dgh, dhp []float32, addI, addP bool) {
			x.gruBackward(len(dh), &dh[0], &rznq[0], &hp[0], &dgi[0], &dgh[0], &dhp[0], ones(addI), ones(addP))
		},
		lstmForward: func(gi, bias, gh, cp, ifgo, c, h []float32) {
			x.lstmForward(len(h), &gi[0], &bias[0], &gh[0], &cp[0], &ifgo[0], &c[0], &h[0])
		},
		lstmBackward: func(dh, dc, ifgo, c, cp, dgi, dgh, dcp []float32, addI, addP bool) {
			x.lstmBackward(len(dh), &dh[0], &dc[0], &ifgo[0], &c[0], &cp[0], &dgi[0], &dgh[0], &dcp[0], ones(addI), ones(addP))
		},
		gather: func(dst, base, table []float32, ld int, index []int32, w []float32, floor float32) {
			x.gather(&dst[0], &base[0], &table[0], 4*ld, unsafe.SliceData(index), unsafe.SliceData(w), len(index), len(dst), floor)
		},
		expSum:       func(dst, v []float32, shift float32) float32 { return x.expSum(&dst[0], &v[0], shift, len(v)) },
		maximum:      func(v []float32) float32 { return x.maximum(&v[0], len(v)) },
		axpy:         func(dst, v []float32, a float32) { x.axpy(&dst[0], &v[0], a, len(dst)) },
		dot:          func(v, w []float32) float32 { return x.dot(&v[0], &w[0], len(v)) },
		scaleShift:   func(dst, v []float32, a, b float32) { x.scaleShift(&dst[0], &v[0], a, b, len(dst)) },
		maskPositive: func(dst, h []float32) { x.maskPositive(&dst[0], &h[0], len(dst)) },
		transpose: func(dst []float32, ldd int, src []float32, lds, rows, cols int) {
			for r := 0; r < rows; r += 8 {
				transpose8AVX2(&dst[r], 4*ldd, &src[r*lds], 4*lds, cols/8)
			}
		},
		adam: func(w, g, m, v []float32, a AdamStep) {
			x.adam(&w[0], &g[0], &m[0], &v[0], len(w), a.Beta1, a.Beta2, a.Scale, a.Unbias, a.Epsilon)
		},
	}
}

// ones is a mask for all bits.
func ones(b bool) uint32 {
	if b {
		return ^uint32(0)
	}
	return 0
}

// panelBytes limits a panel of B to what stays in the L1 cache together with A.
const panelBytes = 16 << 10

// product goes over B by panels of two vectors (one at the end) and equal depth, and over A by the fewest tiles that there are registers for, which have
// equally many rows or one more: a tile of few rows takes nearly as long as a large one, because its additions wait for each other. A single row
// takes many vectors at once for that reason.
func (x assembly) product(m, n, k int, a []float32, rs, cs int, b []float32, ldb int, c []float32, ldc int, add bool) {
	depth := panelBytes / 4 / (2 * x.width)
	blocks := (k + depth - 1) / depth
	size := (k + blocks - 1) / blocks
	flag := int(ones(add) & 1)
	for k0 := 0; k0 < k; k0 += size {
		kb, from := min(size, k-k0), cs*k0
		for j := 0; j < n; {
			vectors := min(2, (n-j)/x.width)
			tile := func(row, tiles int, f tile) {
				f(tiles, kb, &a[from+row*rs], 4*rs, 4*cs, &b[ldb*k0+j], 4*ldb, &c[row*ldc+j], 4*ldc, flag)
			}
			i := slices.IndexFunc(x.wide, func(w wide) bool { return m == 1 && n-j >= w.vectors*x.width })
			if i >= 0 {
				vectors = x.wide[i].vectors
				tile(0, 1, x.wide[i].tile)
			} else {
				kernels := x.gemm[vectors]
				count := (m + len(kernels) - 1) / len(kernels)
				rows, larger := m/count, m%count
				if larger > 0 {
					tile(0, larger, kernels[rows])
				}
				tile(larger*(rows+1), count-larger, kernels[rows-1])
			}
			j += vectors * x.width
		}
		flag = 1
	}
}
