//go:build gotch

package torch

import (
	"bytes"
	"errors"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/enginetest"
)

func TestEngine(t *testing.T) { enginetest.Run(t, tested(t)) }

// The other way to train: what a GPU does by default, on the CPU, and the other way round.
func TestEngineOtherTraining(t *testing.T) {
	e := *tested(t).(*engine)
	e.library = !e.library
	on := newThread()
	e.code = &code{program{e.code.forward.module, on}, program{e.code.query.module, on}, program{e.code.train.module, on}}
	enginetest.Run(t, &e)
}

// Products of a block may round a row by its place in it where sizes are odd, as these are.
func TestRowsOfOddSizes(t *testing.T) {
	for _, c := range []contextbuilder.Config{
		{Events: 87, Length: 7, Hidden: 33, Layers: 1}, {Events: 301, Length: 13, Hidden: 50, LSTM: true, Layers: 1}, {Events: 5, Length: 3, Hidden: 1, Layers: 1},
		{Events: 87, Length: 7, Hidden: 33, Layers: 2, Bidirectional: true}, {Events: 5, Length: 3, Hidden: 7, LSTM: true, Layers: 3},
	} {
		t.Run(c.String(), func(t *testing.T) {
			w, err := contextbuilder.Init(c, 1)
			require.NoError(t, err)
			n, err := tested(t).Open(w)
			require.NoError(t, err)
			defer n.Close()
			s := enginetest.Random(c, 300, 1, 2)
			q := contextbuilder.Query{Iterations: 10, BatchSize: 1024, Distribution: true}
			all, err := n.Query(t.Context(), s, q)
			require.NoError(t, err)
			for row := 0; row < s.Rows(); row += 23 {
				one, err := n.Query(t.Context(), contextbuilder.Samples{Length: c.Length, Contexts: s.Context(row), Events: s.Events[row : row+1]}, q)
				require.NoError(t, err)
				require.Equal(t, all.Attention[row*c.Length:(row+1)*c.Length], one.Attention)
				require.Equal(t, all.Distribution[row*c.Events:(row+1)*c.Events], one.Distribution)
			}
		})
	}
}

// Sizes that no golden file has, of which cuDNN chooses other ways, forward and back.
func TestBothTrainingsLearnTheSame(t *testing.T) {
	for _, hidden := range []int{150, 256} {
		for _, lstm := range []bool{false, true} {
			c := contextbuilder.Config{Events: 33, Length: 10, Hidden: hidden, LSTM: lstm, Layers: 1}
			settings := contextbuilder.DefaultTraining()
			settings.Epochs, settings.BatchSize, settings.LearningRate, settings.Dropout = 1, 64, 0.1, 0
			var learnt [2]*contextbuilder.Weights
			for i := range learnt {
				e := *tested(t).(*engine)
				e.library = i == 1
				w, err := contextbuilder.Init(c, 1)
				require.NoError(t, err)
				require.NoError(t, e.Train(t.Context(), w, enginetest.Random(c, 256, 1, 1), settings))
				learnt[i] = w
			}
			want := learnt[1].Tensors()
			for i, got := range learnt[0].Tensors() {
				assert.InDeltaSlice(t, want[i].Data, got.Data, 1e-5, "%s, %d units, LSTM %v", got.Name, hidden, lstm)
			}
		}
	}
}

// resident is the memory of this process in bytes, without what Go would give back.
func resident(t *testing.T) int {
	debug.FreeOSMemory()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(raw)[1]))
	require.NoError(t, err)
	return pages * os.Getpagesize()
}

// growth is by how many bytes calls let this process grow each time: the least of three times, as a leak grows at all of them, while
// pools of libtorch and of the C library, one for each thread that they meet, grow at some.
func growth(t *testing.T, calls func()) int {
	least := math.MaxInt
	for range 3 {
		before := resident(t)
		calls()
		least = min(least, resident(t)-before)
	}
	return least
}

// Answers take no memory that stays.
func TestPredictionsDoNotLeak(t *testing.T) {
	c := contextbuilder.Config{Events: 20, Length: 10, Hidden: 16, Layers: 1}
	w, err := contextbuilder.Init(c, 1)
	require.NoError(t, err)
	n, err := tested(t).Open(w)
	require.NoError(t, err)
	defer n.Close()
	s := enginetest.Random(c, 4, 1, 1)
	predict := func(calls int) {
		for range calls {
			_, err := n.Forward(t.Context(), s.Contexts, 1)
			require.NoError(t, err)
		}
	}
	calls := 10_000
	if *device != "" {
		calls = 1000 // on a GPU each computes a whole block
	}
	predict(calls / 2)
	assert.Less(t, growth(t, func() { predict(calls) }), 1<<20, "bytes after %d calls", calls)
}

// Neither does the rest: a call that kept but a copy of the weights would take 170 kB, or 1 MB.
func TestNothingLeaks(t *testing.T) {
	for c, calls := range map[contextbuilder.Config]int{
		{Events: 20, Length: 10, Hidden: 64, Layers: 1}: 200, {Events: 20, Length: 10, Hidden: 64, Layers: 2, Bidirectional: true}: 50,
	} {
		t.Run(c.String(), func(t *testing.T) {
			w, err := contextbuilder.Init(c, 1)
			require.NoError(t, err)
			e := tested(t)
			s := enginetest.Random(c, 4, 1, 1)
			settings := contextbuilder.DefaultTraining()
			settings.Epochs, settings.Optimizer = 1, contextbuilder.Adam
			all := func(calls int) {
				for range calls {
					require.NoError(t, e.Train(t.Context(), w, s, settings))
					n, err := e.Open(w)
					require.NoError(t, err)
					_, err = n.Query(t.Context(), s, contextbuilder.Query{Iterations: 3, BatchSize: 8})
					require.NoError(t, err)
					require.NoError(t, n.Close())
				}
			}
			all(50)
			assert.Less(t, growth(t, func() { all(calls) }), 10<<20, "bytes after %d trainings, openings and queries", calls)
		})
	}
}

func TestDevices(t *testing.T) {
	for _, name := range []string{"", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:1:2", "CPU"} {
		_, err := New(name)
		require.ErrorContains(t, err, strconv.Quote(name))
	}
	_, err := New("cuda:99")
	require.ErrorContains(t, err, "device cuda:99")
	if missing := CUDA(); missing != nil {
		_, err := New("cuda")
		require.ErrorIs(t, err, missing)
	}
}

func TestClosed(t *testing.T) {
	c := contextbuilder.Config{Events: 5, Length: 2, Hidden: 3, Layers: 1}
	w, err := contextbuilder.Init(c, 1)
	require.NoError(t, err)
	n, err := tested(t).Open(w)
	require.NoError(t, err)
	require.NoError(t, n.Close())
	require.NoError(t, n.Close())
	_, err = n.Forward(t.Context(), []int32{0, 1}, 1)
	require.ErrorContains(t, err, "closed")
}

// An error of libtorch is an error of Go, in one line; the next call is not disturbed by it.
func TestErrors(t *testing.T) {
	e := tested(t).(*engine)
	x, err := upload(e.device, []float32{1, 2, 3}, 3)
	require.NoError(t, err)
	defer x.free()
	_, err = e.code.forward.run(x)
	require.ErrorContains(t, err, "libtorch: ")
	require.NotContains(t, err.Error(), "\n")
	require.Less(t, len(err.Error()), 1000)
	require.Error(t, download(x, make([]float32, 4)))
	require.Error(t, download(x, make([]int32, 3)))
	require.NoError(t, download(x, make([]float32, 3)))
	_, err = upload(e.device, []float32{1}, 2)
	require.Error(t, err)
	_, err = load([]byte("no program"), e.device, nil)
	require.Error(t, err)
	assert.Equal(t, "CUDA out of memory. Tried to allocate 20 GiB", brief("The following operation failed in the TorchScript interpreter.\n"+
		"Traceback of TorchScript, serialized code (most recent call last):\n  File \"code\", line 1\n"+
		"RuntimeError: CUDA out of memory. Tried to allocate\n 20 GiB"+
		"\nException raised from malloc at CUDACachingAllocator.cpp:1 (most recent call first):\nframe #0"))
}

// Too little memory: smaller blocks, and these from then on.
func TestOutOfMemory(t *testing.T) {
	n := &network{engine: tested(t).(*engine)}
	n.rows.Store(64)
	var done atomic.Int64
	work := func(size, from, to int) error {
		if size > 16 {
			return errors.New("libtorch: CUDA out of memory. Tried to allocate 2.00 GiB")
		}
		done.Add(int64(to - from))
		return nil
	}
	require.NoError(t, n.blocks(t.Context(), 100, work))
	assert.EqualValues(t, 100, done.Load())
	assert.EqualValues(t, 16, n.rows.Load())
	require.ErrorContains(t, n.blocks(t.Context(), 100, func(int, int, int) error { return errors.New("CUDA out of memory") }), "out of memory")
	other := errors.New("another")
	require.ErrorIs(t, n.blocks(t.Context(), 100, func(int, int, int) error { return other }), other)

	require.True(t, outOfMemory(errors.New("[enforce fail at alloc_cpu.cpp:83] . DefaultCPUAllocator: can't allocate memory")))
}

// What went to the device comes back.
func TestLayout(t *testing.T) {
	for _, c := range []contextbuilder.Config{{Layers: 1}, {LSTM: true, Layers: 1}, {Layers: 3, Bidirectional: true}} {
		c.Events, c.Length, c.Hidden = 7, 3, 5
		w, err := contextbuilder.Init(c, 3)
		require.NoError(t, err)
		back, err := contextbuilder.NewWeights(c)
		require.NoError(t, err)
		unflatten(flatten(w), back)
		assert.Equal(t, w, back)
	}
}
