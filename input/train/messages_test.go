package train

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/store"
)

// With report the last message tells how the training went, and what became of the scores of the model before.
func TestTrainReports(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	last := func(more string, lines ...string) (r report) {
		out := run(t, fromFile(write(t, lines...), dir, "    report: true\n"+more))
		clusters(t, out[:len(out)-1])
		content, err := out[len(out)-1].AsBytes()
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(content, &r), string(content))
		return r
	}
	first := last("", alerts(40)...)
	version, m := current(t, dir)
	assert.Equal(t, report{Status: "published", Model: version, Events: 240, Names: 6, Clusters: len(m.Clusters), Clustered: first.Clustered}, first)
	assert.InDelta(t, 1, first.Clustered, 0.35)

	s, err := store.Open(dir, false)
	require.NoError(t, err)
	_, err = s.Update(t.Context(), func(_ string, m *model.Model) (*model.Model, error) {
		scores := map[int]float64{}
		for _, c := range m.Clusters {
			scores[c.ID] = 5
		}
		return m.WithScores(scores)
	})
	require.NoError(t, err)
	var lines []string
	for _, line := range alerts(40) {
		if !strings.Contains(line, "backup") { // its cluster is lost, another one is new
			lines = append(lines, line)
		}
	}
	for i, line := range alerts(40) {
		if i%6 == 0 {
			lines = append(lines, strings.NewReplacer(`"scan"`, `"new"`, `"a`, `"n`).Replace(line))
		}
	}
	second := last("", lines...)
	require.NotNil(t, second.Scores)
	assert.Equal(t, second.Clusters, second.Scores.Inherited+second.Scores.New)
	assert.Positive(t, second.Scores.Inherited)
	assert.Positive(t, second.Scores.New)
	var lost []string
	for _, c := range second.Scores.Lost {
		lost = append(lost, c.Event)
		assert.Equal(t, 5.0, c.Score)
	}
	assert.Contains(t, lost, "backup")
}

// A training that diverged is a failed one, and says so in figures. The model before stays in force.
func TestTrainThatDiverged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	run(t, fromFile(write(t, alerts(40)...), dir, ""))
	version, _ := current(t, dir)
	for _, rate := range []string{"1e6", "1e30"} {
		out := run(t, strings.Replace(fromFile(write(t, alerts(40)...), dir, ""), "learning_rate: 0.05", "learning_rate: "+rate, 1))
		require.Len(t, out, 1)
		content, err := out[0].AsBytes()
		require.NoError(t, err)
		assert.Contains(t, string(content), `"status":"failed"`)
		assert.Contains(t, string(content), "diverged")
		now, _ := current(t, dir)
		assert.Equal(t, version, now)
	}
}
