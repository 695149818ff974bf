package attention

import (
	"context"
	"math"
	"math/bits"
	"slices"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// lanes is the number of samples that go through Adam together.
const lanes = 16

const group = 4 // columns that the kernels in assembly take at a time

// block is the state of up to sixteen samples. Arrays by position (L of them) and by column (a distinct event of the context) have rows of sixteen
// lanes, one per sample. Other arrays have one part per lane.
type block struct {
	d           *Decoder
	rows        int       // lanes in use
	k           int       // columns of the widest sample, at least two: relate leaves one less, and kernels need one
	padded      int       // k as a whole number of groups
	from        int       // 0, or 1 once P is relative to the first event
	theta, m, v []float32 // positions: what Adam moves, its moments
	w           []float32 // positions: attention
	one, zero   []float32 // positions, columns
	u, gu       []float32 // padded columns: attention summed over equal events, gradient in it
	offsets     []int32   // columns: where the event's column of A begins
	hot         []float32 // positions × padded columns: 1 where the position's event is the column's
	column      []int32   // positions: the column of the position's event

	distinct   [lanes]int     // columns of the sample, K
	events     [lanes]int32   // the true event
	bias       [lanes]int32   // where the column of A for the first column of P begins: b1, or the first event's
	p          []float32      // P: the bias' column, then k ones, with the Decoder's stride; those beyond K are zero. relate changes them
	pStride    int            // from a lane's P to the next
	e          []float32      // 2 to the power of the logits
	sums       []float32      // of the kernels in assembly: Pᵀ·e, padded columns for each lane
	shift      [lanes]float32 // what rebase has taken away from all logits
	hit        [lanes]float32 // 2 to the power of the true event's logit, which is −shift
	others     [lanes]float32 // sum of e
	total      [lanes]float32 // others + hit
	confidence [lanes]float32 // in the true event
	outside    [2]uint8       // one bit per lane: whether total is outside of the range in which exponentials are precise
	active     []uint64       // one bit per unit: whether it is part of p
	next       []uint64       // those that the last forward found
	changed    [lanes]uint16  // not zero if these two differ
	notes      []uint64       // room for flip in assembly: four words a unit
	z          []float32      // hidden layer, of the plain kernels
	narrow     narrow
}

func newBlock(d *Decoder) *block {
	n, l := d.stride, d.length
	f := func(rows int) []float32 { return simd.Make(rows * lanes) }
	b := &block{d: d, theta: f(l), m: f(l), v: f(l), w: f(l), one: f(l), zero: f(l + group), u: f(l + group), gu: f(l + group),
		offsets: make([]int32, (l+1)*lanes), column: make([]int32, l*lanes), e: f(n), sums: f(l + group), z: simd.Make(n),
		active: make([]uint64, lanes*len(d.first)), next: make([]uint64, lanes*len(d.first)), notes: make([]uint64, 4*n)}
	for i := range b.one {
		b.one[i] = 1
	}
	return b
}

// set prepares the lanes for some samples, at most sixteen.
func (b *block) set(s contextbuilder.Samples, initial []float32, rows []int32) {
	d, l, n := b.d, b.d.length, b.d.stride
	b.rows, b.k, b.from, b.narrow.on = len(rows), 2, 0, false
	for i, row := range rows {
		b.k = max(b.k, b.columns(i, s.Context(int(row))))
	}
	b.padded = (b.k + group - 1) / group * group
	b.pStride = n * (1 + b.k)
	if need := lanes * b.pStride; need > len(b.p) { // contexts repeat: most have a few distinct events, whatever their length
		b.p = simd.Make(need)
	}
	if need := l * b.padded * lanes; need > len(b.hot) {
		b.hot = simd.Make(need)
	}
	for _, v := range [][]float32{b.hot[:l*b.padded*lanes], b.u, b.gu, b.m, b.v, b.theta} {
		clear(v)
	}
	for i, row := range rows {
		p, k, y := b.p[i*b.pStride:][:b.pStride], b.distinct[i], s.Events[row]
		relative(p[:n], d.q, y)
		p[y] = negativeInf // is not one of the others
		for j := range k {
			relative(p[(j+1)*n:][:n], d.base[b.offsets[j*lanes+i]:], y)
		}
		clear(p[(k+1)*n:])
		for j := k; j < b.k; j++ {
			b.offsets[j*lanes+i] = int32(d.events * n) // a column of zeros
		}
		b.bias[i] = int32((d.events + 1) * n)
		copy(b.active[i*len(d.first):], d.first)
		b.events[i], b.shift[i], b.hit[i] = y, 0, 1
		attention := initial[int(row)*l:][:l]
		for p, a := range attention {
			b.theta[p*lanes+i] = a
			b.hot[(p*b.padded+int(b.column[p*lanes+i]))*lanes+i] = 1
		}
		b.attend(i, attention)
	}
}

// relative writes a column of P.
func relative(to, from []float32, y int32) { simd.ScaleShift(to, from, 1, -from[y]) }

// relate makes P relative to the first event of each context. As attention sums to 1, the logits are (q + P₀) + Σ u·(P − P₀) over the other
// events, and so is the gradient but for a number that all events share, which softmax takes away. That spares a column in all that is done with P.
func (b *block) relate() {
	n := b.d.stride
	for lane, k := range b.distinct[:b.rows] {
		p := b.p[lane*b.pStride:]
		column := func(j int) []float32 { return p[j*n:][:n] }
		for j := 2; j <= k; j++ {
			simd.Axpy(column(j), column(1), -1)
		}
		simd.Axpy(column(1), column(0), 1)
		b.bias[lane] = b.offsets[lane]
	}
	clear(b.gu)
	b.from = 1
}

// columns gives each distinct event of a lane's context a column, in order of occurrence, and returns how many there are.
func (b *block) columns(lane int, context []int32) (k int) {
	for p, event := range context {
		offset := event * int32(b.d.stride)
		column := 0
		for column < k && b.offsets[column*lanes+lane] != offset {
			column++
		}
		if column == k {
			b.offsets[k*lanes+lane] = offset
			k++
		}
		b.column[p*lanes+lane] = int32(column)
	}
	b.distinct[lane] = k
	return k
}

// attend makes attention what a lane's next forward uses.
func (b *block) attend(lane int, attention []float32) {
	for i := lane; i < len(b.u); i += lanes {
		b.u[i] = 0
	}
	for p, a := range attention {
		b.u[int(b.column[p*lanes+lane])*lanes+lane] += a
	}
}

// forward finds the confidence of each lane and the gradient in u. It updates P for units that flipped.
func (b *block) forward() {
	flip, confide := b.d.kernels.flip, b.d.kernels.confide
	if b.narrow.on {
		flip, confide = b.d.kernels.narrowFlip, b.d.kernels.narrowConfide
	} else {
		b.d.kernels.signs(b)
	}
	flip(b)
	confide(b)
	outside := b.lanesOutside()
	for left := outside; left != 0; left &= left - 1 {
		b.rebase(bits.TrailingZeros32(left))
	}
	if outside != 0 {
		confide(b)
	}
}

// The exponentials of a lane are precise while their total lies between these.
const lowTotal, highTotal = 0x1p-60, 0x1p100

// lanesOutside has a bit for each lane in use whose exponentials are not precise.
func (b *block) lanesOutside() uint32 {
	return (uint32(b.outside[0]) | uint32(b.outside[1])<<8) & (1<<b.rows - 1)
}

// rebase takes a lane's highest logit away from all, where they left the range of exponentials. Most never do: logits are
// relative to that of the true event.
func (b *block) rebase(lane int) {
	n := b.d.stride
	e := b.e[lane*n:][:n]
	b.logits(lane, e)
	top := max(slices.Max(e), -b.shift[lane])
	if math.IsInf(float64(top), 0) || top != top {
		return // and the confidence is NaN
	}
	p, _, event := b.columnsOf(lane)
	for i := range n {
		p[i*event] -= top
	}
	b.shift[lane] += top
	b.hit[lane] = float32(math.Exp2(-float64(min(b.shift[lane], lowest))))
}

// logits computes P·u for a lane.
func (b *block) logits(lane int, to []float32) {
	p, column, event := b.columnsOf(lane)
	for i := range to {
		to[i] = p[i*event]
	}
	for j := b.from; j < b.k; j++ {
		p = p[column:]
		f := b.u[j*lanes+lane]
		for i := range to {
			to[i] += p[i*event] * f
		}
	}
}

// columnsOf is a lane's P from the bias' column on, and how far columns, and events in them, are apart.
func (b *block) columnsOf(lane int) (p []float32, column, event int) {
	if b.narrow.on {
		return b.narrow.p[lane:], narrowColumn, lanes
	}
	n := b.d.stride
	return b.p[lane*b.pStride+b.from*n : (lane+1)*b.pStride], n, 1
}

// Adam's constants, as in the original: learning rate 0.1, β 0.9/0.999, ε 1e-8. The kernels hold them, too.
const (
	learningRate = 0.1
	beta1, beta2 = 0.9, 0.999
)

// step is what the correction of the bias makes of Adam's learning rate, and of √v the factor.
type step struct{ rate, scale float32 }

// corrected are Adam's first steps.
func corrected(iterations int) []step {
	steps, power1, power2 := make([]step, iterations), 1.0, 1.0
	for i := range steps {
		power1 *= beta1
		power2 *= beta2
		steps[i] = step{float32(learningRate / (1 - power1)), float32(1 / math.Sqrt(1-power2))}
	}
	return steps
}

// query runs the search for the lanes that set prepared, and writes their rows of out, whose attention is the initial one. In the first iteration
// the attention is θ itself, later softmax(θ). One code does both: without softmax, the gradient g is 1·(g − 0), and with it w·(g − Σ w·g),
// and the sum is the same over positions and columns. When ctx ends, query stops.
func (b *block) query(ctx context.Context, q contextbuilder.Query, steps []step, out contextbuilder.QueryResult, rows []int32) {
	d, l := b.d, b.d.length
	b.forward()
	before := b.confidence
	iterations := q.Iterations
	// With one event, every attention gives the same confidence. But a distribution must be rounded as beside other samples.
	if slices.Max(b.distinct[:b.rows]) == 1 && !q.Distribution {
		iterations = 0
	}
	mul, dot := b.one, b.zero
	for i := range iterations {
		if ctx.Err() != nil {
			return
		}
		d.kernels.adam(b, mul, dot, 1/float32(q.BatchSize), steps[i].rate, steps[i].scale)
		if i == 0 {
			b.relate()
			if d.narrow {
				b.turn()
			}
		}
		mul, dot = b.w, b.u
		b.forward()
	}
	for lane, row := range rows {
		attention := out.Attention[int(row)*l:][:l]
		out.Before[row], out.Confidence[row] = before[lane], before[lane]
		if b.distinct[lane] > 1 && b.confidence[lane] > before[lane] {
			out.Confidence[row] = b.confidence[lane]
			for p := range attention {
				attention[p] = b.w[p*lanes+lane]
			}
		}
		if q.Distribution {
			b.attend(lane, attention)
		}
	}
	if !q.Distribution {
		return
	}
	b.forward()
	for lane, row := range rows {
		if c := out.Confidence[row]; c != c {
			b.confidence[lane] = c // of no use once P is relative to the first event
		}
		b.distribution(lane, out.Distribution[int(row)*d.events:][:d.events])
	}
}

// distribution writes a lane's confidence in every event.
func (b *block) distribution(lane int, out []float32) {
	e, y := b.e[lane*b.d.stride:][:len(out)], b.events[lane]
	if b.narrow.on { // its kernels do not leave exponentials
		b.logits(lane, e)
		for i, x := range e {
			e[i] = exp2(x)
		}
	}
	e[y] = 0
	var others float32
	for _, x := range e {
		others += x
	}
	share := 1 - b.confidence[lane]
	for i, x := range e {
		out[i] = x / others * share
	}
	out[y] = b.confidence[lane]
}
