//go:build browser

package browser

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// verdict is what the pipeline says of an alert.
type verdict struct {
	Status   string
	Score    *float64
	Cluster  *int
	Pattern  string
	Send     bool
	CaseKind string `json:"case_kind"`
}

func verdicts(t testing.TB, path string) (all []verdict) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range bytes.Lines(text) {
		var alert struct{ Deepcase verdict }
		require.NoError(t, json.Unmarshal(line, &alert))
		all = append(all, alert.Deepcase)
	}
	return all
}

// TestFirstHourOfAnAnalyst is what a new user does: opens the page of the quick start, decides twenty questions by keyboard, publishes, and sees
// that the pipeline of before does not send these alerts any more.
func TestFirstHourOfAnAnalyst(t *testing.T) {
	fixture, err := plain()
	require.NoError(t, err)
	s := review(t, plain)
	folder := s.process.Dir
	b := open(t, s)
	decided := 0
	for _, view := range []string{"clusters", "unsure"} {
		b.visit("/queue?view=" + view)
		for range 10 {
			at, score := b.text(inFocus), "0"
			require.NotEmpty(t, at)
			if decided%10 == 7 {
				score = "2"
			}
			b.press(score)
			b.until(rowOf(at) + `.matches(".done")`)
			decided++
		}
	}
	b.press("p")
	b.until(`document.querySelector("[data-unpublished]").textContent === "0"`)

	scored, answered := map[int]float64{}, map[string]float64{}
	for line := range bytes.Lines([]byte(journal(t, s))) {
		var d struct {
			Kind, By, Key string
			Cluster       int
			Score         float64
		}
		require.NoError(t, json.Unmarshal(line, &d))
		switch {
		case d.By == "ann" && d.Kind == "cluster":
			scored[d.Cluster] = d.Score
		case d.By == "ann" && d.Kind == "answer":
			answered[d.Key] = d.Score
		}
	}
	assert.Len(t, scored, 10, "each question about a cluster is one decision")
	assert.GreaterOrEqual(t, len(answered), 10, "a question about patterns is a decision about each of them")

	require.NoError(t, program(folder, []string{"MODEL=model", "INPUT=" + filepath.Join(fixture, "alerts-new.ndjson"), "ID_FIELD=id", "OUTPUT=again.ndjson"}, "run", example("score_ndjson.yaml")))
	before, after := verdicts(t, filepath.Join(folder, "annotated.ndjson")), verdicts(t, filepath.Join(folder, "again.ndjson"))
	require.Len(t, after, len(before))
	quiet, loud := 0, 0
	for i, was := range before {
		is := after[i]
		score, decided := answered[was.Pattern]
		if !decided && was.Status == "unscored" {
			score, decided = scored[*was.Cluster]
		}
		if !decided {
			continue
		}
		require.True(t, was.Send, "alert %d asked something", i)
		require.NotNil(t, is.Score, "alert %d", i)
		assert.InDelta(t, score, *is.Score, 0, "alert %d", i)
		if score == 0 {
			quiet++
			assert.True(t, !is.Send || is.CaseKind == "audit" || is.CaseKind == "burst", "alert %d is sent again: %+v", i, is)
		} else {
			loud++
			assert.Equal(t, "alarm", is.CaseKind, "alert %d", i)
		}
	}
	t.Logf("%d decisions: %d alerts are not sent any more, %d are alarms", decided, quiet, loud)
	assert.Greater(t, quiet, 20)
	assert.Positive(t, loud)
}
