package model

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
)

// routines are contexts that tell the event, 40 times over.
func routines() Data {
	return data(abc, slices.Concat(slices.Repeat([]string{"a b c a > b"}, 40), slices.Repeat([]string{"b c a b > c"}, 40), slices.Repeat([]string{"c a b c > a"}, 40))...)
}

func fit(t *testing.T, d Data, o contextbuilder.Optimizer, rate float64, epochs int) Fit {
	t.Helper()
	p := params(4)
	p.Training.Optimizer, p.Training.LearningRate, p.Training.Epochs = o, rate, epochs
	m, err := Train(t.Context(), cpu.New(), d, p)
	require.NoError(t, err)
	f, err := m.Fit(t.Context(), cpu.New(), d)
	require.NoError(t, err)
	return f
}

func TestFit(t *testing.T) {
	f := fit(t, routines(), contextbuilder.Adam, 0.01, 300)
	assert.NoError(t, f.Err())
	assert.False(t, f.Poor())
	assert.Equal(t, 120, f.Samples)
	assert.Equal(t, 1.0, f.Right)
	assert.InDelta(t, 1.0/3, f.Frequent, 1e-9)
	assert.InDelta(t, math.Log(4), f.Blind, 1e-9)
	assert.Less(t, f.Loss, 0.3)
}

// Learning rates far too high are told from trainings that are good, short, or of dull data.
func TestFitTellsWhatHasDiverged(t *testing.T) {
	for _, rate := range []float64{10, 100, 1e4, 1e8} {
		for _, o := range []contextbuilder.Optimizer{contextbuilder.SGD, contextbuilder.Adam} {
			f := fit(t, routines(), o, rate, 3)
			if f.Right < 1 { // little data is learnt at high rates, too
				assert.ErrorContains(t, f.Err(), "the training has diverged: loss ", "%s %g", o, rate)
			}
		}
	}
	assert.Error(t, fit(t, routines(), contextbuilder.SGD, 1e6, 3).Err())
	for _, d := range []Data{routines(), data([]string{"a", "b"}, slices.Repeat([]string{"a a a a > a"}, 300)...), data(abc, "- - - - > a"),
		data(abc, slices.Concat(slices.Repeat([]string{"- - - - > a"}, 40), slices.Repeat([]string{"- - - - > b"}, 60))...)} {
		for _, rate := range []float64{1e-9, 1e-3, 0.01} {
			for _, epochs := range []int{1, 30} {
				assert.NoError(t, fit(t, d, contextbuilder.SGD, rate, epochs).Err())
			}
		}
	}
}

func TestFitErr(t *testing.T) {
	assert.EqualError(t, Fit{Samples: 10, Loss: 27.9371, Blind: 3.8918, Right: 0.034, Frequent: 0.366}.Err(),
		"the training has diverged: loss 27.94 on 10 events (3.892 for a network that has learnt nothing); 3.4 % of the events predicted (the most frequent one is 36.6 % of them); try a lower learning rate")
	assert.Error(t, Fit{Loss: math.NaN(), Blind: 3}.Err())
	assert.NoError(t, Fit{Loss: 3.9, Blind: 3}.Err())
	assert.True(t, Fit{Right: 0.366, Frequent: 0.366}.Poor())
	assert.False(t, Fit{Right: 0.99, Frequent: 0.99}.Poor())

	m, err := Train(t.Context(), cpu.New(), routines(), params(4))
	require.NoError(t, err)
	m.Weights.Out.Weight[3] = float32(math.Inf(1))
	_, err = m.Fit(t.Context(), cpu.New(), routines())
	assert.EqualError(t, err, "the training has diverged: weight 3 of decoder_event.out.weight is +Inf; try a lower learning rate")
}
