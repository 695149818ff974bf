package search

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// mixture pretends that documents lie in an index for each type of their field. It sorts as Elasticsearch and OpenSearch do: by mere
// numbers, unless it is asked for one unit.
type mixture struct {
	mu        sync.Mutex
	types     []string // as they are told, which may be late
	documents []timed
}

type timed struct {
	typ string
	at  int64 // nanoseconds since 1970, few enough for JSON's numbers
}

func (d timed) id() string { return fmt.Sprint(d.typ, " ", d.at) }

func (m *mixture) tell(types ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.types = types
}

func (m *mixture) add(documents ...timed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.documents = append(m.documents, documents...)
}

func (m *mixture) answer(w http.ResponseWriter, r request) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case strings.HasSuffix(r.path, "/_field_caps"):
		caps := map[string]any{}
		for _, typ := range m.types {
			caps[typ] = map[string]any{"aggregatable": true, "indices": []string{"logs-" + typ}}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"indices": []string{"some"}, "fields": map[string]any{"@timestamp": caps}})
	case r.path == "/_search" && r.body["query"] != nil:
		m.search(w, r)
	default:
		return false
	}
	return true
}

func (m *mixture) search(w http.ResponseWriter, r request) {
	from, before := r.bound("gte", math.MinInt32)*1e6, r.bound("lt", math.MaxInt32)*1e6
	unit := r.body["sort"].([]any)[0].(map[string]any)["@timestamp"].(map[string]any)["numeric_type"]
	after, _ := r.body["search_after"].([]any)
	type hit struct {
		Index  string   `json:"_index"`
		ID     string   `json:"_id"`
		Source struct{} `json:"_source"`
		Sort   [2]int64 `json:"sort"`
	}
	hits := []hit{}
	for i, d := range m.documents {
		if d.at < from || d.at >= before {
			continue
		}
		at := d.at
		if unit == "date" || unit == nil && d.typ == "date" {
			at /= 1e6
		} else if at < 0 {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "before the epoch in 1970 and cannot be converted to nanoseconds")
			return
		}
		if after == nil || cmp.Or(cmp.Compare(at, int64(after[0].(float64))), cmp.Compare(i, int(after[1].(float64)))) > 0 {
			hits = append(hits, hit{Index: "logs-" + d.typ, ID: d.id(), Sort: [2]int64{at, int64(i)}})
		}
	}
	slices.SortFunc(hits, func(a, b hit) int { return slices.Compare(a.Sort[:], b.Sort[:]) })
	_ = json.NewEncoder(w).Encode(map[string]any{"hits": map[string]any{"hits": hits[:min(len(hits), int(r.body["size"].(float64)))]}})
}

// requireReads fails unless these documents, and no others, come now.
func requireReads(t *testing.T, s *input, want ...timed) {
	t.Helper()
	var wanted, ids []string
	for _, d := range want {
		wanted = append(wanted, d.id())
	}
	for quiet := 0; quiet < 3 || quiet < 500 && len(ids) < len(wanted); { // some more polls when all are there
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		batch, ack, err := s.ReadBatch(ctx)
		if errors.Is(err, service.ErrNotConnected) {
			_ = s.Connect(t.Context())
		}
		if err != nil {
			quiet++
		} else {
			for _, message := range batch {
				id, _ := message.MetaGet("search_id")
				ids = append(ids, id)
			}
			require.NoError(t, ack(ctx, nil))
		}
		cancel()
	}
	require.Equal(t, wanted, ids)
}

// follow follows documents before 2000 s.
func (m *mixture) follow(t *testing.T) (*input, *service.Resources) {
	mgr := service.MockResources(service.MockResourcesOptAddCache("cursors"))
	conf, err := spec().ParseYAML("urls: [ "+pretend(t, m.answer).URL+" ]\nindex: logs-*\nmode: follow\nlag: 30s\npoll_interval: 1ms\nbatch_size: 2\ncache: cursors", nil)
	require.NoError(t, err)
	s, err := newFromParsed(conf, mgr, func() time.Time { return time.Unix(2030, 0) })
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	require.NoError(t, s.Connect(t.Context()))
	return s, mgr
}

func coarse(at int64) timed { return timed{date, at} }
func fine(at int64) timed   { return timed{dateNanos, at} }

func TestFollowsAFieldThatGetsFiner(t *testing.T) {
	const s, ms = 1_000_000_000, 1_000_000
	m := &mixture{types: []string{date}}
	m.add(coarse(-5*s), coarse(1000*s), coarse(1001*s), coarse(3000*s)) // no nanoseconds are before 1970
	followed, mgr := m.follow(t)
	requireReads(t, followed, coarse(-5*s), coarse(1000*s), coarse(1001*s))

	// One has joined since the types were looked up, and more is new in each than a page holds.
	joined := []timed{coarse(1002 * s), coarse(1002*s + ms), fine(1003*s + 1), fine(1004 * s), fine(1005 * s), coarse(1006 * s)}
	m.add(joined...)
	requireReads(t, followed, joined...)
	m.tell(date, dateNanos)
	requireReads(t, followed)
	finer := []timed{fine(1006 * s), fine(1006*s + 1), coarse(1006*s + ms), fine(1006*s + ms + 1), fine(1006*s + ms + 2)}
	m.add(finer...)
	requireReads(t, followed, finer...)

	cursor := func() (written string) {
		require.NoError(t, mgr.AccessCache(t.Context(), "cursors", func(c service.Cache) {
			b, err := c.Get(t.Context(), "deepcase_search")
			require.NoError(t, err)
			written = string(b)
		}))
		return written
	}
	require.Contains(t, cursor(), `"type":"date_nanos","value":1006001000002,`)

	m.tell(date) // the other one is deleted
	requireReads(t, followed)
	m.add(coarse(1006*s + 2*ms))
	requireReads(t, followed, coarse(1006*s+2*ms))
	require.Contains(t, cursor(), `"type":"date","value":1006002,`)
}

// What cannot be sorted is said, and reading goes on where it was once it can.
func TestFollowsAgainWhenTypesFit(t *testing.T) {
	const s = 1_000_000_000
	m := &mixture{types: []string{date}}
	m.add(coarse(1000 * s))
	followed, _ := m.follow(t)
	requireReads(t, followed, coarse(1000*s))
	for i, c := range []struct {
		types   []string
		message string
	}{
		{[]string{date, "keyword"}, `"@timestamp" is of type date in logs-date but of type keyword in logs-keyword: these cannot be sorted together, read them by an input each`},
		{[]string{date, "ip"}, `"@timestamp" is of type ip in logs-ip, need one of byte, date, date_nanos, integer, keyword, long, short`},
		{[]string{"long"}, `"@timestamp" is of type long in logs-long, need date or date_nanos to follow`},
		{nil, `no index has a field "@timestamp"`},
	} {
		next := coarse(int64(1001+i) * s)
		m.tell(c.types...)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		_, _, err := followed.ReadBatch(ctx)
		cancel()
		require.Equal(t, service.ErrNotConnected, err)
		require.EqualError(t, followed.Connect(t.Context()), "sort_field: "+c.message)
		m.add(next)
		m.tell(date)
		requireReads(t, followed, next)
	}
}
