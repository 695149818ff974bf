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

func guard[T float32 | uint64 | int32](g *guarded, n int) []T {
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

// guardedBlock is a block of random state, and a decoder, whose every array has guards; the same for the same arguments.
func guardedBlock(g *guarded, n, length, k int) *block {
	r := rand.New(rand.NewPCG(uint64(n), uint64(length*1000+k)))
	f := func(size int) []float32 {
		v := guard[float32](g, size)
		for i := range v {
			v[i] = r.Float32()*2 - 1
		}
		return v
	}
	d := &Decoder{events: n, length: length, stride: n, a: f(n * (n + 2)), w2: f(n * n), first: make([]uint64, (n+63)/64)}
	clear(d.a[n*n : (n+1)*n])
	for i := range d.w2 {
		d.w2[i] /= 16 // many units flip
	}
	l, padded := length*lanes, (k+group-1)/group*group
	b := &block{d: d, k: k, padded: padded, rows: lanes, theta: f(l), m: f(l), v: f(l), w: f(l), one: f(l), zero: f(l), u: f(l + group*lanes),
		gu: f(l + group*lanes), offsets: guard[int32](g, l), hot: guard[float32](g, l*padded), column: guard[int32](g, l),
		pStride: n * (1 + k), notes: guard[uint64](g, 4*n), e: f(n * lanes), sums: f((length + group) * lanes), active: guard[uint64](g, len(d.first)*lanes), next: guard[uint64](g, len(d.first)*lanes), z: f(n)}
	b.p = f(lanes * b.pStride)
	for i := range b.v {
		b.v[i] *= b.v[i] // squares
	}
	for i := range b.column {
		b.column[i] = int32(r.IntN(k))
		b.hot[(i/lanes*padded+int(b.column[i]))*lanes+i%lanes] = 1
	}
	for i := range lanes {
		b.events[i], b.distinct[i], b.hit[i] = int32(r.IntN(n)), 1+i%k, 1+r.Float32()
		clear(b.p[i*b.pStride:][(b.distinct[i]+1)*n : b.pStride])
		for j := range k {
			b.offsets[j*lanes+i] = int32(r.IntN(n) * n)
			if j >= b.distinct[i] {
				b.offsets[j*lanes+i] = int32(n * n)
			}
		}
		b.bias[i] = int32((n + 1) * n)
	}
	b.hit[outside] = 0x1p110
	return b
}

const outside = 3 // the lane whose exponentials are not precise

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
		for _, n := range []int{16, 32, 48, 64, 80, 96, 112, 304} {
			for _, columns := range []int{2, 3, 4, 5, 8, 10} {
				for _, rows := range []int{1, 8, 9, lanes} {
					for from := range 2 {
						t.Run(fmt.Sprintf("%s/N=%d/K=%d/rows=%d/from=%d", k.name, n, columns, rows, from), func(t *testing.T) {
							var g guarded
							want, got := guardedBlock(&g, n, 10, columns), guardedBlock(&g, n, 10, columns)
							for _, b := range []*block{want, got} {
								b.rows, b.from = rows, from
							}
							compareKernels(t, k, want, got)
							require.True(t, g.intact(), "written outside of a slice")
						})
					}
				}
			}
		}
	}
}

func compareKernels(t *testing.T, k kernels, want, got *block) {
	n, columns, rows := want.d.stride, want.k, want.rows
	units := rows * len(want.d.first)
	for _, lane := range []int{0, rows / 2} { // the second time, units of one lane flip back
		clear(want.active[lane*len(want.d.first):][:len(want.d.first)])
		clear(got.active[lane*len(want.d.first):][:len(want.d.first)])
		signsPlain(want)
		k.signs(got)
		require.Equal(t, want.next[:units], got.next[:units])
		for lane, changed := range want.changed[:rows] {
			require.Equal(t, changed != 0, got.changed[lane] != 0, "lane %d", lane)
		}
		require.NotZero(t, got.changed[lane])
		flipPlain(want)
		k.flip(got)
		require.Equal(t, want.active, got.active)
		requireClose(t, want.p, got.p, 1e-6, "flip")
	}
	copy(got.p, want.p)
	k.signs(got)
	require.Zero(t, slices.Max(got.changed[:rows]), "nothing flips")

	confidePlain(want)
	k.confide(got)
	requireClose(t, want.e[:rows*n], got.e[:rows*n], 1e-5, "exponentials")
	requireClose(t, want.others[:rows], got.others[:rows], 1e-6, "sum of exponentials")
	requireClose(t, want.total[:rows], got.total[:rows], 1e-6, "total")
	requireClose(t, want.confidence[:rows], got.confidence[:rows], 1e-6, "confidence")
	require.Equal(t, want.lanesOutside(), got.lanesOutside())
	require.Equal(t, rows > outside, want.lanesOutside() != 0)
	for j := want.from; j < columns; j++ {
		requireClose(t, want.gu[j*lanes:][:rows], got.gu[j*lanes:][:rows], 1e-5, fmt.Sprint("gradient, column ", j))
	}

	clear(want.gu[columns*lanes:])
	copy(got.gu, want.gu)
	lanesOf := func(v []float32) (all []float32) {
		for from := 0; from < len(v); from += lanes {
			all = append(all, v[from:][:rows]...)
		}
		return all
	}
	for _, first := range []bool{true, false} {
		mul, dot := [2][]float32{want.w, got.w}, [2][]float32{want.u, got.u}
		if first {
			mul, dot = [2][]float32{want.one, got.one}, [2][]float32{want.zero, got.zero}
		}
		adamPlain(want, mul[0], dot[0], 0.5, 0.3, 1.2)
		k.adam(got, mul[1], dot[1], 0.5, 0.3, 1.2)
		for name, pair := range map[string][2][]float32{"θ": {want.theta, got.theta}, "m": {want.m, got.m}, "v": {want.v, got.v},
			"w": {want.w, got.w}, "u": {want.u[:columns*lanes], got.u[:columns*lanes]}} {
			requireClose(t, lanesOf(pair[0]), lanesOf(pair[1]), 1e-5, name)
		}
	}
}

// exponentials makes a kernel's 2ˣ of up to 1,008 numbers.
func exponentials(k kernels) func(x []float32) []float32 {
	const n = 1008
	var g guarded
	b := guardedBlock(&g, n, 1, 1)
	b.rows = 1
	b.u[0] = 0
	return func(x []float32) []float32 {
		copy(b.p[:n], x)
		k.confide(b)
		return b.e[:len(x)]
	}
}

func TestExponentialError(t *testing.T) {
	var x []float32
	for bits := uint32(1 << 24); bits <= math.Float32bits(lowest); bits += 1009 {
		x = append(x, math.Float32frombits(bits), -math.Float32frombits(bits))
	}
	for _, k := range available() {
		worst, exponential := 0.0, exponentials(k)
		for part := range slices.Chunk(x, 1008) {
			for i, got := range exponential(part) {
				want := math.Exp2(float64(part[i]))
				worst = max(worst, math.Abs(float64(got)-want)/want)
			}
		}
		t.Logf("%s: relative error up to %.2e in %d numbers of [-100, 100]", k.name, worst, len(x))
		require.Less(t, worst, 1.2e-7)
	}
}

func TestExponentialAtTheEdges(t *testing.T) {
	for _, k := range available() {
		exponential := exponentials(k)
		got := exponential([]float32{negativeInf, -math.MaxFloat32, -1e30, -150, -126.9, -100, -1e-45, 0, 126, 127.5, 1e9, 1e30})
		require.Equal(t, []float32{0x1p-100, 0x1p-100, 0x1p-100, 0x1p-100, 0x1p-100, 0x1p-100, 1, 1, 0x1p126}, got[:9])
		for _, x := range got[9:] {
			require.GreaterOrEqual(t, x, float32(0x1p126), "so that the lane is rebased")
		}
		got = exponential([]float32{float32(math.NaN())})
		require.True(t, math.IsNaN(float64(got[0])), "NaN stays")
	}
}
