package processor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// slowWrites is a cache whose writes come into force when flush is called.
type slowWrites struct {
	*brokenCache
	waiting []func()
}

func (c *slowWrites) Set(ctx context.Context, key string, value []byte, ttl *time.Duration) error {
	c.waiting = append(c.waiting, func() { _ = c.brokenCache.Set(ctx, key, value, ttl) })
	return nil
}

func (c *slowWrites) flush() {
	for _, write := range c.waiting {
		write()
	}
	c.waiting = nil
}

// A log of a machine's events, of which one process after the other is the owner. The old one has some events on their way when the
// next begins, with those that were not acknowledged, and writes its windows then or a while later.
// Every context is that of the log.
func TestWindowsOfAMachineThatMoves(t *testing.T) {
	const length = 3
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		shared := &brokenCache{items: map[string][]byte{}}
		start := func() (*sequence, *slowWrites) {
			s, c := newSequence(t, fmt.Sprintf("cache: c\nlength: %d\nid: ${! json(\"id\") }", length), "c"), &slowWrites{brokenCache: shared}
			s.kept.access = func(_ context.Context, f func(service.Cache)) error { f(c); return nil }
			return s, c
		}
		// take sends the events from one to another through a process.
		take := func(s *sequence, from, to int) {
			var batch []string
			for i := from; i < to; i++ {
				batch = append(batch, alertOf("m", fmt.Sprint(i), i))
			}
			for i, m := range process(t, s, messages(batch...)) {
				want := make([]any, length)
				for k := range want {
					if before := from + i - length + k; before >= 0 {
						want[k] = fmt.Sprint(before)
					}
				}
				require.Equal(t, want, at(t, m)["context"], "seed %d, event %d", seed, from+i)
			}
		}
		done, ahead := 0, 0
		owner, cache := start()
		var old *sequence
		var oldCache *slowWrites
		for range 12 {
			batches := 2 + random.IntN(2)
			late := random.IntN(batches + 1)
			for n := range batches + 1 {
				if n == late && oldCache != nil {
					oldCache.flush()
				}
				if n < batches {
					next := max(ahead, done+1+random.IntN(3)) // at least as far as the old one
					take(owner, done, next)
					cache.flush()
					done = next
				}
			}
			// The owner works on while the next one has begun, then its writes wait.
			ahead = done + random.IntN(5)
			take(owner, done, ahead)
			next, nextCache := start()
			if old != nil && random.IntN(2) == 0 {
				next, nextCache = old, oldCache // it comes back
			}
			if random.IntN(2) == 0 {
				cache.flush()
			}
			old, oldCache, owner, cache = owner, cache, next, nextCache
		}
	}
}
