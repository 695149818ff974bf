package elastic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	_ "connect-deepcase/cache"
	_ "connect-deepcase/input/files"
	_ "connect-deepcase/processor"
)

// closing is one line of label_from_kibana.yaml about an alert.
type closing struct {
	ID, Error, Why, By string
	Score              *float64
	Answer, Undone     struct {
		Number, Undoes int
		Changed        bool
		Score          *float64
		By, Reason     string
	}
}

// kibana is label_from_kibana.yaml with alerts from a file in place of a server's.
type kibana struct{ folder string }

// run gives what becomes of alerts, in order, and the dead letters.
func (k kibana) run(t *testing.T, alerts ...map[string]any) (answers, dead []closing) {
	t.Helper()
	log, wait := k.start(t, alerts...)
	require.NoError(t, wait(2*time.Minute), "%s", log())
	return k.lines(t, "answers.ndjson"), k.lines(t, "dead-letters.ndjson")
}

func (k kibana) start(t *testing.T, alerts ...map[string]any) (log func() string, wait func(time.Duration) error) {
	t.Helper()
	text, err := os.ReadFile("label_from_kibana.yaml")
	require.NoError(t, err)
	var config map[string]any
	require.NoError(t, yaml.Unmarshal(text, &config))
	delete(config, "http")
	var lines bytes.Buffer
	for _, a := range alerts {
		require.NoError(t, json.NewEncoder(&lines).Encode(a))
	}
	require.NoError(t, os.WriteFile(filepath.Join(k.folder, "in.ndjson"), lines.Bytes(), 0o600))
	config["input"] = map[string]any{
		"deepcase_files": map[string]any{"paths": []string{filepath.Join(k.folder, "in.ndjson")}},
		"processors":     []any{map[string]any{"mapping": "meta search_id = this.id\nmeta search_index = \"alerts\""}},
	}
	encoded, err := yaml.Marshal(config)
	require.NoError(t, err)
	builder := service.NewStreamBuilder()
	builder.SetEnvVarLookupFunc(func(name string) (string, bool) {
		if name == "PAUSE" {
			return "10ms", true
		}
		file := map[string]string{"MODEL": "model", "STATE": "state", "ANSWERS": "answers.ndjson", "DEAD_LETTERS": "dead-letters.ndjson"}[name]
		if file == "" {
			return "", false
		}
		return filepath.Join(k.folder, file), true
	})
	require.NoError(t, builder.SetYAML(string(encoded)))
	var mu sync.Mutex
	var logged bytes.Buffer
	builder.SetLogger(slog.New(slog.NewTextHandler(lockedWriter{&mu, &logged}, nil)))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go func() { ended <- stream.Run(ctx) }()
	log = func() string { mu.Lock(); defer mu.Unlock(); return logged.String() }
	return log, func(limit time.Duration) error {
		select {
		case err := <-ended:
			return err
		case <-time.After(limit):
			return fmt.Errorf("still running after %s", limit)
		}
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (w lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(b)
}

// lines reads a file of the pipeline and removes it.
func (k kibana) lines(t *testing.T, name string) (found []closing) {
	t.Helper()
	path := filepath.Join(k.folder, name)
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		var c closing
		require.NoError(t, json.Unmarshal([]byte(line), &c), line)
		found = append(found, c)
	}
	require.NoError(t, os.Remove(path))
	return found
}

func newKibana(t *testing.T) kibana {
	t.Helper()
	k := kibana{t.TempDir()}
	require.NoError(t, os.Mkdir(filepath.Join(k.folder, "model"), 0o755))
	return k
}

// closed is an alert on an event as Kibana has it: flat keys beside what it copied.
func closed(id, event, reason string, more ...map[string]any) map[string]any {
	a := map[string]any{"id": id, "kibana.alert.workflow_status": "closed", "kibana.alert.workflow_user": "ann", "kibana.alert.workflow_tags": []string{},
		"deepcase": map[string]any{"machine": "web-1", "event": event, "context": []any{nil, "scan"}, "status": "no_cluster"}}
	if reason != "" {
		a["kibana.alert.workflow_reason"] = reason
	}
	for _, m := range more {
		maps.Copy(a, m)
	}
	return a
}

func tags(names ...string) map[string]any { return map[string]any{"kibana.alert.workflow_tags": names} }

func status(name string) map[string]any { return map[string]any{"kibana.alert.workflow_status": name} }

// inCluster is the object of an event in a cluster with a score.
func inCluster(score float64) map[string]any {
	return map[string]any{"deepcase": map[string]any{"machine": "web-1", "event": fmt.Sprint("scored ", score), "context": []any{nil}, "status": "scored", "score": score, "cluster": 4}}
}

func TestClosedAlertsBecomeAnswers(t *testing.T) {
	answers, dead := newKibana(t).run(t,
		closed("a", "login", "false_positive"), closed("b", "mount", "benign_positive"), closed("c", "scan", "true_positive"),
		closed("d", "login", "false_positive"), closed("e", "sudo", "", tags("Further investigation required", "False Positive")),
		closed("f", "cron", "duplicate"), closed("g", "cron", ""), closed("h", "cron", "", tags("False Positive", "True Positive")),
		closed("i", "cron", "", status("acknowledged")),
		closed("j", "", "true_positive", inCluster(3)), closed("k", "", "false_positive", inCluster(0)), closed("l", "", "true_positive", inCluster(0)))
	require.Empty(t, dead)
	var scores []float64
	var whys []string
	for _, a := range answers {
		if a.Answer.Number == 0 {
			whys = append(whys, a.ID+": "+a.Why)
			continue
		}
		require.Equal(t, "ann", a.Answer.By)
		require.Equal(t, a.ID != "d", a.Answer.Changed, "the same pattern has been answered")
		scores = append(scores, *a.Answer.Score)
	}
	require.Equal(t, []float64{0, 0, 3, 0, 0, 3}, scores)
	require.Equal(t, "true_positive", answers[2].Answer.Reason)
	require.Equal(t, []string{"f: closed as duplicate", "g: closed without a reason", "h: its tags contradict each other: false_positive, true_positive",
		"j: its cluster has a score above 0 already", "k: its cluster has score 0 already"}, whys)
}

func TestAlertsThatCannotBeAnsweredAreDeadLetters(t *testing.T) {
	foreign := closed("c", "login", "false_positive")
	foreign["deepcase"].(map[string]any)["pattern"] = strings.Repeat("0", 32)
	answers, dead := newKibana(t).run(t, closed("a", "", "false_positive", inCluster(3)), closed("b", "", "false_positive", map[string]any{"deepcase": nil}),
		foreign, closed("d", "", "false_positive", map[string]any{"deepcase": "text"}), closed("e", "login", "false_positive"))
	require.Len(t, answers, 1)
	require.Equal(t, "e", answers[0].ID)
	require.Len(t, dead, 4)
	for i, want := range []string{"the cluster of the event has a score above 0", "the alert holds no object deepcase", "need the document as deepcase_predict wrote it", "the alert holds no object deepcase"} {
		require.Equal(t, string("abcd"[i]), dead[i].ID)
		require.Contains(t, dead[i].Error, want)
	}
}

// That an audited event is benign is an answer, although its cluster says so, too: the audit counts it.
func TestAuditedAlertsAreAnswered(t *testing.T) {
	audited := inCluster(0)
	maps.Copy(audited["deepcase"].(map[string]any), map[string]any{"send": true, "case": "audit-1", "case_kind": "audit", "case_opened": true})
	answers, dead := newKibana(t).run(t, closed("a", "", "false_positive", audited))
	require.Empty(t, dead)
	require.True(t, answers[0].Answer.Changed)
	require.Equal(t, 0.0, *answers[0].Answer.Score)
}

// What an alert has decided follows the alert: the last state counts, and an alert that comes again changes nothing.
func TestAnAlertThatIsOpenedAgainTakesItsAnswerBack(t *testing.T) {
	k := newKibana(t)
	first := closed("a", "login", "false_positive")
	answers, _ := k.run(t, first, first, closed("b", "login", "false_positive"))
	require.Equal(t, []bool{true, false, false}, []bool{answers[0].Answer.Changed, answers[1].Answer.Changed, answers[2].Answer.Changed})
	number := answers[0].Answer.Number

	open := closed("a", "login", "", status("open"), map[string]any{"kibana.alert.workflow_user": "bob"})
	answers, _ = k.run(t, open, open)
	require.Len(t, answers, 1, "the second time, there is nothing to take back")
	require.Equal(t, number, answers[0].Undone.Undoes)
	require.True(t, answers[0].Undone.Changed)
	require.Equal(t, "opened again", answers[0].Undone.Reason)

	// Closed for another reason, before anybody read that it was open: only the new answer stands.
	answers, _ = k.run(t, first)
	benign := answers[0].Answer.Number
	require.Greater(t, benign, number)
	answers, _ = k.run(t, closed("a", "login", "true_positive"))
	require.Equal(t, benign, answers[0].Undone.Undoes)
	require.Equal(t, 3.0, *answers[0].Answer.Score)
	attack := answers[0].Answer.Number
	answers, _ = k.run(t, closed("a", "login", "duplicate"))
	require.Equal(t, attack, answers[0].Undone.Undoes)
	require.Equal(t, "closed as duplicate", answers[0].Why)

	// By somebody else: what the first said does not come back when the second takes it back.
	answers, _ = k.run(t, first)
	again := answers[0].Answer.Number
	answers, _ = k.run(t, closed("a", "login", "false_positive", map[string]any{"kibana.alert.workflow_user": "bob"}))
	require.Equal(t, again, answers[0].Undone.Undoes)
	require.True(t, answers[0].Answer.Changed)
}

func TestClosedAlertsWaitForTheModelDirectory(t *testing.T) {
	k := kibana{t.TempDir()}
	log, wait := k.start(t, closed("a", "login", "false_positive"))
	require.Eventually(t, func() bool { return strings.Contains(log(), "An alert waits: ") }, 2*time.Minute, 10*time.Millisecond)
	require.NoError(t, os.Mkdir(filepath.Join(k.folder, "model"), 0o755))
	require.NoError(t, wait(2*time.Minute), "%s", log())
	require.Empty(t, k.lines(t, "dead-letters.ndjson"), "%s", log())
	require.True(t, k.lines(t, "answers.ndjson")[0].Answer.Changed)
}
