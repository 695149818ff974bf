//go:build amd64 && !purego

package simd

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// available are the loops that this processor can run, the fastest first.
func available() []kernels {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		return []kernels{avx2, plain}
	}
	return []kernels{plain}
}

var avx2 = kernels{
	name: "AVX2",
	gemm: gemmAVX2,
	gruForward: func(gi, bias, gh, bhn, hp, rzn, h []float32) {
		gruForwardAVX2(len(h), &gi[0], &bias[0], &gh[0], &bhn[0], &hp[0], &rzn[0], &h[0])
	},
	gruBackward: func(dh, rzn, ghn, bhn, hp, dgi, dgh, dhp []float32, addI, addP bool) {
		gruBackwardAVX2(len(dh), &dh[0], &rzn[0], &ghn[0], &bhn[0], &hp[0], &dgi[0], &dgh[0], &dhp[0], ones(addI), ones(addP))
	},
	lstmForward: func(gi, bias, gh, cp, ifgo, c, h []float32) {
		lstmForwardAVX2(len(h), &gi[0], &bias[0], &gh[0], &cp[0], &ifgo[0], &c[0], &h[0])
	},
	lstmBackward: func(dh, dc, ifgo, c, cp, dgi, dgh, dcp []float32, addI, addP bool) {
		lstmBackwardAVX2(len(dh), &dh[0], &dc[0], &ifgo[0], &c[0], &cp[0], &dgi[0], &dgh[0], &dcp[0], ones(addI), ones(addP))
	},
	gather: func(dst, base, table []float32, ld int, index []int32, w []float32, floor float32) {
		gatherAVX2(&dst[0], &base[0], &table[0], 4*ld, unsafe.SliceData(index), unsafe.SliceData(w), len(index), len(dst), floor)
	},
	expSum:       func(dst, x []float32, shift float32) float32 { return expSumAVX2(&dst[0], &x[0], shift, len(x)) },
	maximum:      func(x []float32) float32 { return maximumAVX2(&x[0], len(x)) },
	axpy:         func(dst, x []float32, a float32) { axpyAVX2(&dst[0], &x[0], a, len(dst)) },
	dot:          func(x, y []float32) float32 { return dotAVX2(&x[0], &y[0], len(x)) },
	scaleShift:   func(dst, x []float32, a, b float32) { scaleShiftAVX2(&dst[0], &x[0], a, b, len(dst)) },
	maskPositive: func(dst, h []float32) { maskPositiveAVX2(&dst[0], &h[0], len(dst)) },
	transpose: func(dst []float32, ldd int, src []float32, lds, rows, cols int) {
		for r := 0; r < rows; r += 8 {
			transpose8AVX2(&dst[r], 4*ldd, &src[r*lds], 4*lds, cols/8)
		}
	},
	adam: func(w, g, m, v []float32, a AdamStep) {
		adamAVX2(&w[0], &g[0], &m[0], &v[0], len(w), a.Beta1, a.Beta2, a.Scale, a.Unbias, a.Epsilon)
	},
}

// ones is a mask for all bits.
func ones(b bool) uint32 {
	if b {
		return ^uint32(0)
	}
	return 0
}

var gemmRows = [...]func(tiles, k int, a *float32, rs, cs int, b *float32, ldb int, c *float32, ldc, add int){
	nil, gemm1AVX2, gemm2AVX2, gemm3AVX2, gemm4AVX2, gemm5AVX2, gemm6AVX2}

// depth limits a panel of B, 16 columns (a cache line a row), to what stays in the L1 cache beside A.
const depth = 192

// gemmAVX2 goes over B by panels of 16 columns and equal depth, and over A by tiles of six rows and one of what is left.
func gemmAVX2(m, n, k int, a []float32, rs, cs int, b []float32, ldb int, c []float32, ldc int, add bool) {
	flag := int(ones(add) & 1)
	blocks := (k + depth - 1) / depth
	size := (k + blocks - 1) / blocks
	tiles, rest := m/6, m%6
	for k0 := 0; k0 < k; k0 += size {
		kb := min(size, k-k0)
		for j := 0; j < n; j += 16 {
			if tiles > 0 {
				gemm6AVX2(tiles, kb, &a[cs*k0], 4*rs, 4*cs, &b[ldb*k0+j], 4*ldb, &c[j], 4*ldc, flag)
			}
			if rest > 0 {
				gemmRows[rest](1, kb, &a[cs*k0+rs*6*tiles], 4*rs, 4*cs, &b[ldb*k0+j], 4*ldb, &c[6*tiles*ldc+j], 4*ldc, flag)
			}
		}
		flag = 1
	}
}
