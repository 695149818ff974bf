//go:build integration

package integration

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	_ "connect-deepcase/cache"
	_ "connect-deepcase/input/search"
)

// journal keeps what a stream logs.
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

// collected are the documents that have arrived, in order.
type collected struct {
	mu       sync.Mutex
	messages []*service.Message
}

func (c *collected) add(batch service.MessageBatch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range batch {
		c.messages = append(c.messages, m.DeepCopy())
	}
}

func (c *collected) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.messages)
}

func key(m *service.Message) string {
	index, _ := m.MetaGet("search_index")
	id, _ := m.MetaGet("search_id")
	return index + "/" + id
}

// counts says how often each document has arrived.
func (c *collected) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[string]int{}
	for _, m := range c.messages {
		counts[key(m)]++
	}
	return counts
}

// requireOnce fails unless each of the documents has arrived once, and nothing else has.
func (c *collected) requireOnce(t testing.TB, documents []document) {
	t.Helper()
	counts := c.counts()
	var missing, several []string
	for _, d := range documents {
		switch n := counts[d.key()]; {
		case n == 0:
			missing = append(missing, d.key())
		case n > 1:
			several = append(several, d.key())
		}
		delete(counts, d.key())
	}
	require.Empty(t, missing[:min(len(missing), 10)], "%d missing", len(missing))
	require.Empty(t, several[:min(len(several), 10)], "%d came several times", len(several))
	require.Empty(t, counts, "came without being there")
}

// stream is a running pipeline from deepcase_search to a function.
type stream struct {
	*service.Stream
	log   journal
	ended chan error
}

// read runs deepcase_search with these fields. Every batch goes to take, whose error rejects it.
func (s *server) read(t testing.TB, fields string, take func(context.Context, service.MessageBatch) error, resources ...string) *stream {
	t.Helper()
	st := &stream{ended: make(chan error, 1)}
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(&st.log, nil)))
	for _, r := range resources {
		require.NoError(t, builder.AddCacheYAML(r))
	}
	input := fmt.Sprintf("deepcase_search:\n  urls: [ %s ]\n", s.url())
	for line := range strings.SplitSeq(strings.TrimSpace(fields), "\n") {
		input += "  " + strings.TrimPrefix(line, "\t") + "\n"
	}
	require.NoError(t, builder.AddInputYAML(input), "%s", input)
	require.NoError(t, builder.AddBatchConsumerFunc(take))
	var err error
	st.Stream, err = builder.Build()
	require.NoError(t, err)
	go func() { st.ended <- st.Run(context.Background()) }()
	t.Cleanup(func() { st.end(t) })
	return st
}

// finished waits for a stream that ends by itself.
func (st *stream) finished(t testing.TB, limit time.Duration) {
	t.Helper()
	select {
	case err := <-st.ended:
		st.ended <- err
		require.NoError(t, err, "%s", &st.log)
	case <-time.After(limit):
		t.Fatalf("still running after %s:\n%s", limit, &st.log)
	}
}

// end stops a stream, however far it is.
func (st *stream) end(t testing.TB) {
	t.Helper()
	_ = st.StopWithin(2 * time.Second)
	select {
	case err := <-st.ended:
		st.ended <- err
	case <-time.After(2 * time.Minute):
		t.Errorf("does not stop:\n%s", &st.log)
	}
}
