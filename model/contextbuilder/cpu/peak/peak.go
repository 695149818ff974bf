// Package peak measures what the CPU engine's matrix product reaches on this machine if nothing holds it up. Benchmarks compare speeds with it.
package peak

import (
	"runtime"
	"sync"
	"time"

	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// sizes are products that fit the kernels: B of 32 columns and so many rows (k) stays in the L1 cache, and so does A of so many rows (m), a whole
// number of tiles. The best of them is the peak.
var sizes = []struct{ m, k int }{{12, 128}, {24, 128}, {48, 128}, {96, 128}, {48, 64}, {24, 256}}

const columns = 32

// Measure is the number of floating-point operations per second that GOMAXPROCS goroutines reach together, at the best of some sizes. It takes about
// as long as said.
func Measure(during time.Duration) float64 {
	best := 0.0
	for _, s := range sizes {
		best = max(best, rate(s.m, s.k, during/time.Duration(len(sizes))))
	}
	return best
}

// rate is the operations per second of all goroutines for one size.
func rate(m, k int, during time.Duration) float64 {
	const repeat = 100 // calls between looks at the clock
	var all sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	rates := make([]float64, workers)
	for i := range rates {
		all.Go(func() {
			lda, ldc := simd.Stride(k), simd.Stride(columns)
			a, b, c := simd.Make(m*lda), simd.Make(k*ldc), simd.Make(m*ldc)
			for _, x := range [][]float32{a, b} {
				for i := range x {
					x[i] = 1 / float32(i+1)
				}
			}
			calls, begin := 0, time.Now()
			for time.Since(begin) < during {
				for range repeat {
					simd.Gemm(m, columns, k, a, lda, 1, b, ldc, c, ldc, false)
				}
				calls += repeat
			}
			rates[i] = 2 * float64(m*columns*k*calls) / time.Since(begin).Seconds()
		})
	}
	all.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum
}
