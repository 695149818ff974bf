package input

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/store"
)

// A model without clusters would know nothing: the one before stays in force, and the scores with it.
func TestTrainWithoutClusters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	run(t, fromFile(write(t, alerts(40)...), dir, `    label: ${! json("label") }`))
	want, _ := current(t, dir)
	assert.Empty(t, run(t, fromFile(write(t, alerts(2)...), dir, "")))
	got, m := current(t, dir)
	assert.Equal(t, want, got)
	assert.NotEmpty(t, m.Clusters)
	assert.Equal(t, 12, spooled(t, dir), "the events wait for more")
}

func TestTrainKeepsTheAnalystsScores(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	out := clusters(t, run(t, fromFile(write(t, alerts(40)...), dir, "")))
	require.NotEmpty(t, out)
	scores := map[int]float64{}
	byEvent := map[string]float64{}
	for _, c := range out {
		assert.Nil(t, c.Score)
		scores[c.Cluster] = float64(len(c.Event))
		byEvent[c.Event] = float64(len(c.Event))
	}
	s, err := store.Open(dir, false)
	require.NoError(t, err)
	_, err = s.Update(t.Context(), func(m *model.Model) (*model.Model, error) { return m.WithScores(scores) })
	require.NoError(t, err)

	more := append(alerts(40), `{"machine":"x","event":"new","timestamp":1}`) // all ids shift
	for _, c := range clusters(t, run(t, fromFile(write(t, more...), dir, "    seed: 7"))) {
		if want, known := byEvent[c.Event]; known {
			require.NotNil(t, c.Score, c.Event)
			assert.Equal(t, want, *c.Score)
		}
	}
	for _, c := range clusters(t, run(t, fromFile(write(t, more...), dir, "    keep_scores: false"))) {
		assert.Nil(t, c.Score)
	}
	assert.NotEmpty(t, run(t, fromFile(write(t, alerts(40)...), dir, "    seed: 8")), "nothing to keep is no error")
}

func TestTrainReplacesAModelItCannotRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	run(t, fromFile(write(t, alerts(40)...), dir, ""))
	version, _ := current(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "versions", version, "*"))
	require.NoError(t, err)
	for _, file := range files {
		require.NoError(t, os.Truncate(file, 3))
	}
	run(t, fromFile(write(t, alerts(40)...), dir, ""))
	now, _ := current(t, dir)
	assert.NotEqual(t, version, now)
}
