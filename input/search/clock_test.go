package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// bound finds a bound, in milliseconds, in a query.
func (r request) bound(name string, without int64) int64 {
	text, _ := json.Marshal(r.body["query"])
	if _, after, ok := strings.Cut(string(text), `"`+name+`":`); ok {
		_, _ = fmt.Sscan(after, &without)
	}
	return without
}

// While the clock is behind the cursor nothing is read, and when it is right again reading goes on: nothing lost, nothing twice.
func TestFollowsAClockThatJumpsBack(t *testing.T) {
	const second, hour = 1000, 3_600_000
	var written, now atomic.Int64 // documents that are there, one a second; milliseconds
	p := pretend(t, func(w http.ResponseWriter, r request) bool {
		if r.path != "/_search" {
			return false
		}
		var hits []string
		for at := int64(0); at < written.Load()*second; at += second {
			if at >= r.bound("gte", 0) && at < r.bound("lt", hour) && r.body["search_after"] == nil {
				hits = append(hits, fmt.Sprintf(`{"_index":"alerts","_id":"%d","_source":{},"sort":[%d,1]}`, at/second, at))
			}
		}
		fmt.Fprintf(w, `{"pit_id":"p","_shards":{"total":1,"failed":0},"hits":{"hits":[%s]}}`, strings.Join(hits, ","))
		return true
	})
	conf, err := spec().ParseYAML("urls: [ "+p.URL+" ]\nindex: alerts\nmode: follow\npoll_interval: 5ms\nlag: 30s", nil)
	require.NoError(t, err)
	s, err := newFromParsed(conf, service.MockResources(), func() time.Time { return time.UnixMilli(now.Load()) })
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	require.NoError(t, s.Connect(t.Context()))
	read := 0
	reads := func(n int, within time.Duration) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		for read < n || n == 0 {
			batch, ack, err := s.ReadBatch(ctx)
			if errors.Is(err, service.ErrNotConnected) {
				require.NoError(t, s.Connect(t.Context()))
				continue
			}
			if n == 0 {
				require.ErrorIs(t, err, context.DeadlineExceeded, "%d documents", len(batch))
				return
			}
			require.NoError(t, err)
			for _, m := range batch {
				id, _ := m.MetaGet("search_id")
				require.Equal(t, fmt.Sprint(read), id)
				read++
			}
			require.NoError(t, ack(t.Context(), nil))
		}
		require.Equal(t, n, read)
	}
	written.Store(60)
	now.Store(80 * second)
	reads(50, 10*time.Second) // up to 30 s before now
	now.Store(-hour)
	written.Store(100)
	reads(0, 200*time.Millisecond)
	now.Store(200 * second)
	reads(100, 10*time.Second)
	reads(0, 100*time.Millisecond)
}
