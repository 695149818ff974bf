package cpu

import (
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// The matrices of a network. The row of an event in encIh, w1 and emb gets a gradient only if the batch has that event.
const (
	encIh  = iota // N × G: W_ih transposed, so that a one-hot input selects a row
	encHh         // G × H
	encBih        // G
	encBhh        // G
	decIh         // H × G, transposed
	decHh         // G × H
	decBih        // G
	decBhh        // G
	att           // L × H
	attB          // L
	w1            // N × N, transposed: the row of an event is its column in W1
	b1            // N
	w2            // N × N
	b2            // N
	emb           // N × H
	matrices
)

// byEvent tells whether a matrix has one row per event.
func byEvent(id int) bool { return id == encIh || id == w1 || id == emb }

// set is a number for each weight: weights, their gradients, Adam's moments.
type set [matrices][]float32

// model has the weights in the layout of this engine. Hidden units, gates, positions and events are padded (simd.Pad) with
// zero weights, which stay zero because their gradients are. Gate q of unit j is column q·H + j.
type model struct {
	contextbuilder.Config
	N, L int // events and positions without padding
	// with padding
	H, G, P, E         int // hidden units, gates times hidden units, positions, events
	ldG, ldH, ldP, ldE int // lengths of rows for so many columns
	rows, ld           [matrices]int
	w                  set
	// derived from w by refresh: transposes for the products the other way round, and sums of biases
	encHhT, decHhT, attT, w2T []float32
	decIhT                    []float32 // only if a training feeds events back
	encBias, decBias          []float32 // b_ih + b_hh, without the n part of b_hh for GRU
}

func newModel(c contextbuilder.Config) *model {
	m := &model{Config: c, N: c.Events, L: c.Length, H: simd.Pad(c.Hidden), P: simd.Pad(c.Length), E: simd.Pad(c.Events)}
	m.G = c.Gates() / c.Hidden * m.H
	m.ldG, m.ldH, m.ldP, m.ldE = simd.Stride(m.G), simd.Stride(m.H), simd.Stride(m.P), simd.Stride(m.E)
	m.rows = [matrices]int{encIh: m.N, encHh: m.G, encBih: 1, encBhh: 1, decIh: m.H, decHh: m.G, decBih: 1, decBhh: 1,
		att: m.P, attB: 1, w1: m.N, b1: 1, w2: m.E, b2: 1, emb: m.N}
	m.ld = [matrices]int{encIh: m.ldG, encHh: m.ldH, encBih: m.ldG, encBhh: m.ldG, decIh: m.ldG, decHh: m.ldH, decBih: m.ldG, decBhh: m.ldG,
		att: m.ldH, attB: m.ldP, w1: m.ldE, b1: m.ldE, w2: m.ldE, b2: m.ldE, emb: m.ldH}
	m.w = m.newSet()
	m.encHhT, m.decHhT = simd.Make(m.H*m.ldG), simd.Make(m.H*m.ldG)
	m.attT, m.w2T = simd.Make(m.H*m.ldP), simd.Make(m.E*m.ldE)
	m.encBias, m.decBias = simd.Make(m.G), simd.Make(m.G)
	return m
}

func (m *model) newSet() (s set) {
	for i := range s {
		s[i] = simd.Make(m.rows[i] * m.ld[i])
	}
	return s
}

// view says where the numbers of a tensor of Weights are: element (i, j) is at s[i·rs + j·cs]. If i counts gates, it counts padded ones.
type view struct {
	data       []float32
	rows, cols int
	gates      bool
	s          []float32
	rs, cs     int
}

func (m *model) views(w *contextbuilder.Weights, s *set) []view {
	n, l, h, g := m.N, m.L, m.Hidden, m.Gates()
	encoder, decoder := w.Encoder[0], w.Decoder[0]
	return []view{
		{w.Embedding, n, h, false, s[emb], m.ldH, 1},
		{encoder.WeightIH, g, n, true, s[encIh], 1, m.ldG}, {encoder.WeightHH, g, h, true, s[encHh], m.ldH, 1},
		{encoder.BiasIH, g, 1, true, s[encBih], 1, 0}, {encoder.BiasHH, g, 1, true, s[encBhh], 1, 0},
		{decoder.WeightIH, g, h, true, s[decIh], 1, m.ldG}, {decoder.WeightHH, g, h, true, s[decHh], m.ldH, 1},
		{decoder.BiasIH, g, 1, true, s[decBih], 1, 0}, {decoder.BiasHH, g, 1, true, s[decBhh], 1, 0},
		{w.Attention.Weight, l, h, false, s[att], m.ldH, 1}, {w.Attention.Bias, l, 1, false, s[attB], 1, 0},
		{w.Hidden.Weight, n, n, false, s[w1], 1, m.ldE}, {w.Hidden.Bias, n, 1, false, s[b1], 1, 0},
		{w.Out.Weight, n, n, false, s[w2], m.ldE, 1}, {w.Out.Bias, n, 1, false, s[b2], 1, 0},
	}
}

// each calls f with the index of every number in Weights and in the set.
func (m *model) each(v view, f func(outside, inside int)) {
	for i := range v.rows {
		at := i
		if v.gates {
			at = i/m.Hidden*m.H + i%m.Hidden
		}
		for j := range v.cols {
			f(i*v.cols+j, at*v.rs+j*v.cs)
		}
	}
}

// load copies weights.
func (m *model) load(w *contextbuilder.Weights) {
	for _, v := range m.views(w, &m.w) {
		m.each(v, func(outside, inside int) { v.s[inside] = v.data[outside] })
	}
	m.refresh(0, 1)
}

// store writes a set in the layout of Weights.
func (m *model) store(s *set, w *contextbuilder.Weights) {
	for _, v := range m.views(w, s) {
		m.each(v, func(outside, inside int) { v.data[outside] = v.s[inside] })
	}
}

// refresh recomputes what is derived from w, for the rows of the weights in part's share.
func (m *model) refresh(part, parts int) {
	transpose := func(dst []float32, ldd, id, cols int) {
		a, b := m.share(id, part, parts)
		simd.Transpose(dst[a:], ldd, m.w[id][a*m.ld[id]:], m.ld[id], b-a, cols)
	}
	transpose(m.encHhT, m.ldG, encHh, m.H)
	transpose(m.decHhT, m.ldG, decHh, m.H)
	transpose(m.attT, m.ldP, att, m.H)
	transpose(m.w2T, m.ldE, w2, m.E)
	if m.decIhT != nil {
		transpose(m.decIhT, m.ldH, decIh, m.G)
	}
	if from, to := m.share(encBih, part, parts); from == to {
		return
	}
	copy(m.encBias, m.w[encBih])
	copy(m.decBias, m.w[decBih])
	gates := m.G
	if !m.LSTM {
		gates = 2 * m.H
	}
	simd.Axpy(m.encBias[:gates], m.w[encBhh], 1)
	simd.Axpy(m.decBias[:gates], m.w[decBhh], 1)
}

// share is the range of a matrix's rows that belongs to part. If there are many rows, it is a multiple of 24, which is 4 tiles of a product and
// 3 of a transpose.
func (m *model) share(id, part, parts int) (from, to int) {
	rows, unit := m.rows[id], 24
	if rows < 24*parts {
		unit = 8
	}
	units := (rows + unit - 1) / unit
	return min(rows, units*part/parts*unit), min(rows, units*(part+1)/parts*unit)
}
