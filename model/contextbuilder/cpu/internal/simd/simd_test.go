package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// guarded are slices with guard values around them, which must be there afterwards.
type guarded struct {
	t   *testing.T
	all [][]float32
}

const (
	guard  = 12345.678
	guards = 24
)

func (g *guarded) floats(n int, f func() float32) []float32 {
	s := Make(n + 2*guards)
	for i := range s {
		s[i] = guard
		if i >= guards && i < n+guards {
			s[i] = f()
		}
	}
	g.all = append(g.all, s)
	return s[guards : guards+n : guards+n]
}

func (g *guarded) check(what string) {
	g.t.Helper()
	for _, s := range g.all {
		for i := range guards {
			require.Equal(g.t, float32(guard), s[i], "%s writes before a slice", what)
			require.Equal(g.t, float32(guard), s[len(s)-1-i], "%s writes behind a slice", what)
		}
	}
}

// twins runs f with each of the loops on the same numbers and compares all slices with those of plain Go.
func twins(t *testing.T, what string, tolerance float64, f func(k kernels, g *guarded)) {
	t.Helper()
	run := func(k kernels) [][]float32 {
		g := &guarded{t: t}
		f(k, g)
		g.check(k.name + " " + what)
		return g.all
	}
	want := run(plain)
	for _, k := range available() {
		for i, s := range run(k) {
			for j, x := range s {
				if d := math.Abs(float64(x - want[i][j])); !(d <= tolerance*(1+math.Abs(float64(want[i][j])))) {
					require.Fail(t, what, "%s: slice %d, number %d is %v, plain Go has %v", k.name, i, j, x, want[i][j])
				}
			}
		}
	}
}

func uniform(seed uint64) func() float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	return func() float32 { return 2*r.Float32() - 1 }
}

func TestGemm(t *testing.T) {
	for _, n := range []int{16, 48, 80, 144, 544} {
		for m := range 20 {
			if n > 48 && m > 3 {
				break // what is special about wide products is a single row
			}
			for _, k := range []int{0, 1, 2, 3, 4, 5, 130, 193, 401} {
				for _, transposed := range []bool{false, true} {
					for _, add := range []bool{false, true} {
						ldb, ldc := n+16, n+5
						rs, cs, size := k+3, 1, m*(k+3)
						if transposed {
							rs, cs, size = 1, m+2, k*(m+2)
						}
						what := fmt.Sprintf("gemm %d×%d×%d transposed %v, add %v", m, n, k, transposed, add)
						twins(t, what, 2e-5, func(kernel kernels, g *guarded) {
							next := uniform(uint64(m + k))
							a, b, c := g.floats(size, next), g.floats(k*ldb, next), g.floats(m*ldc, next)
							before := append([]float32{}, c...)
							defer func(k kernels) { use = k }(use)
							use = kernel
							Gemm(m, n, k, a, rs, cs, b, ldb, c, ldc, add)
							for i := range m {
								require.Equal(t, before[i*ldc+n:(i+1)*ldc], c[i*ldc+n:(i+1)*ldc], "%s: between the rows", what)
							}
						})
					}
				}
			}
		}
	}
}

// Rows of a product have the same bits in any division.
func TestGemmRows(t *testing.T) {
	const m, n, k = 29, 544, 300
	for _, kernel := range available() {
		g, next := &guarded{t: t}, uniform(3)
		a, b, all := g.floats(m*k, next), g.floats(k*n, next), g.floats(m*n, next)
		kernel.gemm(m, n, k, a, k, 1, b, n, all, n, false)
		for from := range m {
			for to := from + 1; to <= m; to++ {
				part := g.floats((to-from)*n, next)
				kernel.gemm(to-from, n, k, a[from*k:], k, 1, b, n, part, n, false)
				require.Equal(t, all[from*n:to*n], part)
			}
			g.all = g.all[:3]
		}
	}
}

func TestSumRows(t *testing.T) {
	src := make([]float32, 5*20)
	for i := range src {
		src[i] = float32(i)
	}
	dst := make([]float32, 16)
	SumRows(dst, src, 20, 5, false)
	for i, x := range dst {
		assert.Equal(t, float32(5*i+20*(0+1+2+3+4)), x)
	}
	SumRows(dst, nil, 20, 0, false)
	assert.Equal(t, make([]float32, 16), dst)
}

func TestGates(t *testing.T) {
	for _, n := range []int{16, 48} {
		for seed := range uint64(20) {
			addI, addP := seed&1 == 0, seed&2 == 0
			wide := func(next func() float32) func() float32 { return func() float32 { return 8 * next() } } // saturated gates too
			share := func(next func() float32) func() float32 { return func() float32 { return (next() + 1) / 2 } }
			next := func() func() float32 { return uniform(seed) }
			twins(t, "GRU forward", 2e-6, func(k kernels, g *guarded) {
				f := next()
				k.gruForward(g.floats(3*n, wide(f)), g.floats(3*n, f), g.floats(3*n, f), g.floats(n, f), g.floats(n, f), g.floats(4*n, f), g.floats(n, f))
			})
			twins(t, "GRU backward", 2e-6, func(k kernels, g *guarded) {
				f := next()
				k.gruBackward(g.floats(n, f), g.floats(4*n, share(f)), g.floats(n, f),
					g.floats(3*n, f), g.floats(3*n, f), g.floats(n, f), addI, addP)
			})
			twins(t, "LSTM forward", 2e-6, func(k kernels, g *guarded) {
				f := next()
				k.lstmForward(g.floats(4*n, wide(f)), g.floats(4*n, f), g.floats(4*n, f), g.floats(n, f), g.floats(4*n, f), g.floats(n, f), g.floats(n, f))
			})
			twins(t, "LSTM backward", 2e-6, func(k kernels, g *guarded) {
				f := next()
				k.lstmBackward(g.floats(n, f), g.floats(n, f), g.floats(4*n, share(f)), g.floats(n, f), g.floats(n, f),
					g.floats(4*n, f), g.floats(4*n, f), g.floats(n, f), addI, addP)
			})
		}
	}
}

func TestVectors(t *testing.T) {
	for _, n := range []int{16, 32, 96, 112, 208} {
		for seed := range uint64(5) {
			next := func() func() float32 { return uniform(seed) }
			scalar := func(g *guarded, x float32) { g.floats(1, func() float32 { return x }) } // compared like a slice
			for _, rows := range []int{0, 1, 7} {
				twins(t, "gather", 1e-5, func(k kernels, g *guarded) {
					f, ld := next(), n+16
					index := make([]int32, rows)
					for i := range index {
						index[i] = int32(3*i) % 5
					}
					k.gather(g.floats(n, f), g.floats(n, f), g.floats(5*ld, f), ld, index, g.floats(rows, f), -0.5)
				})
			}
			twins(t, "expSum", 2e-6, func(k kernels, g *guarded) {
				f := next()
				dst, x := g.floats(n, f), g.floats(n, func() float32 { return 40 * (f() - 1) })
				scalar(g, k.expSum(dst, x, 1.5))
			})
			twins(t, "maximum", 0, func(k kernels, g *guarded) { scalar(g, k.maximum(g.floats(n, next()))) })
			twins(t, "axpy", 1e-6, func(k kernels, g *guarded) { f := next(); k.axpy(g.floats(n, f), g.floats(n, f), 0.7) })
			twins(t, "dot", 1e-5, func(k kernels, g *guarded) { f := next(); scalar(g, k.dot(g.floats(n, f), g.floats(n, f))) })
			twins(t, "scaleShift", 1e-6, func(k kernels, g *guarded) { f := next(); k.scaleShift(g.floats(n, f), g.floats(n, f), 0.7, -2) })
			twins(t, "maskPositive", 0, func(k kernels, g *guarded) { f := next(); k.maskPositive(g.floats(n, f), g.floats(n, f)) })
			twins(t, "transpose", 0, func(k kernels, g *guarded) {
				f := next()
				k.transpose(g.floats(n*30, f), 30, g.floats(24*(n+4), f), n+4, 24, n)
			})
			twins(t, "adam", 1e-5, func(k kernels, g *guarded) {
				f := next()
				square := func() float32 { x := f(); return x * x }
				k.adam(g.floats(n, f), g.floats(n, f), g.floats(n, f), g.floats(n, square), AdamStep{0.9, 0.999, 0.01, 3, 1e-8})
			})
		}
	}
}

// exp, sigmoid and tanh against the mathematics, from one end of their ranges to the other.
func TestFunctions(t *testing.T) {
	for _, k := range available() {
		x, y := Make(16), Make(16)
		zero, state := Make(48), Make(16)
		gates := Make(64)
		for v := float32(-100); v < 88; v += 0.37 {
			for i := range x {
				x[i] = v + float32(i)*1e-3
			}
			k.expSum(y, x, 0)
			in := Make(48)
			copy(in, x)
			copy(in[32:], x)
			k.gruForward(in, zero, zero, zero[:16], zero[:16], gates, state)
			for i, v := range x {
				clamped := math.Max(float64(v), float64(float32(-87.3)))
				assert.InEpsilon(t, math.Exp(clamped), y[i], 3e-7, "exp %v", v)
				assert.InDelta(t, 1/(1+math.Exp(-float64(v))), gates[i], 2e-7, "sigmoid %v", v)
				assert.InDelta(t, math.Tanh(float64(v)), gates[32+i], 4e-7, "tanh %v", v)
			}
		}
	}
}

func TestSoftmax(t *testing.T) {
	x := []float32{1, 2, 3, -1e30, 5: 7, 15: 9}
	top, sum := Softmax(x, x, 4)
	assert.Equal(t, float32(3), top)
	assert.InEpsilon(t, 1+math.Exp(-1)+math.Exp(-2), sum, 1e-6)
	assert.InEpsilon(t, math.Exp(-2), x[0], 1e-6)
	assert.Less(t, x[3], float32(1e-37))
	assert.Equal(t, make([]float32, 12), x[4:], "what does not count becomes 0")
}

func TestLayout(t *testing.T) {
	for n := 1; n < 200; n++ {
		assert.Zero(t, Pad(n)%lanes)
		assert.GreaterOrEqual(t, Pad(n), n)
		assert.Less(t, Pad(n), n+lanes)
		assert.GreaterOrEqual(t, Stride(n), Pad(n))
		assert.Equal(t, 1, Stride(n)/16%2, "an odd number of cache lines")
		assert.Len(t, Make(n), n)
	}
	assert.Empty(t, Make(0))
}

// A slice that is too short must not get as far as the assembly.
func TestShortSlices(t *testing.T) {
	s := func(n int) []float32 { return make([]float32, n) }
	for name, f := range map[string]func(){
		"A":    func() { Gemm(2, 16, 3, s(5), 3, 1, s(48), 16, s(32), 16, false) },
		"B":    func() { Gemm(2, 16, 3, s(6), 3, 1, s(47), 16, s(32), 16, false) },
		"C":    func() { Gemm(2, 16, 3, s(6), 3, 1, s(48), 16, s(31), 16, false) },
		"GRU":  func() { GRUForward(s(47), s(48), s(48), s(16), s(16), s(64), s(16)) },
		"axpy": func() { Axpy(s(32), s(16), 1) }, "dot": func() { Dot(s(32), s(16)) },
		"transpose": func() { Transpose(s(63), 8, s(64), 8, 8, 8) },
		"adam":      func() { Adam(s(16), s(16), s(16), s(0), AdamStep{}) },
	} {
		assert.Panics(t, f, name)
	}
}

// Only vectors that do not overlap keep what is written to them; the collector may run meanwhile.
func TestRaw(t *testing.T) {
	for _, n := range []int{0, 1, 3, 1000, 1 << 20} {
		x, y := Raw(n), Raw(n)
		require.Len(t, x, n)
		for i := range x {
			x[i], y[i] = 1, 2
		}
		runtime.GC()
		assert.NotContains(t, x, float32(2))
		assert.NotContains(t, y, float32(1))
	}
}
