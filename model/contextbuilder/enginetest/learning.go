package enginetest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// The optimizers take the steps of their formulas, on gradients that a batch of SGD at rate 1 shows.
func testOptimizers(t *testing.T, e contextbuilder.Engine) {
	const batches = 4
	for _, optimizer := range []contextbuilder.Optimizer{contextbuilder.SGD, contextbuilder.Adam, contextbuilder.VarAdam} {
		t.Run(string(optimizer), func(t *testing.T) {
			settings := quick()
			settings.Epochs, settings.InOrder, settings.Dropout, settings.Optimizer = 1, true, 0, optimizer
			settings.Factor, settings.Warmup = 0.5, 3
			s := Random(small, batches*settings.BatchSize, 1, 12)
			got := train(t, e, small, s, settings).Tensors()

			w := weights(t, small)
			moments := map[string][][2]float64{}
			for b := range batches {
				size := settings.BatchSize
				rows := contextbuilder.Samples{Length: s.Length, Contexts: s.Contexts[b*size*s.Length:][:size*s.Length],
					Events: s.Events[b*size:][:size]}
				gradient := gradientOf(t, e, w, rows, settings)
				step := float64(b + 1)
				rate, b1, b2, epsilon := settings.LearningRate, 0.9, 0.999, 1e-8
				if optimizer == contextbuilder.VarAdam {
					b2, epsilon = 0.98, 1e-9
					warmup := math.Pow(float64(settings.Warmup), -1.5)
					rate = settings.Factor / math.Sqrt(float64(small.Hidden)) * min(1/math.Sqrt(step), step*warmup)
				}
				for k, tensor := range w.Tensors() {
					m := moments[tensor.Name]
					if m == nil {
						m = make([][2]float64, len(tensor.Data))
						moments[tensor.Name] = m
					}
					for i, g := range gradient[k] {
						if optimizer == contextbuilder.SGD {
							tensor.Data[i] -= float32(rate * g)
							continue
						}
						m[i][0] = b1*m[i][0] + (1-b1)*g
						m[i][1] = b2*m[i][1] + (1-b2)*g*g
						mean, square := m[i][0]/(1-math.Pow(b1, step)), m[i][1]/(1-math.Pow(b2, step))
						tensor.Data[i] -= float32(rate * mean / (math.Sqrt(square) + epsilon))
					}
				}
			}
			for k, tensor := range w.Tensors() {
				// Adam divides by the size of the gradient: if that is only rounding, so is the step
				off := 0
				for i, x := range tensor.Data {
					if d := math.Abs(float64(x - got[k].Data[i])); !(d <= 1e-4) {
						off++
					}
				}
				assert.LessOrEqual(t, off, len(tensor.Data)/50, "%s: numbers that are off by more than 1e-4", tensor.Name)
			}
		})
	}
}

// gradientOf is the gradient of a batch, by tensor.
func gradientOf(t testing.TB, e contextbuilder.Engine, w *contextbuilder.Weights, s contextbuilder.Samples, settings contextbuilder.Training) (g [][]float64) {
	t.Helper()
	c, err := contextbuilder.NewWeights(w.Config)
	require.NoError(t, err)
	for i, tensor := range c.Tensors() {
		copy(tensor.Data, w.Tensors()[i].Data)
	}
	settings.Optimizer, settings.LearningRate, settings.Progress = contextbuilder.SGD, 1, nil
	require.NoError(t, e.Train(t.Context(), c, s, settings))
	for i, tensor := range c.Tensors() {
		row := make([]float64, len(tensor.Data))
		for j, x := range tensor.Data {
			row[j] = float64(w.Tensors()[i].Data[j]) - float64(x)
		}
		g = append(g, row)
	}
	return g
}

// A teach ratio between 0 and 1 gives a result of its own, and training learns.
func testTeacher(t *testing.T, e contextbuilder.Engine) {
	s := Random(small, 500, 3, 13)
	var results []*contextbuilder.Weights
	for _, ratio := range []float64{0, 0.5, 1} {
		settings := quick()
		settings.Steps, settings.TeachRatio, settings.Epochs = 3, ratio, 20
		var losses []float64
		settings.Progress = func(p contextbuilder.Progress) { losses = append(losses, p.Loss) }
		w := train(t, e, small, s, settings)
		assert.Less(t, losses[len(losses)-2], 0.96*losses[0], "teach ratio %v", ratio)
		for _, other := range results {
			assert.NotEqual(t, other, w, "teach ratio %v", ratio)
		}
		results = append(results, w)
	}
}
