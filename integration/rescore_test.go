//go:build integration

package integration

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Documents that were annotated before there was a model get their scores by the contexts that they have, and the windows stay as they are.
func TestScoresAnewByTheContextsInTheDocuments(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, _ string) {
		given := alerts(400, 20)
		s.give(t, "alerts-rescore", given)
		folder := t.TempDir()
		variables := map[string]string{"URL": s.url(), "INDEX": "alerts-rescore-*"}
		enrich := maps.Clone(variables)
		enrich["MODE"], enrich["MODEL"] = "once", "none"
		begin(t, "../config/elastic/enrich_"+s.kind()+".yaml", folder, enrich).finish(t, 2*time.Minute)
		before := s.taken(t, "alerts-rescore-*")
		require.Len(t, before, len(given))
		for _, a := range before {
			require.Equal(t, "no_model", a.Verdict.Status)
		}
		windows := contents(t, filepath.Join(folder, "state"))
		require.NotEmpty(t, windows)

		s.learn(t, "alerts-rescore-*", folder)
		begin(t, "../config/elastic/rescore_"+s.kind()+".yaml", folder, variables).finish(t, 2*time.Minute)
		after := s.taken(t, "alerts-rescore-*")
		require.Len(t, after, len(given))
		requireContexts(t, after)
		scored := 0
		for _, a := range after {
			require.NotContains(t, []string{"no_model", "unscored"}, a.Verdict.Status)
			if a.Verdict.Score != nil {
				scored++
			}
		}
		require.Greater(t, scored, len(given)/2)
		require.Equal(t, windows, contents(t, filepath.Join(folder, "state")))
		require.NoFileExists(t, filepath.Join(folder, "dead-letters.ndjson"))
	})
}

// contents gives the files of a folder by name.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(folder, e.Name()))
		require.NoError(t, err)
		found[e.Name()] = string(content)
	}
	return found
}
