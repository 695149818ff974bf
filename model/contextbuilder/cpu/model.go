package cpu

import (
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// The matrices of a network whose encoder and decoder have one cell. The row of an event in encIh, w1 and emb gets a gradient only if the batch has
// that event.
const (
	encIh  = iota // N × G: W_ih transposed, so that a one-hot input selects a row
	encHh         // G × H
	encBih        // G
	encBhh        // G
	decIh         // H × G, transposed
	decHh         // G × H
	decBih        // G
	decBhh        // G
	att           // L × T
	attB          // L
	w1            // N × N, transposed: the row of an event is its column in W1
	b1            // N
	w2            // N × N
	b2            // N
	emb           // N × H
	matrices
	ofCell = att // matrices of each further cell follow, in the order of the first one's; above the first layer, encIh is T × G as decIh
)

// id numbers a matrix of the first cell for another one.
func id(cell, ofFirst int) int {
	if cell == 0 {
		return ofFirst
	}
	return matrices + (cell-1)*ofCell + ofFirst
}

// perEvent tells whether a matrix has one row per event.
func (m *model) perEvent(matrix int) bool {
	return matrix == encIh || matrix == w1 || matrix == emb || m.Bidirectional && matrix == id(1, encIh)
}

// set is a number for each weight: weights, their gradients, Adam's moments.
type set [][]float32

// model has the weights in the layout of this engine. Hidden units, gates, positions and events are padded (simd.Pad) with
// zero weights, which stay zero because their gradients are. Gate q of unit j is column q·H + j.
type model struct {
	contextbuilder.Config
	N, L int // events and positions without padding
	D    int // directions
	// with padding
	H, T, G, P, E           int // hidden units, those of all directions, gates times hidden units, positions, events
	ldG, ldH, ldT, ldP, ldE int // lengths of rows for so many columns
	ldA                     int // the same for what a cell keeps of a state: 4·H
	rows, ld                []int
	w                       set
	// derived from w by refresh: transposes for the products the other way round, and sums of biases
	attT, w2T []float32
	derived   []derived // by cell
}

// derived is what is made of the weights of a cell.
type derived struct {
	encHhT, decHhT   []float32
	encIhT, decIhT   []float32 // only in training: encIhT above the first layer, decIhT there and if events are fed back
	encBias, decBias []float32 // b_ih + b_hh, without the n part of b_hh for GRU
}

func newModel(c contextbuilder.Config) *model {
	m := &model{Config: c, N: c.Events, L: c.Length, D: c.Directions(), H: simd.Pad(c.Hidden), P: simd.Pad(c.Length), E: simd.Pad(c.Events)}
	m.G, m.T = c.Gates()/c.Hidden*m.H, m.D*m.H
	m.ldG, m.ldH, m.ldT, m.ldP, m.ldE = simd.Stride(m.G), simd.Stride(m.H), simd.Stride(m.T), simd.Stride(m.P), simd.Stride(m.E)
	m.ldA = simd.Stride(4 * m.H)
	m.rows = []int{encIh: m.N, encHh: m.G, encBih: 1, encBhh: 1, decIh: m.H, decHh: m.G, decBih: 1, decBhh: 1,
		att: m.P, attB: 1, w1: m.N, b1: 1, w2: m.E, b2: 1, emb: m.N}
	m.ld = []int{encIh: m.ldG, encHh: m.ldH, encBih: m.ldG, encBhh: m.ldG, decIh: m.ldG, decHh: m.ldH, decBih: m.ldG, decBhh: m.ldG,
		att: m.ldT, attB: m.ldP, w1: m.ldE, b1: m.ldE, w2: m.ldE, b2: m.ldE, emb: m.ldH}
	for cell := range c.Cells() {
		m.derived = append(m.derived, derived{encHhT: simd.Make(m.H * m.ldG), decHhT: simd.Make(m.H * m.ldG), encBias: simd.Make(m.G), decBias: simd.Make(m.G)})
		if cell == 0 {
			continue
		}
		m.rows, m.ld = append(m.rows, m.rows[:ofCell]...), append(m.ld, m.ld[:ofCell]...)
		if cell >= m.D {
			m.rows[id(cell, encIh)], m.rows[id(cell, decIh)] = m.T, m.T
		}
	}
	m.w = m.newSet()
	m.attT, m.w2T = simd.Make(m.T*m.ldP), simd.Make(m.E*m.ldE)
	return m
}

// learns makes room for what only a training of so many steps needs.
func (m *model) learns(steps int) {
	for cell := range m.derived {
		d := &m.derived[cell]
		switch {
		case cell >= m.D:
			d.encIhT, d.decIhT = simd.Make(m.G*m.ldT), simd.Make(m.G*m.ldT)
		case steps > 1:
			d.decIhT = simd.Make(m.G * m.ldH)
		}
	}
}

func (m *model) newSet() set {
	s := make(set, len(m.rows))
	for i := range s {
		s[i] = simd.Make(m.rows[i] * m.ld[i])
	}
	return s
}

// view says where the numbers of a tensor of Weights are: element (i, j) is at s[i·rs + j·cs]. If i counts gates, or j the units of all directions,
// it counts padded ones.
type view struct {
	data         []float32
	rows, cols   int
	gates, units bool
	s            []float32
	rs, cs       int
}

func (m *model) views(w *contextbuilder.Weights, s set) (v []view) {
	n, l, h, g, t := m.N, m.L, m.Hidden, m.Gates(), m.D*m.Hidden
	recurrent := func(cells []contextbuilder.Recurrent, in, ih, hh, bih, bhh int) {
		for cell, r := range cells {
			upper := cell >= m.D
			if upper {
				in = t
			}
			v = append(v, view{r.WeightIH, g, in, true, upper, s[id(cell, ih)], 1, m.ldG}, view{r.WeightHH, g, h, true, false, s[id(cell, hh)], m.ldH, 1},
				view{r.BiasIH, g, 1, true, false, s[id(cell, bih)], 1, 0}, view{r.BiasHH, g, 1, true, false, s[id(cell, bhh)], 1, 0})
		}
	}
	recurrent(w.Encoder, n, encIh, encHh, encBih, encBhh)
	recurrent(w.Decoder, h, decIh, decHh, decBih, decBhh)
	return append(v,
		view{w.Embedding, n, h, false, false, s[emb], m.ldH, 1},
		view{w.Attention.Weight, l, t, false, true, s[att], m.ldT, 1}, view{w.Attention.Bias, l, 1, false, false, s[attB], 1, 0},
		view{w.Hidden.Weight, n, n, false, false, s[w1], 1, m.ldE}, view{w.Hidden.Bias, n, 1, false, false, s[b1], 1, 0},
		view{w.Out.Weight, n, n, false, false, s[w2], m.ldE, 1}, view{w.Out.Bias, n, 1, false, false, s[b2], 1, 0})
}

// padded is the index of a row or column; is tells whether hidden units are counted, which are padded.
func (m *model) padded(i int, is bool) int {
	if is {
		return i/m.Hidden*m.H + i%m.Hidden
	}
	return i
}

// each calls f for every row of a tensor: with its numbers in Weights, and with the set from that row on, where number j lies at columns[j].
func (m *model) each(v view, f func(outside, inside []float32, columns []int)) {
	columns := make([]int, v.cols)
	for j := range columns {
		columns[j] = m.padded(j, v.units) * v.cs
	}
	for i := range v.rows {
		f(v.data[i*v.cols:(i+1)*v.cols], v.s[m.padded(i, v.gates)*v.rs:], columns)
	}
}

// load copies weights.
func (m *model) load(w *contextbuilder.Weights) {
	for _, v := range m.views(w, m.w) {
		m.each(v, func(outside, inside []float32, columns []int) {
			for j, at := range columns {
				inside[at] = outside[j]
			}
		})
	}
	m.refresh(0, 1)
}

// store writes a set in the layout of Weights.
func (m *model) store(s set, w *contextbuilder.Weights) {
	for _, v := range m.views(w, s) {
		m.each(v, func(outside, inside []float32, columns []int) {
			for j, at := range columns {
				outside[j] = inside[at]
			}
		})
	}
}

// refresh recomputes what is derived from w, for the rows of the weights in part's share.
func (m *model) refresh(part, parts int) {
	transpose := func(dst []float32, ldd, matrix, cols int) {
		a, b := m.share(matrix, part, parts)
		simd.Transpose(dst[a:], ldd, m.w[matrix][a*m.ld[matrix]:], m.ld[matrix], b-a, cols)
	}
	transpose(m.attT, m.ldP, att, m.T)
	transpose(m.w2T, m.ldE, w2, m.E)
	biases, end := m.share(encBih, part, parts)
	gates := m.G
	if !m.LSTM {
		gates = 2 * m.H
	}
	for cell, d := range m.derived {
		transpose(d.encHhT, m.ldG, id(cell, encHh), m.H)
		transpose(d.decHhT, m.ldG, id(cell, decHh), m.H)
		ld := m.ldH
		if d.encIhT != nil {
			ld = m.ldT
			transpose(d.encIhT, ld, id(cell, encIh), m.G)
		}
		if d.decIhT != nil {
			transpose(d.decIhT, ld, id(cell, decIh), m.G)
		}
		if biases == end {
			continue
		}
		copy(d.encBias, m.w[id(cell, encBih)])
		copy(d.decBias, m.w[id(cell, decBih)])
		simd.Axpy(d.encBias[:gates], m.w[id(cell, encBhh)], 1)
		simd.Axpy(d.decBias[:gates], m.w[id(cell, decBhh)], 1)
	}
}

// share is the range of a matrix's rows that belongs to part. If there are many rows, it is a multiple of 24, which is 4 tiles of a product and
// 3 of a transpose.
func (m *model) share(matrix, part, parts int) (from, to int) {
	rows, unit := m.rows[matrix], 24
	if rows < 24*parts {
		unit = 8
	}
	units := (rows + unit - 1) / unit
	return min(rows, units*part/parts*unit), min(rows, units*(part+1)/parts*unit)
}
