package processor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"weak"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

func newPredict(t testing.TB, yaml string) *predict {
	t.Helper()
	p, err := newPredictFromParsed(parse(t, predictSpec(), yaml), service.MockResources())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close(context.Background())) })
	return p
}

// annotated is a document as deepcase_sequence leaves it.
func annotated(s model.Sample) string {
	names := make([]any, len(s.Context))
	for i, name := range s.Context {
		if name != "" {
			names[i] = name
		}
	}
	content, _ := json.Marshal(map[string]any{"deepcase": map[string]any{"machine": "m", "event": s.Event, "context": names}})
	return string(content)
}

// patternOf is the pattern that documents of a sample have.
func patternOf(s model.Sample, machine string) string {
	return subjectOf(s, machine).Keys()[0].String()
}

func subjectOf(s model.Sample, machine string) decisions.Subject {
	return decisions.Subject{Event: s.Event, Context: s.Context, Machine: machine}
}

func TestPredictBadConfigs(t *testing.T) {
	testBadConfigs(t, "deepcase_predict", []badConfig{
		{yaml: `model: ""`, lint: "model needs a directory", build: "field 'model' is empty: need a directory"},
		{yaml: `target: a`, lint: "field model is required", build: "model"},
		{yaml: "model: m\ncache_size: -1", lint: "cache_size needs to be at least 0", build: "field 'cache_size': -1, need at least 0"},
		{yaml: "model: m\ncache_bytes: -1", lint: "cache_bytes needs to be at least 0", build: "field 'cache_bytes': -1, need at least 0"},
		{yaml: "model: m\nreload: -1s", lint: "reload needs to be longer than 0", build: "field 'reload': -1s, need longer than 0"},
		{yaml: "model: m\nreload: 0s", lint: "reload needs to be longer than 0", build: "field 'reload': 0s, need longer than 0"},
		{yaml: "model: m\necs: {max_score: -1}", lint: "max_score needs to be at least 0", build: "field 'ecs.max_score': -1, need a finite number of at least 0"},
		{yaml: "model: m\necs: {max_score: .inf}", build: "field 'ecs.max_score': +Inf, need a finite number of at least 0"},
		{yaml: "model: m\nquery_timeout: 0s", lint: "query_timeout needs to be longer than 0", build: "field 'query_timeout': 0s, need longer than 0"},
		{yaml: "model: m\nhold: 0s", lint: "hold needs to be longer than 0", build: "field 'hold': 0s, need longer than 0"},
		{yaml: "model: m\nhold_growth: 0.5", lint: "hold_growth needs to be at least 1", build: "field 'hold_growth': 0.5, need a finite number of at least 1"},
		{yaml: "model: m\nhold_max: 1h", build: "field 'hold_max': 1h0m0s, need at least 12h0m0s, as long as 'hold'"},
		{yaml: "model: m\ndevice: cuda", build: "device cuda: this build has no engine for it: build with `-tags gotch`, or set device to auto or cpu"},
		{yaml: "model: m\ndevice: tpu", lint: "value tpu is not a valid option for this field", build: `device "tpu": need one of auto, cpu, cuda`},
		{yaml: "model: m\ntarget: .x", lint: "target needs names divided by single dots", build: `field 'target': ".x": need names divided by single dots`},
	})
}

func TestPredictGivesVerdicts(t *testing.T) {
	dir := t.TempDir()
	m := scored(t, little(t, 1), "login", 3)
	version := publish(t, dir, m)
	p := newPredict(t, "model: "+dir)
	unknown := model.Sample{Context: loginSample.Context, Event: "never seen"}
	out := process(t, p, messages(annotated(loginSample), annotated(backupSample), annotated(unknown), annotated(rareSample), annotated(loginSample)))

	login := at(t, out[0])
	assert.Equal(t, "scored", login["status"])
	assert.Equal(t, 3.0, login["score"])
	assert.EqualValues(t, clusterOf(t, m, "login"), login["cluster"])
	assert.Equal(t, 0.0, login["distance"])
	assert.Greater(t, login["confidence"], 0.2)
	assert.Equal(t, version, login["model"])
	assert.Equal(t, "m", login["machine"])
	assert.Equal(t, []any{nil, "scan", "guess"}, login["context"])
	require.Len(t, login["attention"], 3)
	sum := 0.0
	for _, a := range login["attention"].([]any) {
		sum += a.(float64)
	}
	assert.InDelta(t, 1, sum, 2e-4)
	assert.Equal(t, login, at(t, out[4]))

	backup := at(t, out[1])
	assert.Equal(t, "unscored", backup["status"])
	assert.NotContains(t, backup, "score")
	assert.EqualValues(t, clusterOf(t, m, "backup"), backup["cluster"])

	assert.Equal(t, map[string]any{"machine": "m", "event": "never seen", "context": []any{nil, "scan", "guess"},
		"pattern": patternOf(unknown, "m"), "status": "unknown_event", "model": version}, at(t, out[2]))
	rare := at(t, out[3])
	assert.Contains(t, []any{"low_confidence", "unknown_event"}, rare["status"])
	assert.NotContains(t, rare, "cluster")
	assert.NotContains(t, rare, "score")
}

// What is asked together, in which order, and what is remembered: none of it matters to the answer.
func TestPredictAnswersDoNotDependOnCompany(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, scored(t, little(t, 1), "login", 1))
	kept, fresh := newPredict(t, "model: "+dir), newPredict(t, "cache_size: 0\nmodel: "+dir)
	samples := []model.Sample{loginSample, backupSample, rareSample,
		{Context: []string{"guess", "scan", ""}, Event: "login"}, {Context: []string{"", "", ""}, Event: "backup"}}
	var alone []map[string]any
	for _, s := range samples {
		alone = append(alone, at(t, process(t, fresh, messages(annotated(s)))[0]))
	}
	for _, p := range []*predict{kept, kept, fresh} {
		out := process(t, p, messages(annotated(samples[3]), annotated(samples[1]), annotated(samples[4]), annotated(samples[0]), annotated(samples[2]), annotated(samples[1])))
		for i, sample := range []int{3, 1, 4, 0, 2, 1} {
			assert.Equal(t, alone[sample], at(t, out[i]))
		}
	}
}

func TestPredictWithoutExplanation(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, little(t, 1))
	out := process(t, newPredict(t, "explain: false\nmodel: "+dir), messages(annotated(loginSample)))
	assert.NotContains(t, at(t, out[0]), "attention")
}

func TestPredictFlagsBadMessages(t *testing.T) {
	dir := t.TempDir()
	version := publish(t, dir, little(t, 1))
	p := newPredict(t, "model: "+dir)
	for content, want := range map[string]string{
		`{}`: "document: deepcase: no context there: is deepcase_sequence before this component, with the same target?",
		`{"deepcase":{"event":"login","context":[null]}}`: "document: deepcase.context has 1 events, model " + version + " needs 3: give deepcase_sequence that length",
		`{"deepcase":{"context":[null,null,null]}}`:       "document: deepcase.event is null or missing, need a name",
		`{"deepcase":{"event":"e","context":[1,2,3]}}`:    "document: deepcase.context[0] is a number, need a name or null",
		`[]`:                  "document: need a JSON object, have a list",
		"\xff\x00 not a text": "document: not JSON: invalid character 'ÿ' looking for beginning of value",
		``:                    "document: not JSON: ",
	} {
		out := process(t, p, messages(annotated(loginSample), content, annotated(backupSample)))
		assert.ErrorContains(t, out[1].GetError(), want)
		assert.Equal(t, content, text(t, out[1]))
		assert.Equal(t, "unscored", at(t, out[0])["status"])
		assert.Equal(t, "unscored", at(t, out[2])["status"])
	}
	process(t, p, nil)
}

func TestPredictKeepsTheFirstError(t *testing.T) {
	contents := []string{`{}`, `not JSON`, `[1]`, annotated(loginSample), `{"deepcase":{"event":1,"context":[]}}`}
	batch := messages(contents...)
	for _, m := range batch {
		m.SetError(errors.New("machine: empty or missing"))
	}
	for i, m := range process(t, newPredict(t, "model: "+t.TempDir()), batch) {
		assert.EqualError(t, m.GetError(), "machine: empty or missing")
		assert.Equal(t, contents[i], text(t, m), "untouched")
	}
}

func TestPredictReplacesAnOldVerdict(t *testing.T) {
	p := newPredict(t, "model: "+filepath.Join(t.TempDir(), "missing"))
	out := process(t, p, messages(`{"deepcase":{"event":"e","context":[],"status":"scored","score":3,"cluster":1,"model":"old","attention":[]}}`))
	assert.Equal(t, map[string]any{"event": "e", "context": []any{}, "status": "no_model", "pattern": patternOf(model.Sample{Event: "e"}, "")}, at(t, out[0]))
}

func TestPredictECS(t *testing.T) {
	dir := t.TempDir()
	m := scored(t, little(t, 1), "login", 3)
	version := publish(t, dir, m)
	p := newPredict(t, "ecs: {max_score: 4}\nmodel: "+dir)
	with := func(s model.Sample, more string) string { return `{` + more + annotated(s)[1:] }
	out := process(t, p, messages(
		with(loginSample, `"event":{"kind":"alert"},"labels":{"a":"b"},`),
		with(loginSample, `"rule":{"name":"own"},`),
		with(backupSample, `"event":{"kind":"alert"},`),
		with(model.Sample{Context: loginSample.Context, Event: "never seen"}, ``),
		with(loginSample, `"event":"text",`),
		with(loginSample, `"rule":{"ruleset":"deepcase","id":"old"},`),
	))
	var documents []map[string]any
	for _, message := range out {
		var document map[string]any
		require.NoError(t, json.Unmarshal([]byte(text(t, message)), &document))
		delete(document, "deepcase")
		documents = append(documents, document)
	}
	cluster := fmt.Sprint(clusterOf(t, m, "login"))
	rule := map[string]any{"id": cluster, "name": "login", "ruleset": "deepcase", "version": version}
	assert.Equal(t, map[string]any{
		"event":  map[string]any{"kind": "alert", "risk_score": 3.0, "risk_score_norm": 75.0},
		"labels": map[string]any{"a": "b", "deepcase_status": "scored", "deepcase_cluster": cluster},
		"rule":   rule,
	}, documents[0])
	assert.Equal(t, map[string]any{"name": "own"}, documents[1]["rule"], "the source's own rule stays")
	assert.Equal(t, map[string]any{"kind": "alert"}, documents[2]["event"], "a status never becomes a number")
	assert.Equal(t, map[string]any{"labels": map[string]any{"deepcase_status": "unknown_event"}}, documents[3])
	assert.EqualError(t, out[4].GetError(), `document: event is the text "text", need an object`)
	assert.Equal(t, rule, documents[5]["rule"])
}

// Nothing of an earlier verdict stays, and all that was the document's own.
func TestPredictECSReplacesAnOldVerdict(t *testing.T) {
	dir := t.TempDir()
	version := publish(t, dir, scored(t, little(t, 1), "login", 3))
	p := newPredict(t, "ecs: {max_score: 3}\nmodel: "+dir)
	unscoredDir := t.TempDir()
	m := little(t, 1)
	unscoredVersion := publish(t, unscoredDir, m)
	unscored := newPredict(t, "ecs: {max_score: 3}\nmodel: "+unscoredDir)
	none := newPredict(t, "ecs: {max_score: 3}\nmodel: "+filepath.Join(t.TempDir(), "missing"))
	ruleOf := func(version string) map[string]any {
		return map[string]any{"id": fmt.Sprint(clusterOf(t, m, "login")), "name": "login", "ruleset": "deepcase", "version": version}
	}
	through := func(content string, processors ...*predict) map[string]any {
		for _, p := range processors {
			content = text(t, process(t, p, messages(content))[0])
		}
		var document map[string]any
		require.NoError(t, json.Unmarshal([]byte(content), &document))
		delete(document, "deepcase")
		delete(document["labels"].(map[string]any), "deepcase_cluster")
		return document
	}
	labels := func(status string) map[string]any { return map[string]any{"deepcase_status": status} }
	plain := annotated(loginSample)
	own := `{"event":{"kind":"alert","risk_score":47},"rule":{"name":"own"},` + plain[1:]

	assert.Equal(t, map[string]any{"labels": labels("unscored"), "rule": ruleOf(unscoredVersion)}, through(plain, p, unscored))
	assert.Equal(t, map[string]any{"labels": labels("no_model")}, through(plain, p, none))
	assert.Equal(t, map[string]any{"labels": labels("no_model")}, through(plain, unscored, none))
	again := map[string]any{"labels": labels("scored"), "rule": ruleOf(version), "event": map[string]any{"risk_score": 3.0, "risk_score_norm": 100.0}}
	assert.Equal(t, again, through(plain, p, p))
	assert.Equal(t, again, through(plain, p, none, unscored, p))

	rule := map[string]any{"name": "own"}
	assert.Equal(t, map[string]any{"labels": labels("no_model"), "rule": rule, "event": map[string]any{"kind": "alert", "risk_score": 47.0}},
		through(own, unscored, none, unscored, none), "no verdict wrote a risk: it is the document's own")
	assert.Equal(t, map[string]any{"labels": labels("unscored"), "rule": rule, "event": map[string]any{"kind": "alert"}}, through(own, p, unscored))
	assert.Equal(t, map[string]any{"labels": labels("no_model")},
		through(`{"event":{"risk_score":3},"rule":{"ruleset":"deepcase","id":"1"},`+plain[1:], none), "without a label the rule tells")
	assert.Equal(t, again, through(`{"event":{"risk_score":null},"rule":{"id":null,"name":null,"ruleset":null,"version":null},`+plain[1:], p))
	assert.Equal(t, map[string]any{"labels": labels("no_model"), "rule": map[string]any{"category": "x"}},
		through(`{"rule":{"ruleset":"deepcase","id":"1","category":"x"},`+plain[1:], none), "what somebody added to our rule stays")
}

// Off, unless it is wanted. A config that `create` writes has `max_score: 0`: it needs to work.
func TestPredictECSIsOffByDefault(t *testing.T) {
	for _, yaml := range []string{"", "ecs: {}\n", "ecs: {max_score: 0}\n"} {
		assert.Nil(t, newPredict(t, yaml+"model: "+t.TempDir()).ecs, yaml)
	}
}

func TestPredictECSIsAtMost100(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, scored(t, little(t, 1), "login", 50))
	out := process(t, newPredict(t, "ecs: {max_score: 3}\nmodel: "+dir), messages(annotated(loginSample)))
	assert.Contains(t, text(t, out[0]), `"risk_score":50,"risk_score_norm":100`)
}

func status(t testing.TB, p *predict) (status, version string) {
	object := at(t, process(t, p, messages(annotated(loginSample)))[0])
	version, _ = object["model"].(string)
	return object["status"].(string), version
}

func TestPredictClosesTwice(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, little(t, 1))
	p, err := newPredictFromParsed(parse(t, predictSpec(), "model: "+dir), service.MockResources())
	require.NoError(t, err)
	require.NoError(t, p.Close(t.Context()))
	require.NoError(t, p.Close(t.Context()))
	s, _ := status(t, p)
	assert.Equal(t, "no_model", s, "and does not fall over when asked then")
}

// A verdict that is remembered does not hold the attention of all that was asked with it.
func TestPredictRemembersNoWholeBatches(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, little(t, 1))
	p := newPredict(t, "model: "+dir)
	v := p.serving.acquire()
	require.NotNil(t, v)
	defer v.release()
	attention := func() weak.Pointer[float32] {
		verdicts, _, errs := p.ask(t.Context(), v, []decisions.Subject{subjectOf(loginSample, "m"), subjectOf(backupSample, "m")})
		require.Equal(t, []error{nil, nil}, errs)
		return weak.Make(&verdicts[0].Attention[0])
	}()
	runtime.GC()
	require.Nil(t, attention.Value())
	known, there := v.verdicts.Get(keyOf(loginSample, new([]byte)))
	require.True(t, there)
	assert.Len(t, known.verdict.Attention, 3)
}

func TestPredictTellsCancellation(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, little(t, 1))
	p := newPredict(t, "model: "+dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out, err := p.ProcessBatch(ctx, messages(annotated(loginSample)))
	require.NoError(t, err)
	assert.ErrorIs(t, out[0][0].GetError(), context.Canceled)
	s, _ := status(t, p)
	assert.Equal(t, "unscored", s, "nothing wrong is remembered")
}

func TestSampleKeys(t *testing.T) {
	samples := []model.Sample{
		{Event: "ab", Context: []string{"c", ""}}, {Event: "a", Context: []string{"bc", ""}}, {Event: "ab", Context: []string{"", "c"}},
		{Event: "ab", Context: []string{"c"}}, {Event: "", Context: []string{"ab", "c", ""}}, {Event: "ab\x01c", Context: []string{""}},
	}
	seen := map[sampleKey]bool{}
	var buffer []byte
	for _, s := range samples {
		seen[keyOf(s, &buffer)] = true
		assert.Equal(t, keyOf(s, new([]byte)), keyOf(s, &buffer))
	}
	assert.Len(t, seen, len(samples))
}

// What the documents say of a verdict's size holds, and names of 4 KiB make it no larger.
func TestPredictRemembersNoNames(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const count = 20_000
	for _, length := range []int{10, 1000} {
		before := heap()
		verdicts, err := lru.New[sampleKey, remembered](count)
		require.NoError(t, err)
		sample, buffer := model.Sample{Event: strings.Repeat("e", 4096), Context: slices.Repeat([]string{strings.Repeat("c", 4096)}, 10)}, []byte(nil)
		for i := range count {
			sample.Context[0] = fmt.Sprint(i)
			verdicts.Add(keyOf(sample, &buffer), remembered{verdict: model.Verdict{Status: model.Scored, Attention: make([]float32, length)}})
		}
		used := float64(heap()-before) / count
		assert.LessOrEqual(t, used, float64(verdictBytes(length)))
		assert.GreaterOrEqual(t, used, 0.5*float64(verdictBytes(length)))
		runtime.KeepAlive(verdicts)
	}
}

// cache_bytes bounds the verdicts, as cache_size does.
func TestPredictRemembersWithinItsBytes(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, little(t, 1))
	p := newPredict(t, fmt.Sprintf("model: %s\ncache_bytes: %d", dir, 2*verdictBytes(3)+1))
	v := p.serving.acquire()
	require.NotNil(t, v)
	defer v.release()
	for i := range 5 {
		_, _, errs := p.ask(t.Context(), v, []decisions.Subject{{Event: "login", Context: []string{fmt.Sprint(i), "", ""}}})
		require.Equal(t, []error{nil}, errs)
	}
	assert.Equal(t, 2, v.verdicts.Len())
	assert.Nil(t, newPredict(t, "cache_bytes: 1\nmodel: "+dir).serving.current.Load().verdicts)
}

func BenchmarkPredictKnown(b *testing.B) {
	dir := b.TempDir()
	publish(b, dir, little(b, 1))
	p := newPredict(b, "model: "+dir)
	var contents []string
	for range 50 {
		contents = append(contents, annotated(loginSample), annotated(backupSample))
	}
	b.ReportAllocs()
	for b.Loop() {
		process(b, p, messages(contents...))
	}
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "events/s")
}
