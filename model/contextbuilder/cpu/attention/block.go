package attention

import (
	"math"
	"math/bits"

	"connect-deepcase/model/contextbuilder"
)

// lanes is the number of samples that go through Adam together.
const lanes = 8

// sample is the decoder as one sample sees it. Its matrices lie by column with the Decoder's stride.
type sample struct {
	k      int       // distinct events, K
	a, p   []float32 // columns: bias, K distinct events, and in p an empty one that lets gradient take columns in pairs
	e      []float32 // logits, then their exponentials
	top    []float32 // 8 numbers whose maximum is that of the logits
	active []uint16  // a bit a unit: those at work in p
	next   []uint16  // those that the last forward found
	events []int32   // the distinct events
	y      int
}

// block is the state of up to eight samples. Its arrays are rows of eight lanes, a lane a sample; a row is a position of the context
// (L of them) or a column of the samples' matrices (the bias aside).
type block struct {
	d           *Decoder
	rows        int // lanes in use
	length, k   int // positions; columns of the widest sample
	samples     [lanes]sample
	theta, m, v []float32 // positions: what Adam moves, its moments
	w, g        []float32 // positions: attention, gradient
	one, zero   []float32 // positions
	u, gu       []float32 // columns: attention summed over equal events, gradient in it (and one row to spare, as in p)
	hot         []float32 // positions × k: 1 where the position's event is the column's
	column      []int32   // positions: the column of the position's event
	z           []float32 // hidden layer, of the plain kernels
}

func newBlock(d *Decoder) *block {
	n, l := d.stride, d.length
	f := func(rows int) []float32 { return make([]float32, rows*lanes) }
	b := &block{d: d, length: l, theta: f(l), m: f(l), v: f(l), w: f(l), g: f(l), one: f(l), zero: f(l), u: f(l), gu: f(l + 1),
		column: make([]int32, l*lanes), z: make([]float32, n)}
	for i := range b.one {
		b.one[i] = 1
	}
	for i := range b.samples {
		b.samples[i] = sample{e: make([]float32, n), top: make([]float32, lanes), active: make([]uint16, n/16), next: make([]uint16, n/16)}
	}
	return b
}

// set prepares the lanes for rows samples from the given one on.
func (b *block) set(s contextbuilder.Samples, initial []float32, from, rows int) {
	l := b.length
	b.rows, b.k = rows, 0
	for i := range rows {
		b.samples[i].set(b, i, s.Context(from+i), int(s.Events[from+i]))
		b.k = max(b.k, b.samples[i].k)
	}
	if need := l * b.k * lanes; need > len(b.hot) {
		b.hot = make([]float32, need)
	}
	for _, v := range [][]float32{b.hot[:l*b.k*lanes], b.u, b.gu, b.m, b.v, b.theta} {
		clear(v)
	}
	for i := range rows {
		attention := initial[(from+i)*l:][:l]
		for p, a := range attention {
			b.theta[p*lanes+i] = a
			b.hot[(p*b.k+int(b.column[p*lanes+i]))*lanes+i] = 1
		}
		b.attend(i, attention)
	}
}

// set gives a lane its context and event.
func (s *sample) set(b *block, lane int, context []int32, y int) {
	d := b.d
	n := d.stride
	s.y, s.events = y, s.events[:0]
	for p, event := range context {
		column := 0
		for column < len(s.events) && s.events[column] != event {
			column++
		}
		if column == len(s.events) {
			s.events = append(s.events, event)
		}
		b.column[p*lanes+lane] = int32(column)
	}
	s.k = len(s.events)
	if need := n * (s.k + 2); need > len(s.a) { // contexts repeat: most have a few distinct events, whatever their length
		s.a, s.p = make([]float32, need), make([]float32, need)
	}
	copy(s.a[:n], d.b1)
	copy(s.p[:n], d.q)
	for j, event := range s.events {
		copy(s.a[(j+1)*n:][:n], d.w1[int(event)*n:])
		copy(s.p[(j+1)*n:][:n], d.base[int(event)*n:])
	}
	clear(s.p[(s.k+1)*n:][:n])
	copy(s.active, d.first)
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

// forward finds a lane's logits, bringing P up to date where units flipped.
func (b *block) forward(lane int) {
	s, k := &b.samples[lane], &b.d.kernels
	if k.forward(s, b, lane) {
		s.flip(b.d)
		k.forward(s, b, lane)
	}
}

// flip changes P by the units that the last forward found to differ.
func (s *sample) flip(d *Decoder) {
	for v, now := range s.next {
		for differ := now ^ s.active[v]; differ != 0; differ &= differ - 1 {
			t := bits.TrailingZeros16(differ)
			sign, j := float32(-1), v*16+t
			if now>>t&1 == 1 {
				sign = 1
			}
			d.kernels.flip(s.p, s.a[j:], d.w2[j*d.stride:], sign, d.stride, s.k)
		}
		s.active[v] = now
	}
}

// Adam's constants (algorithm.md has lr 0.1, β 0.9/0.999, ε 1e-8, as the original); the kernels hold the rest.
const (
	learningRate = 0.1
	beta1, beta2 = 0.9, 0.999
)

// query runs the search for the lanes that set prepared and writes the rows of out from the given one on; out's attention is the
// initial one. In the first iteration the attention is θ itself, later softmax(θ): one code for both, since without softmax the
// gradient g is 1·(g − 0) and with it w·(g − Σ w·g).
func (b *block) query(q contextbuilder.Query, out contextbuilder.Attended, from int) {
	d, l := b.d, b.length
	mul, dot := b.one, b.zero
	power1, power2 := 1.0, 1.0
	for lane := range b.rows {
		b.forward(lane)
		confidence := d.kernels.gradient(&b.samples[lane], b, lane)
		out.Before[from+lane], out.Confidence[from+lane] = confidence, confidence
	}
	for range q.Iterations {
		power1 *= beta1
		power2 *= beta2
		d.kernels.adam(b, mul, dot, 1/float32(q.BatchSize), float32(learningRate/(1-power1)), float32(1/math.Sqrt(1-power2)))
		mul, dot = b.w, b.w
		for lane := range b.rows {
			b.forward(lane)
			out.Confidence[from+lane] = d.kernels.gradient(&b.samples[lane], b, lane)
		}
	}
	for lane := range b.rows {
		row := from + lane
		attention := out.Attention[row*l:][:l]
		if b.samples[lane].k > 1 && out.Confidence[row] > out.Before[row] {
			for p := range attention {
				attention[p] = b.w[p*lanes+lane]
			}
		} else {
			out.Confidence[row] = out.Before[row]
		}
		if q.Distribution {
			b.distribution(lane, attention, out.Distribution[row*d.events:][:d.events])
		}
	}
}

// distribution writes the confidence in every event under attention.
func (b *block) distribution(lane int, attention, out []float32) {
	b.attend(lane, attention)
	b.forward(lane)
	softmax(out, b.samples[lane].e)
}
