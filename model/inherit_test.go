package model

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInherit(t *testing.T) {
	e := &scripted{}
	m := learnt(t, e)
	scored := func(scores map[int]float64) *Model {
		t.Helper()
		with, err := m.WithScores(scores)
		require.NoError(t, err)
		return with
	}
	var last Inheritance
	got := func(m, before *Model) (scores []float64, kept int) {
		t.Helper()
		with, report, err := m.Inherit(t.Context(), e, before)
		require.NoError(t, err)
		last, kept = report, report.Inherited
		for _, c := range with.Clusters {
			scores = append(scores, c.Score)
		}
		return scores, kept
	}
	scores, kept := got(m, scored(map[int]float64{0: 2, 1: 0}))
	require.Equal(t, []float64{2, 0}, scores)
	require.Equal(t, 2, kept)
	scores, kept = got(scored(map[int]float64{0: 1}), scored(map[int]float64{0: 2, 1: 3}))
	require.Equal(t, []float64{1, 3}, scores, "a score of its own stays")
	require.Equal(t, 1, kept)
	scores, kept = got(m, m)
	require.Equal(t, []float64{-1, -1}, scores)
	require.Zero(t, kept)
	require.Equal(t, Inheritance{New: 2}, last)

	several := scored(map[int]float64{0: 2, 1: 5})
	several.Clusters = append(several.Clusters, several.Clusters[0])
	several.Clusters[2].Score = 4
	scores, _ = got(m, several)
	require.Equal(t, []float64{4, 5}, scores, "the highest one")

	stranger := scored(map[int]float64{0: 2})
	stranger.Clusters[0].Event = "z"
	scores, kept = got(m, stranger)
	require.Equal(t, []float64{-1, -1}, scores, "its event is not there any more")
	require.Zero(t, kept)
	require.Equal(t, Inheritance{New: 2, Lost: stranger.Clusters[:1]}, last)

	other := *m
	other.Params.Length = 7
	_, _, err := m.Inherit(t.Context(), e, &other)
	require.Equal(t, LengthError{Before: 7, Now: 2}, err)
	e.queryErr = errors.New("engine failed")
	_, _, err = m.Inherit(t.Context(), e, scored(map[int]float64{0: 2}))
	require.ErrorIs(t, err, e.queryErr)
	require.Zero(t, e.opened, "networks are open")
}

func TestInheritanceIsTold(t *testing.T) {
	i := Inheritance{Inherited: 3, New: 2}
	require.Equal(t, "3 clusters inherited a score, 2 have none yet, 0 scored clusters were lost", i.String())
	i.Answered = 4
	require.Equal(t, "3 clusters inherited a score, 4 have one by answers, 2 have none yet, 0 scored clusters were lost", i.String())
	for id := range 7 {
		i.Lost = append(i.Lost, Cluster{ID: id, Event: "scan", Size: 40, Score: 2.5})
	}
	require.Contains(t, i.String(), `7 scored clusters were lost: cluster 0, score 2.5, "scan" (40 events), cluster 1,`)
	require.Contains(t, i.String(), `cluster 4, score 2.5, "scan" (40 events) and 2 more`)
}
