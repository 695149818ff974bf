//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What deploy/compose runs, on real servers: invented alerts flow through the pipelines of config/kafka into OpenSearch, a model is learnt
// and a cluster labelled meanwhile, and the dashboards' queries find what they show.
func TestFromDemoToDashboards(t *testing.T) {
	redis, kafka, search := launch(t, "redis"), launch(t, "kafka"), engine(t, "opensearch")
	for _, kind := range []string{"component", "index"} {
		text, err := os.ReadFile("../config/elastic/" + kind + "_template.json")
		require.NoError(t, err)
		search.ask(t, http.MethodPut, "/_"+kind+"_template/deepcase", string(text))
	}
	t.Cleanup(func() {
		search.ask(t, http.MethodDelete, "/alerts-chain-*", nil)
		search.ask(t, http.MethodDelete, "/_index_template/deepcase", nil)
		search.ask(t, http.MethodDelete, "/_component_template/deepcase", nil)
	})
	b, err := binary()
	require.NoError(t, err)
	folder := t.TempDir()
	model := filepath.Join(folder, "model")
	variables := map[string]string{"BROKERS": kafka.address(), "REDIS": "redis://" + redis.address(), "URL": search.url(), "MODEL": model,
		"SPOOL": filepath.Join(folder, "spool"), "INDEX": "alerts-chain", "BINARY": b, "DAYS": "2", "RATE": "1000000", "EVERY": "10s",
		"LABEL_FIELD": "demo.label", "SESSION_TIMEOUT": "6s", "HEARTBEAT": "1s"}
	published := func(name string) string { return "../config/kafka/" + name + ".yaml" }
	play := func() { begin(t, "../deploy/compose/demo.yaml", folder, variables).finish(t, time.Minute) }
	send := func(topic, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, topic), []byte(text+"\n"), 0o600))
		variables["INPUT"], variables["TOPIC"] = topic, topic
		begin(t, published("produce"), folder, variables).finish(t, time.Minute)
		delete(variables, "TOPIC")
	}
	indexed := func() int {
		search.refresh(t, "alerts-chain-*")
		response, err := http.Get(search.url() + "/alerts-chain-*/_count")
		if err != nil {
			return -1
		}
		defer response.Body.Close()
		var answer struct{ Count int }
		// The shards of an index that was just created may not be there yet: status 503.
		if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&answer) != nil {
			return -1
		}
		return answer.Count
	}
	out, err := exec.Command(b, "deepcase", "demo", "--silent", "--format", "ndjson", "--days", "2").Output()
	require.NoError(t, err)
	alerts := strings.Count(string(out), "\n")

	play()
	begin(t, published("score"), folder, variables)
	begin(t, published("index"), folder, variables)
	trainer := begin(t, published("train"), folder, variables)
	require.Eventually(t, func() bool { return indexed() == alerts }, 2*time.Minute, time.Second)
	clusters := received(t, folder, variables, "clusters")
	trainer.kill()

	// The same again, and an alert of a kind that was never seen, now that there is a model.
	play()
	expected := 2 * alerts
	never := func(machine string) {
		send("alerts", `{"@timestamp":"`+time.Now().UTC().Format(time.RFC3339)+`","host":{"name":"`+machine+`"},"rule":{"name":"never seen"}}`)
		expected++
		require.Eventually(t, func() bool { return indexed() == expected }, 2*time.Minute, time.Second)
	}
	never("new-00")
	require.Equal(t, 1, search.total(t, "alerts-chain-*", `{"bool":{"filter":[{"term":{"deepcase.status":"unknown_event"}},{"term":{"deepcase.send":true}}]}}`))
	require.Greater(t, search.total(t, "alerts-chain-*", `{"term":{"deepcase.status":"scored"}}`), alerts/2)

	var cluster struct {
		Cluster int
		Score   float64
		Model   string
	}
	require.NoError(t, json.Unmarshal([]byte(clusters[len(clusters)-1]), &cluster))
	send("scores", fmt.Sprintf(`{"cluster":%d,"score":7,"model":%q}`, cluster.Cluster, cluster.Model))
	labeller := begin(t, published("label"), folder, variables)
	answers := received(t, folder, variables, "scores-applied")
	require.Len(t, answers, 1)
	require.Contains(t, answers[0], `"new":7`)
	require.NotContains(t, answers[0], "error")

	// Its pattern is answered for all machines. From then on, nobody is asked about such an alert.
	hits := search.ask(t, http.MethodPost, "/alerts-chain-*/_search", `{"query":{"term":{"deepcase.status":"unknown_event"}}}`)["hits"].(map[string]any)["hits"].([]any)
	document, err := json.Marshal(hits[0].(map[string]any)["_source"].(map[string]any)["deepcase"])
	require.NoError(t, err)
	send("scores", `{"deepcase":`+string(document)+`,"score":0,"scope":"pattern","confirm":true,"by":"ann"}`)
	answered := func() int { return search.total(t, "alerts-chain-*", `{"term":{"deepcase.status":"answered"}}`) }
	for i := 1; answered() == 0; i++ {
		require.Less(t, i, 20, "%s", &labeller.log)
		never(fmt.Sprintf("new-%02d", i))
	}
	require.Equal(t, 1, search.total(t, "alerts-chain-*", `{"bool":{"filter":[{"term":{"deepcase.status":"answered"}},{"term":{"deepcase.send":false}}]}}`))
	labeller.kill()

	for _, file := range []string{"opensearch_dashboards.ndjson", "kibana.ndjson"} {
		t.Run(file, func(t *testing.T) { search.show(t, "../config/elastic/"+file, "alerts-chain-*", expected) })
	}
}

// received reads a topic once there is something in it.
func received(t *testing.T, folder string, variables map[string]string, topic string) []string {
	t.Helper()
	reader := filepath.Join(folder, "consume-"+topic+".yaml")
	require.NoError(t, os.WriteFile(reader, []byte(consume), 0o600))
	for range 20 {
		variables["READ"], variables["OUT"] = topic, topic+".ndjson"
		begin(t, reader, folder, variables).finish(t, time.Minute)
		if text, err := os.ReadFile(filepath.Join(folder, topic+".ndjson")); err == nil {
			return strings.Split(strings.TrimSpace(string(text)), "\n")
		}
	}
	t.Fatalf("nothing in %s", topic)
	return nil
}

// show asks a search server what the panels of a dashboard ask, of an index with this many documents.
func (s *server) show(t *testing.T, file, index string, documents int) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		var object struct {
			ID, Type   string
			Attributes struct {
				VisState string
				Columns  []string
				Meta     struct{ SearchSourceJSON string } `json:"kibanaSavedObjectMeta"`
			}
		}
		require.NoError(t, json.Unmarshal([]byte(line), &object))
		if object.Type != "visualization" && object.Type != "search" {
			continue
		}
		var source struct{ Query struct{ Query string } }
		require.NoError(t, json.Unmarshal([]byte(object.Attributes.Meta.SearchSourceJSON), &source))
		request := map[string]any{"query": lucene(source.Query.Query), "track_total_hits": true}
		if object.Type == "visualization" {
			request["size"], request["aggs"] = 0, aggregations(t, object.Attributes.VisState)
		}
		answer := s.ask(t, http.MethodPost, "/"+index+"/_search", request)
		hits := answer["hits"].(map[string]any)
		total := int(hits["total"].(map[string]any)["value"].(float64))
		require.Positive(t, total, object.ID)
		found, _ := answer["aggregations"].(map[string]any)
		switch object.ID {
		case "deepcase-statuses", "deepcase-numbers", "deepcase-sent":
			require.Equal(t, documents, total, object.ID)
		case "deepcase-workload":
			parts := 0
			for _, b := range found["2"].(map[string]any)["buckets"].(map[string]any) {
				n := int(b.(map[string]any)["doc_count"].(float64))
				require.Positive(t, n)
				parts += n
			}
			require.Equal(t, documents, parts, "each alert is in one part")
		case "deepcase-clusters":
			scored := 0
			for _, b := range found["4"].(map[string]any)["buckets"].([]any) {
				event := b.(map[string]any)["5"].(map[string]any)["buckets"].([]any)[0].(map[string]any)
				if event["2"].(map[string]any)["value"] != nil { // or all of its alerts are disputed
					scored++
				}
			}
			require.Positive(t, scored)
		case "deepcase-answers":
			scopes := found["3"].(map[string]any)["buckets"].([]any)[0].(map[string]any)["4"].(map[string]any)["buckets"].([]any)
			require.Equal(t, "pattern", scopes[0].(map[string]any)["key"])
		case "deepcase-unknown":
			require.Equal(t, s.total(t, index, `{"term":{"deepcase.status":"unknown_event"}}`), total)
		}
	}
}

// lucene makes a query of one in the Kibana Query Language, as far as the dashboards use it.
func lucene(kql string) map[string]any {
	for _, change := range [][2]string{{` : `, `:`}, {` (<=|>) `, `:$1`}, {`\band\b`, `AND`}, {`\bor\b`, `OR`}, {`\bnot\b`, `NOT`}} {
		kql = regexp.MustCompile(change[0]).ReplaceAllString(kql, change[1])
	}
	return map[string]any{"query_string": map[string]any{"query": kql}}
}

// aggregations makes the request of a visualization as Kibana does: metrics in the innermost of the buckets.
func aggregations(t *testing.T, state string) map[string]any {
	t.Helper()
	var v struct {
		Aggs []struct {
			ID, Type, Schema string
			Params           struct {
				Field   string
				Size    int
				Filters []struct {
					Input struct{ Query string }
					Label string
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(state), &v))
	root := map[string]any{}
	inner := root
	metrics := map[string]any{}
	for _, a := range v.Aggs {
		var made map[string]any
		switch a.Type {
		case "count":
			continue
		case "max", "cardinality":
			metrics[a.ID] = map[string]any{a.Type: map[string]any{"field": a.Params.Field}}
			continue
		case "terms":
			made = map[string]any{"field": a.Params.Field, "size": a.Params.Size}
		case "date_histogram":
			made = map[string]any{"field": a.Params.Field, "fixed_interval": "3h"}
		case "filters":
			parts := map[string]any{}
			for _, f := range a.Params.Filters {
				parts[f.Label] = lucene(f.Input.Query)
			}
			made = map[string]any{"filters": parts}
		default:
			t.Fatalf("aggregation %s", a.Type)
		}
		next := map[string]any{}
		inner[a.ID] = map[string]any{a.Type: made, "aggs": next}
		inner = next
	}
	maps.Copy(inner, metrics)
	return root
}
