package cpu

import (
	"math"

	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// pass is a forward pass over some rows and, in training, the backward pass. Buffers grow and are reused.
type pass struct {
	*model
	trie
	contexts []int32 // all contexts; rows selects
	rows     []int32
	steps    int
	training bool
	decoded  bool // event decoder runs too, not the attention decoder alone

	layers []layer
	cells  []cell // by layer and direction
	// by step and row: s·n + i
	previous   []int32     // the event fed in
	tables     [][]float32 // in inference: of each cell of the first layer, from which previous selects
	attention  []float32
	h1, logits []float32

	learning
}

// layer has states of a layer by node, those of both directions side by side: T numbers, rows ldT apart.
type layer struct{ h, dh []float32 }

// cell is what a pass keeps of a recurrent cell of the encoder and the one of the decoder that goes on with its state.
type cell struct {
	*derived
	at, direction int
	prev          []int32   // by node: the one with the state before
	h, dh         []float32 // the layer's, from this direction on
	// by node; in inference, gates has one row for all
	c     []float32
	gates []float32
	// by node of a few, the first of which is atNode: as the ones before, W_hh·h of the encoder, or of the decoder for the encoder's last state and
	// what follows
	gh     []float32
	atNode int
	// W_ih·x by node from first on: of all above the first layer, there of the decoder in training
	gi    []float32
	first int

	learningCell
}

// set prepares for rows, which are in the order of their contexts.
func (p *pass) set(contexts, rows, common []int32, steps int) {
	p.contexts, p.rows, p.steps = contexts, rows, steps
	p.build(contexts, p.L, steps, rows, common)
	if p.Bidirectional {
		p.turn(p.L)
	}
	nodes, n := len(p.parent), len(rows)*steps
	if p.layers == nil {
		p.layers, p.cells = make([]layer, p.Layers), make([]cell, p.Cells())
	}
	for i := range p.layers {
		grow(&p.layers[i].h, (nodes+1)*p.ldT) // one more, since the second direction begins later in a row
	}
	for i := range p.cells {
		p.setCell(i, nodes)
	}
	grow(&p.attention, n*p.ldP)
	if p.decoded {
		grow(&p.h1, n*p.ldE)
		grow(&p.logits, n*p.ldE)
	}
	p.previous = append(p.previous[:0], make([]int32, n)...)
	if p.training {
		p.grow(nodes, len(rows), n)
	}
}

func (p *pass) setCell(i, nodes int) {
	c := &p.cells[i]
	c.derived, c.at, c.direction, c.prev = &p.derived[i], i, i%p.D, p.parent
	if c.direction == 1 {
		c.prev = p.after
	}
	c.h = p.layers[i/p.D].h[c.direction*p.H:]
	grow(&c.gh, min(together, max(1, len(p.rows)))*p.ldG)
	if p.LSTM {
		grow(&c.c, nodes*p.ldH)
	}
	gates := 1
	if p.training {
		gates = nodes
	}
	grow(&c.gates, gates*p.ldA)
	switch {
	case i >= p.D:
		c.first = 0
		grow(&c.gi, nodes*p.ldG)
	case p.training:
		c.first = p.off[p.L+1]
		grow(&c.gi, (nodes-c.first)*p.ldG)
	}
}

// grow makes room for n floats, whose values are arbitrary.
func grow(s *[]float32, n int) {
	if cap(*s) < n {
		*s = simd.Make(n + n/4)
	}
	*s = (*s)[:n]
}

// encode runs the encoder (paper, section III-B), one step of each cell per distinct prefix.
func (p *pass) encode() {
	for i := range p.cells {
		c := &p.cells[i]
		clear(c.h[:p.H])
		if p.LSTM {
			clear(c.c[:p.H])
		}
		c.stacked(p, encIh, p.off[1], p.off[p.L+1])
		bhh := p.w[id(c.at, encBhh)]
		gi := func(node int) []float32 { return c.gi[node*p.ldG:] }
		if c.at < p.D {
			ih := p.w[id(c.at, encIh)]
			gi = func(node int) []float32 { return ih[int(p.event[node])*p.ldG:] }
		}
		p.advance(c, 0, c.level(1, p.L), nil, c.encBias, bhh, gi)
		for l := 1; l < p.L; l++ {
			p.advance(c, c.level(l, p.L), c.level(l+1, p.L), c.encHhT, c.encBias, bhh, gi)
		}
	}
}

// level is where a cell of the encoder is after its first events, 1 to length: the direction against time begins with the last level.
func (c *cell) level(events, length int) int {
	if c.direction == 1 {
		return length + 1 - events
	}
	return events
}

// stacked multiplies the states of the layer below by a cell's W_ih, for some nodes. The first layer has none below.
func (c *cell) stacked(p *pass, ih, from, to int) {
	if c.at >= p.D {
		below := p.layers[c.at/p.D-1].h
		simd.Gemm(to-from, p.G, p.T, below[from*p.ldT:], p.ldT, 1, p.w[id(c.at, ih)], p.ldG, c.gi[from*p.ldG:], p.ldG, false)
	}
}

// together is how many states advance multiplies together: so many that the product is fast, and so few that what follows finds it in a cache.
const together = 96

// advance runs a cell from the states of a level to those of the next one. It multiplies the former by a transposed W_hh; nil says that they are zero.
// gi is W_ih·x by node.
func (p *pass) advance(c *cell, before, level int, hhT, bias, bhh []float32, gi func(node int) []float32) {
	from, end := p.nodes(before)
	node, last := p.nodes(level)
	groups := max(1, (end-from+together-1)/together)
	for size := (end - from + groups - 1) / groups; from < end; from += size {
		n := min(size, end-from)
		c.atNode = from
		if hhT == nil {
			clear(c.gh[:p.G])
		} else {
			simd.Gemm(n, p.G, p.H, c.h[from*p.ldT:], p.ldT, 1, hhT, p.ldG, c.gh, p.ldG, false)
		}
		for ; node < last && int(c.prev[node]) < from+n; node++ {
			p.next(c, node, gi(node), bias, bhh)
		}
	}
}

// next computes the state of a node from its input and the state before.
func (p *pass) next(c *cell, node int, gi, bias, bhh []float32) {
	prev, ldH, ldT := int(c.prev[node]), p.ldH, p.ldT
	gates, gh := c.gates, c.gh[(prev-c.atNode)*p.ldG:]
	if p.training {
		gates = gates[node*p.ldA:]
	}
	h := c.h[node*ldT : node*ldT+p.H]
	if p.LSTM {
		simd.LSTMForward(gi, bias, gh, c.c[prev*ldH:], gates, c.c[node*ldH:], h)
		return
	}
	simd.GRUForward(gi, bias, gh, bhh[2*p.H:], c.h[prev*ldT:], gates, h)
}

// before is the level with the states that a step of the decoder goes on from.
func (p *pass) before(c *cell, step int) int {
	if step == 0 {
		return c.level(p.L, p.L)
	}
	return p.L + step
}

// decode runs a step of the attention decoder and the event decoder. previous has the input events of the step.
func (p *pass) decode(step int) {
	n := len(p.rows)
	if p.training {
		p.embed(step)
	}
	from, to := p.nodes(p.L + step + 1)
	for k := range p.cells {
		c := &p.cells[k]
		c.stacked(p, decIh, from, to)
		if p.training && k < p.D {
			p.input(c, step)
		}
		gi := func(node int) []float32 { return c.gi[(node-c.first)*p.ldG:] }
		if !p.training && k < p.D {
			gi = func(node int) []float32 { return p.tables[k][int(p.previous[step*n+node-from])*p.ldG:] }
		}
		p.advance(c, p.before(c, step), p.L+step+1, c.decHhT, c.decBias, p.w[id(k, decBhh)], gi)
	}
	simd.Gemm(to-from, p.P, p.T, p.layers[p.Layers-1].h[from*p.ldT:], p.ldT, 1, p.attT, p.ldP, p.attention[step*n*p.ldP:], p.ldP, false)
	for i, row := range p.rows {
		at := step*n + i
		a := p.attention[at*p.ldP : at*p.ldP+p.P]
		simd.Axpy(a, p.w[attB], 1)
		_, sum := simd.Softmax(a, a, p.L)
		simd.ScaleShift(a, a, 1/sum, 0)
		if p.decoded {
			// W1·v + b1: the columns of the context's events, weighted by attention
			simd.Gather(p.h1[at*p.ldE:at*p.ldE+p.E], p.w[b1], p.w[w1], p.ldE, contextOf(p.contexts, p.L, row), a[:p.L], 0)
		}
	}
	if !p.decoded {
		return
	}
	simd.Gemm(n, p.E, p.N, p.h1[step*n*p.ldE:], p.ldE, 1, p.w2T, p.ldE, p.logits[step*n*p.ldE:], p.ldE, false)
	for i := range n {
		simd.Axpy(p.row(p.logits, step, i), p.w[b2], 1)
	}
}

// row is the row of h1, dh1 or logits for a step of row i.
func (p *pass) row(s []float32, step, i int) []float32 {
	at := (step*len(p.rows) + i) * p.ldE
	return s[at : at+p.E]
}

// feed makes the predictions of a step the input of the next one.
func (p *pass) feed(step int) {
	n := len(p.rows)
	for i := range n {
		p.previous[(step+1)*n+i] = argmax(p.row(p.logits, step, i)[:p.N])
	}
}

// argmax is the index of the first largest number.
func argmax(x []float32) (at int32) {
	for i, v := range x {
		if v > x[at] {
			at = int32(i)
		}
	}
	return at
}

// logConfidence writes the logarithms of a row's confidences. It overwrites the row of h1 and logits.
func (p *pass) logConfidence(out []float32, step, i int) {
	logits := p.row(p.logits, step, i)
	top, sum := simd.Softmax(p.row(p.h1, step, i), logits, p.N)
	shift, whole := -(top + float32(math.Log(float64(sum)))), p.N&^15 // whole: of lanes
	if whole > 0 {
		simd.ScaleShift(out[:whole], logits, 1, shift)
	}
	for i := whole; i < p.N; i++ {
		out[i] = logits[i] + shift
	}
}
