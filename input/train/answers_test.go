package train

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

// answer writes answers into the journal of a model directory.
func answer(t testing.TB, dir string, answers ...decisions.Decision) {
	t.Helper()
	models, err := store.Open(dir, true)
	require.NoError(t, err)
	for i := range answers {
		d := &answers[i]
		d.Kind, d.By, d.Key = decisions.Answer, "ann", d.Subject.Key(d.Scope)
	}
	_, err = models.Decisions(decisions.DefaultHold).Append(t.Context(), func(decisions.Look) ([]decisions.Decision, error) { return answers, nil })
	require.NoError(t, err)
}

func subject(machine, event string, context ...string) decisions.Subject {
	return decisions.Subject{Event: event, Context: context, Machine: machine}
}

// scoresOf are the scores of the clusters of a current version by event, of which each has one; −1 is none.
func scoresOf(t testing.TB, dir string) map[string]float64 {
	t.Helper()
	_, m := current(t, dir)
	scores := map[string]float64{}
	for _, c := range m.Clusters {
		scores[c.Event] = c.Score
	}
	require.Len(t, m.Clusters, len(scores))
	return scores
}

func TestAnswersAreLabels(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	answers := []decisions.Decision{
		{Scope: decisions.Pattern, Score: 3, Subject: subject("", "login", "", "scan", "guess")},
		{Scope: decisions.PatternOnMachine, Score: 2, Subject: subject("a7", "guess", "", "", "scan")},
		{Scope: decisions.Pattern, Score: 4, Until: time.Now().Add(time.Hour), Subject: subject("", "scan", "", "", "")},
		{Scope: decisions.Event, Score: 0, Subject: subject("", "mount")},
	}
	for i := range 20 { // half of the machines, and one less
		answers = append(answers, decisions.Decision{Scope: decisions.PatternOnMachine, Subject: subject(fmt.Sprint("b", i), "backup", "mount", "cron", "")})
		if i > 0 {
			answers = append(answers, decisions.Decision{Scope: decisions.PatternOnMachine, Subject: subject(fmt.Sprint("b", i), "cron", "", "", "")})
		}
	}
	answer(t, dir, answers...)
	out := run(t, fromFile(write(t, alerts(40)...), dir, "    report: true"))
	last, err := out[len(out)-1].AsBytes()
	require.NoError(t, err)
	assert.Contains(t, string(last), `"scores":{"inherited":0,"answered":3,"new":3,"lost":[]}`)
	assert.Equal(t, map[string]float64{
		"login": 3, "guess": 2, // attacks count, however few
		"scan": -1, "mount": -1, // it expires; it is not about a pattern
		"backup": 0, "cron": -1, // benign answers count if they cover half
	}, scoresOf(t, dir))
	_, m := current(t, dir)
	for _, c := range m.Clusters {
		switch c.Event {
		case "guess":
			require.Len(t, c.Labels, 1)
			assert.Equal(t, 1, c.Labels[0].Count)
			assert.Equal(t, 1, c.HourlyMax)
		case "backup":
			assert.Equal(t, []interpreter.Label{{Vector: c.Labels[0].Vector, Score: 0, Count: 20}}, c.Labels)
		case "cron":
			assert.Nil(t, c.Labels)
		}
	}

	// Scores that a cluster inherits come first; those without any are answered.
	answer(t, dir, decisions.Decision{Scope: decisions.Pattern, Score: 9, Subject: subject("", "login", "", "scan", "guess")},
		decisions.Decision{Scope: decisions.Pattern, Score: 5, Subject: subject("", "cron", "", "", "")})
	run(t, fromFile(write(t, alerts(41)...), dir, ""))
	assert.Equal(t, map[string]float64{"login": 3, "guess": 2, "scan": -1, "mount": -1, "backup": 0, "cron": 5}, scoresOf(t, dir))

	other := filepath.Join(t.TempDir(), "other")
	answer(t, other, answers...)
	run(t, fromFile(write(t, alerts(40)...), other, "    keep_scores: false"))
	assert.EqualValues(t, -1, scoresOf(t, other)["login"])
}

// The names that a training leaves out are names of the patterns that people answered.
func TestAnswersKnowNamesThatAreLeftOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	answer(t, dir, decisions.Decision{Scope: decisions.Pattern, Score: 2, Subject: subject("", "login", "rare", "scan", "guess")})
	lines := alerts(40)
	for i := range 30 {
		for k, name := range []string{"rare", "scan", "guess", "login"} {
			lines = append(lines, fmt.Sprintf(`{"machine":"c%d","event":%q,"timestamp":%d}`, i, name, 1_700_000_000+k))
		}
	}
	run(t, fromFile(write(t, lines...), dir, "    max_names: 6"))
	_, m := current(t, dir)
	require.NotContains(t, m.Names, "rare")
	assert.EqualValues(t, 2, scoresOf(t, dir)["login"])
	for _, c := range m.Clusters {
		if c.Event == "login" {
			assert.Equal(t, 70, c.Size)
			assert.Equal(t, 30, c.Labels[0].Count)
		}
	}
}

func TestAnswersDoNotClearRefusedLabels(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	answer(t, dir, decisions.Decision{Scope: decisions.Pattern, Subject: subject("", "cron", "", "", "")},
		decisions.Decision{Scope: decisions.Pattern, Subject: subject("", "scan", "", "", "")})
	lines := alerts(40)
	lines[3] = strings.Replace(lines[3], `"label":"-"`, `"label":"Normal"`, 1)
	require.Contains(t, lines[3], `"cron"`)
	for i, line := range lines {
		lines[i] = strings.NewReplacer(`"label":"-"`, `"label":null`, `"brute force"`, "null").Replace(line)
	}
	run(t, fromFile(write(t, lines...), dir, labelled))
	assert.Equal(t, map[string]float64{"login": -1, "guess": -1, "scan": 0, "mount": -1, "backup": -1, "cron": -1}, scoresOf(t, dir))
}

// Labels that disagree stay with the cluster, and its message says so.
func TestTrainTellsOfMixedClusters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	lines := alerts(40)
	for i := 0; i < 90; i += 6 { // scan of 15 machines
		lines[i] = strings.Replace(lines[i], "brute force", "-", 1)
	}
	out := clusters(t, run(t, fromFile(write(t, lines...), dir, labelled+"\n    strategy: nearest\n    guard: 0.01\n")))
	for _, c := range out {
		if c.Event == "scan" {
			assert.Equal(t, 1.0, *c.Score)
			assert.JSONEq(t, `[{"score":0,"count":15},{"score":1,"count":25}]`, string(c.Mixed))
		} else {
			assert.Empty(t, c.Mixed)
		}
		assert.Equal(t, 1, c.HourlyMax)
	}
	_, m := current(t, dir)
	assert.True(t, m.Params.Interpreter.Nearest)
	assert.Equal(t, 0.01, m.Params.Interpreter.Guard)
}
