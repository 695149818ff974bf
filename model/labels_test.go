package model

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/interpreter"
)

// mixed is a model over a, b and c whose cluster 0 (b after a a) has six samples, and its assignment.
func mixed(t *testing.T, e *scripted) (*Model, *Assignment) {
	t.Helper()
	d := data(abc, slices.Concat(slices.Repeat([]string{"a a > b"}, 6), slices.Repeat([]string{"b b > c"}, 5), []string{"- - > a"})...)
	m, a, err := learnt(t, e).Cluster(t.Context(), e, d, "")
	require.NoError(t, err)
	return m, a
}

func TestWithLabels(t *testing.T) {
	e := &scripted{}
	m, a := mixed(t, e)
	m, err := m.WithScores(map[int]float64{1: 7})
	require.NoError(t, err)
	labels := []float64{0, 0, -1, 0, 2, 1, -1, -1, -1, -1, -1, 9}
	with, err := m.WithLabels(a, labels, interpreter.Max)
	require.NoError(t, err)
	require.EqualValues(t, 2, with.Clusters[0].Score)
	require.Equal(t, []interpreter.Label{{Vector: 0, Score: 0, Count: 3}, {Vector: 0, Score: 1, Count: 1}, {Vector: 0, Score: 2, Count: 1}}, with.Clusters[0].Labels)
	require.Equal(t, []LabelCount{{0, 3}, {1, 1}, {2, 1}}, with.Clusters[0].Mixed())
	require.EqualValues(t, 7, with.Clusters[1].Score, "a cluster without labels keeps its score")
	require.Nil(t, with.Clusters[1].Labels)
	require.Nil(t, m.Clusters[0].Labels, "the model itself stays as it is")
	require.NoError(t, with.Validate())

	for s, want := range map[interpreter.Strategy]float64{interpreter.Min: 0, interpreter.Avg: 0.6, interpreter.Nearest: 2} {
		with, err := m.WithLabels(a, labels, s)
		require.NoError(t, err)
		require.Equal(t, want, with.Clusters[0].Score, s)
		require.Equal(t, s == interpreter.Nearest, with.Params.Interpreter.Nearest)
	}
	clusters, err := m.WithLabels(&Assignment{Clusters: a.Clusters}, labels, interpreter.Max)
	require.NoError(t, err)
	require.Equal(t, []interpreter.Label{{Vector: -1, Score: 0, Count: 3}, {Vector: -1, Score: 1, Count: 1}, {Vector: -1, Score: 2, Count: 1}}, clusters.Clusters[0].Labels)
	require.NoError(t, clusters.Validate())

	for _, scores := range []map[int]float64{{0: 2}, {0: interpreter.NoScore}} {
		scored, err := with.WithScores(scores)
		require.NoError(t, err)
		require.Nil(t, scored.Clusters[0].Labels, "a person has decided")
		require.NotNil(t, with.Clusters[0].Labels)
	}
	_, err = m.WithLabels(a, []float64{0, 0, -1, 0, 2, -3, -1, -1, -1, -1, -1, 9}, interpreter.Max)
	require.EqualError(t, err, "sample 5: score -3 is neither -1 for none nor a finite number of at least 0")
	_, err = m.WithLabels(a, labels[1:], interpreter.Max)
	require.EqualError(t, err, "11 scores for 12 clustered samples")
	_, err = m.WithLabels(&Assignment{Clusters: []int32{2}}, []float64{1}, interpreter.Max)
	require.EqualError(t, err, "sample 0: cluster 2 is not one of 2")
}

func TestLabelsThatAgreeAreNotMixed(t *testing.T) {
	for _, labels := range [][]interpreter.Label{nil, {{Vector: 0, Score: 1, Count: 4}}, {{Vector: 0, Score: 1, Count: 4}, {Vector: 1, Score: 1, Count: 2}}} {
		require.Nil(t, (&Cluster{Labels: labels}).Mixed())
	}
}

func TestPredictDisputes(t *testing.T) {
	e := &scripted{}
	m, a := mixed(t, e)
	asked := []Sample{{[]string{"a", "a"}, "b"}, {[]string{"b", "b"}, "c"}}
	answer := func(m *Model) []Verdict {
		t.Helper()
		p := predictor(t, m, e)
		defer p.Close()
		verdicts, err := p.Predict(t.Context(), asked)
		require.NoError(t, err)
		return verdicts
	}
	labels := []float64{0, 0, 0, 0, 2, 1, 3, 3, 3, 3, 3, -1}
	with, err := m.WithLabels(a, labels, interpreter.Max)
	require.NoError(t, err)
	attention := []float32{0.5, 0.5}
	got := answer(with)
	require.Equal(t, []Verdict{{Status: Disputed, Cluster: 0, Confidence: 1, Attention: attention, disputed: 2},
		{Status: Scored, Score: 3, Cluster: 1, Confidence: 1, Attention: attention}}, got)
	require.True(t, got[0].Status.Unsure())
	require.EqualValues(t, 2, got[0].Code())

	with, err = m.WithLabels(a, labels, interpreter.Nearest)
	require.NoError(t, err)
	require.Equal(t, Verdict{Status: Scored, Score: 2, Cluster: 0, Confidence: 1, Attention: attention}, answer(with)[0], "the vector has attacks, too")

	with, err = m.WithLabels(a, labels, interpreter.Min)
	require.NoError(t, err)
	require.Equal(t, Verdict{Status: Scored, Score: 0, Cluster: 0, Confidence: 1, Attention: attention}, answer(with)[0], "only scores above 0 are disputed")

	before, err := m.WithLabels(a, labels, interpreter.Max)
	require.NoError(t, err)
	inherited, _, err := m.Inherit(t.Context(), e, before)
	require.NoError(t, err)
	require.Nil(t, inherited.Clusters[0].Labels)
	require.Equal(t, Scored, answer(inherited)[0].Status, "an inherited score holds for the whole cluster")
	scored, err := before.WithScores(map[int]float64{0: 2})
	require.NoError(t, err)
	require.Equal(t, Scored, answer(scored)[0].Status)
}
