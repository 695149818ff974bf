package cpu

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/internal/attention"
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
	f := contextbuilder.Prediction{LogConfidence: make([]float32, rows*steps*n.model.N), Attention: make([]float32, rows*steps*n.model.L)}
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
	f := contextbuilder.Prediction{Attention: make([]float32, rows*n.model.L)}
	if err := n.forward(ctx, s.Contexts, 1, f); err != nil {
		return contextbuilder.QueryResult{}, err
	}
	return n.queries.Query(ctx, s, f.Attention, q, runtime.GOMAXPROCS(0))
}

// block is a range of the distinct contexts in sorted order.
type block struct{ from, to int }

// forward fills f, and LogConfidence unless it is nil. It computes each distinct context once, in blocks.
func (n *network) forward(ctx context.Context, contexts []int32, steps int, f contextbuilder.Prediction) error {
	m := n.model
	sorted := byContext(contexts, m.L, m.N, len(contexts)/m.L)
	common := shared(nil, contexts, m.L, sorted, m.Bidirectional)
	var rows, first, share []int32 // of each distinct context: a row, its index in sorted, how many events it shares with the previous one
	for i, c := range common {
		if i == 0 || int(c) < m.L {
			rows, first, share = append(rows, sorted[i]), append(first, int32(i)), append(share, c)
		}
	}
	first = append(first, int32(len(sorted)))
	workers := runtime.GOMAXPROCS(0)
	blocks := m.blocks(share, steps, f.LogConfidence != nil, workers)
	var next atomic.Int64
	work := func() {
		p, _ := n.passes.Get().(*pass)
		if p == nil {
			p = &pass{model: m, tables: n.tables}
		}
		defer func() {
			p.contexts, p.rows = nil, nil // they belong to the caller
			n.passes.Put(p)
		}()
		p.decoded = f.LogConfidence != nil
		for ctx.Err() == nil {
			k := int(next.Add(1)) - 1
			if k >= len(blocks) {
				return
			}
			b := blocks[k]
			p.set(contexts, rows[b.from:b.to], share[b.from:b.to], steps)
			p.infer()
			for i := range p.rows {
				at := b.from + i
				p.answer(i, sorted[first[at]:first[at+1]], f)
			}
		}
	}
	var running sync.WaitGroup
	for range min(workers, len(blocks)) - 1 {
		running.Go(work)
	}
	work()
	running.Wait()
	return ctx.Err()
}

// blocks cuts distinct contexts into blocks that fit into blockFloats (but have at least one context), and into enough blocks for all workers.
func (m *model) blocks(share []int32, steps int, decoded bool, workers int) (blocks []block) {
	const least = 128
	node, row := m.Cells()*(m.ldG+2*m.ldH)+(m.Cells()-m.D)*m.ldG, m.ldP
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

// answer writes what was computed for row i to all samples with its context.
func (p *pass) answer(i int, samples []int32, f contextbuilder.Prediction) {
	for s := range p.steps {
		at := s*len(p.rows) + i
		to := func(all []float32, row int32, width int) []float32 {
			return all[(int(row)*p.steps+s)*width : (int(row)*p.steps+s+1)*width]
		}
		lead := samples[0]
		copy(to(f.Attention, lead, p.L), p.attention[at*p.ldP:])
		if p.decoded {
			p.logConfidence(to(f.LogConfidence, lead, p.N), s, i)
		}
		for _, row := range samples[1:] {
			copy(to(f.Attention, row, p.L), to(f.Attention, lead, p.L))
			if p.decoded {
				copy(to(f.LogConfidence, row, p.N), to(f.LogConfidence, lead, p.N))
			}
		}
	}
}
