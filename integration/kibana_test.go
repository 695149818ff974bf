//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// detections is the hidden index of Elastic Security's alerts and the alias by which they are read, with the part of its mapping that matters.
type detections struct{ server *server }

const (
	detectionIndex = ".internal.alerts-security.alerts-default-000001"
	detectionAlias = ".alerts-security.alerts-default"
)

func newDetections(t testing.TB, s *server) detections {
	t.Helper()
	s.ask(t, http.MethodPut, "/"+detectionIndex, `{"settings":{"number_of_replicas":0,"index.hidden":true},"aliases":{"`+detectionAlias+`":{"is_hidden":true}},
		"mappings":{"dynamic":false,"properties":{"@timestamp":{"type":"date"},"kibana":{"properties":{"alert":{"properties":{
			"uuid":{"type":"keyword"},"workflow_status":{"type":"keyword"},"workflow_reason":{"type":"keyword"},"workflow_user":{"type":"keyword"},
			"workflow_tags":{"type":"keyword"},"workflow_status_updated_at":{"type":"date"}}}}}}}}`)
	t.Cleanup(func() { s.ask(t, http.MethodDelete, "/"+detectionIndex, nil) })
	return detections{s}
}

// raise writes the alert that a detection rule makes of a document: a copy of it, beside flat keys.
func (d detections) raise(t testing.TB, id string, document map[string]any) {
	t.Helper()
	alert := maps.Clone(document)
	alert["@timestamp"] = time.Now().UTC().Format(time.RFC3339Nano)
	alert["kibana.alert.uuid"], alert["kibana.alert.workflow_status"], alert["kibana.alert.workflow_tags"] = id, "open", []string{}
	d.server.ask(t, http.MethodPut, "/"+detectionIndex+"/_doc/"+id+"?refresh=true", alert)
}

// set changes the status of an alert as Kibana does.
func (d detections) set(t testing.TB, id, status, reason string) {
	t.Helper()
	change := map[string]any{"kibana.alert.workflow_status": status, "kibana.alert.workflow_user": "u_ann",
		"kibana.alert.workflow_status_updated_at": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "kibana.alert.workflow_reason": nil}
	if reason != "" {
		change["kibana.alert.workflow_reason"] = reason
	}
	d.server.ask(t, http.MethodPost, "/"+detectionAlias+"/_update/"+id+"?refresh=true", map[string]any{"doc": change})
}

// annotated is what a document in an index says about its event.
type annotated struct {
	Pattern, Status, Event, Case string
	Kind                         string `json:"case_kind"`
	Opened                       *bool  `json:"case_opened"`
	Send                         *bool
	Score                        *float64
	Answer                       *struct {
		Number          int
		Kind, Scope, By string
		Verdict         string
	}
}

// source gives a document, and what it says about its event.
func (s *server) source(t testing.TB, id string) (document map[string]any, a annotated) {
	t.Helper()
	document = s.ask(t, http.MethodGet, "/alerts-closed-0/_doc/"+id, nil)["_source"].(map[string]any)
	encoded, err := json.Marshal(document["deepcase"])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(encoded, &a))
	return document, a
}

// takenLines reads the lines of a pipeline's file and removes it.
func takenLines(t testing.TB, path string) (found []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &object), line)
		found = append(found, object)
	}
	require.NoError(t, os.Remove(path))
	return found
}

// A closed alert of Elastic Security becomes an answer, and the next event of its pattern is not sent. Opened again, the answer is taken back.
func TestAClosedAlertBecomesAnAnswer(t *testing.T) {
	if !slices.ContainsFunc(engines, func(name string) bool { return name == "elasticsearch" }) {
		t.Skip("Elastic Security needs Elasticsearch: ENGINES does not name it")
	}
	s := engine(t, "elasticsearch")
	const index = "alerts-closed"
	given := alerts(400, 20)
	for i := range given {
		at, err := time.Parse(time.RFC3339, given[i].Time)
		require.NoError(t, err)
		given[i].Time = at.Add(-20 * 24 * time.Hour).Format("2006-01-02T15:04:05.000Z07:00")
	}
	s.give(t, index, given)
	d := newDetections(t, s)
	folder := t.TempDir()
	s.learn(t, index+"-*", folder)

	variables := map[string]string{"URL": s.url(), "INDEX": index + "-*", "MODE": "once", "AUDIT": "0"}
	enrich := func() {
		begin(t, "../config/elastic/enrich_elasticsearch.yaml", folder, variables).finish(t, 2*time.Minute)
	}
	// event writes one with nothing before it within a day: all of a name have the same pattern.
	days := 18
	event := func(name string) (id string) {
		days -= 2
		id = fmt.Sprintf("lone-%d", days)
		s.ask(t, http.MethodPut, "/"+index+"-0/_doc/"+id+"?refresh=true", map[string]any{
			"@timestamp": time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339Nano), "host": map[string]any{"name": "lone"}, "rule": map[string]any{"name": name}, "site": "south"})
		return id
	}
	label := func() (answers, dead []map[string]any) {
		begin(t, "../config/elastic/label_from_kibana.yaml", folder, map[string]string{"URL": s.url(), "MODE": "once"}).finish(t, time.Minute)
		return takenLines(t, filepath.Join(folder, "answers.ndjson")), takenLines(t, filepath.Join(folder, "dead-letters.ndjson"))
	}

	// Nobody has seen this before: a person gets it, in a case of its own.
	first := event("new service")
	enrich()
	document, a := s.source(t, first)
	require.Equal(t, []any{"unknown_event", true, "new", true}, []any{a.Status, *a.Send, a.Kind, *a.Opened})
	require.Len(t, a.Pattern, 32)
	pattern := a.Pattern

	// Closings: a benign event, one that decides nothing, an alarm of the model, and an alert that deepcase has not annotated.
	d.raise(t, "benign", document)
	d.raise(t, "duplicate", document)
	d.raise(t, "untouched", document)
	s.refresh(t, index+"-*") // or the search may not find what was just written
	hits := s.ask(t, http.MethodPost, "/"+index+"-*/_search", `{"size":1,"query":{"bool":{"filter":[{"term":{"deepcase.status":"scored"}},{"term":{"deepcase.score":3}}]}}}`)["hits"]
	alarm := hits.(map[string]any)["hits"].([]any)[0].(map[string]any)["_source"].(map[string]any)
	d.raise(t, "alarm", alarm)
	d.raise(t, "bare", map[string]any{"host": map[string]any{"name": "lone"}})
	answers, dead := label()
	require.Empty(t, append(answers, dead...), "no alert has been closed")
	d.set(t, "benign", "closed", "false_positive")
	d.set(t, "duplicate", "closed", "duplicate")
	d.set(t, "alarm", "closed", "false_positive")
	d.set(t, "bare", "closed", "benign_positive")
	answers, dead = label()
	require.Len(t, answers, 2)
	require.Equal(t, []any{"benign", "duplicate", "closed as duplicate"}, []any{answers[0]["id"], answers[1]["id"], answers[1]["why"]})
	answer := answers[0]["answer"].(map[string]any)
	require.Equal(t, []any{true, pattern, 0.0, "u_ann", "false_positive", "pattern_on_machine"},
		[]any{answer["changed"], answer["pattern"], answer["score"], answer["by"], answer["reason"], answer["scope"]})
	require.Len(t, dead, 2)
	require.Equal(t, []any{"alarm", "bare", detectionIndex}, []any{dead[0]["id"], dead[1]["id"], dead[0]["index"]})
	require.Contains(t, dead[0]["error"], "the cluster of the event has a score above 0")
	require.Contains(t, dead[1]["error"], "the alert holds no object deepcase")
	answers, dead = label()
	require.Empty(t, append(answers, dead...), "nothing has changed since")

	// The next event of the pattern is answered and goes to nobody; one of another name still goes to a person.
	next, other := event("new service"), event("another service")
	enrich()
	_, a = s.source(t, next)
	require.Equal(t, []any{pattern, "answered", 0.0, false, ""}, []any{a.Pattern, a.Status, *a.Score, *a.Send, a.Case})
	require.Equal(t, []any{"answer", "pattern_on_machine", "u_ann", "unknown_event"}, []any{a.Answer.Kind, a.Answer.Scope, a.Answer.By, a.Answer.Verdict})
	_, a = s.source(t, other)
	require.Equal(t, []any{"unknown_event", true}, []any{a.Status, *a.Send})

	// The event that was asked about is still open, until it is scored again. It keeps its case.
	begin(t, "../config/elastic/rescore_elasticsearch.yaml", folder, maps.Clone(variables)).finish(t, time.Minute)
	_, a = s.source(t, first)
	require.Equal(t, []any{"answered", 0.0, false, "new", true}, []any{a.Status, *a.Score, *a.Send, a.Kind, *a.Opened})
	_, a = s.source(t, other)
	require.Equal(t, []any{"unknown_event", true}, []any{a.Status, *a.Send})
	s.refresh(t, index+"-*")
	require.Equal(t, 2, s.total(t, index+"-0", `{"bool":{"filter":[{"term":{"deepcase.answer.scope":"pattern_on_machine"}},{"term":{"deepcase.send":false}}]}}`), "answers can be searched")

	// Opened again: events of the pattern go to a person again. Closed as an attack: they are alarms.
	d.set(t, "benign", "open", "")
	answers, _ = label()
	require.Len(t, answers, 1)
	require.Equal(t, answer["number"], answers[0]["undone"].(map[string]any)["undoes"])
	again := event("new service")
	enrich()
	_, a = s.source(t, again)
	require.Equal(t, []any{"unknown_event", true, "new"}, []any{a.Status, *a.Send, a.Kind})
	d.set(t, "benign", "closed", "true_positive")
	answers, _ = label()
	require.Equal(t, 3.0, answers[0]["answer"].(map[string]any)["score"])
	attack := event("new service")
	enrich()
	_, a = s.source(t, attack)
	require.Equal(t, []any{"answered", 3.0, true, "alarm"}, []any{a.Status, *a.Score, *a.Send, a.Kind})

	// With another cursor, all closings come again, oldest first: what stands in the end is what stood before.
	begin(t, "../config/elastic/label_from_kibana.yaml", folder, map[string]string{"URL": s.url(), "MODE": "once", "CURSOR": "again"}).finish(t, time.Minute)
	answers = takenLines(t, filepath.Join(folder, "answers.ndjson"))
	require.Len(t, answers, 2)
	require.Equal(t, false, answers[1]["answer"].(map[string]any)["changed"])
}
