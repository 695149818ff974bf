package model

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/interpreter"
)

// overflowing is a model whose weights are finite, but whose sums are not.
func overflowing(t *testing.T) *Model {
	t.Helper()
	p := DefaultParams()
	p.Length, p.Hidden = 2, 4
	w, err := contextbuilder.Init(contextbuilder.Config{Events: 4, Length: 2, Hidden: 4, Layers: 1}, 1)
	require.NoError(t, err)
	for i := range w.Out.Weight {
		w.Hidden.Weight[i], w.Out.Weight[i] = 3e38, 3e38
	}
	m, err := FromNetwork(abc, w, p)
	require.NoError(t, err)
	return m
}

func TestNetworksThatComputeNoNumbersAreRefused(t *testing.T) {
	m := overflowing(t)
	_, err := NewPredictor(m, cpu.New())
	require.ErrorIs(t, err, interpreter.ErrNotFinite)
	_, _, err = m.Cluster(t.Context(), cpu.New(), data(abc, "a a > b"), interpreter.Max)
	require.ErrorIs(t, err, interpreter.ErrNotFinite)
	require.ErrorContains(t, err, "sample 0: ")

	for i, wrong := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		e := &scripted{confidence: map[int32]float32{int32(i): wrong}}
		_, err = NewPredictor(learnt(t, &scripted{}), e)
		require.ErrorIs(t, err, interpreter.ErrNotFinite)
		require.ErrorContains(t, err, `event "`+abc[i]+`"`)
		require.Zero(t, e.opened, "the network is closed")
	}
}

func TestVerdictsThatAreNoNumbersAreErrors(t *testing.T) {
	e := &scripted{}
	p := predictor(t, learnt(t, e), e)
	e.confidence = map[int32]float32{1: float32(math.NaN())}
	samples := []Sample{{[]string{"a", "a"}, "b"}, {[]string{"b", "b"}, "c"}, {[]string{"a", "a"}, "x"}, {[]string{"a", "c"}, "b"}}
	verdicts, err := p.Predict(t.Context(), samples)
	var partly *NotFiniteError
	require.ErrorAs(t, err, &partly)
	require.Equal(t, []int{0, 3}, partly.Rows)
	require.ErrorIs(t, err, interpreter.ErrNotFinite)
	require.ErrorContains(t, err, "sample 0, and 2 of 4 in all: ")
	require.Equal(t, 1, verdicts[1].Cluster, "the others have theirs")
	require.Equal(t, UnknownEvent, verdicts[2].Status)
}

func TestProbeAsksTheSameQuestionsEachTime(t *testing.T) {
	e := &scripted{}
	m := learnt(t, e)
	e.asked = nil
	predictor(t, m, e)
	predictor(t, m, e)
	require.Len(t, e.asked, 2)
	require.Equal(t, e.asked[0], e.asked[1])
	require.Equal(t, len(m.Clusters)+9, e.asked[0].Rows(), "a context of each cluster, and made-up ones")
}
