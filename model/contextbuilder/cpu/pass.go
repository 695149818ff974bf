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

	// by node; in inference, gates has one row for all
	h, c  []float32
	gh    []float32 // of a node as a parent: W_hh·h of the encoder, or of the decoder for leaves and what follows
	gates []float32
	// by step and row: s·n + i
	previous   []int32   // the event fed in
	gi         []float32 // training: W_ih·x; in inference previous selects from table
	table      []float32
	attention  []float32
	h1, logits []float32

	learning
}

// set prepares for rows, which are in the order of their contexts.
func (p *pass) set(contexts, rows, common []int32, steps int) {
	p.contexts, p.rows, p.steps = contexts, rows, steps
	p.build(contexts, p.L, steps, rows, common)
	nodes, n := len(p.parent), len(rows)*steps
	grow(&p.h, nodes*p.ldH)
	grow(&p.gh, nodes*p.ldG)
	if p.LSTM {
		grow(&p.c, nodes*p.ldH)
	}
	grow(&p.attention, n*p.ldP)
	if p.decoded {
		grow(&p.h1, n*p.ldE)
		grow(&p.logits, n*p.ldE)
	}
	p.previous = append(p.previous[:0], make([]int32, n)...)
	if !p.training {
		grow(&p.gates, p.ldG)
		return
	}
	grow(&p.gates, nodes*p.ldG)
	grow(&p.gi, n*p.ldG)
	p.learning.grow(p.model, nodes, len(rows), n)
}

// grow makes room for n floats, whose values are arbitrary.
func grow(s *[]float32, n int) {
	if cap(*s) < n {
		*s = simd.Make(n + n/4)
	}
	*s = (*s)[:n]
}

// encode runs the encoder (paper, section III-B), one step per distinct prefix.
func (p *pass) encode() {
	clear(p.h[:p.H])
	clear(p.gh[:p.G])
	if p.LSTM {
		clear(p.c[:p.H])
	}
	for l := range p.L {
		if l > 0 {
			p.hidden(l, p.encHhT)
		}
		from, to := p.nodes(l + 1)
		for i := from; i < to; i++ {
			p.cell(i, p.w[encIh][int(p.event[i])*p.ldG:], p.encBias, p.w[encBhh])
		}
	}
}

// hidden multiplies the states of a level by a transposed W_hh.
func (p *pass) hidden(level int, hhT []float32) {
	from, to := p.nodes(level)
	simd.Gemm(to-from, p.G, p.H, p.h[from*p.ldH:], p.ldH, 1, hhT, p.ldG, p.gh[from*p.ldG:], p.ldG, false)
}

// cell computes the state of a node from its input and the state of its parent.
func (p *pass) cell(node int, gi, bias, bhh []float32) {
	parent, ldG, ldH := int(p.parent[node]), p.ldG, p.ldH
	gates := p.gates
	if p.training {
		gates = gates[node*ldG:]
	}
	h := p.h[node*ldH : node*ldH+p.H]
	if p.LSTM {
		simd.LSTMForward(gi, bias, p.gh[parent*ldG:], p.c[parent*ldH:], gates, p.c[node*ldH:], h)
		return
	}
	simd.GRUForward(gi, bias, p.gh[parent*ldG:], bhh[2*p.H:], p.h[parent*ldH:], gates, h)
}

// decode runs a step of the attention decoder and the event decoder. previous has the input events of the step.
func (p *pass) decode(step int) {
	n := len(p.rows)
	p.hidden(p.L+step, p.decHhT)
	if p.training {
		p.input(step)
	}
	from, to := p.nodes(p.L + step + 1)
	for i := range n {
		at := step*n + i
		gi := p.gi
		if p.training {
			gi = gi[at*p.ldG:]
		} else {
			gi = p.table[int(p.previous[at])*p.ldG:]
		}
		p.cell(from+i, gi, p.decBias, p.w[decBhh])
	}
	simd.Gemm(to-from, p.P, p.H, p.h[from*p.ldH:], p.ldH, 1, p.attT, p.ldP, p.attention[step*n*p.ldP:], p.ldP, false)
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
	simd.ScaleShift(logits, logits, 1, -(top + float32(math.Log(float64(sum)))))
	copy(out, logits)
}
