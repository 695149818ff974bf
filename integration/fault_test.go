//go:build integration

package integration

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// halfway reads with a pause after some documents, in which fault happens; in the end each document must have come once.
func halfway(t *testing.T, s *server, index, fields string, fault func()) *stream {
	t.Helper()
	s.create(t, index+"-a", 2, date)
	s.create(t, index+"-b", 1, date)
	loaded := append(documents(index+"-a", 3000, 25), documents(index+"-b", 3000, 25)...)
	s.load(t, loaded...)
	c, reached, goOn := &collected{}, make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	st := s.read(t, "index: "+index+"-*\n"+fields, func(_ context.Context, b service.MessageBatch) error {
		c.add(b)
		if c.len() >= 1000 && once.CompareAndSwap(false, true) {
			close(reached)
			<-goOn
		}
		return nil
	})
	select {
	case <-reached:
	case <-time.After(time.Minute):
		t.Fatalf("does not read:\n%s", &st.log)
	}
	fault()
	close(goOn)
	st.finished(t, 2*time.Minute)
	c.requireOnce(t, loaded)
	last := 0
	for _, m := range c.messages {
		at := number(t, m) / 25
		require.GreaterOrEqual(t, at, last, "order")
		last = at
	}
	return st
}

func TestSurvivesAnExpiredPointInTime(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		st := halfway(t, s, index, "batch_size: 100\nkeep_alive: 1s\nslices: 2", func() {
			require.Eventually(t, func() bool { return s.openContexts(t) == 0 }, 2*time.Minute, 100*time.Millisecond)
		})
		require.Contains(t, st.log.String(), "point in time has expired")
	})
}

func TestSurvivesAServerThatIsStoppedAndStarted(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		st := halfway(t, s, index, "batch_size: 100\nslices: 2\nretry: { initial_interval: 100ms, max_elapsed_time: 1m }", func() { s.away(t, time.Second) })
		require.Contains(t, st.log.String(), "trying again")
		require.Contains(t, st.log.String(), "point in time has expired")
	})
}

func TestSurvivesAServerThatIsAwayForLongerThanRetries(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		st := halfway(t, s, index, "batch_size: 100\nretry: { initial_interval: 50ms, max_elapsed_time: 200ms }", func() { s.away(t, 2*time.Second) })
		require.Contains(t, st.log.String(), "starts again where it was")
	})
}
