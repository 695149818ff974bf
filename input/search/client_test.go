package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// request is what a pretended server was asked.
type request struct {
	method, path, authorization string
	body                        map[string]any
}

// pretender answers as Elasticsearch does, with what a real server cannot be made to do in between: see disturb.
type pretender struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	opened   int
	// disturb answers a request itself and says so, or leaves it to the usual answer.
	disturb func(w http.ResponseWriter, r request) bool
}

// documents is how many the pretended index holds, two at each millisecond.
const documents = 25

func pretend(t *testing.T, disturb func(http.ResponseWriter, request) bool) *pretender {
	p := &pretender{disturb: disturb}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *pretender) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := request{method: r.Method, path: r.URL.EscapedPath(), authorization: r.Header.Get("Authorization")}
	if body, _ := io.ReadAll(r.Body); len(body) > 0 {
		if err := json.Unmarshal(body, &asked.body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	p.requests = append(p.requests, asked)
	if p.disturb != nil && p.disturb(w, asked) {
		return
	}
	switch {
	case strings.HasSuffix(asked.path, "/_field_caps"):
		fmt.Fprint(w, `{"indices":["alerts"],"fields":{"@timestamp":{"date":{"type":"date","aggregatable":true}}}}`)
	case strings.HasSuffix(asked.path, "/_count"):
		fmt.Fprint(w, `{"count":0}`)
	case asked.method == http.MethodPost && strings.HasSuffix(asked.path, "/_pit"):
		p.opened++
		fmt.Fprintf(w, `{"id":"pit-%d-0"}`, p.opened)
	case asked.method == http.MethodDelete && asked.path == "/_pit":
		fmt.Fprint(w, `{"succeeded":true}`)
	case asked.path == "/_search":
		p.search(w, asked)
	default:
		http.Error(w, "not here", http.StatusTeapot)
	}
}

// search answers a page. Each answer renames the point in time, and only its newest name is known.
func (p *pretender) search(w http.ResponseWriter, asked request) {
	name := asked.body["pit"].(map[string]any)["id"].(string)
	var opened, used int
	if _, err := fmt.Sscanf(name, "pit-%d-%d", &opened, &used); err != nil || opened != p.opened || used != p.used() {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, expired)
		return
	}
	first := 0
	if after, ok := asked.body["search_after"].([]any); ok {
		first = int(after[1].(float64)) + 1
	}
	var hits []string
	for i := first; i < documents && i < first+int(asked.body["size"].(float64)); i++ {
		hits = append(hits, fmt.Sprintf(`{"_index":"alerts","_id":"%d","_source":{"n":%d},"sort":[%d,%d]}`, i, i, 1000+i/2, i))
	}
	p.requests[len(p.requests)-1].path = answered
	fmt.Fprintf(w, `{"pit_id":"pit-%d-%d","_shards":{"total":1,"failed":0},"hits":{"hits":[%s]}}`, p.opened, p.used(), strings.Join(hits, ","))
}

const (
	answered = "/_search answered"
	expired  = `{"error":{"root_cause":[{"type":"search_context_missing_exception","reason":"No search context found for id [7]"}],"type":"search_phase_execution_exception","reason":"all shards failed"},"status":404}`
)

// used counts the searches that were answered in the point in time that is open now.
func (p *pretender) used() (n int) {
	for _, r := range p.requests {
		switch {
		case r.path == answered:
			n++
		case r.method == http.MethodPost && strings.HasSuffix(r.path, "/_pit"):
			n = 0
		}
	}
	return n
}

func (p *pretender) count(method, path string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.requests {
		if r.method == method && r.path == path {
			n++
		}
	}
	return n
}

const quickRetry = "\nretry: { initial_interval: 1ms, max_interval: 2ms, max_elapsed_time: 500ms }"

// openInput makes the input of these fields.
func openInput(t *testing.T, fields string) *input {
	t.Helper()
	conf, err := spec().ParseYAML(fields, nil)
	require.NoError(t, err)
	s, err := newFromParsed(conf, service.MockResources(), time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// readAll connects and reads, again and again as a pipeline does, until the input ends.
func readAll(t *testing.T, s *input) (ids []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		if err := s.Connect(ctx); err != nil {
			require.NoError(t, ctx.Err())
			if errors.Is(err, service.ErrEndOfInput) {
				return ids
			}
			continue
		}
		for {
			batch, ack, err := s.ReadBatch(ctx)
			if err != nil {
				require.NoError(t, ctx.Err())
				break
			}
			for _, m := range batch {
				id, _ := m.MetaGet("search_id")
				ids = append(ids, id)
			}
			require.NoError(t, ack(ctx, nil))
		}
	}
}

func requireAll(t *testing.T, ids []string) {
	t.Helper()
	var want []string
	for i := range documents {
		want = append(want, fmt.Sprint(i))
	}
	require.Equal(t, want, ids)
}

func TestUsesTheNewestPointInTime(t *testing.T) {
	p := pretend(t, nil)
	requireAll(t, readAll(t, openInput(t, "urls: [ "+p.URL+" ]\nindex: alerts\nbatch_size: 4")))
	require.Equal(t, 1, p.opened)
	require.Equal(t, 1, p.count(http.MethodDelete, "/_pit"))
}

func TestRetriesWhatMayPass(t *testing.T) {
	partial := `{"pit_id":"pit-1-1","_shards":{"total":3,"failed":1},"hits":{"hits":[]}}`
	for name, answer := range map[string]func(http.ResponseWriter){
		"429":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) },
		"503":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"closed":   func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"cut off":  func(w http.ResponseWriter) { fmt.Fprint(w, partial[:20]); panic(http.ErrAbortHandler) },
		"partial":  func(w http.ResponseWriter) { fmt.Fprint(w, partial) },
		"too slow": func(w http.ResponseWriter) { fmt.Fprint(w, `{"timed_out":true,"hits":{"hits":[]}}`) },
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			p := pretend(t, func(w http.ResponseWriter, r request) bool {
				if r.path != "/_search" {
					return false
				}
				if n++; n%3 == 0 {
					return false
				}
				answer(w)
				return true
			})
			requireAll(t, readAll(t, openInput(t, "urls: [ "+p.URL+" ]\nindex: alerts\nbatch_size: 4"+quickRetry)))
			require.Equal(t, 1, p.opened, "the point in time stays")
		})
	}
}

func TestWaitsAsLongAsTheServerAsksFor(t *testing.T) {
	refused := false
	p := pretend(t, func(w http.ResponseWriter, r request) bool {
		if refused || r.path != "/_search" {
			return false
		}
		refused = true
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	begin := time.Now()
	requireAll(t, readAll(t, openInput(t, "urls: [ "+p.URL+" ]\nindex: alerts"+quickRetry)))
	require.GreaterOrEqual(t, time.Since(begin), time.Second)
}

func TestOtherNodesTakeOver(t *testing.T) {
	good := pretend(t, nil)
	gone := httptest.NewServer(nil)
	gone.Close()
	ids := readAll(t, openInput(t, "urls: [ \""+gone.URL+","+good.URL+"/\" ]\nindex: alerts\nbatch_size: 4\nretry: { initial_interval: 1h }"))
	requireAll(t, ids)
}

func TestRequestsGoToTheNodesInTurn(t *testing.T) {
	var asked []int
	p := pretend(t, nil)
	nodes := make([]string, 3)
	for i := range nodes {
		node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, i)
			p.ServeHTTP(w, r)
		}))
		t.Cleanup(node.Close)
		nodes[i] = node.URL
	}
	requireAll(t, readAll(t, openInput(t, "urls: [ "+strings.Join(nodes, ", ")+" ]\nindex: alerts\nbatch_size: 4")))
	require.Equal(t, []int{0, 1, 2, 0, 1, 2}, asked[:6])
}

func TestAPointInTimeThatExpiresIsOpenedAnew(t *testing.T) {
	searches := 0
	p := pretend(t, func(w http.ResponseWriter, r request) bool {
		if r.path != "/_search" {
			return false
		}
		if searches++; searches != 4 {
			return false
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, expired)
		return true
	})
	s := openInput(t, "urls: [ "+p.URL+" ]\nindex: alerts\nbatch_size: 4")
	requireAll(t, readAll(t, s))
	require.Equal(t, 2, p.opened)
	i := slices.IndexFunc(p.requests, func(r request) bool {
		b, _ := json.Marshal(r.body)
		return strings.Contains(string(b), `"gte":1003`)
	})
	require.Positive(t, i, "the second begins where the first was")
}

func TestPausesWhenReadingFails(t *testing.T) {
	p := pretend(t, func(w http.ResponseWriter, r request) bool {
		if r.body["query"] == nil || r.path != "/_search" {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		return true
	})
	s := openInput(t, "urls: [ "+p.URL+" ]\nindex: alerts\nretry: { initial_interval: 200ms }")
	for range 2 {
		require.NoError(t, s.Connect(t.Context()))
		begin := time.Now()
		_, _, err := s.ReadBatch(t.Context())
		require.Equal(t, service.ErrNotConnected, err)
		require.GreaterOrEqual(t, time.Since(begin), 100*time.Millisecond, "half of it is chance")
	}
}

func TestCredentials(t *testing.T) {
	for fields, want := range map[string]string{
		"":                      "",
		"\napi_key: a2V5":       "ApiKey a2V5",
		"\nbearer_token: token": "Bearer token",
		"\nbasic_auth: { enabled: true, username: u, password: p }":  "Basic dTpw",
		"\nbasic_auth: { enabled: false, username: u, password: p }": "",
	} {
		p := pretend(t, nil)
		requireAll(t, readAll(t, openInput(t, "urls: [ "+p.URL+" ]\nindex: alerts"+fields)))
		for _, r := range p.requests {
			require.Equal(t, want, r.authorization)
		}
	}
}

func TestServersWithoutAPointInTime(t *testing.T) {
	for _, answer := range []string{
		`{"error":"no handler found for uri [/alerts/_pit] and method [POST]"}`,
		`{"error":"Incorrect HTTP method for uri [/alerts/_pit] and method [POST], allowed: [GET, HEAD]","status":405}`,
		`{"error":{"root_cause":[{"type":"parse_exception","reason":"request body is required"}],"type":"parse_exception","reason":"request body is required"},"status":400}`,
	} {
		p := pretend(t, func(w http.ResponseWriter, r request) bool {
			if !strings.HasSuffix(r.path, "/_pit") && !strings.HasSuffix(r.path, "/point_in_time") {
				return false
			}
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, answer)
			return true
		})
		require.ErrorIs(t, openInput(t, "urls: [ "+p.URL+" ]\nindex: alerts").Connect(t.Context()), errNoPIT)
	}
}

func TestSaysWhatTheServerSaid(t *testing.T) {
	for answer, want := range map[string]string{
		`{"error":{"root_cause":[{"type":"security_exception","reason":"missing authentication"}],"type":"security_exception","reason":"x"}}`: "status 401: security_exception: missing authentication",
		"<html>proxy</html>": "status 401: <html>proxy</html>",
		`{"error":{"type":"parsing_exception","reason":"Failed to parse","caused_by":{"reason":"unknown query [x]"}}}`: "status 401: parsing_exception: Failed to parse: unknown query [x]",
		"": "status 401: ",
	} {
		p := pretend(t, func(w http.ResponseWriter, _ request) bool {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, answer)
			return true
		})
		require.EqualError(t, openInput(t, "urls: [ "+p.URL+" ]\nindex: alerts").Connect(t.Context()), want)
		require.Len(t, p.requests, 1, "such an error is not tried again")
	}
}

func TestBatchesInFlightAreBounded(t *testing.T) {
	p := pretend(t, nil)
	s := openInput(t, "urls: [ "+p.URL+" ]\nindex: alerts\nbatch_size: 4\nmax_in_flight: 2")
	require.NoError(t, s.Connect(t.Context()))
	var acks []service.AckFunc
	for range 2 {
		_, ack, err := s.ReadBatch(t.Context())
		require.NoError(t, err)
		acks = append(acks, ack)
	}
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := s.ReadBatch(soon)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, acks[1](t.Context(), nil))
	_, _, err = s.ReadBatch(t.Context())
	require.NoError(t, err)
}
