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

	// by step and row
	drops      []int32 // row s·n + i drops the hidden units units[drops[row]:drops[row+1]]
	units      []int32
	x, dx      []float32 // the decoder's input from the second step on: embedding after dropout
	dAttention []float32
	dh1        []float32

	sums    set                // gradients of biases
	byEvent map[int]*eventRows // and of matrices by event
	ones    []float32
	factors []float32 // by hidden unit: the first step's input without dropout
	weights []float32 // the same of a row's dropped units, negative
	base    []float32 // G: W_ih·x of the first step without dropout
}

// learningCell is the same for a cell.
type learningCell struct {
	dc  []float32 // by node
	dgh []float32
	dgi []float32 // where gi is
	dIh []float32 // H × G, in the first layer: the gradient of the decoder's W_ih by the first step
}

// grow makes room for a backward pass.
func (p *pass) grow(nodes, rows, n int) {
	m, g := p.model, &p.learning
	if g.byEvent == nil {
		g.byEvent = map[int]*eventRows{w1: newEventRows(m, w1, m.E), emb: newEventRows(m, emb, m.H)}
		g.sums = make(set, len(m.w))
		for matrix, width := range map[int]int{attB: m.P, b1: m.E, b2: m.E} {
			g.sums[matrix] = simd.Make(width)
		}
		for i := range p.cells {
			for _, bias := range []int{encBih, encBhh, decBih, decBhh} {
				g.sums[id(i, bias)] = simd.Make(m.G)
			}
			if i < m.D {
				g.byEvent[id(i, encIh)] = newEventRows(m, id(i, encIh), m.G)
				p.cells[i].dIh = simd.Make(m.H * m.ldG)
			}
		}
		g.factors, g.base = simd.Make(m.H), simd.Make(m.G)
		g.ones = simd.Make(m.E)
		for i := range g.ones {
			g.ones[i] = 1
		}
	}
	for i := range p.layers {
		grow(&p.layers[i].dh, (nodes+1)*m.ldT)
	}
	for i := range p.cells {
		c := &p.cells[i]
		c.dh = p.layers[i/m.D].dh[c.direction*m.H:]
		grow(&c.dgh, nodes*m.ldG)
		grow(&c.dgi, len(c.gi))
		if m.LSTM {
			grow(&c.dc, nodes*m.ldH)
		}
	}
	grow(&g.x, (n-rows)*m.ldH)
	grow(&g.dx, (n-rows)*m.ldH)
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

func newEventRows(m *model, matrix, width int) *eventRows {
	r := &eventRows{ld: m.ld[matrix], width: width, place: make([]int32, m.N)}
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
	for i := range p.cells {
		clear(p.cells[i].dgh[:p.G]) // the root of an empty part has no child to store here
	}
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
//
// With one cell, whoever comes first to a gradient stores it, and the others add. With several there is no such order: all add.
func (p *pass) unroll() {
	n, several := len(p.rows), len(p.cells) > 1
	if several {
		p.clear()
	}
	top := p.layers[p.Layers-1].dh
	for step := p.steps - 1; step >= 0; step-- {
		from, to := p.nodes(p.L + step + 1)
		last := step == p.steps-1
		simd.Gemm(n, p.T, p.L, p.dAttention[step*n*p.ldP:], p.ldP, 1, p.w[att], p.ldT, top[from*p.ldT:], p.ldT, several || !last)
		for k := len(p.cells) - 1; k >= 0; k-- {
			c := &p.cells[k]
			if last && p.LSTM && !several {
				clear(c.dc[from*p.ldH : to*p.ldH])
			}
			for i := from; i < to; i++ {
				p.back(c, i, c.dgi[(i-c.first)*p.ldG:], p.w[id(k, decBhh)], false, several || i > from && c.prev[i-1] == c.prev[i])
			}
			p.below(c, c.decIhT, from, to)
			p.toState(c, p.before(c, step), p.w[id(k, decHh)])
		}
	}
	for k := len(p.cells) - 1; k >= 0; k-- {
		c := &p.cells[k]
		inputs := p.byEvent[id(k, encIh)]
		for l := p.L; l > 0; l-- {
			from, to := p.nodes(c.level(l, p.L))
			for i := from; i < to; i++ {
				add := several || i > from && c.prev[i-1] == c.prev[i] // the first child stores, the others add
				if inputs != nil {
					p.back(c, i, inputs.at(p.event[i]), p.w[id(k, encBhh)], true, add)
				} else {
					p.back(c, i, c.dgi[i*p.ldG:], p.w[id(k, encBhh)], false, add)
				}
			}
			if l > 1 { // the first state is 0 and has no gradient
				p.toState(c, c.level(l-1, p.L), p.w[id(k, encHh)])
			}
		}
		p.below(c, c.encIhT, p.off[1], p.off[p.L+1])
	}
	p.embedded()
}

// clear makes the gradients of states 0.
func (p *pass) clear() {
	for i := range p.layers {
		clear(p.layers[i].dh)
	}
	for i := range p.cells {
		clear(p.cells[i].dgh)
		clear(p.cells[i].dc)
	}
}

// below goes back through W_ih to the states of the layer below.
func (p *pass) below(c *cell, ihT []float32, from, to int) {
	if c.at >= p.D {
		dh := p.layers[c.at/p.D-1].dh
		simd.Gemm(to-from, p.T, p.G, c.dgi[from*p.ldG:], p.ldG, 1, ihT, p.ldT, dh[from*p.ldT:], p.ldT, true)
	}
}

// toState goes back through W_hh to the states of a level.
func (p *pass) toState(c *cell, level int, hh []float32) {
	from, to := p.nodes(level)
	simd.Gemm(to-from, p.H, p.G, c.dgh[from*p.ldG:], p.ldG, 1, hh, p.ldH, c.dh[from*p.ldT:], p.ldT, !p.LSTM || len(p.cells) > 1)
}

// back goes back through a cell, to the part of its input (dgi) and to the state before.
func (p *pass) back(c *cell, node int, dgi, bhh []float32, addI, addP bool) {
	prev, ldG, ldH, ldT := int(c.prev[node]), p.ldG, p.ldH, p.ldT
	dh, gates := c.dh[node*ldT:node*ldT+p.H], c.gates[node*ldG:]
	if p.LSTM {
		simd.LSTMBackward(dh, c.dc[node*ldH:], gates, c.c[node*ldH:], c.c[prev*ldH:], dgi, c.dgh[prev*ldG:], c.dc[prev*ldH:], addI, addP)
		return
	}
	n := 2 * p.H
	simd.GRUBackward(dh, gates, c.gh[prev*ldG+n:], bhh[n:], c.h[prev*ldT:], dgi, c.dgh[prev*ldG:], c.dh[prev*ldT:], addI, addP)
}

// span is a range of nodes.
type span struct{ from, to int }

// goneOn are the nodes whose states cells of the encoder and of the decoder went on from, but for the root, whose state is 0.
func (p *pass) goneOn(c *cell) (encoder, decoder []span) {
	first, leaves, leafEnd, end := p.off[1], p.off[p.L], p.off[p.L+1], p.off[p.L+p.steps]
	if c.direction == 1 {
		return []span{{p.off[2], leafEnd}}, []span{{first, p.off[2]}, {leafEnd, end}}
	}
	return []span{{first, leaves}}, []span{{leaves, end}}
}

// biases sums the gradients of the biases over nodes and rows.
func (p *pass) biases() {
	n := len(p.rows) * p.steps
	for k := range p.cells {
		c := &p.cells[k]
		if inputs := p.byEvent[id(k, encIh)]; inputs != nil {
			clear(p.sums[id(k, encBih)])
			for _, e := range inputs.used {
				simd.Axpy(p.sums[id(k, encBih)], inputs.at(e), 1)
			}
		} else {
			simd.SumRows(p.sums[id(k, encBih)], c.dgi[p.off[1]*p.ldG:], p.ldG, p.off[p.L+1]-p.off[1])
		}
		simd.SumRows(p.sums[id(k, decBih)], c.dgi[(p.off[p.L+1]-c.first)*p.ldG:], p.ldG, n)
		encoder, decoder := p.goneOn(c)
		p.sumSpans(p.sums[id(k, encBhh)], c.dgh, append(encoder, span{0, 1})) // the root, too
		p.sumSpans(p.sums[id(k, decBhh)], c.dgh, decoder)
	}
	simd.SumRows(p.sums[attB], p.dAttention, p.ldP, n)
	simd.SumRows(p.sums[b1], p.dh1, p.ldE, n)
	simd.SumRows(p.sums[b2], p.logits, p.ldE, n)
}

// sumSpans sums rows of dgh.
func (p *pass) sumSpans(sum, dgh []float32, spans []span) {
	clear(sum)
	for _, s := range spans {
		simd.SumRows(p.base, dgh[s.from*p.ldG:], p.ldG, s.to-s.from)
		simd.Axpy(sum, p.base, 1)
	}
}

// gradient writes rows from…to of the gradient of a matrix to g, or adds them.
func (p *pass) gradient(matrix, from, to int, g []float32, add bool) {
	if sum := p.sums[matrix]; sum != nil {
		if !add {
			clear(g)
		}
		simd.Axpy(g[:len(sum)], sum, 1)
		return
	}
	n, leafEnd := len(p.rows)*p.steps, p.off[p.L+1]
	switch matrix {
	case att:
		outer(n, p.dAttention, p.ldP, p.layers[p.Layers-1].h[leafEnd*p.ldT:], p.ldT, p.T, from, to, g, p.ld[matrix], add)
	case w2:
		outer(n, p.logits, p.ldE, p.h1, p.ldE, p.E, from, to, g, p.ld[matrix], add)
	default:
		p.cellGradient(matrix, from, to, g, add)
	}
}

// cellGradient is gradient for a matrix of a cell.
func (p *pass) cellGradient(matrix, from, to int, g []float32, add bool) {
	k, ofFirst := cellOf(matrix)
	c := &p.cells[k]
	encoder, decoder := p.goneOn(c)
	leafEnd, n, rows := p.off[p.L+1], len(p.rows)*p.steps, len(p.rows)
	overStates := func(spans []span) {
		for i, s := range spans {
			outer(s.to-s.from, c.dgh[s.from*p.ldG:], p.ldG, c.h[s.from*p.ldT:], p.ldT, p.H, from, to, g, p.ld[matrix], add || i > 0)
		}
	}
	overInputs := func(s span) {
		outer(s.to-s.from, p.layers[k/p.D-1].h[s.from*p.ldT:], p.ldT, c.dgi[s.from*p.ldG:], p.ldG, p.G, from, to, g, p.ld[matrix], add)
	}
	switch {
	case ofFirst == encHh:
		overStates(encoder)
	case ofFirst == decHh:
		overStates(decoder)
	case k >= p.D && ofFirst == encIh:
		overInputs(span{p.off[1], leafEnd})
	case k >= p.D:
		overInputs(span{leafEnd, leafEnd + n})
	default: // decIh of the first layer
		first := c.dIh[from*p.ldG : to*p.ldG]
		if !add {
			clear(g[:len(first)])
		}
		simd.Axpy(g[:len(first)], first, 1)
		outer(n-rows, p.x, p.ldH, c.dgi[rows*p.ldG:], p.ldG, p.G, from, to, g, p.ld[matrix], true)
	}
}

// outer computes rows from…to of the sum of k outer products a·bᵀ; g has rows of ldg.
func outer(k int, a []float32, lda int, b []float32, ldb, columns, from, to int, g []float32, ldg int, add bool) {
	if k > 0 {
		a = a[from:]
	}
	simd.Gemm(to-from, columns, k, a, 1, lda, b, ldb, g, ldg, add)
}
