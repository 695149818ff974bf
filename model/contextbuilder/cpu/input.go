package cpu

import (
	"math"

	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// embed embeds the previous events of a step and applies dropout. At the first step the event is 0 in every row, so that rows differ only in what
// they drop, and there is one input without dropout for all.
func (p *pass) embed(step int) {
	n, keep := len(p.rows), 1-p.dropout
	p.draw(step, keep)
	if step == 0 {
		simd.ScaleShift(p.factors, p.w[emb][:p.H], float32(1/keep), 0)
		return
	}
	x := p.x[(step-1)*n*p.ldH:]
	for i := range n {
		at := step*n + i
		row := x[i*p.ldH : i*p.ldH+p.H]
		simd.ScaleShift(row, p.w[emb][int(p.previous[at])*p.ldH:], float32(1/keep), 0)
		for _, j := range p.dropped(at) {
			row[j] = 0
		}
	}
}

// input multiplies the embedded events of a step by the decoder's W_ih of a cell of the first layer. At the first step, the product is computed once,
// and the columns of dropped units are subtracted.
func (p *pass) input(c *cell, step int) {
	n, ih := len(p.rows), p.w[id(c.at, decIh)]
	if step > 0 {
		simd.Gemm(n, p.G, p.H, p.x[(step-1)*n*p.ldH:], p.ldH, 1, ih, p.ldG, c.gi[step*n*p.ldG:], p.ldG, false)
		return
	}
	simd.Gemm(1, p.G, p.H, p.factors, p.H, 1, ih, p.ldG, p.base, p.G, false)
	for i := range n {
		units := p.dropped(i)
		weights := p.weights[:0]
		for _, j := range units {
			weights = append(weights, -p.factors[j])
		}
		p.weights = weights
		simd.Gather(c.gi[i*p.ldG:i*p.ldG+p.G], p.base, ih, p.ldG, units, weights, -math.MaxFloat32)
	}
}

// dropped are the hidden units that row s·n + i drops.
func (p *pass) dropped(at int) []int32 { return p.units[p.drops[at]:p.drops[at+1]] }

// draw chooses the units that each row of a step drops. The gaps between them are geometric.
func (p *pass) draw(step int, keep float64) {
	if step == 0 {
		p.units, p.drops = p.units[:0], append(p.drops[:0], 0)
	}
	next := math.MaxInt
	if p.dropout > 0 {
		next = p.gap(keep)
	}
	for range p.rows {
		for ; next < p.Hidden; next += 1 + p.gap(keep) {
			p.units = append(p.units, int32(next))
		}
		next -= p.Hidden
		p.drops = append(p.drops, int32(len(p.units)))
	}
}

// gap draws the number of kept units before the next dropped one; keep is in (0, 1).
func (p *pass) gap(keep float64) int {
	u := (float64(p.random.Uint64()>>11) + 1) / (1 << 53) // in (0, 1]
	return int(min(math.Log(u)/math.Log(keep), 1<<40))
}

// embedded goes back through the decoder's W_ih of the first layer to the embedding.
func (p *pass) embedded() {
	n, gradient, scale := len(p.rows), p.byEvent[emb], float32(1/(1-p.dropout))
	later := n * (p.steps - 1)
	for k := range p.D {
		c := &p.cells[k]
		p.first(c)
		simd.Gemm(later, p.H, p.G, c.dgi[n*p.ldG:], p.ldG, 1, c.decIhT, p.ldH, p.dx, p.ldH, k > 0)
		p.products(id(k, decIh), later, p.G, p.x, p.ldH, c.dgi[n*p.ldG:], p.ldG)
	}
	for i := range later {
		at := n + i
		dx := p.dx[i*p.ldH : i*p.ldH+p.H]
		for _, j := range p.dropped(at) {
			dx[j] = 0
		}
		simd.Axpy(gradient.at(p.previous[at]), dx, scale)
	}
}

// first goes back through the first step: with G_j the sum of dgi over the rows that keep unit j, the gradient of column j of W_ih is G_j times the
// unit's input, and that of the unit's input is column j times G_j.
func (p *pass) first(c *cell) {
	n, matrix, scale := len(p.rows), id(c.at, decIh), float32(1/(1-p.dropout))
	if n == 0 {
		return
	}
	gradient := p.g[matrix]
	p.stored[matrix] = true
	simd.SumRows(p.base, c.dgi, p.ldG, n, false)
	p.turnDrops(n)
	row := p.byEvent[emb].at(0)
	for j := range p.H {
		g, rows := gradient[j*p.ldG:j*p.ldG+p.G], p.droppers[p.ofUnit[j]:p.ofUnit[j+1]]
		simd.Gather(g, p.base, c.dgi, p.ldG, rows, p.minus[:len(rows)], -math.MaxFloat32)
		row[j] += scale * simd.Dot(g, p.w[matrix][j*p.ldG:])
		simd.ScaleShift(g, g, p.factors[j], 0)
	}
}

// turnDrops lists the first n rows by the units that they drop.
func (p *pass) turnDrops(n int) {
	of := p.ofUnit
	clear(of)
	for _, j := range p.units[:p.drops[n]] {
		of[j+2]++
	}
	for j := range p.H {
		of[j+2] += of[j+1]
	}
	p.droppers = append(p.droppers[:0], p.units[:p.drops[n]]...)
	for i := range n {
		for _, j := range p.dropped(i) {
			p.droppers[of[j+1]] = int32(i)
			of[j+1]++
		}
	}
}
