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
		Send    *bool     `json:"send"`
		Case    string    `json:"case"`
		Kind    string    `json:"case_kind"`
		Opened  bool      `json:"case_opened"`
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

// give puts alerts into two indices in turn, made by the template, until the test ends.
func (s *server) give(t testing.TB, prefix string, given []alert) {
	t.Helper()
	for _, file := range []string{"component", "index"} {
		text, err := os.ReadFile("../config/elastic/" + file + "_template.json")
		require.NoError(t, err)
		s.ask(t, http.MethodPut, "/_"+file+"_template/deepcase", string(text))
	}
	t.Cleanup(func() {
		s.drop(t, prefix)
		s.ask(t, http.MethodDelete, "/_index_template/deepcase", nil)
		s.ask(t, http.MethodDelete, "/_component_template/deepcase", nil)
	})
	s.fill(t, prefix, given)
}

func (s *server) fill(t testing.TB, prefix string, given []alert) {
	t.Helper()
	var bulk bytes.Buffer
	encoder := json.NewEncoder(&bulk)
	for i, a := range given {
		require.NoError(t, encoder.Encode(map[string]any{"create": map[string]any{"_index": fmt.Sprintf("%s-%d", prefix, i%2), "_id": fmt.Sprint(i)}}))
		require.NoError(t, encoder.Encode(a))
		if i%4000 == 3999 || i == len(given)-1 {
			answer := s.ask(t, http.MethodPost, "/_bulk?refresh=true", bulk.Bytes())
			require.Equal(t, false, answer["errors"], "%v", answer["items"])
			bulk.Reset()
		}
	}
}

// drop removes what fill made.
func (s *server) drop(t testing.TB, prefix string) {
	t.Helper()
	s.ask(t, http.MethodDelete, fmt.Sprintf("/%s-0,%s-1", prefix, prefix), nil)
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
		begin(t, "../config/elastic/enrich_"+s.kind()+".yaml", folder, variables).finish(t, 2*time.Minute)

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
		require.Contains(t, string(dead), "is missing or null: want a name")
		require.Equal(t, len(given), s.total(t, "alerts-enrich-*", `{"terms":{"deepcase.context":["scan","guess","login","cron","mount","backup"]}}`)+
			s.total(t, "alerts-enrich-*", `{"bool":{"filter":{"exists":{"field":"deepcase.status"}},"must_not":{"exists":{"field":"deepcase.context"}}}}`),
			"contexts can be searched")

		// The same with fields of the Elastic Common Schema, which Elasticsearch's users have.
		if s.kind() != "elasticsearch" {
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

// enrichment is a pipeline that annotates, with windows and cursor in files, or in Redis where there is one: what is left of it when it is
// killed.
type enrichment struct {
	server    *server
	index     string
	config    string
	folder    string
	variables map[string]string
}

func newEnrichment(t testing.TB, s, redis *server, prefix string, given []alert) *enrichment {
	t.Helper()
	s.give(t, prefix, given)
	e := &enrichment{server: s, index: prefix + "-*", folder: t.TempDir()}
	text, err := os.ReadFile("../config/elastic/enrich_" + s.kind() + ".yaml")
	require.NoError(t, err)
	files := "    deepcase_file:\n      directory: \"${STATE:./state}\"\n"
	require.Equal(t, 2, strings.Count(string(text), files))
	config := string(text)
	if redis != nil {
		config = strings.ReplaceAll(config, files, fmt.Sprintf("    redis: { url: \"redis://%s\", prefix: %s- }\n", redis.address(), prefix+s.name))
	}
	e.config = filepath.Join(e.folder, "enrich.yaml")
	require.NoError(t, os.WriteFile(e.config, []byte(config), 0o600))
	e.variables = map[string]string{"URL": s.url(), "INDEX": e.index, "MODE": "once", "MODEL": "none"}
	return e
}

func (e *enrichment) begin(t testing.TB) *pipeline { return begin(t, e.config, e.folder, e.variables) }

// annotated counts the documents that have a status.
func (e *enrichment) annotated(t testing.TB) int {
	e.server.refresh(t, e.index)
	return e.server.total(t, e.index, `{"exists":{"field":"deepcase.status"}}`)
}

func (e *enrichment) reaches(t testing.TB, least int) {
	t.Helper()
	require.Eventually(t, func() bool { return e.annotated(t) >= least }, time.Minute, 20*time.Millisecond)
}

func (e *enrichment) requireAll(t testing.TB, given []alert) {
	t.Helper()
	found := e.server.taken(t, e.index)
	require.Len(t, found, len(given))
	requireContexts(t, found)
	// Without a model all alerts of a machine are new, and so near in time that they are one case.
	cases, opened := map[string]string{}, map[string]int{}
	for _, a := range found {
		require.True(t, *a.Verdict.Send)
		if a.Verdict.Opened {
			opened[a.Host.Name]++
		}
		if first, there := cases[a.Host.Name]; there {
			require.Equal(t, first, a.Verdict.Case, "%+v", a)
		}
		cases[a.Host.Name] = a.Verdict.Case
	}
	for machine := range cases {
		require.Equal(t, 1, opened[machine], machine)
	}
	require.NoFileExists(t, filepath.Join(e.folder, "dead-letters.ndjson"))
}

func TestKilledTwiceEveryContextIsTheSame(t *testing.T) {
	redis := launch(t, "redis")
	onEach(t, func(t *testing.T, s *server, _ string) {
		given := alerts(4000, 60)
		for name, kept := range map[string]*server{"files": nil, "redis": redis} {
			t.Run(name, func(t *testing.T) {
				e := newEnrichment(t, s, kept, "alerts-killed", given)
				var at []int
				for run := range 2 {
					p := e.begin(t)
					e.reaches(t, len(given)*(run+1)/4)
					p.kill()
					at = append(at, e.annotated(t))
				}
				t.Logf("killed when %v of %d were annotated", at, len(given))
				require.Less(t, slices.Max(at), len(given), "killed too late")
				e.begin(t).finish(t, 2*time.Minute)
				e.requireAll(t, given)
			})
		}
	})
}

func TestServersComeAndGoEveryContextIsTheSame(t *testing.T) {
	redis := launch(t, "redis")
	onEach(t, func(t *testing.T, s *server, _ string) {
		given := alerts(6000, 60)
		e := newEnrichment(t, s, redis, "alerts-faults", given)
		p := e.begin(t)
		e.reaches(t, len(given)/6)
		redis.stop(t)
		time.Sleep(2 * time.Second)
		require.Less(t, e.annotated(t), len(given), "stopped too late")
		redis.start(t)
		e.reaches(t, len(given)/3)
		s.kill()
		time.Sleep(time.Second)
		s.start(t)
		p.finish(t, 2*time.Minute)
		e.requireAll(t, given)
	})
}

func TestWhatTheServerRefusesBecomesADeadLetter(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, _ string) {
		// The second index takes no new fields.
		s.create(t, "alerts-refused-1", 1, date+`,"host":{"properties":{"name":{"type":"keyword"}}},"rule":{"properties":{"name":{"type":"keyword"}}},"site":{"type":"keyword"},"event":{"type":"object"}`)
		s.ask(t, http.MethodPut, "/alerts-refused-1/_mapping", `{"dynamic":"strict"}`)
		given := alerts(100, 10)
		s.give(t, "alerts-refused", given)
		folder := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(folder, "state"), 0o755))
		begin(t, "../config/elastic/enrich_"+s.kind()+".yaml", folder, map[string]string{
			"URL": s.url(), "INDEX": "alerts-refused-*", "MODE": "once"}).finish(t, time.Minute)
		s.refresh(t, "alerts-refused-*")
		require.Equal(t, 300, s.total(t, "alerts-refused-0", `{"exists":{"field":"deepcase.status"}}`))
		text, err := os.ReadFile(filepath.Join(folder, "dead-letters.ndjson"))
		require.NoError(t, err)
		refused := map[string]bool{}
		for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
			var letter struct{ Error, Index, ID string }
			require.NoError(t, json.Unmarshal([]byte(line), &letter), line)
			require.Contains(t, letter.Error, "dynamic")
			require.Equal(t, "alerts-refused-1", letter.Index, "what was taken is none")
			refused[letter.ID] = true
		}
		require.Len(t, refused, 300)
	})
}
