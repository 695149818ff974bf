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

// produce writes alerts to a topic, keyed by machine.
const produce = `
http: { enabled: false }
input: { file: { paths: [ alerts.ndjson ], scanner: { lines: {} } } }
output:
  redpanda:
    seed_brokers: [ "${BROKER}" ]
    topic: alerts
    key: ${! json("host.name") }
    partitioner: murmur2_hash
    max_in_flight: 1
    batching: { count: 1000, period: 100ms }
`

// replica is one of the processes that annotate: a consumer group deals the partitions out, windows are in Redis.
const replica = `
http: { enabled: false }
input:
  redpanda:
    seed_brokers: [ "${BROKER}" ]
    topics: [ alerts ]
    consumer_group: deepcase
    session_timeout: 6s
    heartbeat_interval: 1s
    commit_period: 500ms
rate_limit_resources: [ { label: slowly, local: { count: 2000, interval: 1s } } ]
pipeline:
  threads: 1
  processors:
    - rate_limit: { resource: slowly }
    - deepcase_sequence:
        machine: ${! json("host.name") }
        event: ${! json("rule.name") }
        timestamp: ${! json("@timestamp") }
        id: ${! meta("kafka_partition") }/${! meta("kafka_offset") }
        late: 5000
        cache: windows
    - deepcase_predict: { model: none }
    - mutation: |
        root.offset = meta("kafka_partition") + "/" + meta("kafka_offset")
        root.replica = "${REPLICA}"
output:
  redpanda:
    seed_brokers: [ "${BROKER}" ]
    topic: annotated
    key: ${! json("host.name") }
    max_in_flight: 1
cache_resources:
  - label: windows
    redis: { url: "redis://${REDIS}" }
`

// consume writes what was annotated to a file, until nothing comes any more.
const consume = `
http: { enabled: false }
input:
  read_until:
    idle_timeout: 5s
    input: { redpanda: { seed_brokers: [ "${BROKER}" ], topics: [ annotated ], consumer_group: reader } }
output: { file: { path: "${OUT}", codec: lines } }
`

func TestThreeReplicasOfWhichOneIsKilled(t *testing.T) {
	redis, kafka := launch(t, "redis"), launch(t, "kafka")
	folder := t.TempDir()
	given := alerts(8000, 60)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, a := range given {
		require.NoError(t, encoder.Encode(a))
	}
	for name, content := range map[string]string{"alerts.ndjson": text.String(), "produce.yaml": produce, "replica.yaml": replica, "consume.yaml": consume} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
	}
	variables := map[string]string{"BROKER": kafka.address(), "REDIS": redis.address()}
	config := func(name string) string { return filepath.Join(folder, name+".yaml") }
	begin(t, config("produce"), folder, variables).finish(t, time.Minute)

	// The latest of each event is enough: all of them should have the same context.
	type annotated struct {
		alert
		Offset  string `json:"offset"`
		Replica string `json:"replica"`
	}
	by := map[string]int{}
	contexts := map[string]map[string]bool{}
	byOffset := map[string]annotated{}
	read := func(round int) int {
		out := fmt.Sprintf("annotated-%d.ndjson", round)
		variables["OUT"] = out
		begin(t, config("consume"), folder, variables).finish(t, time.Minute)
		b, err := os.ReadFile(filepath.Join(folder, out))
		if os.IsNotExist(err) {
			return len(byOffset)
		}
		require.NoError(t, err)
		for line := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n") {
			var a annotated
			require.NoError(t, json.Unmarshal([]byte(line), &a))
			require.NotNil(t, a.Verdict, line)
			byOffset[a.Offset] = a
			by[a.Replica]++
			if contexts[a.Offset] == nil {
				contexts[a.Offset] = map[string]bool{}
			}
			contexts[a.Offset][strings.Join(texts(a.Verdict.Context), ",")] = true
		}
		return len(byOffset)
	}

	// One begins alone, so that partitions move when the others come, and again when one of them is killed.
	join := func(name string) *pipeline {
		variables["REPLICA"] = name
		return begin(t, config("replica"), folder, variables)
	}
	first := join("first")
	time.Sleep(3 * time.Second)
	second, third := join("second"), join("third")
	time.Sleep(4 * time.Second)
	second.kill()
	for round := 0; read(round) < len(given); round++ {
		if round == 12 {
			t.Fatalf("%d of %d annotated\n%s\n%s", len(byOffset), len(given), &first.log, &third.log)
		}
	}
	t.Logf("annotated by %v, %d events more than once", by, by["first"]+by["second"]+by["third"]-len(given))
	for _, name := range []string{"first", "second", "third"} {
		require.Positive(t, by[name], "%s replica had nothing to do", name)
	}
	several := 0
	for _, c := range contexts {
		if len(c) > 1 {
			several++
		}
	}
	require.Zero(t, several, "events with different contexts")
	var found []alert
	byPlace := map[string]alert{}
	for _, a := range byOffset {
		byPlace[a.Host.Name+a.Rule.Name+a.Time] = a.alert
	}
	for _, g := range given {
		found = append(found, byPlace[g.Host.Name+g.Rule.Name+g.Time])
	}
	requireContexts(t, found)
}
