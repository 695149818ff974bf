//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/bench/report"
)

// harrisonPart is how many of the 593,948 alerts are replayed; HARRISON says another number, 0 for all.
const harrisonPart = 50_000

// AIT-ADS harrison through the published pipelines for Kafka: three replicas, of which one is killed in mid-run, say of every alert what a
// single undisturbed one says: context, status, score, cluster, confidence, distance, attention.
func TestHarrisonByThreeReplicasOfWhichOneIsKilled(t *testing.T) {
	part := harrisonPart
	if v := os.Getenv("HARRISON"); v != "" {
		var err error
		part, err = strconv.Atoi(v)
		require.NoError(t, err)
	}
	given := aitAlerts(t, "harrison", part)
	model := aitModel(t, "russellmitchell")
	redis, kafka := launch(t, "redis"), launch(t, "kafka")
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "alerts.ndjson"), lines(t, given), 0o600))
	reader := filepath.Join(folder, "consume.yaml")
	require.NoError(t, os.WriteFile(reader, []byte(consume), 0o600))
	variables := func(group, database string) map[string]string {
		return map[string]string{"BROKERS": kafka.address(), "MODEL": model, "INPUT": "alerts.ndjson", "GROUP": group, "ANNOTATED": group,
			"READ": group, "OUT": group + ".ndjson", "REDIS": "redis://" + redis.address() + "/" + database,
			"COMMIT_PERIOD": "500ms", "LATE": "5000", "SESSION_TIMEOUT": "6s", "HEARTBEAT": "1s"}
	}
	published := func(name string) string { return "../config/kafka/" + name + ".yaml" }
	begin(t, published("produce"), folder, variables("", "0")).finish(t, 10*time.Minute)

	// annotate runs replicas until all alerts are through, and kills one of them when it has done its part.
	annotate := func(group, database string, replicas int, kill bool) (took time.Duration, came int, all map[string]string) {
		type replica struct {
			*pipeline
			port string
		}
		begun := time.Now()
		var running []replica
		for range replicas {
			v := variables(group, database)
			running = append(running, replica{begin(t, published("score"), folder, v), v["HTTP_PORT"]})
		}
		last, before := time.Now(), -1
		for {
			sum := 0
			for i, r := range running {
				n := written(r.port)
				sum += n
				if kill && n > len(given)/10 {
					r.kill()
					t.Logf("killed a replica that had written %d alerts", n)
					running, kill, before, sum = append(running[:i:i], running[i+1:]...), false, -1, 0
					break
				}
			}
			if sum != before {
				last, before = time.Now(), sum
			}
			if sum == len(given) && replicas == 1 || time.Since(last) > 12*time.Second { // longer than it takes to notice that a replica is gone
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		require.False(t, kill, "none was killed")
		for _, r := range running {
			r.kill()
		}
		begin(t, reader, folder, variables(group, database)).finish(t, 10*time.Minute)
		out, err := os.Open(filepath.Join(folder, group+".ndjson"))
		require.NoError(t, err)
		defer out.Close()
		all = map[string]string{}
		for scanner := bufio.NewScanner(out); scanner.Scan(); came++ {
			var a struct {
				Alert    string
				Deepcase json.RawMessage
			}
			require.NoError(t, json.Unmarshal(scanner.Bytes(), &a))
			if said, again := all[a.Alert]; again {
				require.Equal(t, said, string(a.Deepcase), "alert %s, when it came again", a.Alert)
			}
			all[a.Alert] = string(a.Deepcase)
		}
		require.Len(t, all, len(given), "%s", &running[0].log)
		return last.Sub(begun), came, all
	}
	alone, _, want := annotate("single", "1", 1, false)
	shared, came, got := annotate("three", "2", 3, true)
	require.Greater(t, came, len(given), "no alert came again")
	scored := 0
	for key, said := range want {
		require.Equal(t, said, got[key], "alert %s", key)
		if strings.Contains(said, `"status":"scored"`) {
			scored++
		}
	}
	require.Greater(t, scored, len(given)/4)
	page(t, fmt.Sprintf("## AIT-ADS harrison, three replicas on Kafka, one of them killed\n\n%s. %d alerts, %.1f %% of them scored (model of russellmitchell). One\nundisturbed replica took "+
		"%.0f s (%.0f alerts/s). Three replicas on the same cores, one of which was killed in mid-run, took %.0f s (%.0f alerts/s); %d\n"+
		"alerts came again. Both runs gave every alert the same context and verdict.\n", report.Machine(), len(given), 100*float64(scored)/float64(len(given)),
		alone.Seconds(), float64(len(given))/alone.Seconds(), shared.Seconds(), float64(len(given))/shared.Seconds(), came-len(given)))
}

// written is how many alerts a replica has written to its topic; 0 while it does not answer.
func written(port string) int {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get("http://127.0.0.1:" + port + "/metrics")
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("output_sent{")) && bytes.Contains(line, []byte(`label="annotated"`)) {
			n, err := strconv.ParseFloat(string(bytes.TrimSpace(line[bytes.LastIndexByte(line, ' '):])), 64)
			if err == nil {
				return int(n)
			}
		}
	}
	return 0
}
