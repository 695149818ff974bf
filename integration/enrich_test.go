//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// alert is a document as an analyst's index has it, and what an enriching pipeline adds.
type alert struct {
	Time string `json:"@timestamp"`
	Host struct {
		Name string `json:"name,omitempty"`
	} `json:"host"`
	Rule struct {
		Name    string `json:"name"`
		Ruleset string `json:"ruleset,omitempty"`
	} `json:"rule"`
	Site  string `json:"site"`
	Event struct {
		Risk *float64 `json:"risk_score_norm,omitempty"`
	} `json:"event"`
	Labels  map[string]*string `json:"labels,omitempty"`
	Verdict *struct {
		Status  string    `json:"status"`
		Score   *float64  `json:"score"`
		Context []*string `json:"context"`
	} `json:"deepcase,omitempty"`
}

// alerts makes n rounds of two routines: an attack on machines of its own, and an administrator's work, at the same times.
func alerts(n, machines int) (made []alert) {
	begin := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	for i := range n {
		for k := range 3 {
			for _, kind := range []struct {
				host  string
				names [3]string
			}{{"web", [3]string{"scan", "guess", "login"}}, {"db", [3]string{"cron", "mount", "backup"}}} {
				var a alert
				a.Time = begin.Add(time.Duration(3*i+k) * 10 * time.Millisecond).Format("2006-01-02T15:04:05.000Z07:00")
				a.Host.Name = fmt.Sprintf("%s-%d", kind.host, i%machines)
				a.Rule.Name = kind.names[k]
				a.Site = "south"
				made = append(made, a)
			}
		}
	}
	return made
}

// give puts alerts into two indices in turn, made by the template, and says how many there are.
func (s *server) give(t testing.TB, prefix string, given []alert) {
	t.Helper()
	for _, file := range []string{"component", "index"} {
		text, err := os.ReadFile("../config/elastic/" + file + "_template.json")
		require.NoError(t, err)
		s.ask(t, http.MethodPut, "/_"+file+"_template/deepcase", string(text))
	}
	for len(given) > 0 {
		n := min(len(given), 4000)
		var bulk bytes.Buffer
		encoder := json.NewEncoder(&bulk)
		for i, a := range given[:n] {
			id := fmt.Sprintf("%s-%s-%s", a.Host.Name, a.Rule.Name, a.Time)
			require.NoError(t, encoder.Encode(map[string]any{"create": map[string]any{"_index": fmt.Sprintf("%s-%d", prefix, i%2), "_id": id}}))
			require.NoError(t, encoder.Encode(a))
		}
		given = given[n:]
		answer := s.ask(t, http.MethodPost, "/_bulk?refresh=true", bulk.Bytes())
		require.Equal(t, false, answer["errors"], "%v", answer["items"])
	}
	t.Cleanup(func() {
		for i := range 2 {
			s.ask(t, http.MethodDelete, fmt.Sprintf("/%s-%d", prefix, i), nil)
		}
		s.ask(t, http.MethodDelete, "/_index_template/deepcase", nil)
		s.ask(t, http.MethodDelete, "/_component_template/deepcase", nil)
	})
}

// taken reads all alerts of an index, oldest first.
func (s *server) taken(t testing.TB, index string) (found []alert) {
	t.Helper()
	s.refresh(t, index)
	c, take := collect()
	s.read(t, "index: "+index, take).finished(t, time.Minute)
	for _, m := range c.messages {
		b, err := m.AsBytes()
		require.NoError(t, err)
		var a alert
		require.NoError(t, json.Unmarshal(b, &a))
		found = append(found, a)
	}
	return found
}

// requireContexts fails unless each alert has the ten before it on its machine.
func requireContexts(t testing.TB, found []alert) {
	t.Helper()
	before := map[string][]*string{}
	for _, a := range found {
		if a.Host.Name == "" {
			continue
		}
		require.NotNil(t, a.Verdict, "%+v", a)
		events := before[a.Host.Name]
		want := append(make([]*string, 10), events...)
		require.Equal(t, texts(want[len(want)-10:]), texts(a.Verdict.Context), "%s on %s at %s", a.Rule.Name, a.Host.Name, a.Time)
		before[a.Host.Name] = append(events, &a.Rule.Name)
	}
}

func texts(pointers []*string) (all []string) {
	for _, p := range pointers {
		if p == nil {
			all = append(all, "-")
		} else {
			all = append(all, *p)
		}
	}
	return all
}

// learn makes a model of the alerts in an index, with attacks at 3 and the rest at 0.
func (s *server) learn(t testing.TB, index, folder string) {
	t.Helper()
	begin(t, "../config/elastic/train.yaml", folder, map[string]string{"URL": s.url(), "INDEX": index, "EPOCHS": "30"}).finish(t, 3*time.Minute)
	label := filepath.Join(folder, "label.yaml")
	require.NoError(t, os.WriteFile(label, []byte(`
http: { enabled: false }
input: { file: { paths: [ clusters.ndjson ], scanner: { lines: {} } } }
pipeline:
  processors:
    - mapping: |
        root.cluster = this.cluster
        root.score = if [ "scan", "guess", "login" ].contains(this.event) { 3 } else { 0 }
    - deepcase_label: { model: model }
output: { file: { path: labelled.ndjson, codec: lines } }
`), 0o600))
	begin(t, label, folder, map[string]string{}).finish(t, time.Minute)
}

func TestAnnotatesTheDocumentsThemselves(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, _ string) {
		given := alerts(400, 20)
		nobody := given[len(given)-1]
		nobody.Host.Name = ""
		s.give(t, "alerts-enrich", append(given, nobody))
		folder := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(folder, "state"), 0o755))
		s.learn(t, "alerts-enrich-*", folder)
		variables := map[string]string{"URL": s.url(), "INDEX": "alerts-enrich-*", "MODE": "once"}
		begin(t, "../config/elastic/enrich_"+s.name+".yaml", folder, variables).finish(t, 2*time.Minute)

		found := s.taken(t, "alerts-enrich-*")
		require.Len(t, found, len(given)+1)
		requireContexts(t, found)
		scores := map[string]int{}
		for _, a := range found {
			require.Equal(t, "south", a.Site)
			if a.Verdict == nil {
				require.Empty(t, a.Host.Name, "only what could not be sequenced has no status")
				continue
			}
			if a.Verdict.Score == nil {
				require.NotEqual(t, "scored", a.Verdict.Status)
				continue
			}
			require.Equal(t, "scored", a.Verdict.Status)
			want := 0.0
			if strings.HasPrefix(a.Host.Name, "web") {
				want = 3
			}
			require.Equal(t, want, *a.Verdict.Score, "%+v", a)
			scores[a.Host.Name[:2]]++
		}
		t.Logf("scored: %v of %d", scores, len(given))
		require.Greater(t, scores["we"], len(given)/4)
		require.Greater(t, scores["db"], len(given)/4)
		dead, err := os.ReadFile(filepath.Join(folder, "dead-letters.ndjson"))
		require.NoError(t, err)
		require.Equal(t, 1, bytes.Count(dead, []byte("\n")))
		require.Contains(t, string(dead), "machine: empty or missing")
		require.Equal(t, len(given), s.total(t, "alerts-enrich-*", `{"terms":{"deepcase.context":["scan","guess","login","cron","mount","backup"]}}`)+
			s.total(t, "alerts-enrich-*", `{"bool":{"filter":{"exists":{"field":"deepcase.status"}},"must_not":{"exists":{"field":"deepcase.context"}}}}`),
			"contexts can be searched")

		// The same with fields of the Elastic Common Schema, which Elasticsearch's users have.
		if s.name != "elasticsearch" {
			return
		}
		variables["CURSOR"] = "ecs"
		require.NoError(t, os.RemoveAll(filepath.Join(folder, "state")))
		require.NoError(t, os.Mkdir(filepath.Join(folder, "state"), 0o755))
		begin(t, "../config/elastic/enrich_ecs.yaml", folder, variables).finish(t, 2*time.Minute)
		for _, a := range s.taken(t, "alerts-enrich-*") {
			if a.Verdict == nil {
				continue
			}
			require.Equal(t, a.Verdict.Status, *a.Labels["deepcase_status"])
			require.Equal(t, a.Verdict.Score == nil, a.Event.Risk == nil)
			if a.Event.Risk != nil {
				require.Equal(t, *a.Verdict.Score/3*100, *a.Event.Risk)
			}
			require.Empty(t, a.Rule.Ruleset, "the document's own rule stays")
		}
	})
}

// Windows and cursor are in Redis, which is all that is left of a process that is killed.
func TestKilledTwiceEveryContextIsTheSame(t *testing.T) {
	redis := launch(t, "redis")
	onEach(t, func(t *testing.T, s *server, _ string) {
		given := alerts(4000, 60)
		s.give(t, "alerts-killed", given)
		folder := t.TempDir()
		text, err := os.ReadFile("../config/elastic/enrich_" + s.name + ".yaml")
		require.NoError(t, err)
		files := "    file:\n      directory: \"${STATE:./state}\"\n"
		require.Equal(t, 2, strings.Count(string(text), files))
		config := filepath.Join(folder, "enrich.yaml")
		require.NoError(t, os.WriteFile(config, []byte(strings.ReplaceAll(string(text), files,
			fmt.Sprintf("    redis: { url: \"redis://%s\", prefix: %s- }\n", redis.address(), s.name))), 0o600))
		variables := map[string]string{"URL": s.url(), "INDEX": "alerts-killed-*", "MODE": "once", "MODEL": "none"}
		annotated := func() int {
			s.refresh(t, "alerts-killed-*")
			return s.total(t, "alerts-killed-*", `{"exists":{"field":"deepcase.status"}}`)
		}
		var at []int
		for run := range 2 {
			p := begin(t, config, folder, variables)
			least := len(given) * (run + 1) / 4
			require.Eventually(t, func() bool { return annotated() >= least }, time.Minute, 20*time.Millisecond)
			p.kill()
			at = append(at, annotated())
		}
		t.Logf("killed when %v of %d were annotated", at, len(given))
		require.Less(t, slices.Max(at), len(given), "killed too late")
		begin(t, config, folder, variables).finish(t, 2*time.Minute)
		found := s.taken(t, "alerts-killed-*")
		require.Len(t, found, len(given))
		requireContexts(t, found)
	})
}
