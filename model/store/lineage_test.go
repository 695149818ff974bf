package store

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/bundle"
)

func TestRetain(t *testing.T) {
	s := open(t, Retain(2))
	one, two, three := publish(t, s, 1), publish(t, s, 2), publish(t, s, 3)
	require.Equal(t, []string{one, two, three}, names(t, s), "the replaced version stays for one publish")
	four := publish(t, s, 4)
	require.Equal(t, []string{two, three, four}, names(t, s))
	_, err := s.Rollback(t.Context(), two)
	require.NoError(t, err)
	five := publish(t, s, 5)
	require.Equal(t, []string{two, three, four, five}, names(t, s), "the current one was two")
	six := publish(t, s, 6)
	require.Equal(t, []string{four, five, six}, names(t, s))
	require.NoError(t, os.Remove(s.path(currentFile)))
	publish(t, s, 7)
	require.Len(t, names(t, s), 4, "nothing is removed while it is not known what is current")
	require.Equal(t, 7, number(t, s))

	all, err := Open(s.dir, false)
	require.NoError(t, err)
	publish(t, all, 8)
	require.Len(t, names(t, s), 5)
}

// score publishes a version with another score.
func score(t testing.TB, s *Store, score float64) string {
	t.Helper()
	version, err := s.Update(t.Context(), func(_ string, m *model.Model) (*model.Model, error) { return m.WithScores(map[int]float64{0: score}) })
	require.NoError(t, err)
	return version
}

func TestScoresDoNotPushOutTrainings(t *testing.T) {
	s := open(t, Retain(2))
	publish(t, s, 1)
	score(t, s, 8)
	first := score(t, s, 9)
	second := publish(t, s, 2)
	var scored []string
	for i := range 5 {
		scored = append(scored, score(t, s, float64(i)))
	}
	require.Equal(t, append([]string{first}, scored[2:]...), names(t, s), "the last one of the first training, the last two, and the replaced one")
	require.Equal(t, second, s.Clustering(scored[4]))
	for _, seen := range append([]string{second}, scored...) {
		require.True(t, s.SameClusters(scored[4], seen))
	}
	require.False(t, s.SameClusters(scored[4], first))
	require.False(t, s.SameClusters("../..", first))
	require.Equal(t, "../..", s.Clustering("../.."))

	again, err := s.Publish(t.Context(), numbered(2))
	require.NoError(t, err)
	require.Equal(t, again, s.Clustering(again), "a training is one also where nothing else comes of it")
}

func TestManifestNamesNotTooManyVersions(t *testing.T) {
	s := open(t)
	first := publish(t, s, 1)
	long, err := s.write(numbered(1), bundle.Lineage{SameClusters: append([]string{first}, slices.Repeat([]string{"x"}, 20_000)...)})
	require.NoError(t, err)
	require.NoError(t, s.setCurrent(long))
	last := score(t, s, 1)
	require.Equal(t, first, s.Clustering(last))
	require.Len(t, s.sameClusters(last), 10_000)
}

func TestPublishWhereThereIsNoCurrentModel(t *testing.T) {
	s := open(t)
	replace := func(number int) (version string, err error) {
		_, err = s.Update(t.Context(), func(_ string, m *model.Model) (*model.Model, error) { return m, errors.New("there is one") })
		return publish(t, s, number), err
	}
	version, err := replace(1)
	require.ErrorIs(t, err, ErrEmpty)
	require.NoError(t, os.RemoveAll(s.path(versionsDir, version)))
	version, err = replace(2)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = replace(3)
	require.EqualError(t, err, "there is one")
	back, err := s.Rollback(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, version, back)
}

func TestRollbackGoesToWhatWasCurrent(t *testing.T) {
	s := open(t)
	good, bad := publish(t, s, 1), publish(t, s, 2)
	back := func() string {
		version, err := s.Rollback(t.Context(), "")
		require.NoError(t, err)
		return version
	}
	require.Equal(t, good, back())
	score(t, s, 4)
	require.Equal(t, good, back(), "not to the bad one")
	_, err := s.Rollback(t.Context(), bad)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(s.path(versionsDir, good)))
	_, err = s.Rollback(t.Context(), "")
	require.ErrorContains(t, err, "no version before")
}

func TestRollback(t *testing.T) {
	s := open(t)
	_, err := s.Rollback(t.Context(), "")
	require.ErrorIs(t, err, ErrEmpty)
	first, second, third := publish(t, s, 1), publish(t, s, 2), publish(t, s, 3)
	version, err := s.Rollback(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, second, version)
	require.Equal(t, 2, number(t, s))
	version, err = s.Rollback(t.Context(), third) // and forth
	require.NoError(t, err)
	require.Equal(t, third, version)
	require.Equal(t, 3, number(t, s))
	version, err = s.Rollback(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, first, version)
	_, err = s.Rollback(t.Context(), "")
	require.ErrorContains(t, err, "there is no version before the current one, "+first)
	_, err = s.Rollback(t.Context(), "20200101T000000Z-0000")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, 1, number(t, s))

	require.NoError(t, os.Truncate(s.path(versionsDir, second, "weights.safetensors"), 9))
	_, err = s.Rollback(t.Context(), second)
	require.ErrorContains(t, err, "cannot be read, so the current one stays")
	require.Equal(t, 1, number(t, s))
	fourth := publish(t, s, 4)
	require.Greater(t, fourth, third, "a version after a rollback is the newest")
	require.Equal(t, 4, number(t, s))
}
