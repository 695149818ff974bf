package cpu

import (
	"math"
	"math/rand/v2"

	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// learning is what a pass needs to go backward.
type learning struct {
	random  rand.ChaCha8 // for dropout
	dropout float64
	loss    float64

	// by node
	dh, dc []float32
	dgh    []float32
	// by step and row
	drops      []int32 // row s·n + i drops the hidden units units[drops[row]:drops[row+1]]
	units      []int32
	x, dx      []float32 // the decoder's input from the second step on: embedding after dropout
	dgi        []float32
	dAttention []float32
	dh1        []float32

	sums    set                // gradients of biases
	byEvent map[int]*eventRows // and of matrices by event
	first   []float32          // H × G: the gradient of decIh by the first step
	ones    []float32
	factors []float32 // by hidden unit: the first step's input without dropout
	weights []float32 // the same of a row's dropped units, negative
	base    []float32 // G: W_ih·x of the first step without dropout
}

func (g *learning) grow(m *model, nodes, rows, n int) {
	if g.byEvent == nil {
		g.byEvent = map[int]*eventRows{encIh: newEventRows(m, encIh, m.G), w1: newEventRows(m, w1, m.E), emb: newEventRows(m, emb, m.H)}
		for id, width := range map[int]int{encBih: m.G, encBhh: m.G, decBih: m.G, decBhh: m.G, attB: m.P, b1: m.E, b2: m.E} {
			g.sums[id] = simd.Make(width)
		}
		g.first, g.factors, g.base = simd.Make(m.H*m.ldG), simd.Make(m.H), simd.Make(m.G)
		g.ones = simd.Make(m.E)
		for i := range g.ones {
			g.ones[i] = 1
		}
	}
	grow(&g.dh, nodes*m.ldH)
	grow(&g.dgh, nodes*m.ldG)
	if m.LSTM {
		grow(&g.dc, nodes*m.ldH)
	}
	grow(&g.x, (n-rows)*m.ldH)
	grow(&g.dx, (n-rows)*m.ldH)
	grow(&g.dgi, n*m.ldG)
	grow(&g.dAttention, n*m.ldP)
	grow(&g.dh1, n*m.ldE)
}

// eventRows is the gradient of a matrix with one row per event. It has rows only for the events that at was called for, in that order.
type eventRows struct {
	ld, width int
	data      []float32
	place     []int32 // of the row of each event, −1 if there is none
	used      []int32
}

func newEventRows(m *model, id, width int) *eventRows {
	r := &eventRows{ld: m.ld[id], width: width, place: make([]int32, m.N)}
	for i := range r.place {
		r.place[i] = -1
	}
	return r
}

// at is the row of an event. It is zero at the first call for that event, and valid until the next call.
func (r *eventRows) at(event int32) []float32 {
	fresh := r.place[event] < 0
	if fresh {
		r.place[event] = int32(len(r.used))
		r.used = append(r.used, event)
		if need := len(r.used) * r.ld; need > len(r.data) {
			more := simd.Make(2 * need)
			copy(more, r.data)
			r.data = more
		}
	}
	from := int(r.place[event]) * r.ld
	row := r.data[from : from+r.width]
	if fresh {
		clear(row)
	}
	return row
}

// has tells whether there is a row for an event.
func (r *eventRows) has(event int) bool { return r.place[event] >= 0 }

func (r *eventRows) reset() {
	for _, e := range r.used {
		r.place[e] = -1
	}
	r.used = r.used[:0]
}

// backward computes loss and gradients; events holds the true events, n·steps for all samples, delta is the label smoothing.
func (p *pass) backward(events []int32, delta float64) {
	for _, r := range p.byEvent {
		r.reset()
	}
	clear(p.dgh[:p.G]) // the root of an empty part has no child to store here
	p.smooth(events, delta)
	p.attended()
	p.unroll()
	p.biases()
}

// smooth computes the loss Σ t (log t − log confidence) with t = δ/(N−2), 1−δ at the true event, and turns logits into its gradient.
func (p *pass) smooth(events []int32, delta float64) {
	u, hit := delta/float64(p.N-2), 1-delta
	entropy := float64(p.N-1)*xlogx(u) + xlogx(hit)
	total := float32(u*float64(p.N-1) + hit)
	p.loss = 0
	for s := range p.steps {
		for i, row := range p.rows {
			y := events[int(row)*p.steps+s]
			z := p.row(p.logits, s, i)
			zy, zs := z[y], simd.Dot(z, p.ones)
			top, sum := simd.Softmax(z, z, p.N)
			lse := float64(top) + math.Log(float64(sum))
			p.loss += entropy - u*(float64(zs)-float64(p.N)*lse) - (hit-u)*(float64(zy)-lse)
			simd.ScaleShift(z, z, total/sum, float32(-u))
			z[y] -= float32(hit - u)
			clear(z[p.N:])
		}
	}
}

func xlogx(x float64) float64 {
	if x == 0 {
		return 0
	}
	return x * math.Log(x)
}

// attended goes back through the event decoder to the attention's scores.
func (p *pass) attended() {
	n := len(p.rows) * p.steps
	simd.Gemm(n, p.E, p.N, p.logits, p.ldE, 1, p.w[w2], p.ldE, p.dh1, p.ldE, false)
	gradient := p.byEvent[w1]
	for s := range p.steps {
		for i, row := range p.rows {
			at := s*len(p.rows) + i
			d := p.row(p.dh1, s, i)
			simd.MaskPositive(d, p.row(p.h1, s, i))
			a, g := p.attention[at*p.ldP:at*p.ldP+p.P], p.dAttention[at*p.ldP:at*p.ldP+p.P]
			mean := float32(0)
			for k, e := range contextOf(p.contexts, p.L, row) {
				g[k] = simd.Dot(d, p.w[w1][int(e)*p.ldE:])
				simd.Axpy(gradient.at(e), d, a[k])
				mean += a[k] * g[k]
			}
			for k := range p.L {
				g[k] = a[k] * (g[k] - mean)
			}
			clear(g[p.L:])
		}
	}
}

// unroll goes back through the recurrent cells, from the last step of the decoder to the first of the encoder. The gradient of a prefix is the
// sum of the gradients of all contexts that begin with it.
func (p *pass) unroll() {
	n := len(p.rows)
	inputs := p.byEvent[encIh]
	for level := p.L + p.steps; level > 0; level-- {
		from, to := p.nodes(level)
		step := level - p.L - 1
		if step >= 0 {
			last := step == p.steps-1
			if last && p.LSTM {
				clear(p.dc[from*p.ldH : to*p.ldH])
			}
			simd.Gemm(n, p.H, p.L, p.dAttention[step*n*p.ldP:], p.ldP, 1, p.w[att], p.ldH, p.dh[from*p.ldH:], p.ldH, !last)
		}
		for i := from; i < to; i++ {
			sibling := i > from && p.parent[i-1] == p.parent[i] // the first child stores, the others add
			if step >= 0 {
				p.cellBack(i, p.dgi[(step*n+i-from)*p.ldG:], p.w[decBhh], false, sibling)
			} else {
				p.cellBack(i, inputs.at(p.event[i]), p.w[encBhh], true, sibling)
			}
		}
		if level == 1 {
			break // the first state is 0 and has no gradient
		}
		hh := p.w[encHh]
		if step >= 0 {
			hh = p.w[decHh]
		}
		from, to = p.nodes(level - 1)
		simd.Gemm(to-from, p.H, p.G, p.dgh[from*p.ldG:], p.ldG, 1, hh, p.ldH, p.dh[from*p.ldH:], p.ldH, !p.LSTM)
	}
	p.embedded()
}

// cellBack goes back through a cell, to the part of its input (dgi) and to the state of its parent.
func (p *pass) cellBack(node int, dgi, bhh []float32, addI, addP bool) {
	parent, ldG, ldH := int(p.parent[node]), p.ldG, p.ldH
	dh, gates := p.dh[node*ldH:node*ldH+p.H], p.gates[node*ldG:]
	if p.LSTM {
		simd.LSTMBackward(dh, p.dc[node*ldH:], gates, p.c[node*ldH:], p.c[parent*ldH:], dgi, p.dgh[parent*ldG:], p.dc[parent*ldH:], addI, addP)
		return
	}
	n := 2 * p.H
	simd.GRUBackward(dh, gates, p.gh[parent*ldG+n:], bhh[n:], p.h[parent*ldH:], dgi, p.dgh[parent*ldG:], p.dh[parent*ldH:], addI, addP)
}

// biases sums the gradients of the biases over nodes and rows.
func (p *pass) biases() {
	n, leaves, end := len(p.rows)*p.steps, p.off[p.L], p.off[p.L+p.steps]
	inputs := p.byEvent[encIh]
	clear(p.sums[encBih])
	for _, e := range inputs.used {
		simd.Axpy(p.sums[encBih], inputs.at(e), 1)
	}
	simd.SumRows(p.sums[encBhh], p.dgh, p.ldG, leaves)
	simd.SumRows(p.sums[decBih], p.dgi, p.ldG, n)
	simd.SumRows(p.sums[decBhh], p.dgh[leaves*p.ldG:], p.ldG, end-leaves)
	simd.SumRows(p.sums[attB], p.dAttention, p.ldP, n)
	simd.SumRows(p.sums[b1], p.dh1, p.ldE, n)
	simd.SumRows(p.sums[b2], p.logits, p.ldE, n)
}

// gradient writes rows from…to of the gradient of a matrix to g, or adds them.
func (p *pass) gradient(id, from, to int, g []float32, add bool) {
	if sum := p.sums[id]; sum != nil {
		if !add {
			clear(g)
		}
		simd.Axpy(g[:len(sum)], sum, 1)
		return
	}
	first, leaves, end, n := p.off[1], p.off[p.L], p.off[p.L+p.steps], len(p.rows)*p.steps
	switch id { // over nodes or rows: the input times the gradient of the output
	case encHh:
		outer(leaves-first, p.dgh[first*p.ldG:], p.ldG, p.h[first*p.ldH:], p.ldH, p.H, from, to, g, add)
	case decHh:
		outer(end-leaves, p.dgh[leaves*p.ldG:], p.ldG, p.h[leaves*p.ldH:], p.ldH, p.H, from, to, g, add)
	case decIh:
		first := p.first[from*p.ldG : to*p.ldG]
		if !add {
			clear(g[:len(first)])
		}
		simd.Axpy(g[:len(first)], first, 1)
		rows := len(p.rows)
		outer(n-rows, p.x, p.ldH, p.dgi[rows*p.ldG:], p.ldG, p.G, from, to, g, true)
	case att:
		leafEnd := p.off[p.L+1]
		outer(n, p.dAttention, p.ldP, p.h[leafEnd*p.ldH:], p.ldH, p.H, from, to, g, add)
	case w2:
		outer(n, p.logits, p.ldE, p.h1, p.ldE, p.E, from, to, g, add)
	}
}

// outer computes rows from…to of the sum of k outer products a·bᵀ; g has the row length of b.
func outer(k int, a []float32, lda int, b []float32, ldb, columns, from, to int, g []float32, add bool) {
	if k > 0 {
		a = a[from:]
	}
	simd.Gemm(to-from, columns, k, a, 1, lda, b, ldb, g, ldb, add)
}
