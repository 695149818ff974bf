// Package attention answers the Context Builder's attention query on the CPU (van Ede et al., IEEE S&P 2022, section III-C): the
// attention under which the network would have predicted a sample's event, found by Adam.
//
// Attention w sums to 1, so that the hidden layer's input is W1·v + b1 = A·u. A has a column for each of the context's K distinct events: that of W1
// plus b1. u is the attention summed over equal events. While the set of active ReLU units stays the same, the logits are P·u + b2 with
// P = W2·diag(active)·A, so that an iteration costs O(N·K) and not O(N²). If a unit becomes active or inactive, P changes by rank one.
//
// From each column of P the true event's number is taken away: the true event's logit is 0, which softmax does not mind, and the derivative by u is
// that of the others alone, where confidence − 1 would cancel near confidence 1.
package attention

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"connect-deepcase/internal/parallel"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

//go:generate go -C ../gen run ./attention -out ../attention/kernels_amd64.s -stubs ../attention/kernels_amd64.go -pkg attention

// Decoder is the event decoder of a network, laid out for queries. All methods may be called from several goroutines at once.
//
// Whatever has N entries is padded to a stride that is a multiple of 16 and lies by column, so that an event's column of W1 and a
// unit's column of W2 are each in one piece.
type Decoder struct {
	events, length, stride int       // N, L, N rounded up
	a                      []float32 // N columns, each of W1 plus b1, one of zeros, and b1
	w2                     []float32 // N columns, times log2 e like q and base: logits are for powers of 2
	// base = W2·diag(first)·W1 and q = W2·diag(first)·b1 + b2. The P of each sample starts from these, so that no sample costs O(N²K).
	base, q []float32
	first   []uint64 // one bit per unit: whether it is active under the mean of all events
	kernels kernels
	narrow  bool      // blocks become narrow after the first step
	blocks  sync.Pool // of *block
}

// New lays out the event decoder of w, which it does not keep. w has the sizes that its Config says.
func New(w *contextbuilder.Weights) *Decoder { return newDecoder(w, available()[0]) }

func newDecoder(w *contextbuilder.Weights, k kernels) *Decoder {
	n := w.Config.Events
	s := (n + 15) &^ 15
	d := &Decoder{events: n, length: w.Config.Length, stride: s, kernels: k, a: columns(w.Hidden.Weight, n, n+2, s), w2: columns(w.Out.Weight, n, n, s),
		q: simd.Make(s), base: simd.Make(n * s), first: make([]uint64, (s+63)/64)}
	copy(d.a[(n+1)*s:], w.Hidden.Bias)
	copy(d.q, w.Out.Bias)
	for _, v := range [][]float32{d.w2, d.q} {
		for i := range v {
			v[i] *= math.Log2E
		}
	}
	// W1 and b1 of the units in first
	w1, b1 := simd.Make(n*s), simd.Make(s)
	copy(w1, d.a)
	copy(b1, w.Hidden.Bias)
	for j, z := range w.Hidden.Bias {
		for _, x := range w.Hidden.Weight[j*n:][:n] {
			z += x / float32(n)
		}
		if z > 0 {
			d.first[j/64] |= 1 << (j % 64)
			continue
		}
		b1[j] = 0
		for e := range n {
			w1[e*s+j] = 0
		}
	}
	simd.Gemm(1, s, n, b1, s, 1, d.w2, s, d.q, s, true)
	d.narrow = d.canBeNarrow()
	for i := n; i < s; i++ {
		d.q[i] = negativeInf // no event: confidence 0
	}
	const rows = 64
	var wait sync.WaitGroup
	for e := 0; e < n; e += rows {
		wait.Go(func() { simd.Gemm(min(rows, n-e), s, n, w1[e*s:], s, 1, d.w2, s, d.base[e*s:], s, false) })
	}
	wait.Wait()
	for e := range n {
		simd.Axpy(d.a[e*s:(e+1)*s], d.a[(n+1)*s:], 1)
	}
	return d
}

// columns lays a row-major n×n matrix out by column, with room for so many.
func columns(m []float32, n, columns, stride int) []float32 {
	c := simd.Make(columns * stride)
	for i := range n {
		for j, x := range m[i*n:][:n] {
			c[j*stride+i] = x
		}
	}
	return c
}

// Query finds the attention of each sample (one event per context), given the attention of the network's own forward pass (n×L). It
// divides the samples among workers (less than 1 counts as 1), and checks ctx in every iteration; when ctx ends, it returns ctx's error.
//
// The answer for a row depends on that row and q only, to the last bit, whatever the other rows and the number of workers. A context of one
// distinct event keeps its attention, since every attention gives the same confidence there. So does a row whose confidence is NaN: weights
// that overflow spoil confidences, never the attention.
//
// A worker holds about 64·(N+L)·(K+8) bytes, K ≤ L being the distinct events of the widest context so far, and keeps them for later queries.
func (d *Decoder) Query(ctx context.Context, s contextbuilder.Samples, initial []float32, q contextbuilder.Query, workers int) (contextbuilder.QueryResult, error) {
	n := len(s.Events)
	if err := d.check(s, initial, q); err != nil {
		return contextbuilder.QueryResult{}, err
	}
	out := contextbuilder.QueryResult{Attention: slices.Clone(initial), Before: make([]float32, n), Confidence: make([]float32, n)}
	if q.Distribution {
		out.Distribution = make([]float32, n*d.events)
	}
	order, steps := d.byDistinct(s), corrected(q.Iterations)
	workers = max(1, min(workers, n))
	size := max(1, min(lanes, (n+workers-1)/workers)) // of a block: few samples spread over all workers
	parallel.Ranges(ctx, workers, n, size, func(next func() (int, int, bool)) {
		b, _ := d.blocks.Get().(*block)
		if b == nil {
			b = newBlock(d)
		}
		for from, to, more := next(); more; from, to, more = next() {
			rows := order[from:to]
			b.set(s, initial, rows)
			b.query(ctx, q, steps, out, rows)
		}
		d.blocks.Put(b)
	})
	if err := ctx.Err(); err != nil {
		return contextbuilder.QueryResult{}, err
	}
	return out, nil
}

// byDistinct orders rows by the number of distinct events in their contexts, so that samples of a block have about as many columns.
func (d *Decoder) byDistinct(s contextbuilder.Samples) []int32 {
	n := len(s.Events)
	count, from := make([]int32, n), make([]int32, s.Length+2)
	seen := make([]int32, d.events) // 1 + the last row that has the event
	for row := range n {
		for _, x := range s.Context(row) {
			if seen[x] != int32(row)+1 {
				seen[x] = int32(row) + 1
				count[row]++
			}
		}
		from[count[row]+1]++
	}
	for k := range s.Length {
		from[k+1] += from[k]
	}
	order := make([]int32, n)
	for row, k := range count {
		order[from[k]] = int32(row)
		from[k]++
	}
	return order
}

// check returns an error that says what is wrong with a question.
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
