package processor

import (
	"context"
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

	"connect-deepcase/internal/cases"
)

// parsedCaseSpec is the spec, whose lint rules take a while to parse.
var parsedCaseSpec = sync.OnceValue(caseSpec)

func newGrouping(t testing.TB, yaml string, resources *service.Resources) *grouping {
	t.Helper()
	g, err := newGroupingFromParsed(parse(t, parsedCaseSpec(), yaml), resources)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, g.Close(context.Background())) })
	return g
}

// alertWith is a document as deepcase_predict leaves it.
func alertWith(machine string, at int, verdict string) string {
	return fmt.Sprintf(`{"id":"%s-%d","timestamp":%d,"deepcase":{"machine":%q,"event":"e","context":[null],%s}}`, machine, at, 1_700_000_000+at, machine, verdict)
}

const (
	alarmed    = `"status":"scored","score":3,"cluster":1`
	unknown    = `"status":"no_cluster"`
	harmless   = `"status":"scored","score":0,"cluster":2,"hourly_max":1`
	nobodyYet  = `"status":"unscored","cluster":4`
	letPass    = `"status":"muted","cluster":1`
	answeredBy = `"status":"answered","score":2,"answer":{"number":7}`
)

func TestCaseBadConfigs(t *testing.T) {
	testBadConfigs(t, "deepcase_case", []badConfig{
		{yaml: `gap: -5s`, lint: "gap needs to be 0 or longer", build: "field 'gap': -5s, need 0 or longer"},
		{yaml: `alarm_gap: day`, lint: "alarm_gap needs to be a duration with its unit, such as 24h", build: `field 'alarm_gap': "day", need a duration with its unit, such as 24h`},
		{yaml: `burst: -1`, lint: "burst needs to be at least 0", build: "field 'burst': -1, need a finite number of at least 0"},
		{yaml: `burst_floor: -1`, lint: "burst_floor needs to be at least 0", build: "field 'burst_floor': -1, need at least 0"},
		{yaml: `audit: 2`, lint: "audit needs to be from 0 to 1", build: "field 'audit': 2, need 0 to 1"},
		{yaml: `late: -1`, lint: "late needs to be at least 0", build: "field 'late': -1, need at least 0"},
		{yaml: `late: 1000000`, build: "late 1000000: want 0 to 100000 alerts"},
		{yaml: `max_machines: 0`, lint: "max_machines needs to be at least 1", build: "field 'max_machines': 0, need at least 1"},
		{yaml: `max_bytes: 1000`, lint: "max_bytes needs to be at least 1048576", build: "field 'max_bytes': 1000, need at least 1048576"},
		{yaml: `timestamp: ""`, build: `field 'timestamp' is empty: need an interpolation such as ${! json("timestamp") }`},
		{yaml: `id: rule`, lint: `the same for every message: needs an interpolation such as ${! json("id") }`, build: `field 'id': "rule" is the same for every message`},
		{yaml: `target: a..b`, lint: "target needs names divided by single dots", build: `field 'target': "a..b": need names divided by single dots`},
		{yaml: `cache: nowhere`, build: `field 'cache': no cache resource has the label "nowhere"`},
		{yaml: `machine: ${! json("host") }`, lint: "field machine not recognised"},
	})
}

func TestCaseGroups(t *testing.T) {
	g := newGrouping(t, "audit: 0\nburst_floor: 2\nburst: 1", service.MockResources())
	out := process(t, g, messages(
		alertWith("a", 0, unknown), alertWith("a", 10, alarmed), alertWith("a", 20, unknown), alertWith("b", 30, unknown),
		alertWith("a", 4000, unknown), alertWith("a", 4001, answeredBy), alertWith("a", 4002, nobodyYet), alertWith("b", 4003, nobodyYet),
		alertWith("a", 4010, harmless), alertWith("a", 4011, harmless), alertWith("a", 4012, letPass), alertWith("a", 50_000, alarmed), alertWith("a", 50_001, `"status":"no_model"`),
	))
	var kinds []string
	var ids []string
	for _, m := range out {
		d := at(t, m)
		kind, _ := d["case_kind"].(string)
		id, _ := d["case"].(string)
		assert.Equal(t, kind != "", d["send"])
		if d["case_opened"] == true {
			kind += "!"
		}
		kinds, ids = append(kinds, kind), append(ids, id)
		if kind == "" {
			assert.NotContains(t, d, "case")
			assert.NotContains(t, d, "case_opened")
		}
	}
	assert.Equal(t, []string{"new!", "alarm!", "new", "new!", "new!", "alarm!", "unscored!", "unscored!", "", "burst!", "", "alarm", "new!"}, kinds)
	assert.Equal(t, ids[0], ids[2])
	assert.NotEqual(t, ids[0], ids[4], "more than an hour later")
	assert.Equal(t, ids[1], ids[11], "less than a day later")
	assert.NotEqual(t, ids[1], ids[5])
	assert.Equal(t, ids[6], ids[7], "one cluster, one thing to decide")
}

func TestCasesByMachine(t *testing.T) {
	g := newGrouping(t, "audit: 0\nby_machine: true", service.MockResources())
	out := process(t, g, messages(
		alertWith("a", 0, unknown), alertWith("a", 10, alarmed), alertWith("a", 20, unknown), alertWith("a", 30, answeredBy), alertWith("b", 40, unknown),
		alertWith("a", 4000, unknown), alertWith("a", 4010, alarmed),
	))
	var kinds []any
	var ids []any
	for _, m := range out {
		kinds, ids = append(kinds, at(t, m)["case_kind"]), append(ids, at(t, m)["case"])
	}
	assert.Equal(t, []any{"new", "alarm", "alarm", "alarm", "new", "new", "alarm"}, kinds)
	for _, i := range []int{2, 3, 6} {
		assert.Equal(t, ids[1], ids[i])
	}
	for _, i := range []int{1, 4, 5} {
		assert.NotEqual(t, ids[0], ids[i])
	}
}

// Bad messages are flagged and stay as they were; the others of their batch go on.
func TestCaseFlagsBadMessages(t *testing.T) {
	var log logText
	builder := service.NewResourceBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	resources, closeResources, err := builder.Build()
	require.NoError(t, err)
	defer func() { assert.NoError(t, closeResources(t.Context())) }()
	g, err := newGroupingFromParsed(parse(t, parsedCaseSpec(), `id: ${! json("id") }`), resources)
	require.NoError(t, err)
	bad := map[string]string{
		`nothing`:         "document: not JSON",
		`[]`:              "document: need a JSON object, have a list",
		`{"timestamp":1}`: "document: deepcase: no context there: is deepcase_sequence before this component, with the same target?",
		`{"timestamp":1,"deepcase":{"machine":"m","event":"e"}}`:                                "document: deepcase: no verdict there: is deepcase_predict before this component, with the same target?",
		`{"timestamp":"soon","deepcase":{"machine":"m","event":"e","status":"no_model"}}`:       "soon",
		`{"deepcase":{"machine":"m","event":"e","status":"no_model"}}`:                          "timestamp: is missing or null: want a time",
		`{"timestamp":1,"id":[1,2],"deepcase":{"machine":"m","event":"e","status":"no_model"}}`: "id: ",
		`{"timestamp":1,"deepcase":{"machine":"m","event":"e","status":"guessed"}}`:             `status "guessed": want one of scored`,
	}
	for content, want := range bad {
		failed := messages(alertWith("m", 1, unknown))[0]
		failed.SetError(errors.New("before"))
		before := text(t, failed)
		out := process(t, g, append(messages(content, alertWith("m", 1, unknown)), failed))
		assert.ErrorContains(t, out[0].GetError(), want)
		assert.Equal(t, content, text(t, out[0]))
		assert.Equal(t, true, at(t, out[1])["send"])
		assert.EqualError(t, out[2].GetError(), "before")
		assert.Equal(t, before, text(t, out[2]))
	}
	require.NoError(t, g.Close(t.Context()))
	assert.Equal(t, 1, strings.Count(log.String(), "An alert gets an error and no case"), log.String())
	assert.Contains(t, log.String(), fmt.Sprintf("%d events read, %d failed: they got an error and no case", 2*len(bad), len(bad)))
}

// Windows and cases share a cache, and a machine moves from process to process. What comes again has the case that it had.
func TestCasesMoveThroughTheCache(t *testing.T) {
	const yaml = "cache: c\nid: ${! json(\"id\") }\naudit: 0.2\nburst: 1\nburst_floor: 3"
	undisturbed := newGrouping(t, strings.Replace(yaml, "cache: c\n", "", 1), service.MockResources())
	resources := service.MockResources(service.MockResourcesOptAddCache("c"))
	processes := []*grouping{newGrouping(t, yaml, resources), newGrouping(t, yaml, resources), newGrouping(t, yaml, resources)}
	windows, err := newSequenceFromParsed(parse(t, parsedSequenceSpec(), "cache: c"), resources)
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, 1))
	verdicts := []string{alarmed, unknown, harmless, harmless, harmless, nobodyYet, letPass, answeredBy}
	var want []map[string]any
	var given []string
	now := 0
	again := 0
	for range 200 {
		var batch []string
		for range 1 + random.IntN(5) {
			now += random.IntN(400) * random.IntN(10)
			batch = append(batch, alertWith(fmt.Sprint("m", random.IntN(3)), now, verdicts[random.IntN(len(verdicts))]))
		}
		for _, m := range process(t, undisturbed, messages(batch...)) {
			want = append(want, at(t, m))
		}
		given = append(given, batch...)
		from := len(given) - len(batch)
		if random.IntN(3) == 0 { // what was not acknowledged comes again
			from = max(0, from-random.IntN(20))
			again++
		}
		for i, m := range process(t, processes[random.IntN(3)], messages(given[from:]...)) {
			require.Equal(t, want[from+i], at(t, m), "alert %d", from+i)
		}
		for _, m := range process(t, windows, messages(alertOf("m0", "e", now))) {
			require.NoError(t, m.GetError())
		}
	}
	require.Greater(t, again, 30)
}

// If the cache fails, messages are flagged, and sent again they are as if nothing had happened.
func TestCaseLeavesStatesAsTheyWere(t *testing.T) {
	c := &brokenCache{items: map[string][]byte{}}
	g := newGrouping(t, "cache: c\ncache_retry: 0s\naudit: 0\nburst: 1\nburst_floor: 3", service.MockResources(service.MockResourcesOptAddCache("c")))
	g.kept.access = func(_ context.Context, f func(service.Cache)) error { f(c); return nil }
	batch := []string{alertWith("a", 1, unknown), alertWith("a", 2, harmless), alertWith("a", 3, harmless), alertWith("a", 4, harmless)}
	for range 3 {
		c.failSets = 1
		for _, m := range process(t, g, messages(batch...)) {
			assert.EqualError(t, m.GetError(), `cases of machine "a": cache cannot be written: connection refused`)
			assert.NotContains(t, text(t, m), "send")
		}
	}
	out := process(t, g, messages(batch...))
	assert.Equal(t, true, at(t, out[0])["case_opened"])
	assert.Equal(t, false, at(t, out[2])["send"], "without ids, too, it counts once")
	assert.Equal(t, "burst", at(t, out[3])["case_kind"])

	// A state that is damaged does not stop the machine.
	for key := range c.items {
		assert.Contains(t, key, "deepcase_case-a")
		c.items[key] = []byte("damaged")
	}
	assert.Equal(t, true, at(t, process(t, g, messages(alertWith("a", 5, unknown)))[0])["case_opened"])
	assert.Equal(t, false, at(t, process(t, g, messages(alertWith("a", 6, unknown)))[0])["case_opened"])
}

func TestCaseMetrics(t *testing.T) {
	recorded.values = map[string]int64{}
	builder := service.NewResourceBuilder()
	var log logText
	builder.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, builder.SetMetricsYAML("recorded: {}"))
	resources, closeResources, err := builder.Build()
	require.NoError(t, err)
	defer func() { assert.NoError(t, closeResources(t.Context())) }()
	g := newGrouping(t, "audit: 0\nmax_machines: 2", resources)
	clock := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	g.now = func() time.Time { return clock }
	process(t, g, messages(alertWith("a", 0, unknown), alertWith("a", 1, unknown), alertWith("b", 2, alarmed), alertWith("b", 3, letPass), "nothing"))
	assert.Equal(t, int64(2), recorded.value("deepcase_case_alerts kind=new"))
	assert.Equal(t, int64(1), recorded.value("deepcase_cases_opened kind=new"))
	assert.Equal(t, int64(1), recorded.value("deepcase_case_alerts kind=alarm"))
	assert.Equal(t, int64(1), recorded.value("deepcase_case_alerts kind=none"))
	assert.Equal(t, int64(1), recorded.value("deepcase_case_alerts kind=error"))
	assert.Equal(t, int64(2), recorded.value("deepcase_cases_open"))
	process(t, g, messages(alertWith("a", 100_000, unknown)))
	assert.Equal(t, int64(2), recorded.value("deepcase_cases_open"), "it was just counted")
	clock = clock.Add(countEvery)
	process(t, g, messages(alertWith("a", 100_001, unknown)))
	assert.Equal(t, int64(1), recorded.value("deepcase_cases_open"), "the alarm is a day ago")
	process(t, g, messages(alertWith("c", 100_002, unknown), alertWith("d", 100_003, unknown)))
	assert.Equal(t, int64(2), recorded.value("deepcase_case_machines"))
	assert.Positive(t, recorded.value("deepcase_case_machines_bytes"))
	assert.Equal(t, int64(1), recorded.value("deepcase_case_machines_evicted outcome=expired"))
	assert.Equal(t, int64(1), recorded.value("deepcase_case_machines_evicted outcome=lost"))
	assert.Equal(t, 1, strings.Count(log.String(), "Machines are forgotten although they had open cases"), log.String())
	for _, kind := range cases.Kinds {
		_, ok := recorded.values["deepcase_cases_opened kind="+kind.String()]
		assert.True(t, ok, kind)
	}
}

// The whole way: an alert gets its context, a verdict and a case in one pipeline.
func TestSequencePredictCase(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, scored(t, little(t, 1), "login", 2))
	s, produce, end := stream(t, service.NewEnvironment(), 1,
		"deepcase_sequence: {length: 3}", "deepcase_predict: {model: "+dir+"}", "deepcase_case: {audit: 0}")
	ended := make(chan error, 1)
	go func() { ended <- s.Run(context.Background()) }()
	require.NoError(t, produce(t.Context(), messages(alertOf("m", "scan", 0), alertOf("m", "guess", 1), alertOf("m", "login", 2))))
	var kinds []any
	for _, m := range end.messages { // they are there when they are acknowledged
		d := at(t, m)
		kinds = append(kinds, d["case_kind"], d["case_opened"])
	}
	require.Equal(t, []any{"new", true, "new", false, "alarm", true}, kinds)
	require.NoError(t, s.Stop(context.Background()))
	require.NoError(t, <-ended)
}

// What the alerts of a case name comes together in it. Those that nobody needs to look at have no case.
func TestCaseTechniques(t *testing.T) {
	g := newGrouping(t, "audit: 0", service.MockResources())
	naming := func(document, more string) string { return strings.TrimSuffix(document, "}") + "," + more + "}" }
	out := process(t, g, messages(
		naming(alertWith("a", 0, unknown), `"rule":{"mitre":{"id":["T1110"]}}`), naming(alertWith("b", 1, unknown), `"tags":["attack.t1003.001"]`),
		naming(alertWith("a", 2, unknown), `"threat":{"technique":{"id":["T1059"]}}`), alertWith("a", 3, unknown),
		naming(alertWith("a", 4, harmless), `"rule":{"mitre":{"id":["T1001"]}}`), alertWith("c", 5, unknown)))
	var got []any
	for _, m := range out {
		got = append(got, at(t, m)["case_techniques"])
	}
	list := func(ids ...any) any { return ids }
	assert.Equal(t, []any{list("T1110"), list("T1003.001"), list("T1059", "T1110"), list("T1059", "T1110"), nil, nil}, got)
}
