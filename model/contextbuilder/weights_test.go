package contextbuilder_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/enginetest"
)

var config = contextbuilder.Config{Events: 50, Length: 10, Hidden: 40, Layers: 1}

// The shapes of the golden files are those of the original's state_dict, with its two slips mended, and the order is that of torch.
func TestTensorsOfLayers(t *testing.T) {
	c := config
	c.Layers, c.Bidirectional = 2, true
	w, err := contextbuilder.NewWeights(c)
	require.NoError(t, err)
	var names []string
	numbers := 0
	for i, tensor := range w.Tensors() {
		numbers += len(tensor.Data)
		for j := range tensor.Data {
			require.Zero(t, tensor.Data[j], "tensor %s shares numbers with another", tensor.Name)
			tensor.Data[j] = float32(i + 1)
		}
		if name, ours := strings.CutPrefix(tensor.Name, "decoder_attention.recurrent."); ours {
			names = append(names, fmt.Sprint(name, tensor.Shape))
		}
	}
	assert.Equal(t, []string{"weight_ih_l0[120 40]", "weight_hh_l0[120 40]", "bias_ih_l0[120]", "bias_hh_l0[120]",
		"weight_ih_l0_reverse[120 40]", "weight_hh_l0_reverse[120 40]", "bias_ih_l0_reverse[120]", "bias_hh_l0_reverse[120]",
		"weight_ih_l1[120 80]", "weight_hh_l1[120 40]", "bias_ih_l1[120]", "bias_hh_l1[120]",
		"weight_ih_l1_reverse[120 80]", "weight_hh_l1_reverse[120 40]", "bias_ih_l1_reverse[120]", "bias_hh_l1_reverse[120]"}, names)
	assert.EqualValues(t, numbers, c.Numbers())

	for name, want := range map[string]contextbuilder.Config{
		"layers2_n15":                    {Events: 15, Length: 10, Hidden: 24, Layers: 2},
		"bidirectional_n15":              {Events: 15, Length: 10, Hidden: 24, Layers: 1, Bidirectional: true},
		"layers3_bidirectional_lstm_n15": {Events: 15, Length: 10, Hidden: 24, Layers: 3, Bidirectional: true, LSTM: true},
	} {
		assert.Equal(t, want, enginetest.Open(t, "context_builder/"+name).Weights("model.").Config)
	}
}

// The shapes of the original's state_dict, and no data shared between tensors.
func TestTensors(t *testing.T) {
	for _, lstm := range []bool{false, true} {
		c, gates := config, 3*40
		if c.LSTM = lstm; lstm {
			gates = 4 * 40
		}
		want := map[string][]int{
			"embedding.weight":                         {50, 40},
			"encoder.recurrent.weight_ih_l0":           {gates, 50},
			"encoder.recurrent.weight_hh_l0":           {gates, 40},
			"encoder.recurrent.bias_ih_l0":             {gates},
			"encoder.recurrent.bias_hh_l0":             {gates},
			"decoder_attention.attn.weight":            {10, 40},
			"decoder_attention.attn.bias":              {10},
			"decoder_event.hidden.weight":              {50, 50},
			"decoder_event.hidden.bias":                {50},
			"decoder_event.out.weight":                 {50, 50},
			"decoder_event.out.bias":                   {50},
			"decoder_attention.recurrent.weight_ih_l0": {gates, 40},
			"decoder_attention.recurrent.weight_hh_l0": {gates, 40},
			"decoder_attention.recurrent.bias_ih_l0":   {gates},
			"decoder_attention.recurrent.bias_hh_l0":   {gates},
		}
		w, err := contextbuilder.NewWeights(c)
		require.NoError(t, err)
		got := map[string][]int{}
		for i, tensor := range w.Tensors() {
			got[tensor.Name] = tensor.Shape
			size := 1
			for _, n := range tensor.Shape {
				size *= n
			}
			require.Len(t, tensor.Data, size, tensor.Name)
			for j := range tensor.Data {
				require.Zero(t, tensor.Data[j], "tensor %s shares numbers with another", tensor.Name)
				tensor.Data[j] = float32(i + 1)
			}
		}
		assert.Equal(t, want, got)
	}
	_, err := contextbuilder.NewWeights(contextbuilder.Config{})
	require.ErrorContains(t, err, "events")
}

func TestInit(t *testing.T) {
	w, err := contextbuilder.Init(config, 3)
	require.NoError(t, err)
	again, err := contextbuilder.Init(config, 3)
	require.NoError(t, err)
	assert.Equal(t, w, again)
	other, err := contextbuilder.Init(config, 4)
	require.NoError(t, err)
	_, err = contextbuilder.Init(contextbuilder.Config{}, 3)
	require.Error(t, err)

	for i, tensor := range w.Tensors() {
		assert.NotEqual(t, other.Tensors()[i].Data, tensor.Data, tensor.Name)
		mean, square, top := 0.0, 0.0, 0.0
		for _, x := range tensor.Data {
			mean += float64(x)
			square += float64(x) * float64(x)
			top = max(top, math.Abs(float64(x)))
		}
		n := float64(len(tensor.Data))
		mean, square = mean/n, square/n
		deviation := 1.0 // normal
		if tensor.Name != "embedding.weight" {
			bound := 1 / math.Sqrt(float64(config.Hidden))
			if strings.HasPrefix(tensor.Name, "decoder_event.") {
				bound = 1 / math.Sqrt(float64(config.Events))
			}
			assert.LessOrEqual(t, top, bound+1e-7, tensor.Name)
			assert.Greater(t, top, 0.7*bound, tensor.Name)
			deviation = bound / math.Sqrt(3)
		}
		assert.InDelta(t, 0, mean, 5*deviation/math.Sqrt(n), tensor.Name)
		assert.InEpsilon(t, deviation*deviation, square, 5/math.Sqrt(n), tensor.Name)
	}
}

func TestFromTensors(t *testing.T) {
	for _, c := range []contextbuilder.Config{config, {Events: 9, Length: 4, Hidden: 3, LSTM: true, Layers: 1},
		{Events: 9, Length: 4, Hidden: 3, Layers: contextbuilder.MaxLayers}, {Events: 9, Length: 4, Hidden: 3, Layers: 2, Bidirectional: true}} {
		w, err := contextbuilder.Init(c, 1)
		require.NoError(t, err)
		tensors := w.Tensors()
		slices.Reverse(tensors) // any order
		got, err := contextbuilder.FromTensors(tensors)
		require.NoError(t, err)
		assert.Equal(t, w, got)
		got.Embedding[0]++
		assert.NotEqual(t, w.Embedding[0], got.Embedding[0], "a copy")
	}
	// the original's files have the embedding under a second name too
	assert.Equal(t, contextbuilder.Config{Events: 15, Length: 10, Hidden: 32, LSTM: true, Layers: 1},
		enginetest.Open(t, "context_builder/lstm_n15").Weights("model.").Config)
}

// Every fault of every tensor is an error that names it.
func TestFromTensorsFaults(t *testing.T) {
	c := contextbuilder.Config{Events: 9, Length: 4, Hidden: 3, Layers: 2, Bidirectional: true}
	w, err := contextbuilder.Init(c, 1)
	require.NoError(t, err)
	for i, tensor := range w.Tensors() {
		for fault, change := range map[string]func(tensors []contextbuilder.Tensor) []contextbuilder.Tensor{
			"missing": func(x []contextbuilder.Tensor) []contextbuilder.Tensor { return slices.Delete(x, i, i+1) },
			"twice":   func(x []contextbuilder.Tensor) []contextbuilder.Tensor { return append(x, x[i]) },
			"renamed": func(x []contextbuilder.Tensor) []contextbuilder.Tensor { x[i].Name += "_reverse"; return x },
			"one more dimension": func(x []contextbuilder.Tensor) []contextbuilder.Tensor {
				x[i].Shape = append([]int{1}, x[i].Shape...)
				return x
			},
			"no dimension": func(x []contextbuilder.Tensor) []contextbuilder.Tensor { x[i].Shape = nil; return x },
			"short":        func(x []contextbuilder.Tensor) []contextbuilder.Tensor { x[i].Data = x[i].Data[1:]; return x },
			"NaN": func(x []contextbuilder.Tensor) []contextbuilder.Tensor {
				x[i].Data = slices.Clone(x[i].Data)
				x[i].Data[1] = float32(math.NaN())
				return x
			},
			"infinite": func(x []contextbuilder.Tensor) []contextbuilder.Tensor {
				x[i].Data = slices.Clone(x[i].Data)
				x[i].Data[len(x[i].Data)-1] = float32(math.Inf(-1))
				return x
			},
		} {
			_, err := contextbuilder.FromTensors(change(w.Tensors()))
			if fault == "short" { // then all numbers together are too few
				assert.ErrorContains(t, err, "numbers", "%s %s", tensor.Name, fault)
				continue
			}
			assert.ErrorContains(t, err, tensor.Name, fault)
		}
	}
	for name, want := range map[string]string{
		"encoder.recurrent.weight_ih_l16": `tensor "encoder.recurrent.weight_ih_l16" is not one of a Context Builder with layers 2, bidirectional true`,
		"encoder.recurrent.weight_ih_l2":  `tensor "encoder.recurrent.weight_hh_l2" is missing`,
	} {
		_, err = contextbuilder.FromTensors(append(w.Tensors(), contextbuilder.Tensor{Name: name}))
		assert.EqualError(t, err, want)
	}
	second := contextbuilder.Tensor{Name: "decoder_attention.embedding.weight", Shape: w.Tensors()[0].Shape, Data: slices.Clone(w.Embedding)}
	second.Data[3]++
	_, err = contextbuilder.FromTensors(append(w.Tensors(), second))
	assert.ErrorContains(t, err, `"decoder_attention.embedding.weight" differs from "embedding.weight"`)
	second.Data[3]--
	_, err = contextbuilder.FromTensors(append(w.Tensors(), second))
	assert.NoError(t, err)
	second.Shape = []int{len(second.Data)}
	_, err = contextbuilder.FromTensors(append(w.Tensors(), second))
	assert.ErrorContains(t, err, `"decoder_attention.embedding.weight" differs from "embedding.weight"`)
	_, err = contextbuilder.FromTensors(nil)
	assert.ErrorContains(t, err, "missing")
}

// A shape that lies must not make room for itself.
func TestFromTensorsSize(t *testing.T) {
	const huge = math.MaxInt/8 + 1
	for _, shape := range [][2]int{{huge, 2}, {2, huge}, {-1, 8}, {8, -1}, {huge, huge}, {1 << 32, 1 << 32}, {0, 0}} {
		for _, name := range []string{"embedding.weight", "encoder.recurrent.weight_hh_l0", "decoder_attention.attn.weight"} {
			w, err := contextbuilder.Init(config, 1)
			require.NoError(t, err)
			tensors := w.Tensors()
			for i := range tensors {
				if tensors[i].Name == name {
					tensors[i].Shape = shape[:]
				}
			}
			_, err = contextbuilder.FromTensors(tensors)
			assert.Error(t, err, "%s of shape %v", name, shape)
		}
	}
}
