package model

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/interpreter"
)

func TestConfidences(t *testing.T) {
	var c Confidences
	assert.True(t, math.IsNaN(c.Mean()))
	assert.True(t, math.IsNaN(c.Below(0.2)))
	for _, x := range []float32{0, 0.195, 0.2, 0.205, 0.999, 1, -0.1, 1.1} {
		c.Add(x)
	}
	assert.Equal(t, 8, c.total())
	assert.Equal(t, []int{2, 1, 2, 3}, []int{c[0], c[19], c[20], c[99]})
	assert.InDelta(t, (2*0.005+0.195+2*0.205+3*0.995)/8, c.Mean(), 1e-12)
	assert.InDelta(t, 3.0/8, c.Below(0.2), 1e-12)
	assert.InDelta(t, 4.0/8, c.Below(0.205), 1e-12, "half of an item")
	assert.InDelta(t, 1, c.Below(1), 1e-12)
	assert.InDelta(t, 0, c.Below(0), 1e-12)
}

// A clustering keeps the confidences that verdicts on the same samples show: not those of c, which is too rare for a cluster.
func TestClusterKeepsItsConfidences(t *testing.T) {
	e := &scripted{confidence: map[int32]float32{0: 0.1, 1: 0.9, 2: 0.8}} // of a, b and c
	d := data(abc, "- - > b", "a a > b", "a a > b", "a a > b", "a a > b", "a a > b", "b b > c", "b b > c", "c c > a")
	m, err := Train(t.Context(), e, d, params(2))
	require.NoError(t, err)
	require.Nil(t, m.Confidence, "before it was clustered")
	m, _, err = m.Cluster(t.Context(), e, d, interpreter.Max)
	require.NoError(t, err)
	require.Len(t, m.Clusters, 1)
	assert.Equal(t, 7, m.Confidence.total())
	assert.Equal(t, []int{1, 0, 6}, []int{m.Confidence[10], m.Confidence[80], m.Confidence[90]})

	p, err := NewPredictor(m, e)
	require.NoError(t, err)
	defer p.Close()
	verdicts, err := p.PredictData(t.Context(), d)
	require.NoError(t, err)
	var shown Confidences
	for _, v := range verdicts {
		if v.Status != UnknownEvent {
			shown.Add(float32(v.Confidence))
		}
	}
	assert.Equal(t, &shown, m.Confidence)
}
