package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// deepcase runs a command and gives what it notes.
func deepcase(t *testing.T, args ...string) string {
	t.Helper()
	var notes bytes.Buffer
	app := &ucli.App{Commands: []*ucli.Command{Command()}, Writer: io.Discard, ErrWriter: &notes, ExitErrHandler: func(*ucli.Context, error) {}}
	require.NoError(t, app.RunContext(t.Context(), append([]string{"", "deepcase"}, args...)))
	return notes.String()
}

// What people answered to patterns labels the clusters of the command line, too, if nothing else does.
func TestAnswersLabelClusters(t *testing.T) {
	events := "timestamp,machine,event\n"
	for machine := range 12 {
		for i, name := range []string{"scan", "guess", "login"} {
			events += fmt.Sprintf("%d,host-%d,%s\n", 1_700_000_000+i, machine, name)
		}
	}
	dir := filepath.Join(t.TempDir(), "model")
	file := filepath.Join(t.TempDir(), "events.csv")
	require.NoError(t, os.WriteFile(file, []byte(events), 0o644))
	st, err := store.Open(dir, true)
	require.NoError(t, err)
	_, err = st.Decisions(decisions.DefaultHold).Append(t.Context(), func(decisions.Look) ([]decisions.Decision, error) {
		one := decisions.Subject{Event: "guess", Context: []string{"scan", "", ""}, Machine: "host-3"}
		all := decisions.Subject{Event: "login", Context: []string{"guess", "scan", ""}}
		benign := decisions.Subject{Event: "scan", Context: []string{"", "", ""}, Machine: "host-3"}
		return []decisions.Decision{
			{Kind: decisions.Answer, Scope: decisions.PatternOnMachine, Key: one.Key(decisions.PatternOnMachine), Subject: one, Score: 2},
			{Kind: decisions.Answer, Scope: decisions.Pattern, Key: all.Key(decisions.Pattern), Subject: all},
			{Kind: decisions.Answer, Scope: decisions.PatternOnMachine, Key: benign.Key(decisions.PatternOnMachine), Subject: benign},
		}, nil
	})
	require.NoError(t, err)

	settings := strings.Fields("--length 3 --hidden 8 --epochs 30 --batch 16 --learning-rate 0.05 --save-interpreter " + dir)
	notes := deepcase(t, append([]string{"cluster", "--csv", file}, settings...)...)
	assert.Contains(t, notes, "scores of answers: 0 clusters inherited a score, 2 have one by answers, 1 have none yet, 0 scored clusters were lost")
	scores := func() map[string]float64 {
		current, err := st.Read((*store.Store).Current)
		require.NoError(t, err)
		scores := map[string]float64{}
		for _, c := range current.Model.Clusters {
			scores[c.Event] = c.Score
			assert.Equal(t, 1, c.HourlyMax)
		}
		return scores
	}
	assert.Equal(t, map[string]float64{"guess": 2, "login": 0, "scan": -1}, scores(), "a benign answer on one of 12 machines does not clear a cluster")

	notes = deepcase(t, append([]string{"cluster", "--csv", file, "--keep-scores=false"}, settings...)...)
	assert.NotContains(t, notes, "answers")
	assert.Equal(t, map[string]float64{"guess": -1, "login": -1, "scan": -1}, scores())
	notes = deepcase(t, append([]string{"cluster", "--csv", file, "--seed", "3"}, settings...)...)
	assert.Contains(t, notes, "2 have one by answers")
	assert.Equal(t, map[string]float64{"guess": 2, "login": 0, "scan": -1}, scores())
}
