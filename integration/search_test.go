//go:build integration

package integration

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// engines are the search servers that are tested: those that servers/setup.sh knows and ENGINES names, with commas between.
var engines = strings.Split(cmp.Or(os.Getenv("ENGINES"), "opensearch,elasticsearch"), ",")

// onEach runs a test on the search servers, with indices named after the test.
func onEach(t *testing.T, test func(t *testing.T, s *server, index string)) {
	for _, name := range engines {
		if name == "elasticsearch7" && t.Name() != "TestReadsWithoutAPointInTime" {
			continue // its artifact in Maven has no point in time
		}
		t.Run(name, func(t *testing.T) {
			index := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
			test(t, engine(t, name), index)
		})
	}
}

// epoch is when the tests' documents begin, in milliseconds since 1970.
const epoch = 1_700_000_000_000

// documents makes n documents, ties of them at each millisecond.
func documents(index string, n, ties int) (made []document) {
	for i := range n {
		made = append(made, document{Index: index, ID: fmt.Sprint(i), Time: epoch + i/ties, N: i})
	}
	return made
}

// collect gives a function that takes every batch.
func collect() (*collected, func(context.Context, service.MessageBatch) error) {
	c := &collected{}
	return c, func(_ context.Context, b service.MessageBatch) error { c.add(b); return nil }
}

// number is the field n of a message.
func number(t testing.TB, m *service.Message) int {
	t.Helper()
	body, err := m.AsStructured()
	require.NoError(t, err)
	n, err := body.(map[string]any)["n"].(interface{ Int64() (int64, error) }).Int64()
	require.NoError(t, err)
	return int(n)
}

// openContexts counts the points in time that a server holds.
func (s *server) openContexts(t testing.TB) float64 {
	all := s.ask(t, http.MethodGet, "/_stats/search", nil)["_all"].(map[string]any)
	return all["total"].(map[string]any)["search"].(map[string]any)["open_contexts"].(float64)
}

const date = `"@timestamp":{"type":"date"}`

func TestReadsEveryDocumentOnceInOrder(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		// The same ids and times in three indices with different numbers of shards; many documents have the same time.
		var loaded []document
		for shards, name := range []string{1: index + "-1", 2: index + "-2", 5: index + "-5"} {
			if name != "" {
				s.create(t, name, shards, date)
				loaded = append(loaded, documents(name, 3000, 37)...)
			}
		}
		s.load(t, loaded...)
		for _, slices := range []int{1, 2, 7} {
			c, take := collect()
			st := s.read(t, fmt.Sprintf("index: %s-*\nslices: %d\nbatch_size: 100", index, slices), take)
			st.finished(t, time.Minute)
			c.requireOnce(t, loaded)
			last := 0
			for _, m := range c.messages {
				at := number(t, m) / 37
				require.GreaterOrEqual(t, at, last, "order, slices: %d", slices)
				last = at
			}
			m := c.messages[len(c.messages)-1]
			for _, name := range []string{"search_seq_no", "search_primary_term", "search_sort"} {
				_, ok := m.MetaGet(name)
				require.True(t, ok, name)
			}
		}
		require.Zero(t, s.openContexts(t), "points in time left open")
	})
}

// Indices that are alike: whatever tells documents of the same time apart must do so across indices, too.
func TestReadsIndicesThatAreAlike(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		var loaded []document
		for i := range 3 {
			s.create(t, fmt.Sprint(index, "-", i), 1, date)
			loaded = append(loaded, documents(fmt.Sprint(index, "-", i), 100, 10)...)
		}
		s.load(t, loaded...)
		for _, size := range []int{1, 2, 7, 16} { // pages end between documents of the same time
			c, take := collect()
			s.read(t, fmt.Sprintf("index: %s-*\nbatch_size: %d", index, size), take).finished(t, time.Minute)
			c.requireOnce(t, loaded)
		}
	})
}

func TestReadsWhatTheQueryAsksFor(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		s.create(t, index, 2, date)
		loaded := documents(index, 500, 3)
		s.load(t, loaded...)
		s.ask(t, http.MethodPost, "/_aliases", map[string]any{"actions": []any{
			map[string]any{"add": map[string]any{"index": index, "alias": index + "-alias"}}}})
		c, take := collect()
		s.read(t, "index: "+index+"-alias\nquery: { range: { n: { gte: 100, lt: 140 } } }", take).finished(t, time.Minute)
		c.requireOnce(t, loaded[100:140])
	})
}

func TestSortsDatesOfTwoKindsTogether(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		s.create(t, index+"-milli", 1, date)
		s.create(t, index+"-nano", 2, `"@timestamp":{"type":"date_nanos"}`)
		loaded := append(documents(index+"-milli", 300, 2), documents(index+"-nano", 300, 2)...)
		fine := document{Index: index + "-nano", ID: "fine", Time: "2023-11-14T22:13:20.000000001Z"}
		s.load(t, append(loaded, fine)...)
		c, take := collect()
		cache := "label: cursors\nmemory: {}"
		s.read(t, "index: "+index+"-*\nbatch_size: 7\ncache: cursors", take, cache).finished(t, time.Minute)
		c.requireOnce(t, append(loaded, fine))
		require.Equal(t, "fine", id(c.messages[4]), "one nanosecond after the first four")
	})
}

func TestFollowsAFieldThatGetsFiner(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		milli, nano := index+"-milli", index+"-nano"
		s.create(t, milli, 2, date)
		loaded := append(documents(milli, 100, 4), document{Index: milli, ID: "first", Time: "1601-01-01T00:00:00Z"})
		s.load(t, append(loaded, document{Index: milli, ID: "never", Time: "9999-12-31T23:59:59.999Z"})...) // has no nanoseconds, either
		c, take := collect()
		fields, cache := "index: "+index+"-*\nmode: follow\npoll_interval: 50ms\nlag: 2s\nbatch_size: 3\ncache: cursors", inFolder(t)
		st := s.read(t, fields, take, cache)
		reads := func(more ...document) {
			t.Helper()
			loaded = append(loaded, more...)
			s.load(t, more...)
			require.Eventually(t, func() bool { return c.len() >= len(loaded) }, 2*time.Minute, 20*time.Millisecond, "%s", &st.log)
			time.Sleep(200 * time.Millisecond) // some more polls
			c.requireOnce(t, loaded)
			for i, d := range more {
				require.Equal(t, d.ID, id(c.messages[len(loaded)-len(more)+i]))
			}
		}
		reads()
		s.create(t, nano, 1, `"@timestamp":{"type":"date_nanos"}`)
		var now time.Time
		at := func(index, id string, after time.Duration) document {
			return document{Index: index, ID: id, Time: now.Add(after).UTC().Format(time.RFC3339Nano)}
		}
		now = time.Now().Truncate(time.Millisecond)
		reads(at(milli, "a", 0), at(nano, "b", 1), at(nano, "c", 2), at(milli, "d", time.Millisecond), at(nano, "e", time.Millisecond+1),
			at(nano, "f", time.Millisecond+2), at(milli, "g", 2*time.Millisecond), at(nano, "h", 2*time.Millisecond+1))
		st.end(t)
		st = s.read(t, fields, take, cache)
		now = time.Now().Truncate(time.Millisecond)
		reads(at(milli, "i", 0), at(nano, "j", 1))
		s.ask(t, http.MethodDelete, "/"+nano, nil)
		now = time.Now()
		reads(at(milli, "k", 0))
	})
}

// Between the question for types and the search an index may join: what is read then is in milliseconds, and so must its values be.
func TestSortsNanosecondsAsMilliseconds(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		s.create(t, index+"-milli", 1, date)
		s.create(t, index+"-nano", 1, `"@timestamp":{"type":"date_nanos"}`)
		s.load(t, document{Index: index + "-milli", ID: "1", Time: "1601-01-01T00:00:00Z"}, document{Index: index + "-milli", ID: "2", Time: epoch},
			document{Index: index + "-nano", ID: "3", Time: "2023-11-14T22:13:20.001000001Z"}, document{Index: index + "-milli", ID: "4", Time: epoch + 2})
		found := s.ask(t, http.MethodPost, "/"+index+"-*/_search", `{"sort":[{"@timestamp":{"numeric_type":"date"}}]}`)
		var sorted []any
		for _, h := range found["hits"].(map[string]any)["hits"].([]any) {
			sorted = append(sorted, h.(map[string]any)["sort"].([]any)[0])
		}
		require.Equal(t, []any{-11644473600000., 1. * epoch, 1. * (epoch + 1), 1. * (epoch + 2)}, sorted)
	})
}

func id(m *service.Message) string {
	v, _ := m.MetaGet("search_id")
	return v
}

func TestSortsByNumbersAndKeywords(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		s.create(t, index, 3, `"n":{"type":"long"},"name":{"type":"keyword"}`)
		loaded := documents(index, 1000, 1)
		s.load(t, loaded...)
		c, take := collect()
		s.read(t, "index: "+index+"\nsort_field: n\nslices: 3\nbatch_size: 50", take).finished(t, time.Minute)
		c.requireOnce(t, loaded)
		for i, m := range c.messages {
			require.Equal(t, i, number(t, m))
		}
	})
}

func TestReadsADataStream(t *testing.T) {
	for _, name := range engines {
		if s := engine(t, name); s.kind() == "opensearch" { // Elasticsearch's artifacts in Maven have no data streams
			t.Run(name, func(t *testing.T) { readsADataStream(t, s) })
		}
	}
}

func readsADataStream(t *testing.T, s *server) {
	stream := "alerts-stream-test"
	s.ask(t, http.MethodPut, "/_index_template/"+stream, `{"index_patterns":["`+stream+`"],"data_stream":{},"template":{"settings":{"number_of_replicas":0}}}`)
	t.Cleanup(func() {
		s.ask(t, http.MethodDelete, "/_data_stream/"+stream, nil)
		s.ask(t, http.MethodDelete, "/_index_template/"+stream, nil)
	})
	loaded := documents(stream, 100, 5)
	s.load(t, loaded[:50]...)
	s.ask(t, http.MethodPost, "/"+stream+"/_rollover", nil)
	s.load(t, loaded[50:]...)
	c, take := collect()
	s.read(t, "index: "+stream+"\nbatch_size: 9", take).finished(t, time.Minute)
	require.Len(t, c.messages, 100)
	backing := map[string]int{}
	for i, m := range c.messages {
		require.Equal(t, i/5, number(t, m)/5)
		index, _ := m.MetaGet("search_index")
		backing[index]++
	}
	require.Len(t, backing, 2, "search_index is where the document can be updated")
}

func TestReadsWithoutAPointInTime(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		s.create(t, index, 3, date+`,"n":{"type":"integer"}`)
		loaded := documents(index, 1000, 20)
		s.load(t, loaded...)
		fields := "index: " + index + "\nbatch_size: 30\npoint_in_time: false"
		if s.name != "elasticsearch7" && s.kind() == "elasticsearch" {
			fields += "\ntiebreak: n" // from 8 on it does not sort by _id
		}
		c, take := collect()
		s.read(t, fields, take).finished(t, time.Minute)
		c.requireOnce(t, loaded)
	})
}

func TestSaysWhatCannotBeSorted(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		s.create(t, index+"-date", 1, date)
		s.create(t, index+"-word", 1, `"@timestamp":{"type":"keyword"}`)
		s.create(t, index+"-text", 1, `"@timestamp":{"type":"text"}`)
		s.load(t, document{Index: index + "-date", ID: "1", Time: epoch}, document{Index: index + "-date", ID: "2"})
		for _, c := range []struct{ fields, message string }{
			{"index: " + index + "-nothing", "no such index"},
			{"index: " + index + "-nothing*", "nothing is named"},
			{"index: " + index + "-date\nsort_field: when", `no index has a field \"when\"`},
			{"index: " + index + "-date," + index + "-word", `of type date in ` + index + `-date but of type keyword in ` + index + `-word`},
			{"index: " + index + "-text", "has no doc values to sort by"},
			{"index: " + index + "-date", `1 of the documents in \"` + index + `-date\" have no field \"@timestamp\"`},
			{"index: " + index + "-date\nquery: { nonsense: {} }", "unknown query [nonsense]"},
			{"index: " + index + "-word\nmode: follow", "need date or date_nanos to follow"},
			{"index: " + index + "-date\nmissing: skip\ntiebreak: when", `no index has a field \"when\"`},
		} {
			collected, take := collect()
			st := s.read(t, c.fields, take)
			require.Eventually(t, func() bool { return strings.Contains(st.log.String(), c.message) }, 2*time.Minute, 20*time.Millisecond,
				"%s: %s\n%s", c.fields, c.message, &st.log)
			st.end(t)
			require.Zero(t, collected.len())
		}
		c, take := collect()
		st := s.read(t, "index: "+index+"-date\nmissing: skip", take)
		st.finished(t, time.Minute)
		require.Equal(t, map[string]int{index + "-date/1": 1}, c.counts())
		require.Contains(t, st.log.String(), "are left out")
	})
}
