//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// consume writes what was annotated, with its headers, to a file, until nothing comes any more.
const consume = `
http: { enabled: false }
input:
  read_until:
    idle_timeout: 5s
    input: { redpanda: { seed_brokers: [ "${BROKERS}" ], topics: [ "${READ}" ], consumer_group: reader } }
pipeline: { processors: [ mutation: "root.alert = @deepcase_alert\nroot.replica = @deepcase_replica" ] }
output: { file: { path: "${OUT}", codec: lines } }
`

func TestThreeReplicasOfWhichOneIsKilled(t *testing.T) {
	redis, kafka := launch(t, "redis"), launch(t, "kafka")
	folder := t.TempDir()
	given := alerts(8000, 60)
	write := func(name string, alerts []alert) {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		for _, a := range alerts {
			require.NoError(t, encoder.Encode(a))
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), text.Bytes(), 0o600))
	}
	write("first.ndjson", append(given[:1000:1000], alert{Time: given[0].Time})) // the last one has no machine
	write("rest.ndjson", given[1000:])
	reader := filepath.Join(folder, "consume.yaml")
	require.NoError(t, os.WriteFile(reader, []byte(consume), 0o600))

	learnAlerts(t, folder, given[:6000])
	variables := map[string]string{"BROKERS": kafka.address(), "REDIS": "redis://" + redis.address(), "MODEL": "model",
		// Alerts of a machine come every 1.8 s, so that a case is opened every few alerts.
		"GAP": "1s", "ALARM_GAP": "1500ms", "AUDIT": "0.05",
		// So rarely that the killed one has annotated alerts without saying so: they come again.
		"COMMIT_PERIOD": "5s", "SESSION_TIMEOUT": "6s", "HEARTBEAT": "1s", "RATE": "2000"}
	published := func(name string) string { return "../config/kafka/" + name + ".yaml" }
	// The topic is there before anybody reads it; then alerts flow for twenty seconds.
	variables["INPUT"] = "first.ndjson"
	begin(t, published("produce"), folder, variables).finish(t, time.Minute)
	variables["INPUT"] = "rest.ndjson"
	producer := begin(t, published("produce"), folder, variables)

	// The latest of each event is enough: all of them should have the same context.
	type annotated struct {
		alert
		Key     string `json:"alert"`
		Replica string `json:"replica"`
	}
	by := map[string]int{}
	contexts, cases := map[string]map[string]bool{}, map[string]map[string]bool{}
	byKey := map[string]annotated{}
	consumed := func(topic, name string) (lines []string) {
		variables["READ"], variables["OUT"] = topic, name
		begin(t, reader, folder, variables).finish(t, time.Minute)
		b, err := os.ReadFile(filepath.Join(folder, name))
		if os.IsNotExist(err) {
			return nil
		}
		require.NoError(t, err)
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	read := func(round int) int {
		for _, line := range consumed("annotated", fmt.Sprintf("annotated-%d.ndjson", round)) {
			var a annotated
			require.NoError(t, json.Unmarshal([]byte(line), &a))
			require.NotNil(t, a.Verdict, line)
			byKey[a.Key] = a
			by[a.Replica]++
			if contexts[a.Key] == nil {
				contexts[a.Key], cases[a.Key] = map[string]bool{}, map[string]bool{}
			}
			contexts[a.Key][strings.Join(texts(a.Verdict.Context), ",")] = true
			cases[a.Key][a.grouped()] = true
		}
		return len(byKey)
	}

	// One begins alone, so that partitions move when the others come, and again when one of them is killed.
	host, err := os.Hostname()
	require.NoError(t, err)
	var names []string
	join := func() *pipeline {
		p := begin(t, published("score"), folder, variables)
		names = append(names, host+":"+variables["HTTP_PORT"])
		return p
	}
	first := join()
	time.Sleep(3 * time.Second)
	second := join()
	port := variables["HTTP_PORT"]
	third := join()
	require.Eventually(t, func() bool { return written(port) > 0 }, time.Minute, 100*time.Millisecond, "the second replica has nothing to do")
	second.kill()
	producer.finish(t, time.Minute)
	for round := 0; read(round) < len(given); round++ {
		if round == 12 {
			t.Fatalf("%d of %d annotated\n%s\n%s", len(byKey), len(given), &first.log, &third.log)
		}
	}
	total := 0
	for _, name := range names {
		require.Positive(t, by[name], "%s had nothing to do: %v", name, by)
		total += by[name]
	}
	t.Logf("annotated by %v, %d alerts more than once", by, total-len(given))
	require.Greater(t, total, len(given), "no alert came again")
	dead := consumed("dead-letters", "dead-letters.ndjson")
	require.NotEmpty(t, dead)
	require.Contains(t, dead[0], "is missing or null: want a name")
	several := 0
	for _, c := range contexts {
		if len(c) > 1 {
			several++
		}
	}
	require.Zero(t, several, "events with different contexts")
	var found []alert
	byPlace := map[string]alert{}
	for _, a := range byKey {
		byPlace[a.Host.Name+a.Rule.Name+a.Time] = a.alert
	}
	for _, g := range given {
		found = append(found, byPlace[g.Host.Name+g.Rule.Name+g.Time])
	}
	requireContexts(t, found)

	// One replica that nobody disturbs, with a Redis of its own, says of each alert what the three said each time.
	variables["REDIS"] += "/1"
	variables["GROUP"], variables["ANNOTATED"], variables["DEAD_LETTERS"] = "undisturbed", "undisturbed", "undisturbed-dead-letters"
	begin(t, published("score"), folder, variables)
	undisturbed, kinds := map[string]string{}, map[string]int{}
	for round := 0; len(undisturbed) < len(given); round++ {
		require.Less(t, round, 12, "%d of %d annotated", len(undisturbed), len(given))
		for _, line := range consumed("undisturbed", fmt.Sprintf("undisturbed-%d.ndjson", round)) {
			var a annotated
			require.NoError(t, json.Unmarshal([]byte(line), &a))
			undisturbed[a.Key] = a.grouped()
			if kind := a.Verdict.Kind; a.Verdict.Opened {
				kinds[kind]++
			}
		}
	}
	t.Logf("opened by kind: %v", kinds)
	for _, kind := range []string{"alarm", "new", "burst", "audit"} {
		require.Greater(t, kinds[kind], 100, kind)
	}
	for key, want := range undisturbed {
		require.Equal(t, map[string]bool{want: true}, cases[key], key)
	}
}

// grouped is what deepcase_case says of an alert.
func (a *alert) grouped() string {
	return fmt.Sprint(*a.Verdict.Send, " ", a.Verdict.Case, " ", a.Verdict.Kind, " ", a.Verdict.Opened)
}

// learnAlerts makes a model of alerts in a folder, with attacks at 3 and the rest at 0. It never sees a backup.
func learnAlerts(t testing.TB, folder string, given []alert) {
	t.Helper()
	text := []byte("time,host,name,label\n")
	for _, a := range given {
		if a.Rule.Name == "backup" {
			continue
		}
		label := 0
		if strings.HasPrefix(a.Host.Name, "web") {
			label = 3
		}
		text = fmt.Appendf(text, "%s,%s,%s,%d\n", a.Time, a.Host.Name, a.Rule.Name, label)
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "learn.csv"), text, 0o600))
	from := []string{"--csv", "learn.csv", "--columns", "timestamp=time,machine=host,event=name,label=label"}
	deepcase(t, folder, append([]string{"cluster", "--epochs", "20", "--seed", "1", "--save-builder", "model", "--save-interpreter", "model"}, from...)...)
	deepcase(t, folder, append([]string{"manual", "--load-interpreter", "model", "--save-interpreter", "model"}, from...)...)
}
