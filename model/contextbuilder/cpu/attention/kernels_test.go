package attention

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// guarded cuts slices out of the middle of larger ones and finds out if anything was written around them.
type guarded struct{ checks []func() bool }

func guard[T float32 | uint16 | int32](g *guarded, n int) []T {
	const canary, around = 77, 19 // an odd number of elements: kernels cannot count on alignment
	v := make([]T, n+2*around)
	for i := range v {
		v[i] = canary
	}
	g.checks = append(g.checks, func() bool {
		bad := func(x T) bool { return x != canary }
		return !slices.ContainsFunc(v[:around], bad) && !slices.ContainsFunc(v[around+n:], bad)
	})
	s := v[around:][:n:n]
	clear(s)
	return s
}

func (g *guarded) intact() bool {
	return !slices.ContainsFunc(g.checks, func(ok func() bool) bool { return !ok() })
}

// guardedBlock is a block of random state whose every array has guards, the same for the same arguments.
func guardedBlock(g *guarded, n, length, k int) *block {
	r := rand.New(rand.NewPCG(uint64(n), uint64(length*1000+k)))
	f := func(size int) []float32 {
		v := guard[float32](g, size)
		for i := range v {
			v[i] = r.Float32()*2 - 1
		}
		return v
	}
	l := length * lanes
	b := &block{length: length, k: k, rows: lanes, theta: f(l), m: f(l), v: f(l), w: f(l), g: f(l), one: f(l), zero: f(l), u: f(l), gu: f(l + lanes),
		hot: guard[float32](g, l*k), column: guard[int32](g, l), z: f(n)}
	for i := range b.v {
		b.v[i] = b.v[i] * b.v[i] // squares
	}
	for i := range b.column {
		b.column[i] = int32(r.IntN(k))
		b.hot[(i/lanes*k+int(b.column[i]))*lanes+i%lanes] = 1
	}
	for i := range b.samples {
		b.samples[i] = sample{k: k, a: f(n * (k + 2)), p: f(n * (k + 2)), e: f(n), top: f(lanes), y: r.IntN(n),
			active: guard[uint16](g, n/16), next: guard[uint16](g, n/16)}
		clear(b.samples[i].p[(k+1)*n:])
	}
	return b
}

func requireClose(t *testing.T, want, got []float32, relative float64, what string) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.InDelta(t, want[i], got[i], relative*max(1, math.Abs(float64(want[i]))), "%s: number %d", what, i)
	}
}

// Each kernel computes what its plain Go twin does and writes nothing around its slices.
func TestKernels(t *testing.T) {
	for _, k := range available() {
		for _, n := range []int{16, 32, 48, 304} {
			for _, columns := range []int{1, 2, 3, 4, 5, 10} {
				t.Run(fmt.Sprintf("%s/N=%d/K=%d", k.name, n, columns), func(t *testing.T) {
					var g guarded
					want, got := guardedBlock(&g, n, 10, columns), guardedBlock(&g, n, 10, columns)
					for lane := range lanes {
						w, s := &want.samples[lane], &got.samples[lane]
						for _, sign := range []float32{1, -1} {
							col := want.samples[(lane+1)%lanes].a[:n]
							flipPlain(w.p, w.a[lane:], col, sign, n, columns)
							k.flip(s.p, s.a[lane:], col, sign, n, columns)
							requireClose(t, w.p, s.p, 1e-6, "flip")
						}
						require.True(t, forwardPlain(w, want, lane))
						require.True(t, k.forward(s, got, lane))
						require.Equal(t, w.next, s.next)
						requireClose(t, w.e, s.e, 1e-5, "logits")
						require.Equal(t, slices.Max(s.e), slices.Max(s.top))
						copy(s.active, s.next)
						require.False(t, k.forward(s, got, lane), "nothing flips")
						copy(w.active, w.next)

						require.InDelta(t, gradientPlain(w, want, lane), k.gradient(s, got, lane), 1e-6)
						requireClose(t, w.e, s.e, 1e-5, "derivatives by the logits")
						for row := range columns {
							require.InDelta(t, want.gu[row*lanes+lane], got.gu[row*lanes+lane], 1e-5, "gradient, column %d", row)
						}
						require.Equal(t, want.gu[(columns+1)*lanes:], got.gu[(columns+1)*lanes:], "rows past the spare one")
					}
					copy(got.gu, want.gu)
					for _, first := range []bool{true, false} {
						mul, dot := [2][]float32{want.w, got.w}, [2][]float32{want.w, got.w}
						if first {
							mul, dot = [2][]float32{want.one, got.one}, [2][]float32{want.zero, got.zero}
						}
						adamPlain(want, mul[0], dot[0], 0.5, 0.3, 1.2)
						k.adam(got, mul[1], dot[1], 0.5, 0.3, 1.2)
						for name, pair := range map[string][2][]float32{"θ": {want.theta, got.theta}, "m": {want.m, got.m}, "v": {want.v, got.v},
							"w": {want.w, got.w}, "u": {want.u[:columns*lanes], got.u[:columns*lanes]}} {
							requireClose(t, pair[0], pair[1], 1e-5, name)
						}
					}
					require.True(t, g.intact(), "written outside of a slice")
				})
			}
		}
	}
}

// exponentials runs a kernel's exponential over logits below a maximum of 0. The event y that gradient treats otherwise is a number
// of its own, at the end.
func exponentials(k kernels, x []float32) []float32 {
	var g guarded
	n := (len(x) + 16) &^ 15
	b := guardedBlock(&g, n, 1, 1)
	s := &b.samples[0]
	fill(s.e, -1)
	copy(s.e, x)
	fill(s.top, 0)
	s.y = n - 1
	k.gradient(s, b, 0)
	return s.e[:len(x)]
}

func TestExponentialError(t *testing.T) {
	var x []float32
	for bits := uint32(1 << 31); bits <= math.Float32bits(-87.3); bits += 1009 {
		x = append(x, math.Float32frombits(bits))
	}
	for _, k := range available() {
		worst := 0.0
		for part := range slices.Chunk(x, 4096) {
			for i, got := range exponentials(k, part) {
				want := math.Exp(float64(part[i]))
				worst = max(worst, math.Abs(float64(got)-want)/want)
			}
		}
		t.Logf("%s: relative error up to %.2e in %d numbers of [-87.3, 0]", k.name, worst, len(x))
		require.Less(t, worst, 1e-7)
	}
}

func TestExponentialAtTheEdges(t *testing.T) {
	floor := math.Exp(float64(float32(-87.3)))
	for _, k := range available() {
		got := exponentials(k, []float32{float32(math.NaN()), negativeInf, -math.MaxFloat32, -1e30, -100, -88, -87.3, -1e-45, 0})
		require.True(t, got[0] != got[0], "NaN stays")
		for i, x := range got[1:7] {
			require.InEpsilon(t, floor, x, 1e-6, "number %d", i+1)
		}
		require.Equal(t, []float32{1, 1}, got[7:])
	}
}
