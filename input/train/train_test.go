package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/store"
)

// quick are hyperparameters that make a little model of little data in no time.
const quick = `
    length: 3
    hidden: 8
    epochs: 30
    batch_size: 16
    learning_rate: 0.05
`

// alerts are n rounds of two routines on machines of their own: scan, guess, login (label "brute force") and cron, mount, backup ("-").
func alerts(n int) (lines []string) {
	for i := range n {
		for k, name := range []string{"scan", "guess", "login"} {
			lines = append(lines, fmt.Sprintf(`{"machine":"a%d","event":%q,"timestamp":%d,"label":"brute force","id":"a%d-%d"}`, i, name, 1_700_000_000+k, i, k))
		}
		for k, name := range []string{"cron", "mount", "backup"} {
			lines = append(lines, fmt.Sprintf(`{"machine":"b%d","event":%q,"timestamp":%d,"label":"-","id":"b%d-%d"}`, i, name, 1_700_000_000+k, i, k))
		}
	}
	return lines
}

func write(t testing.TB, lines ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "alerts.ndjson")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	return path
}

// fromFile is a deepcase_train that reads a file.
func fromFile(path, dir, more string) string {
	return fmt.Sprintf("deepcase_train:\n    input:\n      file: {paths: [ %q ]}\n    model: %q\n%s%s", path, dir, strings.TrimPrefix(quick, "\n"), more)
}

// run runs a stream from this input to its end and gives what came out.
func run(t testing.TB, input string) (out []*service.Message) {
	t.Helper()
	s, end := build(t, input)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, s.Run(ctx))
	return end()
}

func build(t testing.TB, input string) (*service.Stream, func() []*service.Message) {
	t.Helper()
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(testLog{t}, nil)))
	require.NoError(t, builder.AddInputYAML(input))
	var mu sync.Mutex
	var out []*service.Message
	require.NoError(t, builder.AddConsumerFunc(func(_ context.Context, m *service.Message) error {
		mu.Lock()
		defer mu.Unlock()
		out = append(out, m)
		return nil
	}))
	s, err := builder.Build()
	require.NoError(t, err)
	return s, func() []*service.Message {
		mu.Lock()
		defer mu.Unlock()
		return append([]*service.Message(nil), out...)
	}
}

// testLog shows a stream's log where a test fails.
type testLog struct{ t testing.TB }

func (l testLog) Write(line []byte) (int, error) {
	if l.t.Context().Err() == nil {
		l.t.Log(strings.TrimSpace(string(line)))
	}
	return len(line), nil
}

type clusterDocument struct {
	Cluster, Size int
	Event, Model  string
	Score         *float64
	Contexts      []struct {
		Count     int
		Context   []*string
		Attention []float64
		Attended  map[string]float64
	}
	Attended     map[string]float64
	Examples     []json.RawMessage
	ContextCount int `json:"context_count"`
	MachineCount int `json:"machine_count"`
	HourlyMax    int `json:"hourly_max"`
	Mixed        json.RawMessage
	Machines     []model.MachineCount
	First        time.Time `json:"first_seen"`
	Last         time.Time `json:"last_seen"`
}

func clusters(t testing.TB, out []*service.Message) (all []clusterDocument) {
	t.Helper()
	for _, m := range out {
		require.NoError(t, m.GetError())
		content, err := m.AsBytes()
		require.NoError(t, err)
		decoder := json.NewDecoder(strings.NewReader(string(content)))
		decoder.DisallowUnknownFields()
		var c clusterDocument
		require.NoError(t, decoder.Decode(&c), string(content))
		all = append(all, c)
	}
	return all
}

func current(t testing.TB, dir string) (string, *model.Model) {
	t.Helper()
	s, err := store.Open(dir, false)
	require.NoError(t, err)
	version, err := s.Current()
	require.NoError(t, err)
	m, err := s.Load(version)
	require.NoError(t, err)
	return version, m
}

func spooled(t testing.TB, dir string) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "spool", "events-*.ndjson"))
	require.NoError(t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		n += strings.Count(string(content), "\n")
	}
	return n
}

func TestTrainLearnsPublishesAndTells(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	out := clusters(t, run(t, fromFile(write(t, alerts(40)...), dir, labelled)))
	version, m := current(t, dir)
	assert.Equal(t, []string{"backup", "cron", "guess", "login", "mount", "scan"}, m.Names)
	assert.Equal(t, 240, m.Samples)
	require.Len(t, out, len(m.Clusters))
	require.NotEmpty(t, out)
	events := map[string]bool{}
	for i, c := range out {
		assert.Equal(t, i, c.Cluster)
		assert.Equal(t, version, c.Model)
		assert.Equal(t, 40, c.Size)
		require.NotNil(t, c.Score, "labels tell it")
		if slices.Contains([]string{"scan", "guess", "login"}, c.Event) {
			assert.Equal(t, 1.0, *c.Score)
		} else {
			assert.Equal(t, 0.0, *c.Score)
		}
		events[c.Event] = true
		require.Len(t, c.Contexts, 1)
		x := c.Contexts[0]
		assert.Equal(t, 40, x.Count)
		assert.Len(t, x.Context, 3)
		assert.Len(t, x.Attention, 3)
		for i, name := range x.Context {
			if name != nil {
				assert.Contains(t, x.Attended, *name)
				assert.Equal(t, x.Attention[i], x.Attended[*name], "each name is there once")
			}
		}
		require.Len(t, c.Examples, min(c.Size, model.MaxExamples))
		assert.Equal(t, 40, c.MachineCount)
		assert.Len(t, c.Machines, model.MaxMachines)
		assert.Equal(t, c.First, c.Last, "all machines do the same at once")
		assert.Contains(t, string(c.Examples[0]), `"label":`)
		assert.Contains(t, string(c.Examples[0]), fmt.Sprintf(`"event":%q`, c.Event))
	}
	assert.True(t, events["login"] && events["backup"])
	assert.Zero(t, spooled(t, dir), "delivered: the events are no longer wanted")
}

const labelled = "    label: ${! json(\"label\") }\n    benign: \"-\""

// A label that is no verdict never becomes one: the event is learnt without it, and no other label speaks for its cluster.
func TestTrainRefusesLabels(t *testing.T) {
	scores := func(config string, lines ...string) map[string]any {
		dir := filepath.Join(t.TempDir(), "model")
		found := map[string]any{}
		for _, c := range clusters(t, run(t, fromFile(write(t, lines...), dir, config))) {
			found[c.Event] = nil
			if c.Score != nil {
				found[c.Event] = *c.Score
			}
		}
		_, m := current(t, dir)
		assert.Equal(t, len(lines), m.Samples, "no event is lost")
		return found
	}
	unscored := map[string]any{"scan": nil, "guess": nil, "login": nil, "cron": nil, "mount": nil, "backup": nil}
	const undeclared = "    label: ${! json(\"label\") }"
	for _, label := range []string{`"BENIGN"`, `"Normal"`, `"production"`, `-3`, `{"name":"x"}`, `[1,2]`} {
		both := strings.Split(strings.NewReplacer(`"brute force"`, label, `"-"`, label).Replace(strings.Join(alerts(40), "\n")), "\n")
		assert.Equal(t, unscored, scores(undeclared, both...), label)
	}
	assert.Equal(t, map[string]any{"scan": 1.0, "guess": 1.0, "login": 1.0, "cron": 0.0, "mount": 0.0, "backup": 0.0}, scores(labelled, alerts(40)...))
	assert.Equal(t, map[string]any{"scan": 1.0, "guess": 1.0, "login": 1.0, "cron": 0.0, "mount": 0.0, "backup": 0.0},
		scores(undeclared, strings.Split(strings.NewReplacer(`"brute force"`, `[true]`, `"-"`, `0`).Replace(strings.Join(alerts(40), "\n")), "\n")...))

	// One label of a cron event is refused: the benign labels of the others do not clear its cluster.
	lines := alerts(40)
	for i, line := range lines {
		if strings.Contains(line, `"event":"cron"`) {
			lines[i] = strings.Replace(line, `"label":"-"`, `"label":"Normal"`, 1)
			break
		}
	}
	assert.Equal(t, map[string]any{"scan": 1.0, "guess": 1.0, "login": 1.0, "cron": nil, "mount": 0.0, "backup": 0.0}, scores(labelled, lines...))
}

// What no event can be read from is set aside; the rest is learnt from as if it had not been there.
func TestTrainSetsBadMessagesAside(t *testing.T) {
	bad := []string{
		"not a document", `{"event":"e","timestamp":1}`, `{"machine":"m","timestamp":1}`, `{"machine":"m","event":"e","timestamp":"soon"}`,
		`{"machine":"m","event":"` + strings.Repeat("x", 10_240) + `","timestamp":1}`, `[]`, `{"machine":"m","event":"e"}`,
		`{"deepcase":{"event":"e","context":[null]}}`, `{"deepcase":{"event":"e","context":3}}`,
	}
	dir := filepath.Join(t.TempDir(), "model")
	out := run(t, fromFile(write(t, append(alerts(40), bad...)...), dir, labelled))
	assert.NotEmpty(t, out)
	_, m := current(t, dir)
	assert.Equal(t, 240, m.Samples)
	content, err := os.ReadFile(filepath.Join(dir, "spool", "rejected.ndjson"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	require.Len(t, lines, len(bad))
	for i, line := range lines {
		var rejected struct{ Error, Text string }
		require.NoError(t, json.Unmarshal([]byte(line), &rejected))
		assert.Equal(t, bad[i], rejected.Text)
		assert.NotEmpty(t, rejected.Error)
	}
	assert.Contains(t, lines[6], `timestamp: is missing or null`)
	assert.Contains(t, lines[7], `document: deepcase.context has 1 events, need 3`)
}

// Too little to learn from is an error in the log, and no end of the world: the events wait for more.
func TestTrainOnTooLittle(t *testing.T) {
	for name, lines := range map[string][]string{
		"nothing at all":       {""},
		"one event":            alerts(1)[:1],
		"one type of event":    {alerts(1)[0], alerts(1)[0]},
		"nothing but mistakes": {"x", "y"},
	} {
		dir := filepath.Join(t.TempDir(), "model")
		out := run(t, fromFile(write(t, lines...), dir, ""))
		if assert.Len(t, out, 1, name) {
			content, err := out[0].AsBytes()
			require.NoError(t, err)
			assert.Contains(t, string(content), `"status":"failed"`, name)
		}
		s, err := store.Open(dir, true)
		require.NoError(t, err)
		_, err = s.Current()
		assert.ErrorIs(t, err, store.ErrEmpty, name)
	}
	dir := filepath.Join(t.TempDir(), "model")
	run(t, fromFile(write(t, alerts(1)[:1]...), dir, ""))
	assert.Equal(t, 1, spooled(t, dir))
	assert.NotEmpty(t, run(t, fromFile(write(t, alerts(40)[1:]...), dir, "")))
	_, m := current(t, dir)
	assert.Equal(t, 240, m.Samples, "the one event came in")
}

// Out of order, repeated: with ids the model is that of the events in order, once each.
func TestTrainSortsAndRecognisesEvents(t *testing.T) {
	ordered, shuffled := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	lines := alerts(40)
	run(t, fromFile(write(t, lines...), ordered, ""))
	var mixed []string
	for i := 0; i < len(lines); i += 3 {
		mixed = append(mixed, lines[i+2], lines[i], lines[i+2], lines[i+1])
	}
	run(t, fromFile(write(t, mixed...), shuffled, `    id: ${! json("id") }`))
	_, want := current(t, ordered)
	_, got := current(t, shuffled)
	assert.Equal(t, 240, got.Samples)
	sizes := func(m *model.Model) map[string]int {
		all := map[string]int{}
		for _, c := range m.Clusters {
			all[c.Event+fmt.Sprint(c.Contexts[0].Context)] = c.Size
		}
		return all
	}
	assert.Equal(t, sizes(want), sizes(got))
}

// With an id that is the same for all, each event counts all the same, and one that is there twice counts once.
func TestTrainWithAnIDThatIsNone(t *testing.T) {
	for target, lines := range map[string][]string{"deepcase": alerts(20), "at.deepcase": sequenced(t, alerts(20))} {
		dir := filepath.Join(t.TempDir(), "model")
		run(t, fromFile(write(t, append(lines, lines[:50]...)...), dir, "    target: "+target+"\n    id: ${! \"the rule\" }"))
		_, m := current(t, dir)
		assert.Equal(t, 120, m.Samples, target)
	}
}

// Clusters that are not delivered are delivered again, and until then the events stay.
func TestTrainKeepsEventsUntilClustersAreDelivered(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(testLog{t}, nil)))
	require.NoError(t, builder.AddInputYAML(fromFile(write(t, alerts(40)...), dir, "")))
	refused, delivered := 0, 0
	require.NoError(t, builder.AddBatchConsumerFunc(func(_ context.Context, b service.MessageBatch) error {
		if refused < 2 {
			refused++
			assert.Equal(t, 240, spooled(t, dir))
			return errors.New("output is down")
		}
		delivered += len(b)
		return nil
	}))
	s, err := builder.Build()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, s.Run(ctx))
	_, m := current(t, dir)
	assert.Equal(t, len(m.Clusters), delivered)
	assert.Zero(t, spooled(t, dir))
}

func TestPredictionsOfATrainedModel(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	run(t, fromFile(write(t, alerts(40)...), dir, labelled))
	_, m := current(t, dir)
	p, err := model.NewPredictor(m, cpu.New())
	require.NoError(t, err)
	defer p.Close()
	verdicts, err := p.Predict(t.Context(), []model.Sample{{Context: []string{"", "scan", "guess"}, Event: "login"}, {Context: []string{"", "cron", "mount"}, Event: "backup"}})
	require.NoError(t, err)
	assert.Equal(t, model.Scored, verdicts[0].Status)
	assert.Equal(t, 1.0, verdicts[0].Score)
	assert.Equal(t, model.Scored, verdicts[1].Status)
	assert.Equal(t, 0.0, verdicts[1].Score)
}
