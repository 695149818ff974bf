package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// each runs f with each of the loops; flops are floating-point operations a call.
func each(b *testing.B, name string, flops float64, f func(k kernels)) {
	for _, k := range available() {
		b.Run(name+"/kernels="+k.name, func(b *testing.B) {
			for b.Loop() {
				f(k)
			}
			b.ReportMetric(flops*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}

// drawn are numbers in ±1: zeros would let a kernel take short cuts.
func drawn(n int) []float32 {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	x := Make(n)
	for i := range x {
		x[i] = 2*random.Float32() - 1
	}
	return x
}

func BenchmarkGemm(b *testing.B) {
	const hidden, gates = 128, 384
	ldH, ldG := Stride(hidden), Stride(gates)
	for _, n := range []int{6, 24, 96, 480} {
		h, g, w, wT := drawn(n*ldH), drawn(n*ldG), drawn(gates*ldH), drawn(hidden*ldG)
		outH, outG, outW := Make(n*ldH), Make(n*ldG), Make(gates*ldH)
		flops := 2 * hidden * gates * float64(n)
		each(b, fmt.Sprintf("forward/%d", n), flops, func(k kernels) { k.gemm(n, gates, hidden, h, ldH, 1, wT, ldG, outG, ldG, false) })
		each(b, fmt.Sprintf("backward/%d", n), flops, func(k kernels) { k.gemm(n, hidden, gates, g, ldG, 1, w, ldH, outH, ldH, false) })
		each(b, fmt.Sprintf("gradient/%d", n), flops, func(k kernels) { k.gemm(gates, hidden, n, g, 1, ldG, h, ldH, outW, ldH, false) })
	}
}

func BenchmarkGates(b *testing.B) {
	const n = 128
	v := drawn
	gi, bias, gh, x, gates, h, dgi, dgh, d := v(4*n), v(4*n), v(4*n), v(n), v(4*n), v(n), v(4*n), v(4*n), v(n)
	each(b, "GRUForward", 0, func(k kernels) { k.gruForward(gi, bias, gh, x, x, gates, h) })
	each(b, "GRUBackward", 0, func(k kernels) { k.gruBackward(h, gates, x, dgi, dgh, d, true, false) })
	each(b, "LSTMForward", 0, func(k kernels) { k.lstmForward(gi, bias, gh, x, gates, d, h) })
	each(b, "LSTMBackward", 0, func(k kernels) { k.lstmBackward(h, d, gates, x, x, dgi, dgh, d, true, false) })
}

func BenchmarkVectors(b *testing.B) {
	const n, rows = 304, 10
	x, y, m, v := drawn(n), drawn(n), drawn(n), drawn(n)
	table, columns, index, weights := drawn(rows*n), drawn(16*n), make([]int32, rows), drawn(rows)
	each(b, "Gather", 2*n*rows, func(k kernels) { k.gather(x, y, table, n, index, weights, 0) })
	each(b, "ExpSum", n, func(k kernels) { k.expSum(x, y, 1) })
	each(b, "Maximum", n, func(k kernels) { k.maximum(x) })
	each(b, "Axpy", 2*n, func(k kernels) { k.axpy(x, y, 1) })
	each(b, "Dot", 2*n, func(k kernels) { k.dot(x, y) })
	each(b, "ScaleShift", 2*n, func(k kernels) { k.scaleShift(x, y, 1, 2) })
	each(b, "MaskPositive", n, func(k kernels) { k.maskPositive(x, y) })
	each(b, "Transpose", 0, func(k kernels) { k.transpose(columns, 16, table, n, 8, n) })
	each(b, "Adam", 12*n, func(k kernels) { k.adam(x, y, m, v, AdamStep{0.9, 0.999, 0.01, 1, 1e-8}) })
}
