package train

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "connect-deepcase/input/files"
	"connect-deepcase/internal/spool"
	"connect-deepcase/model/store"
)

func TestTrainBadConfigs(t *testing.T) {
	linter := service.GlobalEnvironment().NewComponentConfigLinter()
	for _, c := range []struct{ yaml, lint, build string }{
		{"model: ''", "model needs a directory", "field 'model' is empty: need a directory"},
		{"length: 0", "length needs to be from 1 to 10000", "field 'length': 0, need 1 to 10000"},
		{"length: 20000", "length needs to be from 1 to 10000", "field 'length': 20000, need 1 to 10000"},
		{"hidden: 100000000", "hidden needs to be from 1 to 8192", "field 'hidden': 100000000, need 1 to 8192"},
		{"timeout: -1s", "timeout needs to be 0 or longer", "timeout"},
		{"timeout: 24", "timeout needs to be a duration with its unit, such as 24h",
			`field 'timeout': "24", need a duration with its unit, such as 24h`},
		{"layers: 17", "layers needs to be from 1 to 16", "field 'layers': 17, need 1 to 16"},
		{"layers: 0", "layers needs to be from 1 to 16", "layers"},
		{"hidden: 0", "hidden needs to be from 1 to 8192", "hidden"},
		{"epochs: 0", "epochs needs to be at least 1", "field 'epochs': 0, need at least 1"},
		{"batch_size: 0", "batch_size needs to be at least 1", "field 'batch_size': 0, need at least 1"},
		{"optimizer: rmsprop", "value rmsprop is not a valid option for this field", "optimizer: rmsprop is not one of sgd, adam, varadam"},
		{"learning_rate: 0", "learning_rate needs to be above 0", "field 'learning_rate': 0, need a finite number above 0"},
		{"delta: 1.5", "delta needs to be from 0 to 1", "field 'delta': 1.5, need 0 to 1"},
		{"teach_ratio: -0.1", "teach_ratio needs to be from 0 to 1", "field 'teach_ratio': -0.1, need 0 to 1"},
		{"dropout: 2", "dropout needs to be from 0 to 1", "field 'dropout': 2, need 0 to 1"},
		{"seed: -1", "seed needs to be at least 0", "field 'seed': -1, need at least 0"},
		{"iterations: -1", "iterations needs to be at least 0", "field 'iterations': -1, need at least 0"},
		{"query_batch_size: 0", "query_batch_size needs to be at least 1", "field 'query_batch_size': 0, need at least 1"},
		{"eps: -0.1", "eps needs to be at least 0", "field 'eps': -0.1, need a finite number of at least 0"},
		{"min_samples: 0", "min_samples needs to be at least 1", "field 'min_samples': 0, need at least 1"},
		{"threshold: 1.1", "threshold needs to be from 0 to 1", "field 'threshold': 1.1, need 0 to 1"},
		{"strategy: median", "value median is not a valid option for this field", `field 'strategy': "median", need one of max, min, avg, nearest`},
		{"guard: -0.1", "guard needs to be at least 0", "field 'guard': -0.1, need a finite number of at least 0"},
		{"every: -1h", "every needs to be a duration above 0 such as 24h, or nothing", `field 'every': "-1h", need a duration above 0 such as 24h, or nothing`},
		{"every: 0s", "every needs to be a duration above 0 such as 24h, or nothing", `field 'every': "0s", need a duration above 0 such as 24h, or nothing`},
		{"every: daily", "every needs to be a duration above 0 such as 24h, or nothing", `field 'every': "daily", need a duration above 0 such as 24h, or nothing`},
		{"max_bytes: lots", "max_bytes needs to be a number of bytes such as 500MiB", `field 'max_bytes': "lots", need a number of bytes such as 500MiB`},
		{"max_bytes: 0", "max_bytes needs to be a number of bytes such as 500MiB", `field 'max_bytes': "0", need a number of bytes such as 500MiB`},
		{"max_names: 1", "max_names needs to be at least 2", "field 'max_names': 1, need at least 2"},
		{"max_memory: none", "max_memory needs to be a number of bytes such as 500MiB", `field 'max_memory': "none", need a number of bytes such as 500MiB`},
		{"max_events: 0", "max_events needs to be at least 1", "field 'max_events': 0, need at least 1"},
		{"retain: -1", "retain needs to be at least 0", "field 'retain': -1, need at least 0"},
		{"machine: ''", "", `field 'machine' is empty: need an interpolation such as ${! json("machine") }`},
		{"device: cuda", "", "device cuda: this build has no engine for it"},
		{"target: a..b", "target needs names divided by single dots", `field 'target': "a..b": need names divided by single dots`},
	} {
		yaml := "deepcase_train:\n  input: {counter: {limit: 1}}\n"
		if !strings.HasPrefix(c.yaml, "model") {
			yaml += fmt.Sprintf("  model: %q\n", t.TempDir())
		}
		yaml += "  " + c.yaml
		lints, err := linter.LintInputYAML([]byte(yaml))
		require.NoError(t, err)
		if c.lint == "" {
			assert.Empty(t, lints, c.yaml)
		} else if assert.Len(t, lints, 1, c.yaml) {
			assert.Equal(t, c.lint, lints[0].What)
		}
		builder := service.NewStreamBuilder()
		builder.DisableLinting()
		require.NoError(t, builder.AddInputYAML(yaml))
		require.NoError(t, builder.AddOutputYAML("drop: {}"))
		s, err := builder.Build()
		if err == nil {
			err = s.Run(t.Context())
		}
		assert.ErrorContains(t, err, c.build, c.yaml)
	}
}

func TestExamplesLint(t *testing.T) {
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter()
	view, ok := service.GlobalEnvironment().GetInputConfig("deepcase_train")
	require.True(t, ok)
	data, err := view.TemplateData()
	require.NoError(t, err)
	require.NotEmpty(t, data.Examples)
	for _, example := range data.Examples {
		lints, err := linter.LintYAML([]byte(example.Config))
		require.NoError(t, err)
		assert.Empty(t, lints, example.Title)
	}
}

// numbers are those of the counter's events in a spool.
func numbers(t *testing.T, dir string) map[int]int {
	t.Helper()
	s, err := spool.Open(filepath.Join(dir, "spool"), spool.Limits{Records: 1_000_000, Bytes: 1 << 30})
	require.NoError(t, err)
	defer s.Close()
	p := s.Snapshot()
	defer p.Close()
	seen := map[int]int{}
	damaged, err := p.Each(func(r *spool.Record) (bool, error) {
		var document struct{ Number int }
		require.NoError(t, json.Unmarshal(r.Document, &document))
		seen[document.Number]++
		return true, nil
	})
	require.NoError(t, err)
	assert.Zero(t, damaged)
	return seen
}

// A process that is killed with no warning has everything on disk that it acknowledged, three times over; and what it has is learnt from.
func TestTrainLosesNothingInACrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	acknowledged := map[int]int{}
	runs := 0
	for _, until := range []int{1, 300, 1000} {
		runs++
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), crashModel+"="+dir)
		out, err := command.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, command.Start())
		lines := bufio.NewScanner(out)
		seen := 0
		for lines.Scan() {
			var number int
			if _, err := fmt.Sscan(lines.Text(), &number); err != nil {
				continue // of the log
			}
			if seen++; seen == until {
				require.NoError(t, command.Process.Kill())
			}
			acknowledged[number] = max(acknowledged[number], runs) // each run counts from 0: so often it was taken at least
		}
		require.GreaterOrEqual(t, seen, until)
		assert.Error(t, command.Wait())
	}
	held := numbers(t, dir)
	for number := range acknowledged {
		require.Positive(t, held[number], "event %d was acknowledged and is lost", number)
	}
	total := 0
	for _, n := range held {
		total += n
	}
	run(t, fmt.Sprintf("deepcase_train:\n    input: {counter: {limit: 60}}\n    model: %q\n%s", dir, quick))
	_, m := current(t, dir)
	assert.Equal(t, total+60, m.Samples)
}

// Where the spool cannot be written to the source waits, and nothing is lost once it can. Messages do not go back to the source, which
// would send them again one by one, with a pause after each.
func TestTrainWaitsForItsSpool(t *testing.T) {
	dir, gate := filepath.Join(t.TempDir(), "model"), filepath.Join(t.TempDir(), "gate")
	in := parsed(t, fmt.Sprintf("input: {counter: {limit: 300, after: %q}}\nmodel: %q\n%s", gate, dir, quick))
	open := blockSpool(t, in, dir, gate)
	source, _ := counters.Load(gate)
	state := func() (waiting, nacked int) {
		source.(*counter).mu.Lock()
		defer source.(*counter).mu.Unlock()
		return source.(*counter).waiting, source.(*counter).nacked
	}
	require.Eventually(t, func() bool { waiting, _ := state(); return waiting > 100 }, 2*time.Minute, time.Millisecond)
	open()
	assert.NotEmpty(t, readToEnd(t, in))
	require.NoError(t, in.Close(t.Context()))
	_, nacked := state()
	assert.Zero(t, nacked)
	_, m := current(t, dir)
	assert.Equal(t, 300, m.Samples)
}

// blockSpool connects the input, lets its counter begin (gate) and has the spool refuse what comes, until the function that it gives is
// called. That one waits until the input has tried to write for the second time.
func blockSpool(t *testing.T, in *input, dir, gate string) (open func()) {
	t.Helper()
	tried := make(chan chan time.Time)
	in.taker.after = func(time.Duration) <-chan time.Time {
		again := make(chan time.Time)
		tried <- again
		return again
	}
	blocker := filepath.Join(dir, "spool", "events-00000001.crc.ndjson") // where the first segment has to go
	require.NoError(t, in.Connect(t.Context()))
	require.NoError(t, os.Mkdir(blocker, 0o755))
	require.NoError(t, os.WriteFile(gate, nil, 0o644))
	return func() {
		close(<-tried)
		again := <-tried
		require.NoError(t, os.Remove(blocker))
		close(again)
	}
}

// A spool that cannot be written to does not hold up a stop.
func TestTrainStopsWhileItWaitsForItsSpool(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	blocker := filepath.Join(dir, "spool", "events-00000001.crc.ndjson")
	require.NoError(t, os.MkdirAll(filepath.Dir(blocker), 0o755))
	s, _ := build(t, fmt.Sprintf("deepcase_train:\n    input: {counter: {limit: 300, after: %q}}\n    model: %q\n%s", blocker, dir, quick))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	running := make(chan error, 1)
	go func() { running <- s.Run(ctx) }()
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, "spool", trainedFile)) // the spool is open
		return err == nil
	}, 2*time.Minute, time.Millisecond)
	require.NoError(t, os.Mkdir(blocker, 0o755)) // lets the counter start, too
	source, _ := counters.Load(blocker)
	require.Eventually(t, func() bool {
		source.(*counter).mu.Lock()
		defer source.(*counter).mu.Unlock()
		return source.(*counter).waiting > 100
	}, 2*time.Minute, time.Millisecond)
	require.NoError(t, s.StopWithin(2*time.Minute))
	require.NoError(t, <-running)
}

// With `every` it learns again and again from all events that are kept, and tells the clusters each time.
func TestTrainAgainAndAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	s, end := build(t, fmt.Sprintf("deepcase_train:\n    input: {counter: {}}\n    model: %q\n    every: 100ms\n    retain: 2\n    max_events: 500\n%s", dir, quick))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	running := make(chan error, 1)
	go func() { running <- s.Run(ctx) }()
	versions := func() map[string]bool {
		all := map[string]bool{}
		for _, c := range clusters(t, end()) {
			all[c.Model] = true
		}
		return all
	}
	require.Eventually(t, func() bool { return len(versions()) >= 3 }, 2*time.Minute, 20*time.Millisecond)
	require.NoError(t, s.StopWithin(2*time.Minute))
	require.NoError(t, <-running)
	_, m := current(t, dir)
	assert.LessOrEqual(t, m.Samples, 500+500/16+3*gatherBatches)
	assert.NotZero(t, spooled(t, dir), "the events are wanted again")
	models, err := store.Open(dir, false)
	require.NoError(t, err)
	kept, err := models.Versions()
	require.NoError(t, err)
	assert.LessOrEqual(t, len(kept), 3)
}

// A stop in the middle of a training is prompt, publishes nothing and keeps the events.
func TestTrainStopsInTheMiddle(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	s, end := build(t, strings.Replace(fromFile(write(t, alerts(300)...), dir, ""), "epochs: 30", "epochs: 1000000", 1))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	running := make(chan error, 1)
	go func() { running <- s.Run(ctx) }()
	require.Eventually(t, func() bool { return spooled(t, dir) == 1800 }, 2*time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "spool", trainingFile)); return err == nil }, 2*time.Minute, time.Millisecond)
	require.NoError(t, s.StopWithin(2*time.Minute))
	require.NoError(t, <-running)
	assert.Empty(t, end())
	models, err := store.Open(dir, true)
	require.NoError(t, err)
	_, err = models.Current()
	assert.ErrorIs(t, err, store.ErrEmpty)
	assert.Equal(t, 1800, spooled(t, dir))
}

// The second trainer on a spool waits until the first one is done.
func TestTrainersTakeTurns(t *testing.T) {
	dir := t.TempDir()
	held, err := spool.Open(filepath.Join(dir, "spool"), spool.Limits{Records: 10, Bytes: 1 << 30})
	require.NoError(t, err)
	in := parsed(t, fromFile(write(t, alerts(40)...), dir, ""))
	require.ErrorIs(t, in.Connect(t.Context()), spool.ErrLocked)
	require.NoError(t, held.Close())
	require.NoError(t, in.Connect(t.Context()))
	assert.NotEmpty(t, readToEnd(t, in))
	require.NoError(t, in.Close(t.Context()))
}

func TestUntilDue(t *testing.T) {
	now := time.Now()
	tr := &learner{spoolDir: t.TempDir(), every: time.Hour, now: func() time.Time { return now }}
	assert.Equal(t, time.Hour, tr.untilDue(), "nothing was learnt yet")
	marker := filepath.Join(tr.spoolDir, trainedFile)
	require.NoError(t, os.WriteFile(marker, nil, 0o644))
	for ago, want := range map[time.Duration]time.Duration{
		20 * time.Minute: 40 * time.Minute, // a restart does not put it off
		5 * time.Hour:    0,
		-5 * time.Hour:   time.Hour, // the clock was set back
	} {
		require.NoError(t, os.Chtimes(marker, now.Add(-ago), now.Add(-ago)))
		assert.InDelta(t, float64(want), float64(tr.untilDue()), float64(time.Millisecond))
		info, err := os.Stat(marker)
		require.NoError(t, err)
		assert.WithinRange(t, info.ModTime(), now.Add(-6*time.Hour), time.Now(), "a time in the future would put every restart off")
	}
	tr.tried = now.Add(-10 * time.Minute) // whatever the file says, which perhaps cannot be written
	require.NoError(t, os.Chtimes(marker, now.Add(-5*time.Hour), now.Add(-5*time.Hour)))
	assert.Equal(t, 50*time.Minute, tr.untilDue())
}
