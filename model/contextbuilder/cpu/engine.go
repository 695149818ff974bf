// Package cpu computes with Context Builders on the processor, in Go with AVX2 kernels where there are any.
//
// What makes it fast and changes nothing but rounding: contexts share prefixes, so the encoder runs once a distinct prefix, forward and
// backward (type trie); a one-hot input selects a row of the transposed weights; a batch is cut into parts, a fixed number whatever
// the number of workers, whose gradients are added in order.
package cpu

import (
	"fmt"
	"runtime"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/attention"
	"connect-deepcase/model/contextbuilder/cpu/simd"
)

// Option changes how the engine works.
type Option func(*engine)

// Workers sets how many goroutines compute at once; the default, also for n < 1, is GOMAXPROCS at the time of each call. No answer
// depends on it.
func Workers(n int) Option { return func(e *engine) { e.workers = n } }

// New returns the CPU engine.
func New(options ...Option) contextbuilder.Engine {
	e := &engine{}
	for _, o := range options {
		o(e)
	}
	return e
}

type engine struct{ workers int }

// Name says which kernels compute.
func (e *engine) Name() string { return fmt.Sprintf("cpu (%s)", simd.Name()) }

func (e *engine) parallel() int {
	if e.workers < 1 {
		return runtime.GOMAXPROCS(0)
	}
	return e.workers
}

// Open copies weights into the layouts that Forward and Query want.
func (e *engine) Open(w *contextbuilder.Weights) (contextbuilder.Network, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	m := newModel(w.Config)
	m.load(w)
	n := &network{engine: e, model: m, table: simd.Make(m.N * m.ldG), queries: attention.New(w)}
	simd.Gemm(m.N, m.G, m.H, m.w[emb], m.ldH, 1, m.w[decIh], m.ldG, n.table, m.ldG, false)
	return n, nil
}
