package contextbuilder_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

func TestConfigValidate(t *testing.T) {
	require.NoError(t, contextbuilder.Config{Events: 3, Length: 1, Hidden: 1, Layers: 1}.Validate())
	assert.EqualError(t, contextbuilder.Config{Events: 2, Hidden: -1}.Validate(),
		"events: 2 distinct events with NO_EVENT, need at least 3\nlength: 0 events in a context, need at least 1\nhidden: size -1, need at least 1\nlayers: 0 is not in 1 to 16")
	assert.EqualError(t, contextbuilder.Config{Events: 100_000, Length: 10, Hidden: 128, Layers: 1}.Validate(),
		"events 100000, length 10, hidden 128, LSTM false, layers 1, bidirectional false: 2.01e+10 weights, need at most 1.07e+09")
	for _, c := range []contextbuilder.Config{
		{Events: math.MaxInt, Length: 1, Hidden: 1, Layers: 1}, {Events: 3, Length: math.MaxInt, Hidden: 1, Layers: 1}, {Events: 3, Length: 1, Hidden: math.MaxInt, Layers: 1},
	} {
		assert.ErrorContains(t, c.Validate(), "weights, need at most")
	}
}

func TestTrainingValidate(t *testing.T) {
	require.NoError(t, contextbuilder.DefaultTraining().Validate())
	for want, change := range map[string]func(*contextbuilder.Training){
		"epochs: 0 is not at least 1":                              func(t *contextbuilder.Training) { t.Epochs = 0 },
		"batch size: -3 is not at least 1":                         func(t *contextbuilder.Training) { t.BatchSize = -3 },
		"optimizer: newton is not one of sgd, adam, varadam":       func(t *contextbuilder.Training) { t.Optimizer = "newton" },
		"learning rate: 0 is not above 0":                          func(t *contextbuilder.Training) { t.LearningRate = 0 },
		"delta: 1 is not in [0, 1)":                                func(t *contextbuilder.Training) { t.Delta = 1 },
		"teach ratio: 1.5 is not in [0, 1]":                        func(t *contextbuilder.Training) { t.TeachRatio = 1.5 },
		"dropout: -0.1 is not in [0, 1)":                           func(t *contextbuilder.Training) { t.Dropout = -0.1 },
		"steps: 0 is not at least 1":                               func(t *contextbuilder.Training) { t.Steps = 0 },
		"factor: 0 is not above 0\nwarmup: 0 is not at least 1":    func(t *contextbuilder.Training) { t.Optimizer, t.Factor, t.Warmup = "varadam", 0, 0 },
		"epochs: -1 is not at least 1\nsteps: 0 is not at least 1": func(t *contextbuilder.Training) { t.Epochs, t.Steps = -1, 0 },
	} {
		s := contextbuilder.DefaultTraining()
		change(&s)
		assert.EqualError(t, s.Validate(), want)
	}
	s := contextbuilder.DefaultTraining()
	s.Factor, s.Warmup = 0, 0
	require.NoError(t, s.Validate(), "only VarAdam has them")
	s = contextbuilder.DefaultTraining()
	s.Optimizer, s.LearningRate = contextbuilder.VarAdam, 0
	require.NoError(t, s.Validate(), "VarAdam has a rate of its own")
}

func TestQueryValidate(t *testing.T) {
	require.NoError(t, contextbuilder.DefaultQuery().Validate())
	require.NoError(t, contextbuilder.Query{BatchSize: 1}.Validate(), "no iterations are the network's own attention")
	require.EqualError(t, contextbuilder.Query{Iterations: -1, BatchSize: 1}.Validate(), "iterations: -1 is not in 0 to 10000")
	require.EqualError(t, contextbuilder.Query{Iterations: 1 << 60, BatchSize: 1}.Validate(), "iterations: 1152921504606846976 is not in 0 to 10000")
	require.EqualError(t, contextbuilder.Query{}.Validate(), "query batch size: 0 is not at least 1")
}

func TestSamples(t *testing.T) {
	s := contextbuilder.Samples{Length: 2, Contexts: []int32{1, 2, 3, 4, 5, 6}, Events: []int32{7, 8, 9}}
	assert.Equal(t, 3, s.Rows())
	assert.Equal(t, []int32{3, 4}, s.Context(1))
	assert.Zero(t, contextbuilder.Samples{}.Rows())
}

func TestConfidentBeforeAndAfterTheQuery(t *testing.T) {
	a := contextbuilder.QueryResult{Before: []float32{0.1, 0.2, 0.3}, Confidence: []float32{0.2, 0.19, 0.4}}
	before, after := a.Confident(0.2)
	assert.Equal(t, []bool{false, true, true}, before)
	assert.Equal(t, []bool{true, false, true}, after)
}

func TestSizesAreBounded(t *testing.T) {
	largest := contextbuilder.Config{Events: contextbuilder.MaxEvents, Length: 1, Hidden: 1, Layers: 1}
	require.ErrorContains(t, largest.Validate(), "weights, need at most 1.07e+09", "MaxEvents is a bound")
	require.NoError(t, contextbuilder.Config{Events: 20_000, Length: 100, Hidden: 128, Layers: 1}.Validate())
	require.NoError(t, contextbuilder.Config{Events: 1_000, Length: 10_000, Hidden: 128, Layers: 1}.Validate())
	// few weights, but 18 GB for each processor
	require.ErrorContains(t, contextbuilder.Config{Events: 3_000, Length: 100_000, Hidden: 1, Layers: 1}.Validate(), "a query takes up to 1.98e+10 bytes for each processor")
	require.Error(t, contextbuilder.Config{Events: 1 << 62, Length: 1 << 62, Hidden: 1 << 62, Layers: 1}.Validate())
}
