package processor

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// logged is a sequencer, and what it tells from warnings on.
func logged(t *testing.T, yaml string, more ...service.MockResourcesOptFn) (*sequence, *logText) {
	t.Helper()
	var log logText
	more = slices.Concat(more, []service.MockResourcesOptFn{service.MockResourcesOptUseLogger(
		service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))))})
	s, err := newSequenceFromParsed(parse(t, sequenceSpec(), yaml), service.MockResources(more...))
	require.NoError(t, err)
	return s, &log
}

// counted runs batches through a pipeline and gives the log.
func counted(t *testing.T, processor string, batches ...service.MessageBatch) string {
	t.Helper()
	recorded.values = map[string]int64{}
	var log logText
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	builder.SetThreads(1)
	require.NoError(t, builder.SetMetricsYAML("recorded: {}"))
	require.NoError(t, builder.AddCacheYAML("label: windows\nmemory: {}"))
	require.NoError(t, builder.AddProcessorYAML(processor))
	produce, err := builder.AddBatchProducerFunc()
	require.NoError(t, err)
	end := newCollector()
	require.NoError(t, builder.AddConsumerFunc(end.add))
	s, err := builder.Build()
	require.NoError(t, err)
	running := make(chan error, 1)
	go func() { running <- s.Run(t.Context()) }()
	for _, batch := range batches {
		require.NoError(t, produce(t.Context(), batch))
	}
	require.NoError(t, s.StopWithin(2*time.Minute))
	require.NoError(t, <-running)
	return log.String()
}

// Five weekly files of a log, newest first, are counted and logged once per kind. Oldest first, nothing is logged.
func TestSequenceTellsOfFilesThatAreReadNewestFirst(t *testing.T) {
	for _, cache := range []string{"", "cache: windows"} {
		var newest, oldest []service.MessageBatch
		for file := range 5 {
			var batch []string
			for line := range 20 {
				batch = append(batch, alertOf("web-1", fmt.Sprint(line), (4-file)*7*86_400+60*line))
			}
			newest, oldest = append(newest, messages(batch...)), append([]service.MessageBatch{messages(batch...)}, oldest...)
		}
		log := counted(t, "deepcase_sequence: {"+cache+"}", newest...)
		assert.Equal(t, 1, strings.Count(log, "The source went back in time: the last 16 events came after events of their machines that are younger by up to 168h19m0s"), log)
		assert.Equal(t, 1, strings.Count(log, `An event of machine \"web-1\" came after 40 younger ones, more than `+"`late` (32)"), log)
		assert.Equal(t, 2, strings.Count(log, "\n"), log)
		assert.EqualValues(t, 43, recorded.value("deepcase_sequence_late outcome=beyond"), "until the window begins anew")
		assert.EqualValues(t, 20, recorded.value("deepcase_sequence_late outcome=placed"))
		log = counted(t, "deepcase_sequence: {"+cache+"}", oldest...)
		assert.Empty(t, log)
		assert.Zero(t, recorded.value("deepcase_sequence_late outcome=beyond")+recorded.value("deepcase_sequence_late outcome=placed"))
	}
}

// Files whose names do not show their times: a few events at the beginning of each are enough, and the files are named.
func TestSequenceTellsOfASmallFileThatIsReadTooLate(t *testing.T) {
	of := func(path string, from int, events int) service.MessageBatch {
		var batch []string
		for i := range events {
			batch = append(batch, alertOf("web-1", fmt.Sprint(i), from+60*i))
		}
		read := messages(batch...)
		for _, m := range read {
			m.MetaSetMut("path", path)
		}
		return read
	}
	const day = 86_400
	log := counted(t, "deepcase_sequence: {}", of("auth-tue.log", 2*day, 5), of("auth-mon.log", day, 5))
	assert.Equal(t, 1, strings.Count(log, "\n"), log)
	assert.Contains(t, log, "The source went back in time: auth-mon.log was read after auth-tue.log, and begins with events that came after events of their machines that are "+
		"younger by up to 24h4m0s")
	log = counted(t, "deepcase_sequence: {}", of("auth-mon.log", day, 5), of("auth-tue.log", 2*day, 5), of("auth-wed.log", 3*day, 5))
	assert.Empty(t, log)
	// An event or two that came late, and files whose events overlap by seconds.
	log = counted(t, "deepcase_sequence: {}", of("a", day, 5), of("b", day+100, 2), of("b", 2*day, 4), of("c", 2*day+200, 4))
	assert.Empty(t, log)
}

// A source that is read anew beside the windows of the first time, most machines of which are not in the batch's beginning.
func TestSequenceTellsOfASourceThatIsReadAnew(t *testing.T) {
	resources := service.MockResourcesOptAddCache("c")
	var all []string
	for i := range 2000 {
		all = append(all, alertOf(fmt.Sprint("m", i%20), fmt.Sprint(i%7), i*30))
	}
	for _, ids := range []string{"", "\nid: ${! json(\"id\") }"} {
		first, log := logged(t, "cache: c"+ids, resources)
		process(t, first, messages(all...))
		assert.Empty(t, log.String())
		again, log := logged(t, "cache: c"+ids, resources)
		again.kept.access = first.kept.access
		process(t, again, messages(all...))
		assert.Equal(t, 1, strings.Count(log.String(), "The source went back in time"), log.String())
		assert.Contains(t, log.String(), "To score a source again, start with empty windows")
	}
}

// One machine of several that delivers what it had kept, and small delays, are no way back of the source.
func TestSequenceTakesMachinesThatAreLateForNoWayBack(t *testing.T) {
	s, log := logged(t, "late: 1000")
	var batch []string
	for i := range 600 {
		batch = append(batch, alertOf("m", "a", 10*i+20*(i%2)), alertOf("other", "b", 10*i))
		if i == 300 {
			for k := range 100 { // was away for two hours, never heard of before
				batch = append(batch, alertOf("away", "c", 10*i-7200+k))
			}
		}
	}
	process(t, s, messages(batch...))
	assert.Empty(t, log.String())
}

// Batches that are sequenced at the same time are counted, and logged once.
func TestSequenceTellsOfOverlappingBatches(t *testing.T) {
	s, log := logged(t, "{}")
	inside, leave := make(chan struct{}), make(chan struct{})
	var wait sync.WaitGroup
	s.now = func() time.Time { // is asked once a batch
		inside <- struct{}{}
		<-leave
		return time.Now()
	}
	for i := range 3 {
		wait.Go(func() { process(t, s, messages(alertOf("m", "e", i))) })
		<-inside
	}
	close(leave)
	wait.Wait()
	assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	assert.Contains(t, log.String(), "Set pipeline.threads: 1")

	s, log = logged(t, "{}")
	for i := range 3 {
		process(t, s, messages(alertOf("m", "e", i)))
	}
	assert.Empty(t, log.String())
}

// Forged events of the year 2200 in the name of a machine are refused, and its contexts go on; old data are read as ever.
func TestSequenceRefusesTheFuture(t *testing.T) {
	now := time.Unix(1_700_000_100, 0)
	s, log := logged(t, "{}")
	s.now = func() time.Time { return now }
	var batch []string
	for i := range 12 {
		batch = append(batch, alertOf("victim", fmt.Sprint(i), i))
	}
	for range 43 {
		batch = append(batch, `{"machine":"victim","event":"forged","timestamp":"2200-01-01T00:00:00Z"}`)
	}
	batch = append(batch, alertOf("victim", "12", 20), alertOf("victim", "tomorrow", 86_400), alertOf("victim", "2001", -700_000_000))
	out := process(t, s, messages(batch...))
	assert.EqualError(t, out[12].GetError(), "timestamp: 2200-01-01T00:00:00Z is later than now (2023-11-14T22:15:00Z) by more than max_future (24h0m0s): "+
		"is it the right unit and zone, and are both clocks right?")
	assert.Equal(t, []any{"2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}, at(t, out[55])["context"])
	assert.NoError(t, out[56].GetError(), "less than a day")
	assert.NoError(t, out[57].GetError())
	assert.Equal(t, 1, strings.Count(log.String(), "2200-01-01"), log.String())

	s, _ = logged(t, "max_future: 0s")
	assert.NoError(t, process(t, s, messages(`{"machine":"victim","event":"forged","timestamp":"2200-01-01T00:00:00Z"}`))[0].GetError())

	counted(t, "deepcase_sequence: {}", messages(`{"machine":"victim","event":"forged","timestamp":"2200-01-01T00:00:00Z"}`))
	assert.EqualValues(t, 1, recorded.value("deepcase_sequence_future"))
	assert.EqualValues(t, 1, recorded.value("deepcase_sequence_events outcome=error"))
}

// Machines that are forgotten while they are active are counted, and logged once. With a cache nothing is lost.
func TestSequenceTellsOfForgottenMachines(t *testing.T) {
	var batch []string
	for i := range 30 {
		batch = append(batch, alertOf(fmt.Sprint("m", i), "e", i))
	}
	log := counted(t, "deepcase_sequence: {max_machines: 20}", messages(batch...), messages(batch...))
	assert.Equal(t, 1, strings.Count(log, "\n"), log)
	assert.Contains(t, log, "Machines are forgotten although they had events within `timeout` (24h0m0s), and their contexts begin empty: 20 machines are held, of at most 20 (`max_machines`), in ")
	assert.EqualValues(t, 40, recorded.value("deepcase_windows_evicted outcome=lost"))
	assert.EqualValues(t, 20, recorded.value("deepcase_windows"))
	assert.Positive(t, recorded.value("deepcase_windows_bytes"))

	log = counted(t, "deepcase_sequence: {max_machines: 20, cache: windows}", messages(batch...))
	assert.Empty(t, log)
	assert.EqualValues(t, 10, recorded.value("deepcase_windows_evicted outcome=cached"))

	log = counted(t, "deepcase_sequence: {max_machines: 20, timeout: 5s}", messages(batch...))
	assert.Empty(t, log)
	assert.EqualValues(t, 10, recorded.value("deepcase_windows_evicted outcome=expired"))
}

// A machine that is named as the hash of another one's long name has a window of its own.
func TestSequenceTellsAHashFromAMachine(t *testing.T) {
	s := newSequence(t, "length: 2\ncache: c", "c")
	long := "server-" + strings.Repeat("a", 160)
	keys := s.kept.keys(long)
	process(t, s, messages(alertOf(long, "victim", 1)))
	for i, machine := range []string{strings.TrimPrefix(keys[0], "deepcase-"), strings.TrimPrefix(keys[0], "deepcase-%sha256-")} {
		assert.Equal(t, []any{nil, nil}, at(t, process(t, s, messages(alertOf(machine, "attacker", 2)))[0])["context"], "%d", i)
	}
	assert.Equal(t, []any{nil, "victim"}, at(t, process(t, s, messages(alertOf(long, "victim", 3)))[0])["context"])
}

// One machine in several spellings, where that is asked for.
func TestSequenceNormalizesMachines(t *testing.T) {
	names := []string{"web-1.example.org", "WEB-1.example.org", "Web-1.Example.ORG."}
	var batch []string
	for i, name := range names {
		batch = append(batch, alertOf(name, fmt.Sprint(i), i))
	}
	s, _ := logged(t, "length: 2\nnormalize_machine: true")
	out := process(t, s, messages(batch...))
	assert.Equal(t, []any{"0", "1"}, at(t, out[2])["context"])
	assert.Equal(t, names[0], at(t, out[2])["machine"])
	s, _ = logged(t, "length: 2")
	out = process(t, s, messages(batch...))
	assert.Equal(t, []any{nil, nil}, at(t, out[2])["context"])
	assert.Equal(t, names[2], at(t, out[2])["machine"])
}
