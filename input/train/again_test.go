package train

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/spool"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// A model without clusters would know nothing: the one before stays in force, and the scores with it.
func TestTrainWithoutClusters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	run(t, fromFile(write(t, alerts(40)...), dir, `    label: ${! json("label") }`))
	want, _ := current(t, dir)
	out := run(t, fromFile(write(t, alerts(2)...), dir, ""))
	require.Len(t, out, 1)
	content, err := out[0].AsBytes()
	require.NoError(t, err)
	assert.JSONEq(t, `{"status":"failed","events":12,"error":"no clusters in 12 events of 6 types (0 more came twice): need more events, or a smaller min_samples"}`, string(content))
	got, m := current(t, dir)
	assert.Equal(t, want, got)
	assert.NotEmpty(t, m.Clusters)
	assert.Equal(t, 12, spooled(t, dir), "the events wait for more")
}

// logged runs a stream from this input to its end and gives its log.
func logged(t *testing.T, input string) string {
	t.Helper()
	var log bytes.Buffer
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, builder.AddInputYAML(input))
	require.NoError(t, builder.AddOutputYAML("drop: {}"))
	s, err := builder.Build()
	require.NoError(t, err)
	require.NoError(t, s.Run(t.Context()))
	return log.String()
}

// A failed training is an error in the log, and the next one tells that it learns from the same events, too.
func TestTrainTellsOfEarlierEvents(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	first := logged(t, fromFile(write(t, alerts(2)...), dir, ""))
	assert.Contains(t, first, "of_earlier_runs=0")
	assert.Contains(t, first, `level=ERROR msg="No model learnt, the events stay in the spool: no clusters in 12 events`)
	assert.Contains(t, logged(t, fromFile(write(t, alerts(40)...), dir, "")), "of_earlier_runs=12")
}

// fill spools events, of which clusters can be made.
func fill(t testing.TB, dir string) {
	t.Helper()
	held, err := spool.Open(dir, spool.Limits{Records: 1000, Bytes: 1 << 30})
	require.NoError(t, err)
	var records []spool.Record
	for i := range 300 {
		for k, name := range []string{"scan", "guess", "login"} {
			records = append(records, spool.Record{Machine: fmt.Sprint(i), Event: name, Seconds: int64(i + k)})
		}
	}
	require.NoError(t, held.Append(records))
	require.NoError(t, held.Close())
}

// A training that was interrupted is due at once; one that came to an end, be it without a model, waits for the next time.
func TestTrainIsDueAfterAnInterruption(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	marker := filepath.Join(dir, "spool", trainedFile)
	fill(t, filepath.Dir(marker))
	start := func(more string) (stop func()) {
		gate := filepath.Join(t.TempDir(), "never")
		s, _ := build(t, strings.Replace(fmt.Sprintf("deepcase_train:\n    input: {counter: {after: %q}}\n    model: %q\n    every: 1h\n%s",
			gate, dir, quick), "epochs: 30", more, 1))
		running := make(chan error, 1)
		go func() { running <- s.Run(t.Context()) }()
		return func() {
			require.NoError(t, s.StopWithin(2*time.Minute))
			require.NoError(t, <-running)
		}
	}
	marked := func() time.Time {
		info, err := os.Stat(marker)
		require.NoError(t, err)
		return info.ModTime()
	}

	stop := start("epochs: 30")
	require.Eventually(t, func() bool { _, err := os.Stat(marker); return err == nil }, 2*time.Minute, time.Millisecond, "from now on it waits")
	stop()

	due := time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	require.NoError(t, os.Chtimes(marker, due, due))
	stop = start("epochs: 1000000")
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "spool", trainingFile)); return err == nil }, 2*time.Minute, time.Millisecond, "it learns")
	stop()
	assert.Equal(t, due, marked())

	stop = start("epochs: 1\n    min_samples: 100000")
	require.Eventually(t, func() bool { return marked().After(due) }, 2*time.Minute, 10*time.Millisecond)
	stop()
}

// Clusters of which nobody heard are learnt again, at once.
func TestTrainIsDueUntilItsClustersArrive(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	marker := filepath.Join(dir, "spool", trainedFile)
	fill(t, filepath.Dir(marker))
	require.NoError(t, os.WriteFile(marker, nil, 0o644))
	due := time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	require.NoError(t, os.Chtimes(marker, due, due))
	for _, arrives := range []bool{false, true} {
		tr := parsed(t, fmt.Sprintf("input: {counter: {after: %q}}\nmodel: %q\nevery: 1h\n%s", filepath.Join(dir, "never"), dir, quick))
		require.NoError(t, tr.Connect(t.Context()))
		batch, ack, err := tr.ReadBatch(t.Context())
		require.NoError(t, err)
		assert.NotEmpty(t, batch)
		if arrives {
			require.NoError(t, ack(t.Context(), nil))
		}
		require.NoError(t, tr.Close(t.Context()))
		info, err := os.Stat(marker)
		require.NoError(t, err)
		assert.Equal(t, arrives, info.ModTime().After(due))
	}
}

// opening calls before whenever weights are opened.
type opening struct {
	contextbuilder.Engine
	before func()
}

func (o *opening) Open(w *contextbuilder.Weights) (contextbuilder.Network, error) {
	o.before()
	return o.Engine.Open(w)
}

// Scores that are published while a training ends are not overwritten.
func TestTrainKeepsScoresThatComeInTheEnd(t *testing.T) {
	dir, other := filepath.Join(t.TempDir(), "model"), filepath.Join(t.TempDir(), "other")
	run(t, fromFile(write(t, alerts(40)...), dir, ""))
	run(t, fromFile(write(t, alerts(40)...), other, "    seed: 7"))
	_, learnt := current(t, other)
	s, err := store.Open(dir, true)
	require.NoError(t, err)
	publish := func(score float64) {
		_, err := s.Update(t.Context(), func(_ string, m *model.Model) (*model.Model, error) {
			scores := map[int]float64{}
			for _, c := range m.Clusters {
				scores[c.ID] = score
			}
			return m.WithScores(scores)
		})
		require.NoError(t, err)
	}
	publish(1)
	in := parsed(t, fromFile("unread", dir, ""))
	opened := 0
	in.learner.engine = &opening{in.learner.engine, func() { // to find what is inherited
		if opened++; opened == 1 {
			publish(5)
		}
	}}
	_, err = in.learner.succeed(t.Context(), s, learnt, func(_ decisions.Look, m *model.Model) (*model.Model, int, error) { return m, 0, nil })
	require.NoError(t, err)
	require.Greater(t, opened, 1, "it finds that again")
	_, now := current(t, dir)
	require.NotEmpty(t, now.Clusters)
	for _, c := range now.Clusters {
		assert.Equal(t, 5.0, c.Score)
	}
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
	_, err = s.Update(t.Context(), func(_ string, m *model.Model) (*model.Model, error) { return m.WithScores(scores) })
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

// The scores are those of the version before one that is damaged.
func TestTrainKeepsScoresBeforeDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	run(t, fromFile(write(t, alerts(40)...), dir, ""))
	s, err := store.Open(dir, false)
	require.NoError(t, err)
	var version string
	for range 2 {
		version, err = s.Update(t.Context(), func(_ string, m *model.Model) (*model.Model, error) {
			scores := map[int]float64{}
			for _, c := range m.Clusters {
				scores[c.ID] = 5
			}
			return m.WithScores(scores)
		})
		require.NoError(t, err)
	}
	require.NoError(t, os.Truncate(filepath.Join(dir, "versions", version, "clusters.json"), 3))
	for _, c := range clusters(t, run(t, fromFile(write(t, alerts(40)...), dir, ""))) {
		require.NotNil(t, c.Score)
		assert.Equal(t, 5.0, *c.Score)
	}
}
