//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// inFolder is a cache that is there in the next run.
func inFolder(t testing.TB) string {
	return fmt.Sprintf("label: cursors\ndeepcase_file: { directory: %q }", t.TempDir())
}

func TestFollowsWithLateDocuments(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		s.create(t, index, 2, date)
		c, take := collect()
		loaded := documents(index, 100, 4)
		s.load(t, loaded...)
		s.read(t, "index: "+index+"\nmode: follow\npoll_interval: 100ms\nlag: 3s\nbatch_size: 30\nslices: 2", take)
		now := time.Now()
		at := func(id string, seconds float64) document {
			return document{Index: index, ID: id, Time: now.Add(time.Duration(seconds * float64(time.Second))).UnixMilli()}
		}
		write := func(d ...document) { loaded = append(loaded, d...); s.load(t, d...) }
		write(at("second", 0.2), at("third", 0.2))
		time.Sleep(time.Second)
		require.LessOrEqual(t, c.len(), 100, "read before the lag has passed")
		write(at("first", -1), at("fourth", 0.2)) // late, but within the lag; one of them at the time of others
		require.Eventually(t, func() bool { return c.len() == 104 }, 2*time.Minute, 50*time.Millisecond)
		write(at("fifth", 0.3))
		require.Eventually(t, func() bool { return c.len() == 105 }, 2*time.Minute, 50*time.Millisecond)
		time.Sleep(500 * time.Millisecond) // some more polls
		c.requireOnce(t, loaded)
		require.Equal(t, "first", id(c.messages[100]))
		require.Equal(t, "fifth", id(c.messages[104]))
	})
}

func TestGoesOnWhereItWas(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		s.create(t, index+"-a", 2, date)
		s.create(t, index+"-b", 3, date)
		loaded := append(documents(index+"-a", 2000, 40), documents(index+"-b", 2000, 40)...)
		s.load(t, loaded...)
		cache := inFolder(t)
		fields := "index: " + index + "-*\nbatch_size: 33\ncache: cursors\nslices: %d"
		acknowledged, sent := &collected{}, &collected{}
		const runs = 4
		for run := range runs {
			// Each run takes 900 documents. Of the batches after that, some are in other hands when it is stopped.
			left := int64(900)
			var taken atomic.Int64
			st := s.read(t, fmt.Sprintf(fields, 1+run), func(ctx context.Context, b service.MessageBatch) error {
				sent.add(b)
				if taken.Add(int64(len(b))) > left && run < runs-1 {
					<-ctx.Done()
					return errors.New("the output has stopped")
				}
				acknowledged.add(b)
				return nil
			}, cache)
			if run < runs-1 {
				require.Eventually(t, func() bool { return taken.Load() > left }, 2*time.Minute, time.Millisecond)
				st.end(t)
				require.Zero(t, s.openContexts(t), "points in time left open")
				continue
			}
			st.finished(t, time.Minute)
		}
		acknowledged.requireOnce(t, loaded)
		require.LessOrEqual(t, sent.len(), len(loaded)+runs*33*2, "came again")

		// And once more: nothing is new.
		c, take := collect()
		s.read(t, fmt.Sprintf(fields, 2), take, cache).finished(t, time.Minute)
		require.Zero(t, c.len())
	})
}

// Batches are acknowledged in any order, the cursor moves past those without a gap before them.
func TestCursorWaitsForTheFirst(t *testing.T) {
	onEach(t, func(t *testing.T, s *server, index string) {
		s.create(t, index, 1, date)
		loaded := documents(index, 500, 1)
		s.load(t, loaded...)
		cache := inFolder(t)
		input := fmt.Sprintf("deepcase_search:\n  urls: [ %s ]\n  index: %s\n  batch_size: 50\n  max_in_flight: 10\n  cache: cursors\n", s.url(), index)
		builder := service.NewStreamBuilder()
		require.NoError(t, builder.AddCacheYAML(cache))
		require.NoError(t, builder.AddInputYAML(input))
		require.NoError(t, builder.SetLoggerYAML("level: NONE"))
		// Ten outputs side by side: the third batch is held, all others go through.
		require.NoError(t, builder.AddOutputYAML("broker:\n  copies: 10\n  pattern: greedy\n  outputs:\n    - drop: {}\n      processors:\n"+
			"        - switch:\n            - check: this.n == 100\n              processors: [ { sleep: { duration: 30s } } ]\n"))
		stream, err := builder.Build()
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- stream.Run(context.Background()) }()
		time.Sleep(3 * time.Second)
		require.Empty(t, ended, "the third batch is still out")
		_ = stream.StopWithin(2 * time.Second)
		t.Logf("stopped with a batch that is out: %v", <-ended)
		c, take := collect()
		s.read(t, "index: "+index+"\ncache: cursors", take, cache).finished(t, time.Minute)
		c.requireOnce(t, loaded[100:])
	})
}

func TestCursorOfAnotherFieldIsRefused(t *testing.T) {
	s := engine(t, engines[0])
	s.create(t, "another-field", 1, date+`,"n":{"type":"long"}`)
	s.load(t, documents("another-field", 10, 1)...)
	cache := inFolder(t)
	_, take := collect()
	s.read(t, "index: another-field\ncache: cursors", take, cache).finished(t, time.Minute)
	st := s.read(t, "index: another-field\ncache: cursors\nsort_field: n", take, cache)
	require.Eventually(t, func() bool { return strings.Contains(st.log.String(), "use another cache_key") }, 2*time.Minute, 20*time.Millisecond)
}
