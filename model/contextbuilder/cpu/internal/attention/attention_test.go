package attention

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// network is a random network; gain multiplies the event decoder, so that confidences spread and units flip as in trained ones.
func network(t testing.TB, events, length int, gain float32, seed uint64) *contextbuilder.Weights {
	t.Helper()
	w, err := contextbuilder.Init(contextbuilder.Config{Events: events, Length: length, Hidden: 4, Layers: 1}, seed)
	require.NoError(t, err)
	for _, v := range [][]float32{w.Hidden.Weight, w.Hidden.Bias, w.Out.Weight, w.Out.Bias} {
		for i := range v {
			v[i] *= gain
		}
	}
	return w
}

// question is n random samples, some with few distinct events, and a random initial attention.
func question(w *contextbuilder.Weights, n int, seed uint64) (s contextbuilder.Samples, initial []float32) {
	r := rand.New(rand.NewPCG(seed, 1))
	s.Length = w.Config.Length
	for row := range n {
		distinct := 1 + r.IntN(min(w.Config.Events, 1+row%12))
		logits := make([]float64, s.Length)
		for i := range logits {
			s.Contexts = append(s.Contexts, int32(r.IntN(distinct)*7%w.Config.Events))
			logits[i] = r.NormFloat64()
		}
		s.Events = append(s.Events, int32(r.IntN(w.Config.Events)))
		for _, a := range softmax64(logits) {
			initial = append(initial, float32(a))
		}
	}
	return s, initial
}

func ask(t testing.TB, d *Decoder, s contextbuilder.Samples, initial []float32, q contextbuilder.Query, workers int) contextbuilder.QueryResult {
	t.Helper()
	got, err := d.Query(context.Background(), s, initial, q, workers)
	require.NoError(t, err)
	return got
}

// Every shape agrees with the formulas in float64. The search is chaotic for a few rows (the last bit decides which way they go), so
// after many iterations a small share may end elsewhere; after a few none does.
func TestAgreesWithTheFormulas(t *testing.T) {
	for _, k := range available() {
		for _, test := range []struct{ events, length, rows, iterations, batch int }{
			{3, 1, 20, 100, 1024}, {3, 2, 30, 100, 1}, {15, 10, 203, 0, 1024}, {15, 10, 203, 1, 1024}, {15, 10, 203, 3, 1024}, {15, 10, 203, 100, 1024},
			{16, 10, 100, 100, 32}, {17, 4, 100, 100, 1024}, {33, 33, 50, 100, 1024}, {120, 10, 40, 100, 1024}, {40, 100, 24, 100, 1024}, {300, 300, 8, 3, 1024},
		} {
			t.Run(fmt.Sprintf("%s/%+v", k.name, test), func(t *testing.T) {
				w := network(t, test.events, test.length, 3, uint64(test.events))
				s, initial := question(w, test.rows, uint64(test.length))
				q := contextbuilder.Query{Iterations: test.iterations, BatchSize: test.batch, Distribution: true}
				got := ask(t, newDecoder(w, k), s, initial, q, 2)
				require.Len(t, got.Confidence, test.rows)
				l, n, astray, worst := s.Length, test.events, 0, 0.0
				for row, y := range s.Events {
					want := queryOne(w, s.Context(row), int(y), initial[row*l:][:l], q)
					require.InDelta(t, want.before, got.Before[row], 1e-5, "before, sample %d", row)
					distance := max(l1(got.Attention[row*l:][:l], want.attention), math.Abs(float64(got.Confidence[row])-want.confidence),
						l1(got.Distribution[row*n:][:n], want.distribution))
					worst = max(worst, distance)
					if distance > 1e-3 {
						astray++
					}
				}
				t.Logf("largest difference %.1e, %d rows astray", worst, astray)
				allowed := 0
				if test.iterations > 10 {
					allowed = test.rows / 50
				}
				require.LessOrEqual(t, astray, allowed)
			})
		}
	}
}

func bitsOf(v []float32) (b []uint32) {
	for _, x := range v {
		b = append(b, math.Float32bits(x))
	}
	return b
}

// A sample's answer has the same bits alone, in any company, with any number of workers and from many goroutines at once; also where
// the weights of an event in the company are infinite.
func TestAnswerDependsOnTheSampleAlone(t *testing.T) {
	for _, n := range []int{15, 50} {
		for _, spoilt := range []string{"nothing", "W1", "W2", "all of W2"} {
			w := network(t, n, 10, 3, 2)
			for j := range n {
				switch {
				case spoilt == "W1":
					w.Hidden.Weight[j*n+7] = float32(math.Inf(1)) // makes the columns of P that it touches NaN
				case spoilt == "W2":
					w.Out.Weight[3*n+5] = float32(math.Inf(1))
				case spoilt == "all of W2":
					for i := range n {
						w.Out.Weight[i*n+j] *= 1e37
					}
				}
			}
			for _, k := range available() {
				t.Run(fmt.Sprintf("N=%d/spoilt=%s/%s", n, spoilt, k.name), func(t *testing.T) { requireAnswersAlone(t, newDecoder(w, k), w) })
			}
		}
	}
}

func requireAnswersAlone(t *testing.T, d *Decoder, w *contextbuilder.Weights) {
	s, initial := question(w, 67, 3)
	n := w.Config.Events
	q := contextbuilder.Query{Iterations: 50, BatchSize: 1024, Distribution: true}
	all := ask(t, d, s, initial, q, 1)
	part := func(from, to int) (contextbuilder.Samples, []float32) {
		return contextbuilder.Samples{Length: 10, Contexts: s.Contexts[from*10 : to*10], Events: s.Events[from:to]}, initial[from*10 : to*10]
	}
	var wait sync.WaitGroup
	for _, size := range []int{1, 3, 8, 20, 67} {
		for _, workers := range []int{-1, 1, 2, 5, 100} {
			wait.Go(func() {
				for from := 0; from < 67; from += size {
					to := min(67, from+size)
					some, own := part(from, to)
					got, err := d.Query(context.Background(), some, own, q, workers)
					if err != nil || !slices.Equal(bitsOf(got.Attention), bitsOf(all.Attention[from*10:to*10])) ||
						!slices.Equal(bitsOf(got.Confidence), bitsOf(all.Confidence[from:to])) ||
						!slices.Equal(bitsOf(got.Before), bitsOf(all.Before[from:to])) ||
						!slices.Equal(bitsOf(got.Distribution), bitsOf(all.Distribution[from*n:to*n])) {
						t.Errorf("samples %d to %d differ from the whole (workers %d, error %v)", from, to, workers, err)
					}
				}
			})
		}
	}
	wait.Wait()
}

func TestAnswerIsAnAttention(t *testing.T) {
	for _, k := range available() {
		w := network(t, 20, 10, 4, 5)
		s, initial := question(w, 100, 6)
		got := ask(t, newDecoder(w, k), s, initial, contextbuilder.DefaultQuery(), 2)
		require.Nil(t, got.Distribution)
		better := 0
		for row := range s.Events {
			attention := got.Attention[row*10:][:10]
			require.InDelta(t, 1, l1(attention, make([]float32, 10)), 1e-5)
			require.GreaterOrEqual(t, got.Confidence[row], got.Before[row])
			events := slices.Compact(slices.Sorted(slices.Values(s.Context(row))))
			if len(events) == 1 {
				require.Equal(t, initial[row*10:][:10], attention, "one distinct event: %v", s.Context(row))
			}
			if got.Confidence[row] > got.Before[row] {
				better++
			} else {
				require.Equal(t, initial[row*10:][:10], attention, "no better attention found")
			}
		}
		require.Greater(t, better, 50)
	}
}

func TestDistributionIsThatOfTheAnswer(t *testing.T) {
	for _, k := range available() {
		w := network(t, 20, 10, 4, 5)
		s, initial := question(w, 50, 6)
		for _, iterations := range []int{0, 20} {
			got := ask(t, newDecoder(w, k), s, initial, contextbuilder.Query{Iterations: iterations, BatchSize: 1024, Distribution: true}, 1)
			for row, y := range s.Events {
				of := got.Distribution[row*20:][:20]
				require.InDelta(t, 1, l1(of, make([]float32, 20)), 1e-5)
				require.InDelta(t, got.Confidence[row], of[y], 1e-6)
			}
			if iterations == 0 {
				require.Equal(t, initial, got.Attention)
				require.Equal(t, got.Before, got.Confidence)
			}
		}
	}
}

// Weights and attention that are not finite, or overflow, or underflow, end: the attention stays one, only confidences are spoilt.
func TestExtremeNumbers(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	times := func(f float32) func(*contextbuilder.Weights) {
		return func(w *contextbuilder.Weights) {
			for _, v := range [][]float32{w.Hidden.Weight, w.Out.Weight} {
				for i := range v {
					v[i] *= f
				}
			}
		}
	}
	for name, change := range map[string]func(w *contextbuilder.Weights){
		"saturated":        times(30),
		"huge":             times(1e18),
		"overflowing":      times(1e30),
		"tiny":             times(1e-18),
		"denormal":         times(1e-38),
		"zero":             times(0),
		"all infinite":     times(inf),
		"all NaN":          times(nan),
		"one NaN":          func(w *contextbuilder.Weights) { w.Out.Weight[5] = nan },
		"one infinite":     func(w *contextbuilder.Weights) { w.Hidden.Weight[5] = inf },
		"NaN bias":         func(w *contextbuilder.Weights) { w.Hidden.Bias[3] = nan },
		"infinite bias":    func(w *contextbuilder.Weights) { w.Out.Bias[3] = inf },
		"all out of reach": func(w *contextbuilder.Weights) { fill(w.Out.Bias, -inf) },
		"all very low":     func(w *contextbuilder.Weights) { fill(w.Out.Bias, -math.MaxFloat32) },
	} {
		for _, k := range available() {
			t.Run(name+"/"+k.name, func(t *testing.T) {
				w := network(t, 20, 10, 1, 7)
				change(w)
				s, initial := question(w, 40, 8)
				got := ask(t, newDecoder(w, k), s, initial, contextbuilder.Query{Iterations: 100, BatchSize: 1024, Distribution: true}, 2)
				for row := range s.Events {
					require.InDelta(t, 1, l1(got.Attention[row*10:][:10], make([]float32, 10)), 1e-5)
					if c := got.Confidence[row]; c == c {
						require.True(t, c >= 0 && c <= 1, "confidence %v", c)
					}
				}
			})
		}
	}
}

func fill(v []float32, x float32) {
	for i := range v {
		v[i] = x
	}
}

// Where exponentials relative to the true event's overflow at first, the search still finds its way from a confidence of 0 to one of 1.
func TestHopelessStart(t *testing.T) {
	w := network(t, 3, 2, 0, 1)
	for i := range 3 {
		w.Hidden.Weight[i*3+i] = 1 // the hidden layer is the attention by event
	}
	w.Out.Weight[0*3+2], w.Out.Weight[1*3+1] = 200, 400
	s, initial := contextbuilder.Samples{Length: 2, Contexts: []int32{1, 2}, Events: []int32{0}}, []float32{0.9, 0.1}
	q := contextbuilder.Query{Iterations: 100, BatchSize: 1, Distribution: true}
	want := queryOne(w, s.Contexts, 0, initial, q)
	require.Less(t, want.before, 1e-100)
	require.Greater(t, want.confidence, 0.99)
	for _, k := range available() {
		got := ask(t, newDecoder(w, k), s, initial, q, 1)
		require.InDelta(t, 0, got.Before[0], 1e-30)
		require.InDelta(t, want.confidence, got.Confidence[0], 1e-6)
		require.InDeltaSlice(t, want.attention, got.Attention, 1e-4)
		require.InDeltaSlice(t, want.distribution, got.Distribution, 1e-6)
	}
}

func TestInitialAttentionThatIsNoNumber(t *testing.T) {
	for _, k := range available() {
		w := network(t, 20, 10, 1, 7)
		d := newDecoder(w, k)
		s, initial := question(w, 16, 8)
		want := ask(t, d, s, initial, contextbuilder.DefaultQuery(), 1)
		initial[3*10+2] = float32(math.NaN())
		got := ask(t, d, s, initial, contextbuilder.DefaultQuery(), 1)
		require.True(t, math.IsNaN(float64(got.Confidence[3])))
		for _, row := range []int{0, 1, 2, 4, 7, 8} {
			require.Equal(t, want.Attention[row*10:][:10], got.Attention[row*10:][:10], "the others are not touched")
			require.Equal(t, want.Confidence[row], got.Confidence[row])
		}
		initial[3*10+2] = float32(math.Inf(1))
		ask(t, d, s, initial, contextbuilder.DefaultQuery(), 1)
	}
}

func TestNothingAsked(t *testing.T) {
	got := ask(t, New(network(t, 5, 3, 1, 1)), contextbuilder.Samples{}, nil, contextbuilder.Query{BatchSize: 1, Distribution: true}, 4)
	require.Empty(t, got.Attention)
	require.Empty(t, got.Before)
	require.Empty(t, got.Confidence)
	require.Empty(t, got.Distribution)
}

func TestBadQuestions(t *testing.T) {
	d := New(network(t, 5, 3, 1, 1))
	third := float32(1) / 3
	for want, change := range map[string]func(s *contextbuilder.Samples, initial *[]float32, q *contextbuilder.Query){
		"iterations: -1 is not in 0 to 10000": func(_ *contextbuilder.Samples, _ *[]float32, q *contextbuilder.Query) { q.Iterations = -1 },
		"query batch size: 0 is not at least 1": func(_ *contextbuilder.Samples, _ *[]float32, q *contextbuilder.Query) {
			q.BatchSize = 0
		},
		"samples: contexts of length 2, the network's have 3":              func(s *contextbuilder.Samples, _ *[]float32, _ *contextbuilder.Query) { s.Length = 2 },
		"samples: 6 context events for 1 events, need 3 each":              func(s *contextbuilder.Samples, _ *[]float32, _ *contextbuilder.Query) { s.Events = s.Events[:1] },
		"samples: 5 context events for 2 events, need 3 each":              func(s *contextbuilder.Samples, _ *[]float32, _ *contextbuilder.Query) { s.Contexts = s.Contexts[:5] },
		"samples: 6 context events for 0 events, need 3 each":              func(s *contextbuilder.Samples, _ *[]float32, _ *contextbuilder.Query) { s.Events = nil },
		"initial attention: 5 numbers for 2 samples, need 3 each":          func(_ *contextbuilder.Samples, a *[]float32, _ *contextbuilder.Query) { *a = (*a)[:5] },
		"sample 1: event 5 is not in [0, 5)":                               func(s *contextbuilder.Samples, _ *[]float32, _ *contextbuilder.Query) { s.Events[1] = 5 },
		"sample 0: event -1 is not in [0, 5)":                              func(s *contextbuilder.Samples, _ *[]float32, _ *contextbuilder.Query) { s.Events[0] = -1 },
		"sample 1: event 5 at position 0 of the context is not in [0, 5)":  func(s *contextbuilder.Samples, _ *[]float32, _ *contextbuilder.Query) { s.Contexts[3] = 5 },
		"sample 1: event -7 at position 2 of the context is not in [0, 5)": func(s *contextbuilder.Samples, _ *[]float32, _ *contextbuilder.Query) { s.Contexts[5] = -7 },
	} {
		s := contextbuilder.Samples{Length: 3, Contexts: []int32{0, 1, 2, 2, 3, 4}, Events: []int32{0, 4}}
		initial, q := []float32{third, third, third, third, third, third}, contextbuilder.DefaultQuery()
		ask(t, d, s, initial, q, 1)
		change(&s, &initial, &q)
		_, err := d.Query(context.Background(), s, initial, q, 1)
		require.EqualError(t, err, want)
	}
}

func TestQueryEndsWithItsContext(t *testing.T) {
	w := network(t, 100, 10, 3, 1)
	d := New(w)
	s, initial := question(w, 20_000, 1)
	done, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := d.Query(done, s, initial, contextbuilder.DefaultQuery(), 2)
	require.ErrorIs(t, err, context.Canceled)
	soon, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = d.Query(soon, s, initial, contextbuilder.Query{Iterations: 10_000, BatchSize: 1024}, 2) // minutes, if it ran to its end
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// endsAfter is a context that has ended from the n-th look at it on.
type endsAfter struct {
	context.Context
	looks, n int
}

func (c *endsAfter) Err() error {
	if c.looks++; c.looks >= c.n {
		return context.Canceled
	}
	return nil
}

// A few samples, which are asked together, end too.
func TestQueryEndsBetweenIterations(t *testing.T) {
	w := network(t, 100, 10, 3, 1)
	d := New(w)
	s, initial := question(w, lanes, 1)
	ctx := &endsAfter{Context: t.Context(), n: 10}
	_, err := d.Query(ctx, s, initial, contextbuilder.Query{Iterations: 10_000, BatchSize: 1024}, 1)
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, ctx.looks, 20)
}

// Neither more samples nor more iterations cost more allocations.
func TestQueryAllocatesTheAnswerOnly(t *testing.T) {
	w := network(t, 40, 10, 3, 1)
	d := New(w)
	allocations := func(rows, iterations int) float64 {
		s, initial := question(w, rows, 1)
		return testing.AllocsPerRun(10, func() {
			ask(t, d, s, initial, contextbuilder.Query{Iterations: iterations, BatchSize: 1024}, 1)
		})
	}
	allocations(400, 1)
	// 20,000 steps more; under the race detector sync.Pool forgets a worker's memory now and then, which is some 20 allocations anew
	require.InDelta(t, allocations(16, 1), allocations(400, 50), 100)
}
