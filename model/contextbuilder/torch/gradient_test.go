//go:build gotch

package torch

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/enginetest"
)

// The gradient is the slope of the loss, by central differences on the formulas in float64, with dropout as it was drawn. The golden files have
// no several steps in networks of several layers or both directions, and no dropout.
func TestGradientIsSlope(t *testing.T) {
	for _, c := range []contextbuilder.Config{
		{Layers: 1}, {Layers: 1, LSTM: true}, {Layers: 3}, {Layers: 2, LSTM: true}, {Layers: 1, Bidirectional: true},
		{Layers: 2, Bidirectional: true}, {Layers: 2, Bidirectional: true, LSTM: true},
	} {
		c.Events, c.Length, c.Hidden = 7, 4, 5
		for _, library := range []bool{false, true} {
			e := *tested(t).(*engine)
			e.library, e.maxRows = library, 24
			if c.Cells() > 1 {
				if !library {
					continue // there is one way only
				}
				e.maxRows = 9 // the last piece is smaller
			}
			t.Run(c.String(), func(t *testing.T) { gradientIsSlope(t, &e, c) })
		}
	}
}

func gradientIsSlope(t *testing.T, e contextbuilder.Engine, c contextbuilder.Config) {
	settings := contextbuilder.DefaultTraining()
	settings.Epochs, settings.InOrder, settings.LearningRate = 1, true, 1
	settings.Steps, settings.TeachRatio, settings.Dropout, settings.BatchSize, settings.Seed = 3, 1, 0.3, 24, 5
	s := enginetest.Random(c, settings.BatchSize, settings.Steps, 1)
	w, err := contextbuilder.Init(c, 2)
	require.NoError(t, err)
	learnt, err := contextbuilder.FromTensors(w.Tensors())
	require.NoError(t, err)
	var loss float64
	settings.Progress = func(p contextbuilder.Progress) { loss = p.Loss * float64(settings.BatchSize) }
	require.NoError(t, e.Train(t.Context(), learnt, s, settings))

	reference := func() (sum float64) {
		for row := range s.Rows() {
			events := s.Events[row*settings.Steps:][:settings.Steps]
			r := enginetest.Reference{Weights: w, Next: func(step int, _ []float64) int32 { return events[step] },
				Input: func(step, unit int) float64 {
					return kept(uint64((row*settings.Steps+step)*c.Hidden+unit), settings.Seed, settings.Dropout)
				}}
			lc, _ := r.Forward(s.Context(row), settings.Steps)
			sum += enginetest.Loss(lc, events, settings.Delta)
		}
		return sum
	}
	assert.InEpsilon(t, reference(), loss, 1e-6)
	for k, tensor := range w.Tensors() {
		gradient := make([]float64, len(tensor.Data)) // a step of SGD at rate 1
		top, most := 0.0, 0.0
		for i, x := range tensor.Data {
			gradient[i] = float64(x) - float64(learnt.Tensors()[k].Data[i])
			top, most = max(top, math.Abs(gradient[i])), max(most, math.Abs(float64(x))+math.Abs(gradient[i]))
		}
		require.Positive(t, top, tensor.Name)
		for i := 0; i < len(tensor.Data); i += 1 + len(tensor.Data)/20 {
			const step = 1.0 / (1 << 16)
			x := tensor.Data[i]
			tensor.Data[i] = x + step
			up, above := reference(), float64(tensor.Data[i])
			tensor.Data[i] = x - step
			down, below := reference(), float64(tensor.Data[i])
			tensor.Data[i] = x
			// so small a step that hardly a ReLU switches within it, and what is left of the gradient when it was rounded together with the weight
			assert.InDelta(t, (up-down)/(above-below), gradient[i], 2e-5*top+most/(1<<23), "%s, number %d", tensor.Name, i)
		}
	}
}

// kept is dropout's factor for a number, as train.py draws it.
func kept(number, seed uint64, dropout float64) float64 {
	z := number*0x9E3779B97F4A7C15 + seed
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	if z>>40 < uint64(dropout*(1<<24)) {
		return 0
	}
	return 1 / (1 - dropout)
}
