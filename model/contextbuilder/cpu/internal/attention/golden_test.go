package attention

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// golden is a file of the reference implementation's answers.
type golden struct {
	weights *contextbuilder.Weights
	samples contextbuilder.Samples
	initial []float32 // the forward pass's attention
	query   contextbuilder.Query

	before, confidence, attention []float32
	distribution                  []float32 // of the first rows
}

func loadGolden(t testing.TB, name string) golden {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../../enginetest/testdata/context_builder", name+".safetensors"))
	require.NoError(t, err)
	file, err := safetensors.Deserialize(raw)
	require.NoError(t, err)
	floats := func(name string) (v []float32) {
		view, ok := file.Tensor(name)
		require.True(t, ok, name)
		for b := view.Data(); len(b) > 0; b = b[4:] {
			v = append(v, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		return v
	}
	ids := func(name string) (v []int32) {
		view, ok := file.Tensor(name)
		require.True(t, ok, name)
		for b := view.Data(); len(b) > 0; b = b[8:] {
			v = append(v, int32(binary.LittleEndian.Uint64(b)))
		}
		return v
	}
	var tensors []contextbuilder.Tensor
	for _, view := range file.Tensors() {
		name, ok := strings.CutPrefix(view.Name, "model.")
		if !ok || name == "decoder_attention.embedding.weight" { // the one embedding under its second name
			continue
		}
		var shape []int
		for _, n := range view.TensorView.Shape() {
			shape = append(shape, int(n))
		}
		tensors = append(tensors, contextbuilder.Tensor{Name: name, Shape: shape, Data: floats(view.Name)})
	}
	g := golden{query: contextbuilder.Query{Iterations: 100, BatchSize: int(ids("query_rows")[0]), Distribution: true},
		before: floats("query_before"), confidence: floats("query_confidence"), attention: floats("query_attention"), distribution: floats("query_distribution")}
	g.weights, err = contextbuilder.FromTensors(tensors)
	require.NoError(t, err)
	g.samples = contextbuilder.Samples{Length: g.weights.Config.Length, Contexts: ids("query_X"), Events: ids("query_y")}
	g.initial = forwardPasses(g.weights, g.samples.Contexts)
	return g
}

// The answers of the original, at the tolerance that its float32 allows, on every row.
func TestGolden(t *testing.T) {
	for _, name := range []string{"n15", "n60", "n300", "lstm_n15", "small_length4", "layers2_n15", "bidirectional_n15", "layers3_bidirectional_lstm_n15"} {
		g := loadGolden(t, name)
		for _, k := range available() {
			t.Run(name+"/"+k.name, func(t *testing.T) {
				got, err := newDecoder(g.weights, k).Query(context.Background(), g.samples, g.initial, g.query, 2)
				require.NoError(t, err)
				l, n := g.samples.Length, g.weights.Config.Events
				var worst, worstConfidence float64
				for row := range g.samples.Events {
					worst = max(worst, l1(got.Attention[row*l:][:l], g.attention[row*l:][:l]))
					worstConfidence = max(worstConfidence, math.Abs(float64(got.Confidence[row]-g.confidence[row])), math.Abs(float64(got.Before[row]-g.before[row])))
				}
				t.Logf("%d rows: attention L1 up to %.1e, confidence up to %.1e", len(g.samples.Events), worst, worstConfidence)
				require.LessOrEqual(t, worst, 1e-4)
				require.LessOrEqual(t, worstConfidence, 1e-5)
				require.Len(t, got.Distribution, len(g.samples.Events)*n)
				for i, want := range g.distribution {
					require.InDelta(t, want, got.Distribution[i], 1e-5, "distribution, sample %d event %d", i/n, i%n)
				}
			})
		}
	}
}
