package processor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

// decideOn writes decisions about a sample on machine m, as another process does it, and gives the number of the last one.
func decideOn(t testing.TB, dir string, s model.Sample, all ...decisions.Decision) uint64 {
	t.Helper()
	models, err := store.Open(dir, true)
	require.NoError(t, err)
	written, err := models.Decisions(decisions.DefaultHold).Append(t.Context(), func(decisions.Look) ([]decisions.Decision, error) {
		for i := range all {
			if d := &all[i]; d.Kind != decisions.Undo {
				d.By, d.Key, d.Subject = "ann", subjectOf(s, "m").Key(d.Scope), subjectOf(s, "m").In(d.Scope)
			}
		}
		return all, nil
	})
	require.NoError(t, err)
	return written[len(written)-1].Number
}

func scoreOf(score float64, scope decisions.Scope) decisions.Decision {
	return decisions.Decision{Kind: decisions.Answer, Scope: scope, Score: score}
}

func muteOf(scope decisions.Scope, until time.Time) decisions.Decision {
	return decisions.Decision{Kind: decisions.Mute, Scope: scope, Reason: "a test of ours", Until: until}
}

// elsewhere is a sample's document on another machine.
func elsewhere(s model.Sample) string {
	return strings.Replace(annotated(s), `"machine":"m"`, `"machine":"n"`, 1)
}

var neverSeen = model.Sample{Context: loginSample.Context, Event: "never seen"}

func TestPredictTakesUpAnswersWithinReload(t *testing.T) {
	dir, m := t.TempDir(), little(t, 1)
	synctest.Test(t, func(t *testing.T) {
		publish(t, dir, m)
		p := newPredict(t, "model: "+dir)
		ask := func(content string) map[string]any { return at(t, process(t, p, messages(content))[0]) }
		assert.Equal(t, "unknown_event", ask(annotated(neverSeen))["status"])
		number := decideOn(t, dir, neverSeen, scoreOf(3, decisions.PatternOnMachine))
		reload()
		now := ask(annotated(neverSeen))
		assert.Equal(t, "answered", now["status"])
		assert.Equal(t, 3.0, now["score"])
		assert.NotContains(t, now, "cluster")
		answer := now["answer"].(map[string]any)
		assert.EqualValues(t, number, answer["number"])
		assert.Equal(t, "unknown_event", answer["verdict"])
		assert.Equal(t, "ann", answer["by"])
		other := ask(elsewhere(neverSeen))
		assert.Equal(t, "unknown_event", other["status"], "its verdict is remembered, but the answer is for another machine")
		assert.NotContains(t, other, "score")
		assert.Equal(t, patternOf(neverSeen, "n"), other["pattern"])

		decideOn(t, dir, neverSeen, scoreOf(0, decisions.Event))
		reload()
		assert.Equal(t, 0.0, ask(elsewhere(neverSeen))["score"])
		assert.Equal(t, 3.0, ask(annotated(neverSeen))["score"], "the narrowest scope wins")

		decideOn(t, dir, neverSeen, decisions.Decision{Kind: decisions.Undo, Undoes: number})
		reload()
		assert.Equal(t, 0.0, ask(annotated(neverSeen))["score"])
	})
}

func TestPredictAsksAgain(t *testing.T) {
	dir, m := t.TempDir(), little(t, 1)
	synctest.Test(t, func(t *testing.T) {
		publish(t, dir, m)
		number := decideOn(t, dir, neverSeen, scoreOf(0, decisions.PatternOnMachine))
		p := newPredict(t, "hold: 1h\nhold_growth: 2\nhold_max: 3h\nreload: 1s\nmodel: "+dir)
		for _, hold := range []time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour, 3 * time.Hour} {
			time.Sleep(hold - time.Minute)
			assert.Equal(t, "answered", at(t, process(t, p, messages(annotated(neverSeen)))[0])["status"], hold)
			time.Sleep(time.Minute)
			due := at(t, process(t, p, messages(annotated(neverSeen)))[0])
			assert.Equal(t, "unknown_event", due["status"], hold)
			assert.EqualValues(t, number, due["answered_before"].(map[string]any)["number"])
			assert.NotContains(t, due, "answer")
			number = decideOn(t, dir, neverSeen, scoreOf(0, decisions.PatternOnMachine))
			time.Sleep(time.Second)
			synctest.Wait()
		}
	})
}

func TestPredictMutesAlarmsAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, scored(t, scored(t, little(t, 1), "login", 3), "backup", 0))
	decideOn(t, dir, loginSample, scoreOf(0, decisions.Event))
	decideOn(t, dir, backupSample, scoreOf(2, decisions.Pattern))
	decideOn(t, dir, neverSeen, scoreOf(1, decisions.PatternOnMachine), muteOf(decisions.Event, time.Now().Add(time.Hour)))
	ask := func(s model.Sample) map[string]any {
		return at(t, process(t, newPredict(t, "model: "+dir), messages(annotated(s)))[0])
	}
	login := ask(loginSample)
	assert.Equal(t, "scored", login["status"], "a benign answer does not silence a cluster")
	assert.Equal(t, 3.0, login["score"])
	backup := ask(backupSample)
	assert.Equal(t, "answered", backup["status"], "an attack that a training has put into a benign cluster")
	assert.Equal(t, 2.0, backup["score"])
	assert.Contains(t, backup, "cluster")
	never := ask(neverSeen)
	assert.Equal(t, "muted", never["status"], "an answer is muted, too")
	assert.Equal(t, 0.0, never["score"])

	decideOn(t, dir, loginSample, muteOf(decisions.EventOnMachine, time.Now().Add(time.Hour)))
	login = ask(loginSample)
	assert.Equal(t, "muted", login["status"])
	assert.Equal(t, 0.0, login["score"])
	assert.Equal(t, "scored", login["answer"].(map[string]any)["verdict"])
	assert.Contains(t, login, "cluster")
	assert.Equal(t, "scored", at(t, process(t, newPredict(t, "model: "+dir), messages(elsewhere(loginSample)))[0])["status"])
}

// What cannot be read is told once, and what was read before stays in force.
func TestPredictKeepsDecisionsThatCannotBeReadAgain(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, little(t, 1))
	decideOn(t, dir, neverSeen, scoreOf(3, decisions.PatternOnMachine))
	journal := filepath.Join(dir, "decisions.ndjson")
	whole, err := os.ReadFile(journal)
	require.NoError(t, err)
	var log logText
	resources := service.MockResources(service.MockResourcesOptUseLogger(service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil)))))
	p, err := newPredictFromParsed(parse(t, predictSpec(), "reload: 1h\nmodel: "+dir), resources)
	require.NoError(t, err)
	defer p.Close(t.Context())
	for name, damage := range map[string]func() error{
		"newer":     func() error { return os.WriteFile(journal, newer(whole), 0o644) },
		"a folder":  func() error { return os.Mkdir(journal, 0o755) },
		"gone":      func() error { return nil },
		"unchanged": func() error { return os.WriteFile(journal, whole, 0o644) },
	} {
		require.NoError(t, os.RemoveAll(journal))
		require.NoError(t, damage())
		log.Reset()
		for range 3 {
			p.answers.look()
			assert.Equal(t, 3.0, at(t, process(t, p, messages(annotated(neverSeen)))[0])["score"], name)
		}
		if name != "unchanged" {
			assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), "%s: %s", name, log.String())
		}
	}
	require.NoError(t, os.RemoveAll(journal))
	require.NoError(t, os.WriteFile(journal, append(bytes.Clone(whole), "damaged\n"...), 0o644))
	log.Reset()
	for range 3 {
		p.answers.look()
		assert.Equal(t, 3.0, at(t, process(t, p, messages(annotated(neverSeen)))[0])["score"])
	}
	assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), log.String())
	assert.Contains(t, log.String(), "1 lines of the decisions are damaged")
}

func TestPredictTellsThatDecisionsAreMissing(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, little(t, 1))
	decideOn(t, dir, neverSeen, scoreOf(0, decisions.PatternOnMachine))
	journal := filepath.Join(dir, "decisions.ndjson")
	backup, err := os.ReadFile(journal)
	require.NoError(t, err)
	decideOn(t, dir, neverSeen, scoreOf(3, decisions.PatternOnMachine))
	var log logText
	resources := service.MockResources(service.MockResourcesOptUseLogger(service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil)))))
	p, err := newPredictFromParsed(parse(t, predictSpec(), "reload: 1h\nmodel: "+dir), resources)
	require.NoError(t, err)
	defer p.Close(t.Context())
	require.NoError(t, os.WriteFile(journal, backup, 0o644))
	for range 2 {
		p.answers.look()
	}
	assert.Equal(t, 1, strings.Count(log.String(), "The decisions end at number 1, and ended at number 2 before"), log.String())
	assert.Equal(t, 0.0, at(t, process(t, p, messages(annotated(neverSeen)))[0])["score"])
}

// newer is a journal as a later program may write it.
func newer(journal []byte) []byte {
	line := bytes.Replace(bytes.Split(journal, []byte("\n"))[0], []byte(`"format":1`), []byte(`"format":99`), 1)
	content := line[:bytes.LastIndex(line, []byte(`,"crc32c":`))]
	return fmt.Appendf(nil, "%s,\"crc32c\":\"%08x\"}\n", content, crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli)))
}

func TestPredictECSOfDecisions(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, scored(t, little(t, 1), "login", 3))
	ecs := "ecs: {max_score: 4}\nmodel: "
	p, before := newPredict(t, ecs+dir), messages(annotated(loginSample), annotated(neverSeen))
	first := process(t, p, before)
	decideOn(t, dir, loginSample, muteOf(decisions.Pattern, time.Now().Add(time.Hour)))
	decideOn(t, dir, neverSeen, scoreOf(2, decisions.PatternOnMachine))
	p.answers.look()
	second := process(t, p, messages(text(t, first[0]), text(t, first[1])))
	undecided := t.TempDir()
	publish(t, undecided, little(t, 1))
	third := process(t, newPredict(t, ecs+undecided), messages(text(t, second[0]), text(t, second[1])))
	field := func(m *service.Message, object, name string) any {
		var document map[string]map[string]any
		require.NoError(t, json.Unmarshal([]byte(text(t, m)), &document))
		return document[object][name]
	}
	for i, want := range [][]any{{3.0, 0.0, nil}, {nil, 2.0, nil}} {
		for step, out := range []service.MessageBatch{first, second, third} {
			assert.Equal(t, want[step], field(out[i], "event", "risk_score"), "%d %d", i, step)
		}
	}
	assert.Equal(t, "muted", field(second[0], "labels", "deepcase_status"))
	assert.Equal(t, 50.0, field(second[1], "event", "risk_score_norm"))
	assert.NotNil(t, field(second[0], "labels", "deepcase_cluster"))
	assert.Nil(t, field(second[1], "labels", "deepcase_cluster"))
}

func TestDecisionMetrics(t *testing.T) {
	recorded.values = map[string]int64{}
	builder := service.NewResourceBuilder()
	builder.SetLogger(slog.New(slog.DiscardHandler))
	require.NoError(t, builder.SetMetricsYAML("recorded: {}"))
	resources, closeResources, err := builder.Build()
	require.NoError(t, err)
	defer func() { assert.NoError(t, closeResources(t.Context())) }()
	dir := t.TempDir()
	publish(t, dir, scored(t, little(t, 1), "login", 3))
	now := time.Now()
	decideOn(t, dir, neverSeen, scoreOf(2, decisions.Event))
	decideOn(t, dir, loginSample, muteOf(decisions.Pattern, now.Add(time.Hour)))
	old := scoreOf(2, decisions.EventOnMachine)
	old.Until = now.Add(-time.Hour)
	decideOn(t, dir, rareSample, old)
	p, err := newPredictFromParsed(parse(t, predictSpec(), "reload: 1h\nmodel: "+dir), resources)
	require.NoError(t, err)
	defer func() { assert.NoError(t, p.Close(t.Context())) }()
	process(t, p, messages(annotated(neverSeen), annotated(loginSample), elsewhere(neverSeen), annotated(rareSample), annotated(backupSample)))
	for name, want := range map[string]int64{
		"deepcase_answers_in_force": 1, "deepcase_mutes_in_force": 1, "deepcase_decision_hits kind=answer scope=event": 2, "deepcase_decision_hits kind=mute scope=pattern": 1,
		"deepcase_answers_asked_again scope=event_on_machine": 1, "deepcase_verdicts status=answered": 2, "deepcase_verdicts status=muted": 1,
		"deepcase_decision_reloads_failed": 0, "deepcase_decisions_damaged": 0,
	} {
		assert.Equal(t, want, recorded.value(name), name)
	}
}

// A cluster whose labels disagree asks, and an answer settles that. How often the events of a benign cluster came in an hour is told with them.
func TestPredictOfDisputedAndBenignClusters(t *testing.T) {
	dir := t.TempDir()
	m := scored(t, scored(t, little(t, 1), "login", 3), "backup", 0)
	login, backup := clusterOf(t, m, "login"), clusterOf(t, m, "backup")
	m.Clusters[login].Labels = []interpreter.Label{{Vector: -1, Score: 0, Count: 30}, {Vector: -1, Score: 3, Count: 1}}
	m.Clusters[login].HourlyMax, m.Clusters[backup].HourlyMax = 7, 31
	publish(t, dir, m)
	p := newPredict(t, "model: "+dir)
	out := process(t, p, messages(annotated(loginSample), annotated(backupSample)))
	disputed, benign := at(t, out[0]), at(t, out[1])
	assert.Equal(t, "disputed", disputed["status"])
	assert.EqualValues(t, login, disputed["cluster"])
	assert.NotContains(t, disputed, "score")
	assert.NotContains(t, disputed, "hourly_max")
	assert.Equal(t, 31.0, benign["hourly_max"])

	asked := strings.Replace(text(t, out[0]), "{", `{"score":0,`, 1)
	require.Equal(t, "pattern_on_machine", reply(t, newLabel(t, "model: "+dir), asked)["scope"], "it says nothing about the cluster")
	p.answers.look()
	answered := at(t, process(t, p, messages(text(t, out[0])))[0])
	assert.Equal(t, "answered", answered["status"])
	assert.Equal(t, 0.0, answered["score"])
	assert.Equal(t, "disputed", answered["answer"].(map[string]any)["verdict"])
	assert.EqualValues(t, login, answered["cluster"])
}
