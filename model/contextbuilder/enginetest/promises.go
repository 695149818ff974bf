package enginetest

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

var small = contextbuilder.Config{Events: 11, Length: 6, Hidden: 20, Layers: 1}

func weights(t testing.TB, c contextbuilder.Config) *contextbuilder.Weights {
	t.Helper()
	w, err := contextbuilder.Init(c, 1)
	require.NoError(t, err)
	return w
}

// Random are n samples whose first event mostly follows from the last two of the context; some contexts are there twice.
func Random(c contextbuilder.Config, n, steps int, seed uint64) contextbuilder.Samples {
	r := rand.New(rand.NewPCG(seed, 0))
	s := contextbuilder.Samples{Length: c.Length}
	for row := range n {
		if row > 0 && row%5 == 0 {
			again := s.Context(r.IntN(row))
			s.Contexts = append(s.Contexts, again...)
		} else {
			for range c.Length {
				s.Contexts = append(s.Contexts, int32(min(r.IntN(c.Events), r.IntN(c.Events))))
			}
		}
		x := s.Context(row)
		for step := range steps {
			e := (3*x[len(x)-1] + x[max(0, len(x)-2)] + int32(step)) % int32(c.Events)
			if r.IntN(10) == 0 {
				e = r.Int32N(int32(c.Events))
			}
			s.Events = append(s.Events, e)
		}
	}
	return s
}

func quick() contextbuilder.Training {
	t := contextbuilder.DefaultTraining()
	t.Epochs, t.BatchSize, t.Seed = 2, 64, 7
	return t
}

func train(t testing.TB, e contextbuilder.Engine, c contextbuilder.Config, s contextbuilder.Samples,
	settings contextbuilder.Training) *contextbuilder.Weights {
	t.Helper()
	w := weights(t, c)
	require.NoError(t, e.Train(t.Context(), w, s, settings))
	return w
}

// Any size works, and agrees with the formulas in float64.
func testShapes(t *testing.T, e contextbuilder.Engine) {
	for _, c := range []contextbuilder.Config{
		{Events: 3, Length: 1, Hidden: 1, Layers: 1}, {Events: 17, Length: 3, Hidden: 5, Layers: 1}, {Events: 16, Length: 16, Hidden: 16, Layers: 1},
		{Events: 40, Length: 100, Hidden: 33, Layers: 1},
		{Events: 3, Length: 1, Hidden: 1, LSTM: true, Layers: 1}, {Events: 17, Length: 17, Hidden: 7, LSTM: true, Layers: 1},
		{Events: 33, Length: 100, Hidden: 48, LSTM: true, Layers: 1},
		{Events: 17, Length: 7, Hidden: 5, Layers: 4}, {Events: 3, Length: 1, Hidden: 1, Layers: 2, Bidirectional: true},
		{Events: 17, Length: 17, Hidden: 7, LSTM: true, Layers: 1, Bidirectional: true}, {Events: 40, Length: 30, Hidden: 33, Layers: 3, Bidirectional: true},
	} {
		t.Run(c.String(), func(t *testing.T) {
			const steps = 2
			s := Random(c, 40, steps, 3)
			settings := quick()
			settings.BatchSize, settings.Steps = 7, steps
			w := train(t, e, c, s, settings)
			f, err := open(t, e, w).Forward(t.Context(), s.Contexts, steps)
			require.NoError(t, err)
			var confidence, attention []float64
			for row := range s.Rows() {
				// fed with the engine's own predictions: near ties may go either way
				r := Reference{Weights: w, Next: func(step int, _ []float64) int32 {
					return argmax(f.LogConfidence[(row*steps+step)*c.Events:][:c.Events])
				}}
				lc, a := r.Forward(s.Context(row), steps)
				for step := range steps {
					confidence, attention = append(confidence, lc[step]...), append(attention, a[step]...)
				}
			}
			near(t, confidence, f.LogConfidence, forwardTolerance, "log confidence")
			near(t, attention, f.Attention, forwardTolerance, "attention")
		})
	}
}

func argmax(x []float32) (at int32) {
	for i, v := range x {
		if v > x[at] {
			at = int32(i)
		}
	}
	return at
}

// cells calls f for networks with cells of each kind.
func cells(t *testing.T, f func(t *testing.T, c contextbuilder.Config)) {
	for name, change := range map[string]func(c *contextbuilder.Config){
		"GRU": func(*contextbuilder.Config) {}, "LSTM": func(c *contextbuilder.Config) { c.LSTM = true },
		"layers":        func(c *contextbuilder.Config) { c.Layers = 2 },
		"bidirectional": func(c *contextbuilder.Config) { c.Layers, c.Bidirectional, c.LSTM = 2, true, true },
	} {
		t.Run(name, func(t *testing.T) {
			c := small
			change(&c)
			f(t, c)
		})
	}
}

// The bits of a row do not depend on the rows asked with it.
func testCompany(t *testing.T, e contextbuilder.Engine) {
	cells(t, func(t *testing.T, c contextbuilder.Config) {
		s := Random(c, 300, 1, 4)
		n := open(t, e, train(t, e, c, s, quick()))
		const steps = 3
		all, err := n.Forward(t.Context(), s.Contexts, steps)
		require.NoError(t, err)
		q := contextbuilder.DefaultQuery()
		q.Distribution, q.Iterations = true, 30
		asked, err := n.Query(t.Context(), s, q)
		require.NoError(t, err)
		for _, rows := range [][2]int{{0, 1}, {17, 18}, {100, 137}, {299, 300}} {
			from, to := rows[0], rows[1]
			contexts := s.Contexts[from*c.Length : to*c.Length]
			f, err := n.Forward(t.Context(), contexts, steps)
			require.NoError(t, err)
			assert.Equal(t, all.LogConfidence[from*steps*c.Events:to*steps*c.Events], f.LogConfidence)
			assert.Equal(t, all.Attention[from*steps*c.Length:to*steps*c.Length], f.Attention)
			a, err := n.Query(t.Context(), contextbuilder.Samples{Length: c.Length, Contexts: contexts, Events: s.Events[from:to]}, q)
			require.NoError(t, err)
			assert.Equal(t, asked.Attention[from*c.Length:to*c.Length], a.Attention)
			assert.Equal(t, asked.Before[from:to], a.Before)
			assert.Equal(t, asked.Confidence[from:to], a.Confidence)
			assert.Equal(t, asked.Distribution[from*c.Events:to*c.Events], a.Distribution)
		}
	})
}

// With dropout and random order, one seed gives one result, another seed another.
func testSeed(t *testing.T, e contextbuilder.Engine) {
	cells(t, func(t *testing.T, c contextbuilder.Config) {
		s := Random(c, 500, 1, 5)
		settings := quick()
		first := train(t, e, c, s, settings)
		assert.Equal(t, first, train(t, e, c, s, settings))
		settings.Seed++
		assert.NotEqual(t, first, train(t, e, c, s, settings))
		for change, f := range map[string]func(*contextbuilder.Training){
			"dropout": func(s *contextbuilder.Training) { s.Dropout = 0 }, "order": func(s *contextbuilder.Training) { s.InOrder = true },
		} {
			settings := quick()
			f(&settings)
			assert.NotEqual(t, first, train(t, e, c, s, settings), change)
		}
	})
}

// No answer depends on the number of processors.
func testProcessors(t *testing.T, e contextbuilder.Engine) {
	type result struct {
		w *contextbuilder.Weights
		f contextbuilder.Prediction
		a contextbuilder.QueryResult
	}
	cells(t, func(t *testing.T, c contextbuilder.Config) {
		s := Random(c, 700, 1, 6)
		settings := quick()
		settings.BatchSize = 200
		var first *result
		for _, processors := range []int{1, 2, 4, 8} {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
			r := result{w: train(t, e, c, s, settings)}
			n := open(t, e, r.w)
			var err error
			r.f, err = n.Forward(t.Context(), s.Contexts, 2)
			require.NoError(t, err)
			r.a, err = n.Query(t.Context(), s, contextbuilder.Query{Iterations: 20, BatchSize: 1024})
			require.NoError(t, err)
			if first == nil {
				first = &r
			}
			assert.Equal(t, first, &r, "%d processors", processors)
		}
	})
}

// Progress counts batches and epochs; the loss is a row's.
func testProgress(t *testing.T, e contextbuilder.Engine) {
	s := Random(small, 150, 1, 8)
	settings := quick()
	var got []contextbuilder.Progress
	settings.Progress = func(p contextbuilder.Progress) { got = append(got, p) }
	train(t, e, small, s, settings)
	require.Len(t, got, 6)
	for i, p := range got {
		assert.Positive(t, p.Loss)
		assert.Less(t, p.Loss, 5.0, "a loss of one row is about log %d at first", small.Events)
		p.Loss = 0
		assert.Equal(t, contextbuilder.Progress{Epoch: 1 + i/3, Epochs: 2, Batch: 1 + i%3, Batches: 3}, p)
	}
}

// Cancelling keeps what was learnt, up to the batch.
func testCancel(t *testing.T, e contextbuilder.Engine) {
	const batches = 3
	s := Random(small, 500, 1, 9)
	settings := quick()
	settings.InOrder, settings.Epochs = true, 1
	part := s
	rows := batches * settings.BatchSize
	part.Contexts, part.Events = s.Contexts[:rows*small.Length], s.Events[:rows]
	want := train(t, e, small, part, settings)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	settings.Progress = func(p contextbuilder.Progress) {
		if p.Batch == batches {
			cancel()
		}
	}
	w := weights(t, small)
	require.ErrorIs(t, e.Train(ctx, w, s, settings), context.Canceled)
	assert.Equal(t, want, w)

	require.ErrorIs(t, e.Train(ctx, w, s, settings), context.Canceled)
	assert.Equal(t, want, w, "ended before it began: nothing changes")
	n := open(t, e, w)
	_, err := n.Forward(ctx, s.Contexts, 1)
	require.ErrorIs(t, err, context.Canceled)
	_, err = n.Query(ctx, s, contextbuilder.DefaultQuery())
	require.ErrorIs(t, err, context.Canceled)
}

// A network does not see later changes to the weights it was made of.
func testSnapshot(t *testing.T, e contextbuilder.Engine) {
	s := Random(small, 20, 1, 10)
	w := weights(t, small)
	n := open(t, e, w)
	before, err := n.Query(t.Context(), s, contextbuilder.DefaultQuery())
	require.NoError(t, err)
	for _, tensor := range w.Tensors() {
		clear(tensor.Data)
	}
	after, err := n.Query(t.Context(), s, contextbuilder.DefaultQuery())
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

// Calls at the same time do not disturb each other.
func testConcurrency(t *testing.T, e contextbuilder.Engine) {
	s := Random(small, 100, 1, 11)
	w := weights(t, small)
	n := open(t, e, w)
	q := contextbuilder.Query{Iterations: 20, BatchSize: 1024}
	forward, err := n.Forward(t.Context(), s.Contexts, 1)
	require.NoError(t, err)
	query, err := n.Query(t.Context(), s, q)
	require.NoError(t, err)
	trained := train(t, e, small, s, quick())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			f, err := n.Forward(t.Context(), s.Contexts, 1)
			assert.NoError(t, err)
			assert.Equal(t, forward, f)
		})
		all.Go(func() {
			a, err := n.Query(t.Context(), s, q)
			assert.NoError(t, err)
			assert.Equal(t, query, a)
		})
		all.Go(func() {
			w, err := contextbuilder.Init(small, 1)
			assert.NoError(t, err)
			assert.NoError(t, e.Train(t.Context(), w, s, quick()))
			assert.Equal(t, trained, w)
		})
	}
	all.Wait()
}
