// Package cpu is the engine that computes on the processor, in Go, with AVX2 or AVX-512 kernels if the processor has these.
//
// Three things make it fast and change nothing but rounding. Contexts share prefixes, so that the encoder runs once per distinct prefix, forward
// and backward (type trie); in both directions, once per distinct context. A one-hot input selects a row of the transposed weights. A batch is cut into
// parts, whose gradients are added in order; how many parts does not depend on the number of workers.
package cpu

import (
	"fmt"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/internal/attention"
	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// New returns the CPU engine. It computes on GOMAXPROCS goroutines. No answer depends on how many that are.
func New() contextbuilder.Engine { return &engine{} }

type engine struct{}

// Name says which kernels compute.
func (e *engine) Name() string { return fmt.Sprintf("cpu (%s)", simd.Name()) }

// Open copies weights into the layouts of Forward and Query.
func (e *engine) Open(w *contextbuilder.Weights) (contextbuilder.Network, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	m := newModel(w.Config)
	m.load(w)
	n := &network{model: m, queries: attention.New(w)}
	for cell := range m.D {
		table := simd.Make(m.N * m.ldG)
		simd.Gemm(m.N, m.G, m.H, m.w[emb], m.ldH, 1, m.w[id(cell, decIh)], m.ldG, table, m.ldG, false)
		n.tables = append(n.tables, table)
	}
	return n, nil
}
