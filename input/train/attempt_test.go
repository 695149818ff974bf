package train

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A spool whose training killed the process does not kill it again, until a setting is changed or a person says so. Events are collected all
// the while.
func TestTrainThatWasKilledIsNotTriedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	fill(t, filepath.Join(dir, "spool"))
	endless := strings.Replace(quick, "epochs: 30", "epochs: 1000000", 1)
	marker := filepath.Join(dir, "spool", trainingFile)

	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), crashModel+"="+dir, crashMore+"="+endless+"    every: 1ms\n")
	require.NoError(t, command.Start())
	require.Eventually(t, func() bool { content, err := os.ReadFile(marker); return err == nil && len(content) > 0 }, 2*time.Minute, time.Millisecond)
	require.NoError(t, command.Process.Kill())
	assert.Error(t, command.Wait())

	held := spooled(t, dir)
	again := fmt.Sprintf("deepcase_train:\n    input: {counter: {limit: 10}}\n    model: %q\n%s", dir, endless)
	for i := range 2 {
		log := logged(t, again+"    every: 1ms\n") // ends when the source does, after a last training
		assert.Contains(t, log, "the process was killed in the middle of the last training (of ")
		assert.Contains(t, log, "or remove "+marker+" to try it again")
		assert.Equal(t, held+10*(i+1), spooled(t, dir))
	}
	assert.Contains(t, logged(t, strings.Replace(again, "1000000", "30", 1)+"    every: 1ms\n"), "Model published", "another setting")
	assert.NoFileExists(t, marker)
}

// What a link in the place of the mark leads to is not written.
func TestTheMarkOfATrainingIsNotWrittenThroughALink(t *testing.T) {
	tr := &learner{spoolDir: t.TempDir(), now: time.Now}
	victim, marker := filepath.Join(t.TempDir(), "victim"), filepath.Join(tr.spoolDir, trainingFile)
	require.NoError(t, os.WriteFile(victim, []byte("{}"), 0o644))
	require.NoError(t, os.Symlink(victim, marker))
	require.NoError(t, tr.begin(1))
	content, err := os.ReadFile(victim)
	require.NoError(t, err)
	assert.Equal(t, "{}", string(content))
	require.ErrorContains(t, tr.begin(1), "killed in the middle of the last training (of 1 events")
	require.NoError(t, tr.finish())
	require.NoError(t, tr.begin(1))
}

// A training says what it would need before it begins, and leaves the events.
func TestTrainThatNeedsTooMuchMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	log := logged(t, fromFile(write(t, alerts(40)...), dir, "    max_memory: 60KB"))
	assert.Contains(t, log, "No model learnt, the events stay in the spool: learning from 240 events of 0 names (length 3, hidden 8) would take about ")
	assert.Contains(t, log, " of memory, more than 59 KiB (max_memory): raise that, or lower max_events (10000000) or max_names (2000)")
	assert.Equal(t, 240, spooled(t, dir))
	assert.NoFileExists(t, filepath.Join(dir, "spool", trainingFile))
	names := make([]string, 3000)
	for i := range names {
		names[i] = fmt.Sprintf(`{"machine":"m","event":"e%d","timestamp":%d}`, i, 1_700_000_000+i)
	}
	log = logged(t, fromFile(write(t, names...), dir, "    max_memory: 50MB"))
	assert.Contains(t, log, "learning from 2234 events of 2000 names")
}

// Names beyond the budget are left out, and that is told.
func TestTrainWithTooManyNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	lines := alerts(40)
	for i := range 100 {
		lines = append(lines, fmt.Sprintf(`{"machine":"x","event":"rare %d","timestamp":%d}`, i, 1_700_000_000+i))
	}
	log := logged(t, fromFile(write(t, lines...), dir, "    max_names: 6"))
	assert.Contains(t, log, "There are more than 6 names of events (max_names)")
	for _, field := range []string{"names=106", "left_out=100", "events=100"} { // in any order
		assert.Contains(t, log, field)
	}
	_, m := current(t, dir)
	assert.Equal(t, []string{"backup", "cron", "guess", "login", "mount", "scan"}, m.Names)
	assert.Equal(t, 240, m.Samples)
}

// Ids that are a rule's are told: three different alerts of one second are taken for one.
func TestTrainTellsOfIDsThatTellNothing(t *testing.T) {
	lines := alerts(40)
	for i := range 3 {
		lines = append(lines, fmt.Sprintf(`{"machine":"m","event":"whoami","timestamp":1,"id":"the rule's","record":%d}`, i))
	}
	lines = append(lines, `{"machine":"m","event":"net view","timestamp":2,"id":"the rule's"}`)
	log := logged(t, fromFile(write(t, lines...), filepath.Join(t.TempDir(), "model"), `    id: ${! json("id") }`))
	assert.Contains(t, log, `Events with the id, name and time of an earlier one have another document: \"the rule's\" of machine \"m\", event \"whoami\". They count as repetitions of that event`)
	assert.Contains(t, log, "events=2")
	assert.Contains(t, log, `The id of events does not tell them apart: \"the rule's\" of machine \"m\" is that of events with other names or times`)
	assert.NotContains(t, logged(t, fromFile(write(t, append(alerts(40), alerts(40)...)...), filepath.Join(t.TempDir(), "model"), `    id: ${! json("id") }`)), "level=WARN")
}
