// Package monitoring_test checks that the dashboard and the alert rules ask for metrics that are there.
package monitoring_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	_ "connect-deepcase/cache"
	_ "connect-deepcase/input/files"
	_ "connect-deepcase/input/search"
	_ "connect-deepcase/input/syslog"
	_ "connect-deepcase/input/train"
	_ "connect-deepcase/output/review"
	_ "connect-deepcase/processor"
)

// exported are the metrics of a pipeline with all plugins, with their labels, and the counters that are there from the start.
type exported struct {
	mu      sync.Mutex
	labels  map[string][]string
	started map[string]bool
}

type instrument struct {
	e    *exported
	name string
}

func (i instrument) Incr(int64) {
	i.e.mu.Lock()
	defer i.e.mu.Unlock()
	i.e.started[i.name] = true
}
func (instrument) Timing(int64) {}
func (instrument) Set(int64)    {}

func (e *exported) add(name string, labels []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.labels[name] = labels
}

func (e *exported) NewCounterCtor(name string, labels ...string) service.MetricsExporterCounterCtor {
	e.add(name, labels)
	return func(values ...string) service.MetricsExporterCounter {
		name := name
		for i, l := range labels {
			if l != "label" && l != "path" {
				name += "{" + l + "=" + values[i] + "}"
			}
		}
		return instrument{e, name}
	}
}

func (e *exported) NewTimerCtor(name string, labels ...string) service.MetricsExporterTimerCtor {
	for _, suffix := range []string{"", "_sum", "_count"} {
		e.add(name+suffix, append(slices.Clone(labels), "quantile"))
	}
	return func(...string) service.MetricsExporterTimer { return instrument{} }
}

func (e *exported) NewGaugeCtor(name string, labels ...string) service.MetricsExporterGaugeCtor {
	e.add(name, labels)
	return func(...string) service.MetricsExporterGauge { return instrument{} }
}

func (e *exported) Close(context.Context) error { return nil }

// plugins is a pipeline with all of them.
const plugins = `
input:
  broker:
    inputs:
      - deepcase_train:
          model: ${DIR}/model
          every: 24h
          input: { generate: { mapping: 'root = deleted()', interval: 1h } }
      - generate: { count: 1, mapping: 'root = {"machine": "m", "event": "e", "timestamp": 1700000000}' } # the cache begins with its first use
      - deepcase_search: { urls: [ "http://127.0.0.1:1" ], index: alerts, cache: windows }
      - deepcase_files: { paths: [ dashboard.json ] }
      - deepcase_syslog: { tcp_address: "127.0.0.1:0", udp_address: "127.0.0.1:0" }
pipeline:
  processors:
    - deepcase_template: { text: '${! json("event") }', templates: "${DIR}/templates.ndjson", target: template }
    - deepcase_sequence: { cache: windows }
    - deepcase_predict: { model: "${DIR}/model" }
    - deepcase_case: { cache: windows }
    - deepcase_label: { model: "${DIR}/model" }
output: { deepcase_review: { model: "${DIR}/model", store: "${DIR}/review", address: "127.0.0.1:0" } }
cache_resources: [ { label: windows, deepcase_file: { directory: "${DIR}/state" } } ]
`

func metrics(t *testing.T) *exported {
	t.Helper()
	e := &exported{labels: map[string][]string{}, started: map[string]bool{}}
	environment := service.NewEnvironment()
	require.NoError(t, environment.RegisterMetricsExporter("kept", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) { return e, nil }))
	builder := environment.NewStreamBuilder()
	dir := t.TempDir()
	builder.SetEnvVarLookupFunc(func(string) (string, bool) { return dir, true })
	require.NoError(t, builder.SetYAML(plugins))
	require.NoError(t, builder.SetMetricsYAML("kept: {}"))
	require.NoError(t, builder.SetLoggerYAML("level: NONE"))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }()
	require.Eventually(t, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.started["deepcase_labels{outcome=error}"] && e.started["deepcase_search_passes{outcome=failed}"] &&
			e.started["deepcase_trainings{outcome=failed}"] && e.started["deepcase_file_removed{reason=full}"]
	}, 2*time.Minute, 10*time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	require.NoError(t, stream.Stop(ctx))
	require.NoError(t, <-ended)
	return e
}

// elsewhere are metrics that are not the plugins'.
var elsewhere = map[string]string{
	"up":             "Prometheus says whether a target answers",
	"redpanda_lag":   "Redpanda Connect's input redpanda",
	"alerts_triaged": "config/kafka/score.yaml counts it",
}

// selector finds what a query asks for: a name, and labels in braces; those of the target come from Prometheus.
var (
	selector   = regexp.MustCompile(`\b([a-zA-Z_:][\w:]*)(\{[^}]*\}|\[| *(?:>|$|\)))`)
	matcher    = regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"`)
	ofATarget  = []string{"job", "instance", "pipeline", "label", "path"}
	quoted     = regexp.MustCompile(`"[^"]*"`)
	aggregated = regexp.MustCompile(`by *\([^)]*\)`)
)

// check fails where a query asks for what is not exported.
func (e *exported) check(t *testing.T, query string) {
	t.Helper()
	found := 0
	for _, m := range selector.FindAllStringSubmatch(aggregated.ReplaceAllString(query, ""), -1) {
		name := m[1]
		found++
		if _, ok := elsewhere[name]; ok {
			continue
		}
		require.Contains(t, e.labels, name, query)
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			require.Contains(t, append(ofATarget, e.labels[name]...), l[1], query)
		}
	}
	require.NotZero(t, found, query)
	// No name is overlooked.
	for _, name := range regexp.MustCompile(`\bdeepcase_\w+`).FindAllString(quoted.ReplaceAllString(query, `""`), -1) {
		require.Contains(t, e.labels, name, query)
	}
}

type grafana struct {
	UID, Title string
	Templating struct{ List []struct{ Name string } }
	Panels     []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ RefID, Expr string }
	}
}

func dashboard(t *testing.T) (d grafana) {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// rules gives the queries of the alert rules.
func rules(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("alerts.yaml")
	require.NoError(t, err)
	var queries []string
	for _, rule := range strings.Split(string(text), "- alert: ")[1:] {
		_, query, found := strings.Cut(rule, "expr: ")
		require.True(t, found, rule)
		query, _, _ = strings.Cut(query, "labels:")
		query, _, _ = strings.Cut(query, "for: ")
		queries = append(queries, strings.Join(strings.Fields(strings.TrimPrefix(query, ">-")), " "))
	}
	return queries
}

func TestMetricsAreThere(t *testing.T) {
	e := metrics(t)
	asked := ""
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range dashboard(t).Panels {
		require.False(t, ids[p.ID], "panel %d twice", p.ID)
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, cells[cell], "%s lies on it", p.Title)
				cells[cell] = p.Title
			}
		}
		require.Equal(t, p.Type == "row", len(p.Targets) == 0, p.Title)
		for _, target := range p.Targets {
			require.Contains(t, target.Expr, `job=~"$job"`, p.Title)
			e.check(t, target.Expr)
			asked += target.Expr
		}
	}
	for _, name := range rules(t) {
		e.check(t, name)
	}
	// An increase is seen from the second sample on: a counter of failures that begins with the first failure would hide it.
	for _, name := range []string{"deepcase_cache_failures", "deepcase_search_cursor_failures", "deepcase_search_passes{outcome=failed}",
		"deepcase_trainings{outcome=failed}", "deepcase_train_events{outcome=rejected}", "deepcase_model_reloads{outcome=failed}",
		"deepcase_labels{outcome=error}", "deepcase_verdicts{status=error}", "deepcase_sequence_reused_ids",
		"deepcase_sequence_late{outcome=beyond}", "deepcase_sequence_overlapping_calls", "deepcase_sequence_future", "deepcase_windows_evicted{outcome=lost}",
		"deepcase_file_removed{reason=full}", "deepcase_decision_reloads_failed",
		"deepcase_cases_opened{kind=alarm}", "deepcase_review_alerts{outcome=refused}", "deepcase_case_machines_evicted{outcome=lost}"} {
		require.True(t, e.started[name], name)
	}
	for name := range e.labels {
		if strings.HasPrefix(name, "deepcase_") && !strings.HasSuffix(name, "_sum") && !strings.HasSuffix(name, "_count") {
			// The time that writing to the spool takes is for those who measure.
			require.True(t, strings.Contains(asked, name) || name == "deepcase_train_spool_latency_ns", "%s is on no panel", name)
		}
	}
}

func TestOtherMetricsAreWhereTheyShouldBe(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "kafka", "score.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(text), "name: alerts_triaged")
}

func TestRulesByPrometheus(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is missing: the alert rules are not evaluated")
	}
	for _, arguments := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		out, err := exec.Command(promtool, arguments...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	// Panels as recording rules: Grafana's variables stand for a pattern and a time.
	queries := "groups:\n  - name: panels\n    rules:\n"
	for _, p := range dashboard(t).Panels {
		for _, target := range p.Targets {
			query := strings.NewReplacer("$job", ".+", "$__rate_interval", "1m").Replace(target.Expr)
			queries += "      - record: panel\n        labels: { title: " + jsonText(p.Title+target.RefID) + " }\n        expr: " + jsonText(query) + "\n"
		}
	}
	file := filepath.Join(t.TempDir(), "panels.yaml")
	require.NoError(t, os.WriteFile(file, []byte(queries), 0o600))
	out, err := exec.Command(promtool, "check", "rules", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func jsonText(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
