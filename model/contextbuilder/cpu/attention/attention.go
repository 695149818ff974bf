// Package attention answers the Context Builder's attention query on the CPU (van Ede et al., IEEE S&P 2022, section III-C): the
// attention under which the network would have predicted a sample's event, found by Adam.
//
// With attention w on the simplex the hidden layer's input is W1·v + b1 = A·u, where A = [b1 | the W1 columns of the context's K distinct
// events] and u = [1, the attention summed over equal events]. While the set of active ReLU units stays the same the logits are P·u,
// with P = [q | W2·diag(active)·A], so that an iteration costs O(N·K) and not O(N²). Where a unit becomes active or stops to be, P
// changes by rank one.
package attention

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"connect-deepcase/model/contextbuilder"
)

//go:generate go -C ../gen run ./attention -out ../attention/avx2_amd64.s -stubs ../attention/avx2_amd64.go -pkg attention

// Decoder is the event decoder of a network, laid out for queries. All methods may be called from several goroutines at once.
//
// Whatever has N entries is padded to a stride that is a multiple of 16 and lies by column, so that an event's column of W1 and a
// unit's column of W2 are each in one piece.
type Decoder struct {
	events, length, stride int       // N, L, N rounded up
	w1, b1                 []float32 // N columns; one
	w2                     []float32 // N columns
	// base = W2·diag(first)·W1 and q = W2·diag(first)·b1 + b2: where a sample's P starts from, so that no sample pays O(N²K).
	base, q []float32
	first   []uint16 // a bit a unit: those active under the mean of all events
	kernels kernels
	blocks  sync.Pool // of *block
}

// New lays out the event decoder of w, which it does not keep. w has the sizes that its Config says.
func New(w *contextbuilder.Weights) *Decoder { return newDecoder(w, available()[0]) }

func newDecoder(w *contextbuilder.Weights, k kernels) *Decoder {
	n := w.Config.Events
	s := (n + 15) &^ 15
	d := &Decoder{events: n, length: w.Config.Length, stride: s, kernels: k,
		w1: columns(w.Hidden.Weight, n, s), w2: columns(w.Out.Weight, n, s), base: make([]float32, n*s),
		b1: make([]float32, s), q: make([]float32, s), first: make([]uint16, s/16)}
	copy(d.b1, w.Hidden.Bias)
	copy(d.q, w.Out.Bias)
	for i := n; i < s; i++ {
		d.q[i] = negativeInf // no event: confidence 0
	}
	for j := range n {
		z := d.b1[j]
		for _, x := range w.Hidden.Weight[j*n:][:n] {
			z += x / float32(n)
		}
		if z > 0 {
			d.first[j/16] |= 1 << (j % 16)
			k.flip(d.q, d.b1[j:], d.w2[j*s:], 1, s, 0)
		}
	}
	d.product()
	return d
}

// columns lays a row-major n×n matrix out by column.
func columns(m []float32, n, stride int) []float32 {
	c := make([]float32, n*stride)
	for i := range n {
		for j, x := range m[i*n:][:n] {
			c[j*stride+i] = x
		}
	}
	return c
}

// product computes base, in tiles of columns that stay in the cache while W2 passes by.
func (d *Decoder) product() {
	const tileBytes = 1 << 17
	s := d.stride
	tile := max(1, tileBytes/4/s)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (d.events+tile-1)/tile) {
		wait.Go(func() {
			for {
				x := (int(next.Add(1)) - 1) * tile
				if x >= d.events {
					return
				}
				last := min(tile, d.events-x) - 1
				for j := range d.events {
					if d.first[j/16]>>(j%16)&1 == 1 {
						d.kernels.flip(d.base[x*s:], d.w1[x*s+j:], d.w2[j*s:], 1, s, last)
					}
				}
			}
		})
	}
	wait.Wait()
}

// Query finds the attention of each sample (one event a context), given the attention of the network's own forward pass (n×L). It
// shares the samples out among workers (fewer than 1 count as 1) and looks at ctx every few samples; when ctx ends its error is the answer.
//
// A row's answer depends on that row and q alone: it has the same bits alone, in any company and with any number of workers. A
// context of one distinct event keeps its attention, since every attention gives the same confidence there. So does a row whose
// confidence is not a number: weights that overflow spoil confidences, never the attention.
//
// A worker holds up to 64·N·(K+2) bytes, K ≤ L being the distinct events of the widest context so far, and keeps them for later queries.
func (d *Decoder) Query(ctx context.Context, s contextbuilder.Samples, initial []float32, q contextbuilder.Query, workers int) (contextbuilder.Attended, error) {
	n := len(s.Events)
	if err := d.check(s, initial, q); err != nil {
		return contextbuilder.Attended{}, err
	}
	out := contextbuilder.Attended{Attention: slices.Clone(initial), Before: make([]float32, n), Confidence: make([]float32, n)}
	if q.Distribution {
		out.Distribution = make([]float32, n*d.events)
	}
	workers = max(workers, 1)
	size := min(lanes, (n+workers-1)/workers) // of a block: few samples spread over all workers
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(workers, n) {
		wait.Go(func() {
			b, _ := d.blocks.Get().(*block)
			if b == nil {
				b = newBlock(d)
			}
			defer d.blocks.Put(b)
			for ctx.Err() == nil {
				row := (int(next.Add(1)) - 1) * size
				if row >= n {
					return
				}
				b.set(s, initial, row, min(size, n-row))
				b.query(q, out, row)
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return contextbuilder.Attended{}, err
	}
	return out, nil
}

// check tells what is wrong with a question.
func (d *Decoder) check(s contextbuilder.Samples, initial []float32, q contextbuilder.Query) error {
	if err := q.Validate(); err != nil {
		return err
	}
	n := len(s.Events)
	if n > 0 && s.Length != d.length {
		return fmt.Errorf("samples: contexts of length %d, the network's have %d", s.Length, d.length)
	}
	if len(s.Contexts) != n*d.length {
		return fmt.Errorf("samples: %d context events for %d events, need %d each", len(s.Contexts), n, d.length)
	}
	if len(initial) != n*d.length {
		return fmt.Errorf("initial attention: %d numbers for %d samples, need %d each", len(initial), n, d.length)
	}
	for row, y := range s.Events {
		if y < 0 || int(y) >= d.events {
			return fmt.Errorf("sample %d: event %d is not in [0, %d)", row, y, d.events)
		}
	}
	for i, x := range s.Contexts {
		if x < 0 || int(x) >= d.events {
			return fmt.Errorf("sample %d: event %d at position %d of the context is not in [0, %d)", i/d.length, x, i%d.length, d.events)
		}
	}
	return nil
}
