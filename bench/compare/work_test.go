package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
)

// Contexts 000, 001, 001 and 011 have the prefixes 0, 00, 01, 000, 001, 011.
func example(t *testing.T) *dataSet {
	weights, err := contextbuilder.Init(contextbuilder.Config{Events: 5, Length: 3, Hidden: 2, Layers: 1}, 1)
	require.NoError(t, err)
	samples := contextbuilder.Samples{Length: 3, Contexts: []int32{0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1}, Events: []int32{2, 2, 2, 3}}
	return &dataSet{data: model.Data{Samples: samples}, model: &model.Model{Weights: weights}}
}

const (
	state  = 2 * 6 * 2          // W_hh [3H, H]
	scores = 2 * 3 * 2          // A [L, H]
	logits = 2*5*3 + 2*5*5      // W1 on L events, W2
	search = 3 * 2 * 5          // A·u, P·u and the gradient, per distinct event
	tries  = 100 + 1            // evaluations of a search
	alone  = search * 1         // of the context 000
	two    = search * 2 * tries // of 001 and 011
)

func TestPrefixes(t *testing.T) {
	all, contexts := prefixes(example(t).data.Samples)
	assert.Equal(t, 6.0, all)
	assert.Equal(t, 3.0, contexts)
}

func TestForwardWork(t *testing.T) {
	assert.Equal(t, float64(6*state+3*(scores+logits)), forwardWork(example(t), 4))
	assert.Equal(t, float64(3*state+1*(scores+logits)), forwardWork(example(t), 1), "of as many rows as the job has")
}

func TestTrainWork(t *testing.T) {
	assert.Equal(t, float64(3*(6*state+4*(scores+logits))), trainWork(example(t), 4))
}

func TestQueryWork(t *testing.T) {
	// (001, 2) is there once, (001, 3) once
	assert.Equal(t, float64(6*state+3*scores+alone+3*two), queryWork(example(t), 100))
}
