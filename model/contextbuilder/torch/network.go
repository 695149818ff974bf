//go:build gotch

package torch

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"connect-deepcase/model/contextbuilder"
)

// network answers for weights on the device.
type network struct {
	*engine
	config  contextbuilder.Config
	padded  contextbuilder.Config // what weights have
	weights tensor
	// rows of a block. All blocks of a network have one size, the last one filled up: libtorch rounds a row by the shape that it is in.
	rows atomic.Int64

	using  sync.RWMutex // held while weights are in use
	closed bool
}

// Rows of a block. A GPU wants many at once, and answers so many or one in the same time; on a CPU they fill the caches.
const (
	blockCPU, bytesCPU   = 128, 256 << 20
	blockCUDA, bytesCUDA = 16384, 2 << 30
)

// Open copies weights to the device.
func (e *engine) Open(w *contextbuilder.Weights) (contextbuilder.Network, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	p, err := padded(w)
	if err != nil {
		return nil, err
	}
	n := &network{engine: e, config: w.Config, padded: p.Config}
	flat := flatten(p)
	if n.weights, err = upload(e.device, flat, int64(len(flat))); err != nil {
		return nil, err
	}
	rows, bytes := blockCPU, bytesCPU
	if e.device != cpuDevice {
		rows, bytes = blockCUDA, bytesCUDA
	}
	// what a row takes in the query, and in the encoder: gates of one cell, and states that one layer gives and the one above takes
	encoder := n.padded.Length * 4 * n.padded.Hidden
	if n.padded.Layers > 1 {
		encoder += n.padded.Length * 3 * n.padded.Directions() * n.padded.Hidden
	}
	for rows > 1 && rows*4*max((n.padded.Length+8)*n.padded.Events, encoder) > bytes {
		rows /= 2
	}
	n.rows.Store(int64(rows))
	return n, nil
}

// Close frees the weights, after the calls that use them.
func (n *network) Close() error {
	n.using.Lock()
	defer n.using.Unlock()
	if !n.closed {
		n.weights.free()
	}
	n.closed = true
	return nil
}

// Forward predicts the next events of contexts.
func (n *network) Forward(ctx context.Context, contexts []int32, steps int) (f contextbuilder.Prediction, err error) {
	if err := contextbuilder.CheckSteps(steps); err != nil {
		return f, err
	}
	rows, err := n.config.CheckContexts(contexts)
	if err != nil {
		return f, err
	}
	N, L := steps*n.config.Events, steps*n.config.Length
	f = contextbuilder.Prediction{LogConfidence: make([]float32, rows*N), Attention: make([]float32, rows*L)}
	err = n.blocks(ctx, rows, func(size, from, to int) error {
		out, err := n.run(n.code.forward, size, N+L, shape(n.padded, int64(steps), int64(n.config.Events)),
			column{contexts[from*n.config.Length : to*n.config.Length], n.config.Length})
		if err == nil {
			copy(f.LogConfidence[from*N:to*N], out)
			copy(f.Attention[from*L:to*L], out[size*N:])
		}
		return err
	})
	if err != nil {
		return contextbuilder.Prediction{}, err
	}
	return f, nil
}

// Query searches for attention.
func (n *network) Query(ctx context.Context, s contextbuilder.Samples, q contextbuilder.Query) (a contextbuilder.QueryResult, err error) {
	if err := q.Validate(); err != nil {
		return a, err
	}
	rows, err := n.config.CheckSamples(s, 1)
	if err != nil {
		return a, err
	}
	N, L := n.config.Events, n.config.Length
	a = contextbuilder.QueryResult{Attention: make([]float32, rows*L), Before: make([]float32, rows), Confidence: make([]float32, rows)}
	events := 0
	if q.Distribution {
		a.Distribution = make([]float32, rows*N)
		events = N
	}
	ints, width := shape(n.padded, int64(q.Iterations), int64(q.BatchSize), int64(events)), L+2+events
	err = n.blocks(ctx, rows, func(size, from, to int) error {
		out, err := n.run(n.code.query, size, width, ints, column{s.Contexts[from*L : to*L], L}, column{s.Events[from:to], 0})
		if err != nil {
			return err
		}
		copy(a.Attention[from*L:to*L], out)
		copy(a.Before[from:to], out[size*L:])
		copy(a.Confidence[from:to], out[size*(L+1):])
		if q.Distribution {
			copy(a.Distribution[from*N:to*N], out[size*(L+2):])
		}
		return nil
	})
	if err != nil {
		return contextbuilder.QueryResult{}, err
	}
	return a, nil
}

// column is an input of a block: so many ids a row, 0 for one that is no list.
type column struct {
	ids   []int32
	width int
}

// run asks a program about a block of size rows, filled up with the first one, which gives width numbers a row.
func (n *network) run(p program, size, width int, ints []int64, columns ...column) ([]float32, error) {
	inputs := []tensor{n.weights}
	defer func() {
		for _, t := range inputs[1:] {
			t.free()
		}
	}()
	for _, c := range columns {
		width, shape := max(1, c.width), []int64{int64(size), int64(c.width)}
		if c.width == 0 {
			shape = shape[:1]
		}
		ids := make([]int32, size*width)
		for at := copy(ids, c.ids); at < len(ids); at += width {
			copy(ids[at:], c.ids[:width])
		}
		t, err := upload(cpuDevice, ids, shape...)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, t)
	}
	t, err := upload(cpuDevice, ints, int64(len(ints)))
	if err != nil {
		return nil, err
	}
	inputs = append(inputs, t)
	out, err := p.run(inputs...)
	if err != nil {
		return nil, err
	}
	defer out.free()
	numbers := make([]float32, size*width)
	return numbers, download(out, numbers)
}

// blocks calls f for every block of rows, on the CPU for several at a time. If there is too little memory, it starts again with smaller blocks,
// and keeps to these.
func (n *network) blocks(ctx context.Context, rows int, f func(size, from, to int) error) error {
	n.using.RLock()
	defer n.using.RUnlock()
	if n.closed {
		return errors.New("the network is closed")
	}
	for {
		size := n.rows.Load()
		err := n.eachBlock(ctx, rows, int(size), f)
		if !outOfMemory(err) || size == 1 {
			return err
		}
		n.rows.CompareAndSwap(size, size/2)
	}
}

func (n *network) eachBlock(ctx context.Context, rows, size int, f func(size, from, to int) error) error {
	count := (rows + size - 1) / size
	workers := 1 // a GPU is kept busy by one
	if n.device == cpuDevice {
		workers = max(1, min(runtime.GOMAXPROCS(0), count))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	work := func() {
		for ctx.Err() == nil {
			from := (int(next.Add(1)) - 1) * size
			if from >= rows {
				return
			}
			if err := f(size, from, min(rows, from+size)); err != nil {
				cancel(err)
			}
		}
	}
	var running sync.WaitGroup
	for range workers - 1 {
		running.Go(work)
	}
	work()
	running.Wait()
	return context.Cause(ctx)
}
