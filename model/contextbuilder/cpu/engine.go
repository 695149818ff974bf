// Package cpu computes with Context Builders on the processor, in Go with AVX2 and AVX-512 kernels where there are any.
//
// What makes it fast and changes nothing but rounding: contexts share prefixes, so the encoder runs once a distinct prefix, forward and
// backward (type trie); a one-hot input selects a row of the transposed weights; a batch is cut into parts, a fixed number whatever
// the number of workers, whose gradients are added in order.
package cpu

import (
	"fmt"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/internal/attention"
	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// New returns the CPU engine. It computes on GOMAXPROCS goroutines at once; no answer depends on how many.
func New() contextbuilder.Engine { return &engine{} }

type engine struct{}

// Name says which kernels compute.
func (e *engine) Name() string { return fmt.Sprintf("cpu (%s)", simd.Name()) }

// Open copies weights into the layouts that Forward and Query want.
func (e *engine) Open(w *contextbuilder.Weights) (contextbuilder.Network, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	m := newModel(w.Config)
	m.load(w)
	n := &network{model: m, table: simd.Make(m.N * m.ldG), queries: attention.New(w)}
	simd.Gemm(m.N, m.G, m.H, m.w[emb], m.ldH, 1, m.w[decIh], m.ldG, n.table, m.ldG, false)
	return n, nil
}
