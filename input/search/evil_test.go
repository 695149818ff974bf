package search

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// journal is what an input logs.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// openLogged makes the input of these fields, which tries again for a moment only.
func openLogged(t *testing.T, fields string) (*input, *journal) {
	t.Helper()
	conf, err := spec().ParseYAML(fields+"\nindex: alerts\nretry: { initial_interval: 1ms, max_interval: 2ms, max_elapsed_time: 5ms }", nil)
	require.NoError(t, err)
	j := &journal{}
	logger := service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})))
	s, err := newFromParsed(conf, service.MockResources(service.MockResourcesOptUseLogger(logger)), time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s, j
}

// attempt connects and reads until something fails (Connect's error is logged as Connect does) or all is read.
func attempt(t *testing.T, s *input, j *journal) (ids []string, ended bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := s.Connect(ctx); err != nil {
		_, _ = fmt.Fprintln(j, err)
		return nil, errors.Is(err, service.ErrEndOfInput)
	}
	for {
		batch, ack, err := s.ReadBatch(ctx)
		if err != nil {
			require.NoError(t, ctx.Err())
			return ids, errors.Is(err, service.ErrEndOfInput)
		}
		for _, m := range batch {
			id, _ := m.MetaGet("search_id")
			ids = append(ids, id)
		}
		require.NoError(t, ack(ctx, nil))
	}
}

// onPages answers searches for documents only.
func onPages(answer func(http.ResponseWriter, request)) func(http.ResponseWriter, request) bool {
	return func(w http.ResponseWriter, r request) bool {
		if r.path != "/_search" || r.body["query"] == nil {
			return false
		}
		answer(w, r)
		return true
	}
}

// notAnswers are what a server may say with status 200 in place of what was asked for.
var notAnswers = []string{
	``, `null`, `[]`, `{}`, `"text"`, `<html>maintenance</html>`, `{"hits":null}`, `{"hits":{}}`, `{"hits":{"hits":null}}`, `{"hits":{"hits":{}}}`, `{"hits":[]}`,
	`{"hits":{"hits":[null]}}`, `{"hits":{"hits":[{}]}}`, `{"hits":{"hits":[{"_index":"a","_id":"1","_source":{}}]}}`,
	`{"hits":{"hits":[{"_index":"a","_id":"1","_source":{},"sort":["x",1]}]}}`, `{"hits":{"hits":[{"_index":"a","_id":"1","_source":{},"sort":[1e400,1]}]}}`,
	`{"hits":{"hits":[{"_index":"a","_id":"1","_source":{},"sort":[1]}]}}`, `{"hits":{"hits":[{"_id":"1","_source":{},"sort":[1,1]}]}}`,
	`{"error":"x"}`, `{"error":"x","hits":{"hits":[]}}`, `{"error":{"type":"t","reason":"r"},"status":503}`, `{"hits":{"hits":[]}}{"hits":{"hits":[]}}`,
	`{"timed_out":true,"hits":{"hits":[]}}`, `{"_shards":{"total":2,"failed":1},"hits":{"hits":[]}}`,
	`{"_clusters":{"total":2,"successful":1,"skipped":1},"hits":{"hits":[]}}`, `{"hits":{"hits":[]`,
	`{"hits":{"hits":[` + strings.Repeat("{},", 100_000) + `{}]}}`,
}

func TestAnswersOfAnotherShapeAreNotTheEnd(t *testing.T) {
	for _, not := range notAnswers {
		asked, broken := 0, true
		p := pretend(t, nil)
		p.disturb = func(w http.ResponseWriter, r request) bool {
			if r.path != "/_search" || r.body["query"] == nil {
				return false
			}
			if asked++; asked < 3 || !broken {
				return false
			}
			fmt.Fprint(w, not)
			return true
		}
		s, j := openLogged(t, "urls: [ "+p.URL+" ]\nbatch_size: 4")
		ids, ended := attempt(t, s, j)
		require.False(t, ended, not)
		require.Contains(t, j.String(), "Reading failed", not)
		p.mu.Lock()
		broken = false
		p.mu.Unlock()
		rest, ended := attempt(t, s, j)
		require.True(t, ended, not)
		requireAll(t, append(ids, rest...))
	}
}

// Nor is it an answer to any other request.
func TestOtherAnswersOfAnotherShape(t *testing.T) {
	for path, answers := range map[string][]string{
		"/alerts/_field_caps": {`null`, `{}`, `{"indices":["a"]}`, `{"fields":{}}`, `{"error":"x"}`, `{"indices":["a"],"fields":{},"failed_indices":1}`, `[]`},
		"/alerts/_count":      {`null`, `{}`, `{"count":"0"}`, `{"count":-1}`, `{"count":0,"_shards":{"total":2,"failed":1}}`, `{"error":"x","count":0}`},
		"/alerts/_pit":        {`null`, `{}`, `{"id":""}`, `{"id":7}`, `{"error":"x"}`, `{"id":"a","_shards":{"total":2,"failed":1}}`},
	} {
		for _, not := range answers {
			broken := true
			p := pretend(t, nil)
			p.disturb = func(w http.ResponseWriter, r request) bool {
				if r.path != path || !broken {
					return false
				}
				fmt.Fprint(w, not)
				return true
			}
			s, j := openLogged(t, "urls: [ "+p.URL+" ]")
			ids, ended := attempt(t, s, j)
			require.False(t, ended, not)
			require.Empty(t, ids)
			p.mu.Lock()
			broken = false
			p.mu.Unlock()
			ids, ended = attempt(t, s, j)
			require.True(t, ended, j)
			requireAll(t, ids)
		}
	}
}

// hitAt is a document of a pretended server.
func hitAt(at, i int) string {
	return fmt.Sprintf(`{"_index":"alerts","_id":"%d","_source":{"n":%d},"sort":[%d,%d]}`, i, i, at, i)
}

func writeHits(w io.Writer, hits ...string) {
	fmt.Fprintf(w, `{"hits":{"hits":[%s]}}`, strings.Join(hits, ","))
}

func TestOrderAndProgressAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, page int)
		want   string
		most   int // documents that may come
	}{
		"search_after is ignored":                  {func(w http.ResponseWriter, _ int) { writeHits(w, hitAt(1, 1), hitAt(2, 2)) }, "ignores search_after", 2},
		"search_after is ignored, all at one time": {func(w http.ResponseWriter, _ int) { writeHits(w, hitAt(1, 1), hitAt(1, 2)) }, "twice with the sort values [1,1]", 2},
		"backwards from page to page":              {func(w http.ResponseWriter, n int) { writeHits(w, hitAt(99-2*n, 1), hitAt(100-2*n, 2)) }, "does not sort", 2},
		"backwards in a page":                      {func(w http.ResponseWriter, _ int) { writeHits(w, hitAt(2, 1), hitAt(1, 2)) }, "does not sort", 0},
		"one place twice in a page":                {func(w http.ResponseWriter, _ int) { writeHits(w, hitAt(2, 1), hitAt(2, 1)) }, "tiebreak is not different", 0},
		"more than was asked for":                  {func(w http.ResponseWriter, _ int) { writeHits(w, hitAt(1, 1), hitAt(2, 2), hitAt(3, 3)) }, "3 documents came, 2 were asked for", 0},
	} {
		t.Run(name, func(t *testing.T) {
			page := 0
			p := pretend(t, onPages(func(w http.ResponseWriter, _ request) {
				page++
				c.answer(w, page)
			}))
			s, j := openLogged(t, "urls: [ "+p.URL+" ]\nbatch_size: 2")
			read := 0
			for range 5 {
				ids, ended := attempt(t, s, j)
				require.False(t, ended)
				read += len(ids)
			}
			require.Contains(t, j.String(), c.want)
			require.LessOrEqual(t, read, c.most)
		})
	}
}

// A document that is younger than lag allows would leave those behind it that are not there yet.
func TestFollowingTakesNothingTooYoung(t *testing.T) {
	p := pretend(t, onPages(func(w http.ResponseWriter, _ request) {
		writeHits(w, hitAt(1, 1), hitAt(int(time.Now().UnixMilli()), 2))
	}))
	s, j := openLogged(t, "urls: [ "+p.URL+" ]\nmode: follow\nlag: 1h")
	ids, _ := attempt(t, s, j)
	require.Empty(t, ids)
	require.Contains(t, j.String(), "only older ones than")
}

func TestALongAnswerIsNotReadToItsEnd(t *testing.T) {
	var packed bytes.Buffer // some 17 kB on the wire
	z := gzip.NewWriter(&packed)
	_, err := z.Write(bytes.Repeat([]byte(" "), maxSmall+1))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	for _, path := range []string{"/_search", "/alerts/_count", "/alerts/_field_caps", "/alerts/_pit"} {
		p := pretend(t, func(w http.ResponseWriter, r request) bool {
			if r.path != path {
				return false
			}
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed.Bytes())
			return true
		})
		s, j := openLogged(t, "urls: [ "+p.URL+" ]\nbatch_size: 1\nmax_answer_bytes: 65536")
		ids, ended := attempt(t, s, j)
		require.False(t, ended)
		require.Empty(t, ids)
		require.Contains(t, j.String(), "answer is too long: more than")
	}
}

// What takes many times its bytes when it is decoded is not decoded.
func TestAnswersDoNotMultiplyInMemory(t *testing.T) {
	const mega = 16 << 20
	for name, content := range map[string]string{
		"sort values": `{"hits":{"hits":[{"_index":"a","_id":"1","_source":{},"sort":[1` + strings.Repeat(",1", mega/2) + `]}]}}`,
		"causes":      `{"error":{"type":"x","reason":"y","root_cause":[{}` + strings.Repeat(",{}", mega/3) + `]}}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := decode(200, []byte(content), &page{})
		runtime.ReadMemStats(&after)
		require.Error(t, err, name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*mega), name) // it would be more than 16 times as much
	}
}

func TestPagesOfLongDocumentsGetSmaller(t *testing.T) {
	long := strings.Repeat("x", 20_000)
	answer := func(w http.ResponseWriter, r request) {
		first := 0
		if after, ok := r.body["search_after"].([]any); ok {
			first = int(after[1].(float64)) + 1
		}
		var hits []string
		for i := first; i < documents && i < first+int(r.body["size"].(float64)); i++ {
			hits = append(hits, strings.Replace(hitAt(1000+i/2, i), `"n":`, `"long":"`+long+`","n":`, 1))
		}
		writeHits(w, hits...)
	}
	p := pretend(t, onPages(answer))
	s, j := openLogged(t, "urls: [ "+p.URL+" ]\nmax_answer_bytes: 65536")
	var ids []string
	require.NoError(t, s.Connect(t.Context()))
	for {
		batch, _, err := s.ReadBatch(t.Context())
		if err != nil {
			require.Equal(t, service.ErrEndOfInput, err)
			break
		}
		require.LessOrEqual(t, len(batch), 4, "so many documents have 65536 bytes")
		for _, m := range batch {
			id, _ := m.MetaGet("search_id")
			ids = append(ids, id)
		}
	}
	requireAll(t, ids)
	require.Contains(t, j.String(), "A page of 1000 documents has more bytes than max_answer_bytes (65536): pages now have 500")

	long = strings.Repeat("x", 70_000)
	s, j = openLogged(t, "urls: [ "+p.URL+" ]\nmax_answer_bytes: 65536")
	ids, ended := attempt(t, s, j)
	require.Empty(t, ids)
	require.False(t, ended)
	require.Contains(t, j.String(), "the next document: answer is too long: more than 65536 bytes: raise max_answer_bytes, or have the query leave it out")
}

// Documents of one sort value are remembered one by one, so their number is bounded.
func TestTiesAreBounded(t *testing.T) {
	p := pretend(t, nil)
	s, j := openLogged(t, "urls: [ "+p.URL+" ]")
	s.position = position{started: true, at: value{instant: time.UnixMilli(1000)}, seen: make([]key, maxTies)}
	ids, ended := attempt(t, s, j)
	require.Empty(t, ids)
	require.False(t, ended)
	require.Contains(t, j.String(), `sort_field: more than 2000000 documents have the same \"@timestamp\" as document 0 of index alerts`)
}
