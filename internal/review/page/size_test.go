package page

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// events are names as long as those of real alerts.
func events(n int) (names []string) {
	kinds := []string{"Windows: 4698 scheduled task created", "PostgreSQL: login failed", "sudo: command as root", "Mail: spam rejected", "Sysmon: 11 file created"}
	for i := range n {
		names = append(names, fmt.Sprintf("%s (%d)", kinds[i%len(kinds)], i))
	}
	return names
}

// zipped gets a page as a browser does.
func (s *site) zipped(path string) int {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := s.do(r)
	require.Equal(s.t, http.StatusOK, w.Code)
	require.Equal(s.t, "gzip", w.Header().Get("Content-Encoding"))
	return w.Body.Len()
}

func TestAPageOfTheQueueIsSmall(t *testing.T) {
	s := newSite(t, events(150))
	require.Equal(t, 100, strings.Count(s.get("/queue"), "<tr data-key="))
	require.Less(t, s.zipped("/queue"), 25<<10)
}

func BenchmarkQueueOf10000Questions(b *testing.B) {
	s := newSite(b, events(10_000))
	var took []time.Duration
	size := 0
	for b.Loop() {
		start := time.Now()
		size = s.zipped("/queue")
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
	b.ReportMetric(float64(size)/1024, "KB")
}
