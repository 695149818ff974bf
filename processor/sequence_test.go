package processor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parsedSequenceSpec is the spec, whose lint rules take a while to parse.
var parsedSequenceSpec = sync.OnceValue(sequenceSpec)

func newSequence(t testing.TB, yaml string, caches ...string) *sequence {
	t.Helper()
	var options []service.MockResourcesOptFn
	for _, name := range caches {
		options = append(options, service.MockResourcesOptAddCache(name))
	}
	s, err := newSequenceFromParsed(parse(t, parsedSequenceSpec(), yaml), service.MockResources(options...))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close(context.Background())) })
	return s
}

func alertOf(machine, event string, at int) string {
	return fmt.Sprintf(`{"machine":%q,"event":%q,"timestamp":%d,"id":"%s-%s-%d"}`, machine, event, 1_700_000_000+at, machine, event, at)
}

func TestSequenceBadConfigs(t *testing.T) {
	testBadConfigs(t, "deepcase_sequence", []badConfig{
		{yaml: `length: 0`, lint: "length needs to be from 1 to 10000", build: "field 'length': 0, need 1 to 10000"},
		{yaml: `length: 10001`, lint: "length needs to be from 1 to 10000", build: "field 'length': 10001, need 1 to 10000"},
		{yaml: `timeout: -5s`, lint: "timeout needs to be 0 or longer", build: "field 'timeout': -5s, need 0 or longer"},
		{yaml: `timeout: soon`, lint: "timeout needs to be a duration with its unit, such as 24h", build: `field 'timeout': "soon", need a duration with its unit, such as 24h`},
		{yaml: `timeout: 24`, lint: "timeout needs to be a duration with its unit, such as 24h",
			build: `field 'timeout': "24", need a duration with its unit, such as 24h`},
		{yaml: `max_machines: 0`, lint: "max_machines needs to be at least 1", build: "machines"},
		{yaml: `max_bytes: 1000`, lint: "max_bytes needs to be at least 1048576", build: "field 'max_bytes': 1000, need at least 1048576"},
		{yaml: `max_future: -1s`, lint: "max_future needs to be 0 or longer", build: "field 'max_future': -1s, need 0 or longer"},
		{yaml: `late: -1`, lint: "late needs to be at least 0", build: "late"},
		{yaml: `target: a..b`, lint: "target needs names divided by single dots", build: `field 'target': "a..b": need names divided by single dots`},
		{yaml: `target: ""`, lint: "target needs names divided by single dots", build: `field 'target': "": need names divided by single dots`},
		{yaml: `machine: ""`, build: `field 'machine' is empty: need an interpolation such as ${! json("machine") }`},
		{yaml: `event: rule.name`, lint: `the same for every message: needs an interpolation such as ${! json("event") }`, build: `field 'event': "rule.name" is the same for every message: need an interpolation such as ${! json("rule.name") }`},
		{yaml: `id: 7`, lint: `the same for every message: needs an interpolation such as ${! json("id") }`, build: `field 'id': "7" is the same for every message`},
		{yaml: `cache: nowhere`, build: `field 'cache': no cache resource has the label "nowhere"`},
		{yaml: `lenght: 5`, lint: "field lenght not recognised"},
	})
}

func TestSequenceBadCacheRetry(t *testing.T) {
	_, err := newSequenceFromParsed(parse(t, sequenceSpec(), "cache: c\ncache_retry: -1s"), service.MockResources(service.MockResourcesOptAddCache("c")))
	assert.EqualError(t, err, "field 'cache_retry': -1s, need 0 or longer")
}

// A wrong field name makes an error of every event, and a pipeline that hardly anybody notices.
func TestSequenceTellsOfRefusedEvents(t *testing.T) {
	var log logText
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, builder.AddInputYAML(`generate: {count: 3, interval: "", mapping: 'root = {"event": "a", "timestamp": count("n"), "machine": " "}'}`))
	require.NoError(t, builder.AddProcessorYAML(`deepcase_sequence: {}`))
	require.NoError(t, builder.AddOutputYAML("drop: {}"))
	s, err := builder.Build()
	require.NoError(t, err)
	require.NoError(t, s.Run(t.Context()))
	assert.Equal(t, 1, strings.Count(log.String(), "machine: is empty: want a name (further events are only counted)"), log.String())
	assert.Contains(t, log.String(), "3 events read, 3 failed: they got an error and no context")
}

func TestSequenceGivesContexts(t *testing.T) {
	s := newSequence(t, "length: 3\ntimeout: 100s")
	out := process(t, s, messages(
		alertOf("a", "1", 0), alertOf("b", "x", 1), alertOf("a", "2", 2), alertOf("a", "3", 101), `{"machine":"a","event":"4","timestamp":"2023-11-14T22:15:10Z","more":[1]}`))
	for i, want := range []string{
		`{"machine":"a","event":"1","context":[null,null,null]}`,
		`{"machine":"b","event":"x","context":[null,null,null]}`,
		`{"machine":"a","event":"2","context":[null,null,"1"]}`,
		`{"machine":"a","event":"3","context":[null,null,"2"]}`, // 1 is 101 s older
		`{"machine":"a","event":"4","context":[null,null,"3"]}`, // at 110 s
	} {
		got, err := json.Marshal(at(t, out[i]))
		require.NoError(t, err)
		assert.JSONEq(t, want, string(got))
	}
	assert.JSONEq(t, `{"machine":"a","event":"4","timestamp":"2023-11-14T22:15:10Z","more":[1],
		"deepcase":{"machine":"a","event":"4","context":[null,null,"3"]}}`, text(t, out[4]))
}

// Bad messages are flagged and stay as they were; the others of their batch are sequenced as if the bad ones had not been there.
func TestSequenceFlagsBadMessages(t *testing.T) {
	bad := map[string]string{
		`{"event":"e","timestamp":1}`:                                            "machine: is missing or null: want a name",
		`{"machine":"a","timestamp":1}`:                                          "event: is missing or null: want a name",
		`{"machine":"a","event":"e","timestamp":"soon"}`:                         "soon",
		`{"machine":"a","event":"` + strings.Repeat("y", 10_240) + `"}`:          "has 10240 bytes: want at most 4096",
		`{"machine":"a","event":"e","timestamp":1,"deepcase":"occupied"}`:        `document: deepcase is the text "occupied", need an object`,
		`[{"machine":"a","event":"e","timestamp":1}]`:                            "",
		"\x00\x01\xfe\xff not a document":                                        "",
		``:                                                                       "",
		`{"machine":"a","event":"e","timestamp":1} {"machine":"a","event":"e"}}`: "",
	}
	for content, want := range bad {
		s := newSequence(t, "length: 2")
		out := process(t, s, messages(alertOf("a", "1", 0), content, alertOf("a", "2", 1)))
		assert.NoError(t, out[0].GetError())
		assert.ErrorContains(t, out[1].GetError(), want)
		assert.Equal(t, content, text(t, out[1]))
		assert.Equal(t, "1", at(t, out[2])["context"].([]any)[1])
	}
}

func TestSequenceKeepsTheFirstError(t *testing.T) {
	first := errors.New("mapping failed")
	batch := messages(`{"machine":"a","event":"x","timestamp":1}`, `{"machine":"a","event":"y","timestamp":2}`)
	batch[0].SetError(first)
	out := process(t, newSequence(t, "length: 2"), batch)
	require.ErrorIs(t, out[0].GetError(), first)
	require.NotContains(t, at(t, out[1])["context"], "x", "a failed message must not enter the window")
}

func TestSequenceTakesAnEmptyBatch(t *testing.T) {
	process(t, newSequence(t, "{}"), nil)
}

func TestSequenceNeedsDocumentsOnlyToWriteTo(t *testing.T) {
	s := newSequence(t, "machine: ${! meta(\"host\") }\nevent: ${! content() }\ntimestamp: \"17\"")
	plain := service.NewMessage([]byte("plain text"))
	plain.MetaSet("host", "h")
	out := process(t, s, service.MessageBatch{plain})
	assert.ErrorContains(t, out[0].GetError(), "document: not JSON: ")
	assert.Zero(t, s.windows.Len(), "the event entered no window")
}

func TestSequencePutsLateAndRepeatedEventsInTheirPlaces(t *testing.T) {
	s := newSequence(t, `
length: 2
id: ${! json("id") }`)
	process(t, s, messages(alertOf("a", "1", 10), alertOf("a", "3", 30)))
	late := process(t, s, messages(alertOf("a", "2", 20), alertOf("a", "4", 40)))
	assert.Equal(t, []any{nil, "1"}, at(t, late[0])["context"])
	assert.Equal(t, []any{"2", "3"}, at(t, late[1])["context"])
	again := process(t, s, messages(alertOf("a", "3", 30), alertOf("a", "2", 20), alertOf("a", "5", 50)))
	assert.Equal(t, []any{nil, "1"}, at(t, again[0])["context"], "as the first time")
	assert.Equal(t, []any{nil, "1"}, at(t, again[1])["context"])
	assert.Equal(t, []any{"3", "4"}, at(t, again[2])["context"], "nothing counted twice")
}

// A mapping that gives one id to all events does not freeze contexts. It is counted, and told once.
func TestSequenceWithAnIDThatIsNone(t *testing.T) {
	for _, cache := range []string{"", "\n  cache: windows"} {
		recorded.values = map[string]int64{}
		var log logText
		builder := service.NewStreamBuilder()
		builder.SetLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
		require.NoError(t, builder.SetMetricsYAML("recorded: {}"))
		require.NoError(t, builder.AddCacheYAML("label: windows\nmemory: {}"))
		require.NoError(t, builder.AddProcessorYAML(`
deepcase_sequence:
  length: 2
  id: rule of ${! json("machine") }`+cache))
		produce, err := builder.AddBatchProducerFunc()
		require.NoError(t, err)
		end := newCollector()
		require.NoError(t, builder.AddConsumerFunc(end.add))
		s, err := builder.Build()
		require.NoError(t, err)
		running := make(chan error, 1)
		go func() { running <- s.Run(t.Context()) }()
		require.NoError(t, produce(t.Context(), messages(alertOf("m", "a", 1), alertOf("m", "b", 2))))
		require.NoError(t, produce(t.Context(), messages(alertOf("m", "c", 3), alertOf("m", "c", 4), alertOf("m", "c", 4))))
		require.NoError(t, s.StopWithin(2*time.Minute))
		require.NoError(t, <-running)

		require.Len(t, end.messages, 5)
		for i, want := range [][]any{{nil, nil}, {nil, "a"}, {"a", "b"}, {"b", "c"}, {"b", "c"}} {
			assert.Equal(t, want, at(t, end.messages[i])["context"], "event %d", i)
		}
		assert.EqualValues(t, 3, recorded.value("deepcase_sequence_reused_ids"))
		assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
		assert.Contains(t, log.String(), `id: \"rule of m\" was that of an event with another name or time before: need an id that no other event`)
		assert.Contains(t, log.String(), `event=b`)
	}
}

// Many threads on many machines: each event's context is that of its machine in order, as from a single thread.
func TestSequenceFromManyThreads(t *testing.T) {
	const threads, each = 8, 300
	s, produce, end := stream(t, service.GlobalEnvironment(), threads, "deepcase_sequence: {length: 4}")
	running := make(chan error, 1)
	go func() { running <- s.Run(t.Context()) }()
	var all sync.WaitGroup
	for machine := range threads {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(machine)))
			for i := 0; i < each; {
				var batch service.MessageBatch
				for range min(each-i, 1+random.IntN(5)) {
					batch = append(batch, messages(alertOf(fmt.Sprint("m", machine), fmt.Sprint(i), i))...)
					i++
				}
				assert.NoError(t, produce(t.Context(), batch)) // returns when the batch is through
			}
		})
	}
	all.Wait()
	require.NoError(t, s.StopWithin(2*time.Minute))
	require.NoError(t, <-running)
	require.Len(t, end.messages, threads*each)
	for _, m := range end.messages {
		object := at(t, m)
		var i int
		_, err := fmt.Sscan(object["event"].(string), &i)
		require.NoError(t, err)
		want := make([]any, 4)
		for k := range want {
			if before := i - 4 + k; before >= 0 {
				want[k] = fmt.Sprint(before)
			}
		}
		assert.Equal(t, want, object["context"])
	}
}

func BenchmarkSequence(b *testing.B) {
	s := newSequence(b, "{}")
	var contents []string
	for i := range 100 {
		contents = append(contents, alertOf(fmt.Sprint("m", i%10), fmt.Sprint("event number ", i%7), i))
	}
	b.ReportAllocs()
	for b.Loop() {
		process(b, s, messages(contents...))
	}
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "events/s")
}

// An id that is a rule's: three different alerts of one second are taken for one, and that is told.
func TestSequenceTellsOfIDsThatAreOfRules(t *testing.T) {
	alert := func(record int, more string) string {
		return fmt.Sprintf(`{"machine":"WS1","event":"Whoami","timestamp":1714557618,"id":"the rule's","record":%d%s}`, record, more)
	}
	log := counted(t, "deepcase_sequence: {id: '${! json(\"id\") }'}", messages(alert(1, ""), alert(2, "")), messages(alert(3, "")))
	assert.EqualValues(t, 2, recorded.value("deepcase_sequence_reused_ids"))
	assert.Equal(t, 1, strings.Count(log, `id: \"the rule's\" came before with the same name and time and another document`), log)

	// What comes again as it was, or annotated, is the same event.
	log = counted(t, "deepcase_sequence: {id: '${! json(\"id\") }'}", messages(alert(1, ""), alert(1, ""), alert(1, `,"deepcase":{"status":"no_model"}`)))
	assert.EqualValues(t, 0, recorded.value("deepcase_sequence_reused_ids"))
	assert.Empty(t, log)
}
