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
	ofUnit     []int32 // in the first step, unit j is dropped by the rows droppers[ofUnit[j]:ofUnit[j+1]]
	droppers   []int32
	minus      []float32 // −1 for each row
	x, dx      []float32 // the decoder's input from the second step on: embedding after dropout
	dAttention []float32
	dh1        []float32

	g       set                // gradients, except of matrices by event
	stored  []bool             // by matrix: whether g has this batch's gradient yet, to which more is added
	byEvent map[int]*eventRows // gradients of matrices by event
	ones    []float32
	factors []float32 // by hidden unit: the first step's input without dropout
	weights []float32 // the same of a row's dropped units, negative
	base    []float32 // G: W_ih·x of the first step without dropout
}

// learningCell is the same for a cell.
type learningCell struct {
	dc  []float32 // by node
	dgh []float32 // by node of the level that is gone back to, whose first one is atNode
	dgi []float32 // where gi is
}

// grow makes room for a backward pass.
func (p *pass) grow(nodes, rows, n int) {
	m, g := p.model, &p.learning
	if g.byEvent == nil {
		g.byEvent = map[int]*eventRows{w1: newEventRows(m, w1, m.E), emb: newEventRows(m, emb, m.H)}
		g.g, g.stored = make(set, len(m.w)), make([]bool, len(m.w))
		for i := range p.cells[:m.D] {
			g.byEvent[id(i, encIh)] = newEventRows(m, id(i, encIh), m.G)
		}
		for matrix := range m.w {
			if !m.perEvent(matrix) {
				g.g[matrix] = simd.Make(m.rows[matrix] * m.ld[matrix])
			}
		}
		g.factors, g.base, g.ofUnit = simd.Make(m.H), simd.Make(m.G), make([]int32, m.H+2)
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
		grow(&c.dgh, max(1, len(p.rows))*p.ldG)
		grow(&c.dgi, len(c.gi))
		if m.LSTM {
			grow(&c.dc, nodes*m.ldH)
		}
	}
	grow(&g.x, (n-rows)*m.ldH)
	grow(&g.dx, (n-rows)*m.ldH)
	grow(&g.dAttention, n*m.ldP)
	grow(&g.dh1, n*m.ldE)
	for len(g.minus) < rows {
		g.minus = append(g.minus, -1)
	}
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
	clear(p.stored)
	p.smooth(events, delta)
	p.attended()
	p.unroll()
	for matrix, g := range p.g {
		if !p.stored[matrix] {
			clear(g)
		}
	}
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
	p.products(w2, n, p.E, p.logits, p.ldE, p.h1, p.ldE)
	p.products(att, n, p.T, p.dAttention, p.ldP, p.layers[p.Layers-1].h[p.off[p.L+1]*p.ldT:], p.ldT)
	p.rowSums(b2, n, p.E, p.logits, p.ldE)
	p.rowSums(b1, n, p.E, p.dh1, p.ldE)
	p.rowSums(attB, n, p.P, p.dAttention, p.ldP)
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
			p.leave(c, p.before(c, step))
			if last && p.LSTM && !several {
				clear(c.dc[from*p.ldH : to*p.ldH])
			}
			for i := from; i < to; i++ {
				p.back(c, i, c.dgi[(i-c.first)*p.ldG:], false, several || i > from && c.prev[i-1] == c.prev[i])
			}
			p.below(c, decIh, c.decIhT, from, to)
			p.toState(c, p.before(c, step), decHh, decBhh)
		}
	}
	for k := len(p.cells) - 1; k >= 0; k-- {
		c := &p.cells[k]
		inputs := p.byEvent[id(k, encIh)]
		for l := p.L; l > 0; l-- {
			from, to := p.nodes(c.level(l, p.L))
			before := 0
			if l > 1 {
				before = c.level(l-1, p.L)
			}
			p.leave(c, before)
			for i := from; i < to; i++ {
				add := several || i > from && c.prev[i-1] == c.prev[i] // the first child stores, the others add
				if inputs != nil {
					p.back(c, i, inputs.at(p.event[i]), true, add)
				} else {
					p.back(c, i, c.dgi[i*p.ldG:], false, add)
				}
			}
			if l > 1 { // the first state is 0 and has no gradient
				p.toState(c, before, encHh, encBhh)
			}
		}
		p.rowSums(id(k, encBhh), 1, p.G, c.dgh, p.ldG) // by the first state
		if inputs != nil {
			p.rowSums(id(k, encBih), len(inputs.used), p.G, inputs.data, inputs.ld)
		} else {
			p.below(c, encIh, c.encIhT, p.off[1], p.off[p.L+1])
		}
	}
	p.embedded()
}

// clear makes the gradients of states 0.
func (p *pass) clear() {
	for i := range p.layers {
		clear(p.layers[i].dh)
	}
	for i := range p.cells {
		clear(p.cells[i].dc)
	}
}

// leave prepares for going back to the states of a level.
func (p *pass) leave(c *cell, level int) {
	from, to := p.nodes(level)
	c.atNode = from
	if len(p.cells) > 1 || len(p.rows) == 0 { // a part without rows has a root, but nothing that would store here
		clear(c.dgh[:(to-from)*p.ldG])
	}
}

// below goes back to the input of a cell: to b_ih and, above the first layer, through W_ih to the states of the layer below.
func (p *pass) below(c *cell, ih int, ihT []float32, from, to int) {
	dgi := c.dgi[(from-c.first)*p.ldG:]
	p.rowSums(id(c.at, ih+encBih-encIh), to-from, p.G, dgi, p.ldG)
	if c.at < p.D {
		return
	}
	under := &p.layers[c.at/p.D-1]
	simd.Gemm(to-from, p.T, p.G, dgi, p.ldG, 1, ihT, p.ldT, under.dh[from*p.ldT:], p.ldT, true)
	p.products(id(c.at, ih), to-from, p.G, under.h[from*p.ldT:], p.ldT, dgi, p.ldG)
}

// toState goes back through W_hh, to the states of a level.
func (p *pass) toState(c *cell, level, hh, bhh int) {
	from, to := p.nodes(level)
	simd.Gemm(to-from, p.H, p.G, c.dgh, p.ldG, 1, p.w[id(c.at, hh)], p.ldH, c.dh[from*p.ldT:], p.ldT, !p.LSTM || len(p.cells) > 1)
	p.products(id(c.at, hh), to-from, p.H, c.dgh, p.ldG, c.h[from*p.ldT:], p.ldT)
	p.rowSums(id(c.at, bhh), to-from, p.G, c.dgh, p.ldG)
}

// products adds the sum of n products a·bᵀ to the gradient of a matrix, whose rows begin with so many columns.
func (p *pass) products(matrix, n, columns int, a []float32, lda int, b []float32, ldb int) {
	simd.Gemm(p.model.rows[matrix], columns, n, a, 1, lda, b, ldb, p.g[matrix], p.ld[matrix], p.stored[matrix])
	p.stored[matrix] = true
}

// rowSums adds the sum of n rows to the gradient of a bias.
func (p *pass) rowSums(bias, n, columns int, rows []float32, ld int) {
	simd.SumRows(p.g[bias][:columns], rows, ld, n, p.stored[bias])
	p.stored[bias] = true
}

// back goes back through a cell, to the part of its input (dgi) and to the state before.
func (p *pass) back(c *cell, node int, dgi []float32, addI, addP bool) {
	prev, ldH, ldT := int(c.prev[node]), p.ldH, p.ldT
	dh, gates, dgh := c.dh[node*ldT:node*ldT+p.H], c.gates[node*p.ldA:], c.dgh[(prev-c.atNode)*p.ldG:]
	if p.LSTM {
		simd.LSTMBackward(dh, c.dc[node*ldH:], gates, c.c[node*ldH:], c.c[prev*ldH:], dgi, dgh, c.dc[prev*ldH:], addI, addP)
		return
	}
	simd.GRUBackward(dh, gates, c.h[prev*ldT:], dgi, dgh, c.dh[prev*ldT:], addI, addP)
}
