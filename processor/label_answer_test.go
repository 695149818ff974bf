package processor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// with is a document with more fields beside its annotation.
func with(document string, fields string) string { return `{` + fields + `,` + document[1:] }

// judged is a document of a sample with a verdict.
func judged(t testing.TB, s model.Sample, verdict string) string {
	t.Helper()
	var document map[string]map[string]any
	require.NoError(t, json.Unmarshal([]byte(annotated(s)), &document))
	document["deepcase"]["pattern"] = patternOf(s, "m")
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(verdict), &fields))
	maps.Copy(document["deepcase"], fields)
	content, err := json.Marshal(document)
	require.NoError(t, err)
	return string(content)
}

func reply(t testing.TB, l *label, content string) map[string]any {
	t.Helper()
	out := process(t, l, messages(content))
	require.NoError(t, out[0].GetError(), content)
	var r map[string]any
	require.NoError(t, json.Unmarshal([]byte(text(t, out[0])), &r))
	return r
}

// journalled gives the decisions of a model directory.
func journalled(t testing.TB, dir string) (all []decisions.Decision) {
	t.Helper()
	models, err := store.Open(dir, false)
	require.NoError(t, err)
	journal := models.Decisions(decisions.DefaultHold)
	require.NoError(t, journal.Refresh())
	damage, err := journal.Each(func(d decisions.Decision) error {
		all = append(all, d)
		return nil
	})
	require.NoError(t, err)
	require.Zero(t, damage.Lines)
	return all
}

func TestLabelAnswersAPattern(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLabel(t, "model: "+dir)
		low := judged(t, loginSample, `{"status":"low_confidence","model":"v"}`)
		r := reply(t, l, with(low, `"score":"0","by":"ann","reason":"known scanner"`))
		now := time.Now().UTC()
		assert.Equal(t, map[string]any{"number": 1.0, "kind": "answer", "scope": "pattern_on_machine", "pattern": patternOf(loginSample, "m"), "event": "login", "machine": "m",
			"score": 0.0, "by": "ann", "reason": "known scanner", "at": now.Format(time.RFC3339Nano), "due": now.Add(12 * time.Hour).Format(time.RFC3339Nano), "old": nil, "changed": true}, r)

		// Delivered again, nothing changes; another person, another score or a later confirmation is a new decision.
		time.Sleep(time.Hour)
		again := reply(t, l, with(low, `"score":0,"by":"ann","reason":"known scanner"`))
		assert.Equal(t, false, again["changed"])
		assert.Equal(t, 1.0, again["number"])
		assert.Equal(t, r["due"], again["due"])
		bob := reply(t, l, with(low, `"score":0,"by":"bob"`))
		assert.Equal(t, 2.0, bob["number"])
		assert.Equal(t, "ann", bob["old"].(map[string]any)["by"])
		time.Sleep(13 * time.Hour)
		confirmed := reply(t, l, with(low, `"score":0,"by":"bob"`))
		assert.Equal(t, 3.0, confirmed["number"])
		assert.Equal(t, time.Now().UTC().Add(48*time.Hour).Format(time.RFC3339Nano), confirmed["due"])
		attack := reply(t, l, with(low, `"score":3,"by":"ann","expires":"24h"`))
		assert.NotContains(t, attack, "due")
		assert.Equal(t, time.Now().UTC().Add(24*time.Hour).Format(time.RFC3339Nano), attack["until"])
		time.Sleep(time.Minute)
		assert.Equal(t, attack["until"], reply(t, l, with(low, `"score":3,"by":"ann","expires":"24h"`))["until"], "delivered again, it does not last longer")
		assert.Equal(t, true, reply(t, l, with(low, `"score":3,"by":"ann","expires":"25h"`))["changed"])
		later := time.Now().Add(48 * time.Hour).Format(time.RFC3339)
		assert.Equal(t, true, reply(t, l, with(low, `"score":3,"by":"ann","expires":"`+later+`"`))["changed"])
		assert.Equal(t, false, reply(t, l, with(low, `"score":3,"by":"ann","expires":"`+later+`"`))["changed"])
	})
	for _, d := range journalled(t, dir) {
		assert.Equal(t, subjectOf(loginSample, "m"), d.Subject)
		assert.Equal(t, decisions.Answer, d.Kind)
	}
}

// If deepcase_predict has a shorter hold, an answer to what it asks again is a confirmation all the same.
func TestLabelConfirmsWhatWasAskedAgain(t *testing.T) {
	dir := t.TempDir()
	l := newLabel(t, "model: "+dir)
	first := judged(t, loginSample, `{"status":"low_confidence"}`)
	assert.Equal(t, 1.0, reply(t, l, with(first, `"score":0,"by":"ann"`))["number"])
	again := judged(t, loginSample, `{"status":"low_confidence","answered_before":{"number":1,"kind":"answer","scope":"pattern_on_machine","score":0}}`)
	assert.Equal(t, 2.0, reply(t, l, with(again, `"score":0,"by":"ann"`))["number"])
	assert.Equal(t, false, reply(t, l, with(again, `"score":0,"by":"ann"`))["changed"], "delivered again")
	require.Len(t, journalled(t, dir), 2)
}

func TestLabelMutesAndTakesBack(t *testing.T) {
	dir := t.TempDir()
	l := newLabel(t, "model: "+dir)
	alarm := judged(t, loginSample, `{"status":"scored","score":3,"cluster":1,"model":"v"}`)
	mute := reply(t, l, with(alarm, `"mute":true,"by":"ann","reason":"a test of ours","expires":"72h"`))
	assert.Equal(t, "mute", mute["kind"])
	assert.NotContains(t, mute, "score")
	assert.NotContains(t, mute, "due")
	again := judged(t, loginSample, `{"status":"muted","score":0,"cluster":1,"model":"v","answer":{"scope":"pattern_on_machine","verdict":"scored"}}`)
	assert.Equal(t, false, reply(t, l, with(again, `"mute":"true","by":"ann","reason":"a test of ours","expires":"72h"`))["changed"])

	undo := reply(t, l, `{"undo":1,"by":"bob","reason":"the test is over"}`)
	assert.Equal(t, []any{2.0, "undo", 1.0, "bob", true}, []any{undo["number"], undo["kind"], undo["undoes"], undo["by"], undo["changed"]})
	undo = reply(t, l, `{"undo":"1.0","by":"bob"}`)
	assert.Equal(t, false, undo["changed"], "delivered again")
	out := process(t, l, messages(`{"undo":7}`, `{"undo":2}`, `{"undo":"x"}`, `{"undo":1,"cluster":3}`, `{"undo":1,"score":3}`))
	assert.EqualError(t, out[0].GetError(), "undo: 7 is no answer or mute: need the number of one (the score of a cluster is changed by another score)")
	assert.ErrorContains(t, out[1].GetError(), "undo: 2 is no answer or mute")
	assert.EqualError(t, out[2].GetError(), `undo: "x", need the number of an answer or a mute`)
	for _, message := range out[3:] {
		assert.EqualError(t, message.GetError(), "undo: 1, need it without cluster, score and mute: a message is one decision")
	}
	require.Len(t, journalled(t, dir), 2)
}

func TestLabelRefusesDecisions(t *testing.T) {
	low := judged(t, loginSample, `{"status":"low_confidence","model":"v"}`)
	alarm := judged(t, loginSample, `{"status":"scored","score":3,"cluster":1,"model":"v"}`)
	benign := judged(t, loginSample, `{"status":"scored","score":0,"cluster":1,"model":"v"}`)
	mutes := `"mute":true,"reason":"r","expires":"1h"`
	for content, want := range map[string]string{
		with(low, `"score":0,"scope":"all"`):                                                               `scope: "all", need cluster or one of pattern_on_machine, pattern, event_on_machine, event`,
		with(low, `"score":0,"expires":"-1h"`):                                                             `expires: "-1h" is in the past, need a duration such as 72h, or a time to come`,
		with(low, `"score":0,"expires":"2020-01-01T00:00:00Z"`):                                            `expires: 2020-01-01T00:00:00Z is in the past, need a duration such as 72h, or a time to come`,
		with(low, `"score":2,"expires":"0001-01-01T00:00:00Z"`):                                            `expires: "0001-01-01T00:00:00Z" is in the past, need a duration such as 72h, or a time to come`,
		with(judged(t, loginSample, `{"status":3}`), `"score":0`):                                          "document: deepcase.status is a JSON number, need it as deepcase_predict and deepcase_case wrote it",
		with(judged(t, loginSample, `{"status":"low_confidence","confidence":0.1,"case":7}`), `"score":0`): "document: deepcase.case is a JSON number",
		with(judged(t, loginSample, `{"status":"scored","score":0,"cluster":1,"case":"audit-1","case_kind":"audit"}`), `"score":2,"scope":"event","confirm":true`): "document: the cluster of the event has score 0, which only an answer above 0 to a pattern changes",
		with(low, `"score":0,"expires":"soon"`):                                `expires: "soon", need a duration such as 72h, or a time such as 2026-03-05T09:00:00Z`,
		with(low, `"score":0,"scope":"event"`):                                 "scope: event is wider than pattern_on_machine: need `confirm: true` (there are no recent documents to replay it on)",
		with(low, `"score":0,"scope":"event","confirm":"yes"`):                 `confirm: "yes", need true or false`,
		with(low, `"by":"ann"`):                                                "score: empty or missing, need a number ≥ 0",
		with(low, `"score":"none"`):                                            "score: none withdraws the score of a cluster: to take an answer back, need its number in undo",
		with(low, mutes):                                                       "mute: the event has no score above 0 (low_confidence), so there is nothing to mute: need an answer",
		with(alarm, `"mute":true,"reason":"r"`):                                "mute: need reason and expires",
		with(alarm, `"mute":true,"expires":"1h"`):                              "mute: need reason and expires",
		with(alarm, mutes+`,"score":3`):                                        `score: "3", but a mute has no score: need it empty`,
		with(alarm, mutes+`,"scope":"cluster"`):                                `scope: "cluster", need one of pattern_on_machine, pattern, event_on_machine, event for a mute`,
		with(alarm, mutes+`,"scope":"event"`):                                  "scope: event is wider than pattern_on_machine: need `confirm: true`",
		with(alarm, mutes+`,"cluster":1`):                                      `cluster: "1" is scored as a whole: for an answer or a mute leave cluster out, and give the document of an event`,
		with(alarm, `"score":0,"scope":"pattern_on_machine"`):                  "document: the cluster of the event has a score above 0, which an answer does not change: score the cluster (scope cluster), or mute the event (mute)",
		with(benign, `"score":0,"scope":"pattern"`):                            "document: the cluster of the event has score 0, which only an answer above 0 to a pattern changes: score the cluster (scope cluster)",
		with(benign, `"score":2,"scope":"event","confirm":true`):               "document: the cluster of the event has score 0",
		`{"score":0,"scope":"pattern"}`:                                        "cluster: empty or missing, and there is no event with its context at deepcase",
		`{"cluster":1,"score":0,"expires":"1h"}`:                               `expires: "1h", but the score of a cluster does not expire: need it empty`,
		`{"cluster":1,"score":0,"scope":"event"}`:                              `cluster: "1" is scored as a whole`,
		with(strings.Replace(low, `"m"`, `"n"`, 1), `"score":0`):               `document: deepcase.pattern is "` + patternOf(loginSample, "m") + `", but the event, context and machine there have the pattern ` + patternOf(loginSample, "n"),
		with(low, `"score":0,"recent":"x"`):                                    `recent: "x", need true or false`,
		with(`{"a":1}`, `"recent":true`):                                       "recent: deepcase: no annotation of deepcase_sequence",
		with(low, `"score":0,"by":"`+strings.Repeat("x", 5000)+`"`):            "by: ",
		with(low, `"score":0,"expires":"`+time.Now().Format(time.RFC3339)+`"`): "is in the past",
	} {
		dir := t.TempDir()
		out := process(t, newLabel(t, "model: "+dir), messages(content, with(judged(t, backupSample, `{"status":"no_cluster"}`), `"score":0`)))
		assert.ErrorContains(t, out[0].GetError(), want, content)
		assert.Equal(t, content, text(t, out[0]))
		assert.NoError(t, out[1].GetError(), content)
		assert.Len(t, journalled(t, dir), 1, content)
	}
}

func TestLabelRefusesContradictingAnswers(t *testing.T) {
	dir := t.TempDir()
	low, other := judged(t, loginSample, `{"status":"low_confidence"}`), judged(t, backupSample, `{"status":"low_confidence"}`)
	shuffled := loginSample
	shuffled.Context = []string{"guess", "", "scan"}
	out := process(t, newLabel(t, "model: "+dir), messages(
		with(low, `"score":0`), with(other, `"score":1,"by":"ann"`), with(judged(t, shuffled, `{"status":"no_cluster"}`), `"score":2`), with(other, `"score":1,"by":"bob"`)))
	assert.EqualError(t, out[0].GetError(), "scope: pattern_on_machine "+patternOf(loginSample, "m")+" is given different scores or expiries in one batch, score 0 here: need one decision")
	assert.ErrorContains(t, out[2].GetError(), "score 2 here: need one decision")
	require.Len(t, journalled(t, dir), 1)
	for i, changed := range map[int]string{1: `"changed":true`, 3: `"changed":false`} {
		assert.NoError(t, out[i].GetError())
		assert.Contains(t, text(t, out[i]), `"number":1,`)
		assert.Contains(t, text(t, out[i]), changed)
		assert.Contains(t, text(t, out[i]), `"by":"ann"`)
	}
}

// A document without a scope decides about what its verdict says, as it did before there were answers.
func TestLabelWithoutScope(t *testing.T) {
	m := little(t, 1)
	for verdict, pattern := range map[string]bool{
		`{"status":"scored","score":3,"cluster":1}`:                                   false,
		`{"status":"unscored","cluster":1}`:                                           false,
		`{"status":"low_confidence","pattern":""}`:                                    false, // of an earlier program
		`{"status":"low_confidence"}`:                                                 true,
		`{"status":"no_model"}`:                                                       true,
		`{"status":"disputed","cluster":1}`:                                           true,
		`{"status":"answered","score":0,"answer":{"verdict":"no_cluster"}}`:           true,
		`{"status":"answered","score":0,"cluster":1,"answer":{"verdict":"unscored"}}`: false,
	} {
		dir := t.TempDir()
		publish(t, dir, m)
		l := newLabel(t, "model: "+dir)
		r := reply(t, l, with(judged(t, loginSample, verdict), `"score":2,"by":"ann","reason":"r"`))
		_, now := current(t, dir)
		login := clusterOf(t, m, "login")
		if pattern {
			assert.Equal(t, "pattern_on_machine", r["scope"], verdict)
			assert.Equal(t, -1.0, now.Clusters[login].Score)
			continue
		}
		assert.EqualValues(t, login, r["cluster"], verdict)
		assert.Equal(t, 2.0, now.Clusters[login].Score)
		reply(t, l, with(judged(t, loginSample, verdict), `"score":2,"by":"ann"`)) // delivered again
		assert.EqualValues(t, 1, reply(t, l, with(judged(t, loginSample, verdict), `"score":1,"by":"bob","scope":"cluster"`))["new"])
		all := journalled(t, dir)
		require.Len(t, all, 2)
		versions := versions(t, dir)
		for i, d := range all {
			assert.Equal(t, decisions.Cluster, d.Kind)
			assert.Equal(t, login, d.Cluster)
			assert.Equal(t, versions[i].Name, d.Version, "the one that it was scored in")
			assert.Equal(t, "login", d.Subject.Event)
		}
		assert.Nil(t, all[0].Old)
		assert.Equal(t, 2.0, *all[1].Old)
		assert.Equal(t, []any{"ann", "r", 2.0, "bob", 1.0}, []any{all[0].By, all[0].Reason, all[0].Score, all[1].By, all[1].Score})
	}
}

// A score is journalled before the version that has it is there. What a crash in between leaves is taken for nothing: the message comes again.
func TestLabelScoresWhatIsOnlyJournalled(t *testing.T) {
	dir := t.TempDir()
	version := publish(t, dir, little(t, 1))
	models, err := store.Open(dir, false)
	require.NoError(t, err)
	score := decisions.Decision{Kind: decisions.Cluster, Cluster: 0, Score: 3, By: "ann", Version: version}
	_, err = models.Decisions(decisions.DefaultHold).Append(t.Context(), func(decisions.Look) ([]decisions.Decision, error) { return []decisions.Decision{score}, nil })
	require.NoError(t, err)
	assert.Equal(t, 3.0, reply(t, newLabel(t, "model: "+dir), `{"cluster":0,"score":3,"by":"ann"}`)["new"])
	_, now := current(t, dir)
	assert.Equal(t, 3.0, now.Clusters[0].Score)
	assert.Len(t, journalled(t, dir), 2)
}

func TestLabelReplaysWideDecisions(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "recent.ndjson")
	recent := func(machine, verdict string) string {
		return strings.Replace(judged(t, loginSample, strings.Replace(verdict, "{", fmt.Sprintf(`{"pattern":%q,`, patternOf(loginSample, machine)), 1)), `"machine":"m"`, fmt.Sprintf(`"machine":%q`, machine), 1)
	}
	lines := []string{
		recent("m", `{"status":"low_confidence","case":"c1"}`), recent("m", `{"status":"no_cluster","case":"c1"}`), recent("n", `{"status":"low_confidence","case":"c2"}`),
		recent("n", `{"status":"scored","score":3,"cluster":1,"case":"c2"}`), recent("o", `{"status":"scored","score":0,"cluster":1}`),
		judged(t, backupSample, `{"status":"low_confidence"}`), `not annotated`,
		recent("p", `{"status":"answered","score":3,"answer":{"scope":"pattern_on_machine","verdict":"no_cluster"}}`),
		recent("q", `{"status":"answered","score":0,"answer":{"scope":"event","verdict":"no_cluster"}}`),
	}
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	l := newLabel(t, "model: "+dir+"\nrecent_file: "+file)
	low := judged(t, loginSample, `{"status":"low_confidence"}`)
	out := process(t, l, messages(with(low, `"score":0,"scope":"pattern"`), with(low, `"score":0`)))
	assert.EqualError(t, out[0].GetError(), "scope: pattern is wider than pattern_on_machine: need `confirm: true` "+
		"(of the 8 recent alerts it would have settled 4 (machines: 3); with a score above 0, or in a case with one: 1)")
	assert.Contains(t, text(t, out[1]), `"replay":{"attacks":0,"machines":1,"recent":8,"settled":2}`)
	assert.Contains(t, fmt.Sprint(reply(t, l, with(low, `"score":0,"scope":"event","confirm":true`))["replay"]), "settled:4")

	// Documents of the batch count, too, and pass as they are. A narrow benign answer needs to be confirmed if it hides an attack.
	attacked := with(recent("m", `{"status":"scored","score":2,"cluster":1,"case":"c1"}`), `"recent":true`)
	out = process(t, l, messages(with(low, `"score":0,"by":"bob"`), attacked, with(low, `"score":4,"scope":"event","confirm":true`)))
	assert.EqualError(t, out[0].GetError(), "score: 0 would have settled attacks: need `confirm: true` "+
		"(of the 9 recent alerts it would have settled 2 (machines: 1); with a score above 0, or in a case with one: 2)")
	assert.NoError(t, out[1].GetError())
	assert.Equal(t, attacked, text(t, out[1]))
	assert.NoError(t, out[2].GetError())
	mute := reply(t, l, with(recent("n", `{"status":"scored","score":3,"cluster":1}`), `"mute":true,"reason":"r","expires":"1h","scope":"event","confirm":true`))
	assert.Equal(t, map[string]any{"recent": 8.0, "settled": 2.0, "attacks": 2.0, "machines": 2.0}, mute["replay"])

	require.NoError(t, os.Remove(file))
	out = process(t, l, messages(with(low, `"score":0,"by":"bob"`)))
	assert.ErrorContains(t, out[0].GetError(), "recent_file: ")
}

func TestLabelTellsThatDecisionsAreNotWritten(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "decisions.ndjson"), 0o755))
	low := with(judged(t, loginSample, `{"status":"low_confidence"}`), `"score":0`)
	out := process(t, newLabel(t, "model: "+dir), messages(low))
	assert.ErrorContains(t, out[0].GetError(), "decisions not written: ")
	assert.Equal(t, low, text(t, out[0]))
	out = process(t, newLabel(t, "model: "+filepath.Join(dir, "missing")), messages(low))
	assert.ErrorContains(t, out[0].GetError(), "decisions not written: ")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	batches, err := newLabel(t, "model: "+t.TempDir()).ProcessBatch(ctx, messages(low))
	require.NoError(t, err)
	assert.ErrorIs(t, batches[0][0].GetError(), context.Canceled)
}

// Several writers answer at once: all that they acknowledge is in the journal, and each number is there once.
func TestLabelAnswersFromManyWriters(t *testing.T) {
	dir := t.TempDir()
	const writers, answers = 3, 8
	numbers := make(chan float64, writers*answers)
	var all sync.WaitGroup
	for writer := range writers {
		l := newLabel(t, "model: "+dir)
		for thread := range 2 {
			all.Go(func() {
				for i := range answers / 2 {
					s := model.Sample{Context: []string{"", "", ""}, Event: fmt.Sprint(writer, thread, i)}
					out, err := l.ProcessBatch(context.Background(), messages(with(judged(t, s, `{"status":"no_cluster"}`), `"score":1`)))
					if !assert.NoError(t, err) || !assert.NoError(t, out[0][0].GetError()) {
						return
					}
					var r map[string]any
					assert.NoError(t, json.Unmarshal([]byte(text(t, out[0][0])), &r))
					number, _ := r["number"].(float64)
					numbers <- number
				}
			})
		}
	}
	all.Wait()
	close(numbers)
	acknowledged := map[float64]bool{}
	for number := range numbers {
		acknowledged[number] = true
	}
	assert.Len(t, acknowledged, writers*answers)
	assert.Len(t, journalled(t, dir), writers*answers)
}
