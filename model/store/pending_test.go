package store

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

// bare is numbered without clusters.
func bare(number int) *model.Model {
	m := numbered(number)
	m.Clusters, m.Vectors, m.VectorCluster = nil, nil, nil
	return m
}

func stage(t testing.TB, s *Store, number int) (version string, current bool) {
	t.Helper()
	version, current, err := s.Stage(t.Context(), bare(number))
	require.NoError(t, err)
	return version, current
}

func TestStageTakesNoClustersOutOfForce(t *testing.T) {
	s := open(t)
	_, current := stage(t, s, 1)
	require.True(t, current, "nothing was in force")
	_, current = stage(t, s, 2)
	require.True(t, current, "a network without clusters was")
	require.Equal(t, 2, number(t, s))
	served := publish(t, s, 3)
	staged, current := stage(t, s, 4)
	require.False(t, current)
	require.Equal(t, 3, number(t, s))
	m, err := s.Load(staged)
	require.NoError(t, err)
	require.Equal(t, 4, m.Samples)
	require.NoError(t, os.Truncate(s.path(versionsDir, served, "manifest.json"), 3))
	_, current = stage(t, s, 5)
	require.False(t, current, "what is damaged may be served still")
}

func TestPendingNetwork(t *testing.T) {
	s := open(t)
	builder := func() string {
		t.Helper()
		version, err := s.PendingNetwork()
		require.NoError(t, err)
		return version
	}
	_, err := s.PendingNetwork()
	require.ErrorIs(t, err, ErrEmpty)
	first := publish(t, s, 1)
	require.Equal(t, first, builder())
	staged, _ := stage(t, s, 2)
	require.Equal(t, staged, builder())
	score(t, s, 4)
	require.Equal(t, staged, builder(), "scores are of the clusters before")
	require.Equal(t, publish(t, s, 3), builder())
	_, err = s.Rollback(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, first, builder(), "it was clustered")
}

// A network without clusters takes no part in what concerns clusters: going back to it would end all scoring.
func TestNetworksThatWaitDoNotCount(t *testing.T) {
	s := open(t, Retain(2))
	stage(t, s, 1)
	first := publish(t, s, 2)
	_, err := s.Rollback(t.Context(), "")
	require.ErrorContains(t, err, "no version before")
	scored := score(t, s, 7)
	second := publish(t, s, 3)
	for number := range 3 {
		stage(t, s, number+4)
	}
	last, _ := stage(t, s, 7)
	for number := range 3 {
		score(t, s, float64(number))
	}
	require.Contains(t, names(t, s), scored, "the last one of the first training")
	require.NotContains(t, names(t, s), first)
	builder, err := s.PendingNetwork()
	require.NoError(t, err)
	require.Equal(t, last, builder)
	for range 2 { // of the versions that are left of the second training, then the first
		_, err = s.Rollback(t.Context(), "")
		require.NoError(t, err)
	}
	current, err := s.Current()
	require.NoError(t, err)
	require.NotEqual(t, last, current)
	require.NotEqual(t, second, current)
}

func TestScored(t *testing.T) {
	s := open(t)
	scored := func() string {
		t.Helper()
		version, m, err := s.inheritable()
		require.NoError(t, err)
		require.Equal(t, version == "", m == nil)
		return version
	}
	without := func(number int) string {
		m := numbered(number)
		m.Clusters[1].Score = interpreter.NoScore
		version, err := s.Publish(t.Context(), m)
		require.NoError(t, err)
		return version
	}
	require.Empty(t, scored())
	first := without(1)
	require.Empty(t, scored())
	second := publish(t, s, 2)
	require.Equal(t, second, scored())
	_, err := s.Publish(t.Context(), bare(4))
	require.NoError(t, err)
	require.Equal(t, second, scored(), "a network without clusters has no scores")
	without(3)
	require.Empty(t, scored(), "somebody dropped them")

	_, err = s.Rollback(t.Context(), first)
	require.NoError(t, err)
	require.Empty(t, scored(), "scores were taken back")
	require.NotEmpty(t, without(5))
	require.Empty(t, scored(), "for good")

}

func TestScoredPassesOverDamage(t *testing.T) {
	s := open(t)
	first, second := publish(t, s, 1), publish(t, s, 2)
	scored := func() string {
		t.Helper()
		version, _, err := s.inheritable()
		require.NoError(t, err)
		return version
	}
	require.NoError(t, os.Truncate(s.path(versionsDir, second, "clusters.json"), 3))
	require.Equal(t, first, scored())
	require.NoError(t, os.Truncate(s.path(currentFile), 0))
	require.Equal(t, first, scored(), "CURRENT is damaged")
	require.NoError(t, os.RemoveAll(s.path(versionsDir, first)))
	_, _, err := s.inheritable()
	require.ErrorContains(t, err, "version "+second)
	require.False(t, mayRecover(err))

	require.True(t, mayRecover(&os.PathError{Op: "read", Path: s.path(currentFile), Err: os.ErrPermission}))
}
