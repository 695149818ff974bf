package cpu

import (
	"context"
	"runtime"
	"sync"

	"connect-deepcase/internal/group"
	"connect-deepcase/internal/parallel"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/internal/attention"
	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// network answers for weights that no longer change.
type network struct {
	model   *model
	tables  [][]float32 // N × G, of each cell of the decoder's first layer: W_ih·embedding of each event
	queries *attention.Decoder
	passes  sync.Pool // of *pass, between calls
}

// Close does nothing: the garbage collector frees the memory.
func (n *network) Close() error { return nil }

// blockFloats bounds the memory of a block of contexts, so that it stays in the L2 cache of a core: 1 MB.
const blockFloats = 256 << 10

// Forward predicts the next events of contexts. The answer for a row has the same bits whatever the other rows are.
func (n *network) Forward(ctx context.Context, contexts []int32, steps int) (contextbuilder.Prediction, error) {
	if err := contextbuilder.CheckSteps(steps); err != nil {
		return contextbuilder.Prediction{}, err
	}
	rows, err := n.model.Config.CheckContexts(contexts)
	if err != nil {
		return contextbuilder.Prediction{}, err
	}
	f := contextbuilder.Prediction{LogConfidence: simd.Raw(rows * steps * n.model.N), Attention: simd.Raw(rows * steps * n.model.L)}
	if err := n.forward(ctx, contexts, steps, f); err != nil {
		return contextbuilder.Prediction{}, err
	}
	return f, nil
}

// Query searches from the attention of the forward pass.
func (n *network) Query(ctx context.Context, s contextbuilder.Samples, q contextbuilder.Query) (contextbuilder.QueryResult, error) {
	if err := q.Validate(); err != nil {
		return contextbuilder.QueryResult{}, err
	}
	rows, err := n.model.Config.CheckSamples(s, 1)
	if err != nil {
		return contextbuilder.QueryResult{}, err
	}
	f := contextbuilder.Prediction{Attention: simd.Raw(rows * n.model.L)}
	if err := n.forward(ctx, s.Contexts, 1, f); err != nil {
		return contextbuilder.QueryResult{}, err
	}
	return n.queries.Query(ctx, s, f.Attention, q, runtime.GOMAXPROCS(0))
}

// block is a range of the distinct contexts in sorted order.
type block struct{ from, to int }

// forward fills f, and LogConfidence unless it is nil. It computes each distinct context once, in blocks, and copies the answers.
func (n *network) forward(ctx context.Context, contexts []int32, steps int, f contextbuilder.Prediction) error {
	m, rows := n.model, len(contexts)/n.model.L
	first, of := group.Rows(rows, contexts, m.L, nil)
	distinct := make([]int32, 0, len(first)*m.L)
	for _, row := range first {
		distinct = append(distinct, contextOf(contexts, m.L, row)...)
	}
	sorted := byContext(distinct, m.L, m.N, len(first))
	share := shared(nil, distinct, m.L, sorted, m.Bidirectional)
	workers := runtime.GOMAXPROCS(0)
	blocks := m.blocks(share, steps, f.LogConfidence != nil, workers)
	parallel.Each(ctx, workers, len(blocks), func(next func() (int, bool)) {
		p, _ := n.passes.Get().(*pass)
		if p == nil {
			p = &pass{model: m, tables: n.tables}
		}
		p.decoded = f.LogConfidence != nil
		for k, more := next(); more; k, more = next() {
			b := blocks[k]
			p.set(distinct, sorted[b.from:b.to], share[b.from:b.to], steps)
			p.infer()
			for i, at := range p.rows {
				p.answer(i, int(first[at]), f)
			}
		}
		p.contexts, p.rows = nil, nil
		n.passes.Put(p)
	})
	const chunk = 4096 // rows
	parallel.Ranges(ctx, workers, rows, chunk, func(next func() (int, int, bool)) {
		for from, to, more := next(); more; from, to, more = next() {
			for row := from; row < to; row++ {
				if lead := int(first[of[row]]); lead != row {
					copy(part(f.Attention, row, steps*m.L), part(f.Attention, lead, steps*m.L))
					if f.LogConfidence != nil {
						copy(part(f.LogConfidence, row, steps*m.N), part(f.LogConfidence, lead, steps*m.N))
					}
				}
			}
		}
	})
	return ctx.Err()
}

// part is one of equally long parts of s.
func part(s []float32, i, length int) []float32 { return s[i*length : (i+1)*length] }

// blocks cuts distinct contexts into blocks that fit into blockFloats (but have at least one context), and into enough blocks for all workers.
func (m *model) blocks(share []int32, steps int, decoded bool, workers int) (blocks []block) {
	const least = 128
	node, row := m.Layers*m.ldT+(m.Cells()-m.D)*m.ldG, m.ldP
	if m.LSTM {
		node += m.Cells() * m.ldH
	}
	if decoded {
		row += 2 * m.ldE
	}
	nodes := 0
	for _, k := range share {
		nodes += m.L - int(k) + steps
	}
	most := max(least, nodes/(2*workers))
	from, floats, held := 0, 0, 0
	for i, k := range share {
		fresh := m.L - int(k) + steps
		cost := fresh*node + steps*row
		if i > from && (floats+cost > blockFloats || held+fresh > most) {
			blocks = append(blocks, block{from, i})
			from, floats, held = i, 0, 0
		}
		floats += cost
		held += fresh
	}
	if from < len(share) {
		blocks = append(blocks, block{from, len(share)})
	}
	return blocks
}

// infer runs all steps, each on the predictions of the previous one.
func (p *pass) infer() {
	p.encode()
	for s := range p.steps {
		p.decode(s)
		if s+1 < p.steps {
			p.feed(s)
		}
	}
}

// answer writes what was computed for row i.
func (p *pass) answer(i, row int, f contextbuilder.Prediction) {
	for s := range p.steps {
		at := s*len(p.rows) + i
		copy(part(f.Attention, row*p.steps+s, p.L), p.attention[at*p.ldP:])
		if p.decoded {
			p.logConfidence(part(f.LogConfidence, row*p.steps+s, p.N), s, i)
		}
	}
}
