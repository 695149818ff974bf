package processor

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/modeltest"
	"connect-deepcase/model"
	"connect-deepcase/model/store"
)

// The samples that little learns, and one that it does not know; contexts of 3.
var (
	loginSample  = model.Sample{Context: []string{"", "scan", "guess"}, Event: "login"}
	backupSample = model.Sample{Context: []string{"cron", "mount", "cron"}, Event: "backup"}
	rareSample   = model.Sample{Context: []string{"backup", "backup", "login"}, Event: "scan"}
)

// little learns a model in which loginSample and backupSample have a cluster each; unscored.
func little(t testing.TB, seed uint64) *model.Model {
	t.Helper()
	return modeltest.Learn(t, seed, []string{"backup", "cron", "guess", "login", "mount", "scan"}, loginSample, backupSample)
}

// clusterOf is the cluster of an event that has one.
func clusterOf(t testing.TB, m *model.Model, event string) int {
	t.Helper()
	i := slices.IndexFunc(m.Clusters, func(c model.Cluster) bool { return c.Event == event })
	require.GreaterOrEqual(t, i, 0)
	return i
}

func scored(t testing.TB, m *model.Model, event string, score float64) *model.Model {
	t.Helper()
	m, err := m.WithScores(map[int]float64{clusterOf(t, m, event): score})
	require.NoError(t, err)
	return m
}

func publish(t testing.TB, dir string, m *model.Model) string {
	t.Helper()
	s, err := store.Open(dir, true)
	require.NoError(t, err)
	version, err := s.Publish(t.Context(), m)
	require.NoError(t, err)
	return version
}

func current(t testing.TB, dir string) (string, *model.Model) {
	t.Helper()
	s, err := store.Open(dir, false)
	require.NoError(t, err)
	version, err := s.Current()
	require.NoError(t, err)
	m, err := s.Load(version)
	require.NoError(t, err)
	return version, m
}

// truncateVersion cuts the files of a version short.
func truncateVersion(t testing.TB, dir, version string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "versions", version, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(file, 0o644))
		require.NoError(t, os.Truncate(file, info.Size()/2))
	}
}
