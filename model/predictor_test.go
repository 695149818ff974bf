package model

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/interpreter"
)

func predictor(t *testing.T, m *Model, e *scripted) *Predictor {
	t.Helper()
	p, err := NewPredictor(m, e)
	require.NoError(t, err)
	return p
}

func TestPredict(t *testing.T) {
	e := &scripted{}
	m, err := learnt(t, e).WithScores(map[int]float64{0: 3})
	require.NoError(t, err)
	p := predictor(t, m, e)
	require.Same(t, m, p.Model())
	samples := []Sample{
		{[]string{"a", "a"}, "b"},
		{[]string{"b", "b"}, "c"},
		{[]string{"a", "b"}, "c"},   // half of the attention is elsewhere
		{[]string{"a", "a"}, "a"},   // known, but without a cluster
		{[]string{"a", "a"}, "new"}, // not known at all
		{[]string{"a", "a"}, ""},    // NO_EVENT
		{[]string{"new", ""}, "b"},  // both NO_EVENT
		{[]string{"a", "a"}, "b"},   // again
	}
	attention := []float32{0.5, 0.5}
	want := []Verdict{
		{Status: Scored, Score: 3, Cluster: 0, Confidence: 1, Attention: attention},
		{Status: Unscored, Cluster: 1, Confidence: 1, Attention: attention},
		{Status: NoCluster, Cluster: -1, Confidence: 1, Distance: 1, Attention: attention},
		{Status: UnknownEvent, Cluster: -1, Confidence: 1, Attention: attention},
		{Status: UnknownEvent, Cluster: -1},
		{Status: UnknownEvent, Cluster: -1},
		{Status: NoCluster, Cluster: -1, Confidence: 1, Distance: 2, Attention: attention},
		{Status: Scored, Score: 3, Cluster: 0, Confidence: 1, Attention: attention},
	}
	e.asked = nil
	verdicts, err := p.Predict(t.Context(), samples)
	require.NoError(t, err)
	require.Equal(t, want, verdicts)
	require.Len(t, e.asked, 1)
	require.Equal(t, 5, e.asked[0].Rows(), "equal samples are asked once, unknown events never")
	var codes []float64
	for _, v := range verdicts {
		codes = append(codes, v.Code())
	}
	require.Equal(t, []float64{3, -1, -3, -2, -2, -2, -3, 3}, codes)

	d := data([]string{"new", "c", "b", "a"}, "a a > b", "b b > c", "a b > c", "a a > a", "a a > new", "a a > -", "new - > b", "a a > b")
	verdicts, err = p.PredictData(t.Context(), d)
	require.NoError(t, err)
	require.Equal(t, want, verdicts)
	require.NoError(t, p.Close())
	require.Zero(t, e.opened)
}

func TestNotConfidentComesBeforeUnknownEvent(t *testing.T) {
	e := &scripted{}
	m := learnt(t, e)
	e.confidence = map[int32]float32{0: 0.19, 1: 0.2}
	verdicts, err := predictor(t, m, e).Predict(t.Context(), []Sample{{[]string{"a", "a"}, "a"}, {[]string{"a", "a"}, "b"}})
	require.NoError(t, err)
	require.Equal(t, LowConfidence, verdicts[0].Status)
	require.EqualValues(t, -1, verdicts[0].Code())
	require.InDelta(t, 0.19, verdicts[0].Confidence, 1e-7)
	require.Equal(t, Unscored, verdicts[1].Status, "a confidence equal to the threshold is confident")
}

func TestPredictRefuses(t *testing.T) {
	e := &scripted{}
	p := predictor(t, learnt(t, e), e)
	_, err := p.Predict(t.Context(), []Sample{{[]string{"a", "a"}, "b"}, {[]string{"a"}, "b"}})
	require.EqualError(t, err, "sample 1: the context has 1 events, the model needs 2")
	_, err = p.PredictData(t.Context(), data(abc, "a a a > b"))
	require.EqualError(t, err, "samples have contexts of length 3, the model of length 2")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Predict(ctx, []Sample{{[]string{"a", "a"}, "b"}})
	require.ErrorIs(t, err, context.Canceled)
	for _, verdicts := range [][]Verdict{must(p.Predict(t.Context(), nil))(t), must(p.PredictData(t.Context(), Data{}))(t)} {
		require.Empty(t, verdicts)
	}
}

func must(v []Verdict, err error) func(t *testing.T) []Verdict {
	return func(t *testing.T) []Verdict {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

func TestPredictWithoutClusters(t *testing.T) {
	e := &scripted{}
	m, err := Train(t.Context(), e, data(abc, "a a > b"), params(2))
	require.NoError(t, err)
	verdicts, err := predictor(t, m, e).Predict(t.Context(), []Sample{{[]string{"a", "a"}, "b"}})
	require.NoError(t, err)
	require.Equal(t, UnknownEvent, verdicts[0].Status)
}

func TestPredictFromManyGoroutines(t *testing.T) {
	e := &scripted{}
	p := predictor(t, learnt(t, e), e)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				verdicts, err := p.Predict(t.Context(), []Sample{{[]string{"b", "b"}, "c"}, {[]string{"a", "a"}, "b"}})
				if err != nil || verdicts[0].Cluster != 1 || verdicts[1].Cluster != 0 {
					t.Error(verdicts, err)
				}
			}
		})
	}
	wait.Wait()
}

func TestStatus(t *testing.T) {
	want := []string{"scored", "unscored", "low_confidence", "unknown_event", "no_cluster", "no_model", "answered", "muted", "disputed", "Status(9)"}
	for s, name := range want {
		require.Equal(t, name, Status(s).String())
	}
	require.EqualValues(t, -1, Verdict{Status: NoModel, Score: 5}.Code())
}

// A Predictor that shares what it can with the one before answers like a new one, and the network stays open for those who use it.
func TestPredictorAfterAnother(t *testing.T) {
	e := &scripted{}
	m := learnt(t, e)
	labelled, err := m.WithLabels(&Assignment{Clusters: []int32{0, 0, 0, 1}}, []float64{0, 0, 3, 2}, interpreter.Max)
	require.NoError(t, err)
	scored, err := m.WithScores(map[int]float64{0: 5})
	require.NoError(t, err)
	again := learnt(t, e)
	bad := *m
	bad.Names = nil
	open := e.opened
	first := predictor(t, m, e)
	require.Equal(t, open+1, e.opened)
	samples := []Sample{{[]string{"a", "a"}, "b"}, {[]string{"b", "b"}, "c"}, {[]string{"a", "b"}, "c"}, {[]string{"a", "a"}, "a"}}
	for _, m := range []*Model{scored, labelled, again, m} {
		after, err := first.After(m)
		require.NoError(t, err)
		alone := predictor(t, m, e)
		want, err := alone.Predict(t.Context(), samples)
		require.NoError(t, err)
		require.NoError(t, first.Close())
		got, err := after.Predict(t.Context(), samples)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Same(t, m, after.Model())
		require.NoError(t, alone.Close())
		require.NoError(t, alone.Close(), "again")
		require.Equal(t, open+1, e.opened, "one network is open")
		first = after
	}
	_, err = first.After(&bad)
	require.Error(t, err)
	e.queryErr = errors.New("out of memory")
	_, err = first.After(scored)
	require.ErrorIs(t, err, e.queryErr)
	require.Equal(t, open+1, e.opened)
	require.NoError(t, first.Close())
	require.Equal(t, open, e.opened)
}
