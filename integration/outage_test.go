//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lines are alerts as NDJSON.
func lines(t testing.TB, given []alert) []byte {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, a := range given {
		require.NoError(t, encoder.Encode(a))
	}
	return text.Bytes()
}

func (a *alert) place() string { return a.Host.Name + " " + a.Time }

// sink is a server to which documents are posted, one a line, and which may refuse them.
type sink struct {
	mu       sync.Mutex
	refusing bool
	accepted map[string][]alert // by place
	refused  map[string][]alert
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(5 * time.Millisecond) // so that there is a middle in which to fail
	var got []alert
	for scanner := bufio.NewScanner(r.Body); scanner.Scan(); {
		var a alert
		if err := json.Unmarshal(scanner.Bytes(), &a); err != nil || a.Verdict == nil {
			http.Error(w, scanner.Text(), http.StatusBadRequest)
			return
		}
		got = append(got, a)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.accepted
	if s.refusing {
		to = s.refused
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	for _, a := range got {
		to[a.place()] = append(to[a.place()], a)
	}
}

func (s *sink) refuse(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = yes
}

func (s *sink) counts() (accepted, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.accepted), len(s.refused)
}

// An output that answers 503, and then does not answer at all. What it refused goes through the pipeline again, where the id tells that
// it was there before; without ids the output must try again by itself.
func TestOutputThatRefusesEveryContextIsTheSame(t *testing.T) {
	for name, variant := range map[string]struct{ id, output string }{
		"with ids":               {id: `${! json("@timestamp") }`, output: "%s"},
		"without ids, but retry": {output: "retry: { backoff: { initial_interval: 100ms, max_interval: 200ms }, output: { %s } }"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sink{accepted: map[string][]alert{}, refused: map[string][]alert{}}
			address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
			serve := func() *http.Server {
				listener, err := net.Listen("tcp", address)
				require.NoError(t, err)
				server := &http.Server{Handler: s}
				go func() { _ = server.Serve(listener) }()
				t.Cleanup(func() { _ = server.Close() })
				return server
			}
			server := serve()
			given := alerts(600, 20)
			folder := t.TempDir()
			config := filepath.Join(folder, "score.yaml")
			require.NoError(t, os.WriteFile(filepath.Join(folder, "alerts.ndjson"), lines(t, given), 0o600))
			require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
http: { enabled: false }
input:
  batched:
    policy: { count: 5, period: 100ms } # what is refused is sent again one by one, and slowly
    child: { file: { paths: [ alerts.ndjson ], scanner: { lines: {} } } }
pipeline:
  threads: 1
  processors:
    - deepcase_sequence:
        machine: ${! json("host.name") }
        event: ${! json("rule.name") }
        timestamp: ${! json("@timestamp") }
        id: %s
        late: 1000 # of one machine among what waits for the output
    - deepcase_predict: { model: none }
output:
  processors: [ { archive: { format: lines } } ]
  %s
`, variant.id, fmt.Sprintf(variant.output,
				fmt.Sprintf("http_client: { url: http://%s, max_in_flight: 1, retries: 1, retry_period: 100ms, timeout: 2s }", address))), 0o600))
			p := begin(t, config, folder, map[string]string{})
			reaches := func(n int) {
				require.Eventually(t, func() bool { accepted, _ := s.counts(); return accepted >= n }, time.Minute, 10*time.Millisecond, "%s", &p.log)
			}
			reaches(len(given) / 4)
			s.refuse(true)
			time.Sleep(2 * time.Second)
			accepted, refused := s.counts()
			require.Less(t, accepted, len(given), "refused too late")
			require.Positive(t, refused)
			s.refuse(false)
			reaches(len(given) / 2)
			require.NoError(t, server.Close())
			time.Sleep(2 * time.Second)
			accepted, _ = s.counts()
			require.Less(t, accepted, len(given), "away too late")
			serve()
			p.finish(t, time.Minute)

			var found []alert
			for i := range given {
				place := given[i].place()
				require.NotEmpty(t, s.accepted[place], "%s is lost", place)
				found = append(found, s.accepted[place][0])
				for _, again := range append(s.accepted[place], s.refused[place]...) {
					require.Equal(t, s.accepted[place][0].Verdict, again.Verdict)
				}
			}
			require.Len(t, s.accepted, len(given))
			requireContexts(t, found)
		})
	}
}

// An index that takes no writes, as one whose disk is full: the server answers 429.
func TestIndexThatTakesNoWritesEveryContextIsTheSame(t *testing.T) {
	redis := launch(t, "redis")
	onEach(t, func(t *testing.T, s *server, _ string) {
		given := alerts(3000, 60)
		e := newEnrichment(t, s, redis, "alerts-blocked", given)
		block := func(on string) {
			s.ask(t, http.MethodPut, "/"+e.index+"/_settings", `{"index.blocks.read_only_allow_delete":`+on+`}`)
		}
		p := e.begin(t)
		e.reaches(t, len(given)/6)
		block("true")
		at := e.annotated(t)
		require.Eventually(t, func() bool { // what was on its way
			before := at
			at = e.annotated(t)
			return at == before
		}, 30*time.Second, 2*time.Second)
		time.Sleep(3 * time.Second)
		require.Equal(t, at, e.annotated(t), "it takes writes")
		require.Less(t, at, len(given), "blocked too late")
		block("null")
		p.finish(t, 2*time.Minute)
		e.requireAll(t, given)
	})
}

// The same at the end of the pipelines for Kafka.
func TestIndexThatTakesNoWritesGetsAllFromKafka(t *testing.T) {
	redis, kafka, s := launch(t, "redis"), launch(t, "kafka"), engine(t, "opensearch")
	given := alerts(2000, 60)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "alerts.ndjson"), lines(t, given), 0o600))
	variables := map[string]string{"BROKERS": kafka.address(), "REDIS": "redis://" + redis.address(), "URL": s.url(), "MODEL": "none",
		"INPUT": "alerts.ndjson", "INDEX": "kafka-blocked", "LATE": "5000"}
	index := "kafka-blocked-*"
	days := map[string]bool{}
	for _, a := range given {
		at, err := time.Parse(time.RFC3339Nano, a.Time)
		require.NoError(t, err)
		if day := at.UTC().Format("2006.01.02"); !days[day] {
			days[day] = true
			s.create(t, "kafka-blocked-"+day, 1, date)
		}
	}
	for _, name := range []string{"produce", "score", "index"} {
		p := begin(t, "../config/kafka/"+name+".yaml", folder, variables)
		if name == "produce" {
			p.finish(t, time.Minute)
		}
	}
	count := func() int {
		s.refresh(t, index)
		return s.total(t, index, `{"exists":{"field":"deepcase.status"}}`)
	}
	require.Eventually(t, func() bool { return count() >= len(given)/10 }, time.Minute, 10*time.Millisecond)
	block := func(on string) {
		s.ask(t, http.MethodPut, "/"+index+"/_settings", `{"index.blocks.read_only_allow_delete":`+on+`}`)
	}
	block("true")
	time.Sleep(4 * time.Second)
	require.Less(t, count(), len(given), "blocked too late")
	block("null")
	require.Eventually(t, func() bool { return count() == len(given) }, time.Minute, 100*time.Millisecond, "%d of %d", count(), len(given))
}

// A model directory that is away for a while, with a file in its place: what was loaded goes on to serve, and what is published
// meanwhile is taken up when the directory is there again.
func TestModelDirectoryThatIsAway(t *testing.T) {
	given := alerts(500, 20)
	folder := t.TempDir()
	model, away := filepath.Join(folder, "model"), filepath.Join(folder, "away")
	table := "timestamp,machine,event,label\n"
	for _, a := range given {
		at, err := time.Parse(time.RFC3339Nano, a.Time)
		require.NoError(t, err)
		table += fmt.Sprintf("%.3f,%s,%s,1\n", float64(at.UnixMilli())/1000, a.Host.Name, a.Rule.Name)
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "alerts.csv"), []byte(table), 0o600))
	deepcase(t, folder, "cluster", "--csv", "alerts.csv", "--save-builder", "model", "--save-interpreter", "model", "--epochs", "30")
	deepcase(t, folder, "manual", "--csv", "alerts.csv", "--load-interpreter", "model", "--save-interpreter", "model", "--label", "1")

	text, err := os.ReadFile("../config/examples/score_http.yaml")
	require.NoError(t, err)
	field := `model: "${MODEL:./model}"`
	require.Equal(t, 1, strings.Count(string(text), field))
	config := filepath.Join(folder, "score.yaml")
	require.NoError(t, os.WriteFile(config, []byte(strings.ReplaceAll(string(text), field, field+"\n        reload: 100ms")), 0o600))
	type scorer struct {
		*pipeline
		url string
	}
	score := func() scorer {
		port := freePort(t)
		s := scorer{begin(t, config, t.TempDir(), map[string]string{"MODEL": model, "PORT": fmt.Sprint(port),
			"MACHINE_FIELD": "host.name", "EVENT_FIELD": "rule.name", "TIME_FIELD": "@timestamp"}), fmt.Sprintf("http://127.0.0.1:%d/events", port)}
		require.Eventually(t, func() bool {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err == nil {
				c.Close()
			}
			return err == nil
		}, 30*time.Second, 20*time.Millisecond)
		return s
	}
	// post scores some alerts and gives the highest score among them, 0 where none has one.
	var found []alert
	post := func(s scorer, n int) (score float64) {
		answer, err := http.Post(s.url, "application/x-ndjson", bytes.NewReader(lines(t, given[len(found):len(found)+n])))
		require.NoError(t, err)
		defer answer.Body.Close()
		require.Equal(t, http.StatusOK, answer.StatusCode)
		scanner := bufio.NewScanner(answer.Body)
		for range n {
			require.True(t, scanner.Scan())
			var a alert
			require.NoError(t, json.Unmarshal(scanner.Bytes(), &a))
			found = append(found, a)
			if a.Verdict.Score != nil {
				score = max(score, *a.Verdict.Score)
			}
		}
		return score
	}
	first := score()
	require.Equal(t, 1.0, post(first, 900))

	require.NoError(t, os.Rename(model, away))
	require.NoError(t, os.WriteFile(model, []byte("not a directory"), 0o600))
	time.Sleep(time.Second) // some looks for a new version
	require.Equal(t, 1.0, post(first, 900))
	deepcase(t, folder, "manual", "--csv", "alerts.csv", "--load-interpreter", "away", "--save-interpreter", "away", "--label", "2")
	second := score()
	require.Zero(t, post(second, 6), "begins without a model")
	found = found[:len(found)-6]

	require.NoError(t, os.Remove(model))
	require.NoError(t, os.Rename(away, model))
	for _, s := range []scorer{first, second} {
		require.Eventually(t, func() bool { return post(s, 60) == 2 }, 2*time.Minute, 200*time.Millisecond)
		if s == first {
			require.NotZero(t, post(first, len(given)-len(found)))
			requireContexts(t, found)
			found = found[:0]
		}
	}
}
