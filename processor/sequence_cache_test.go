package processor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
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

// slowCache does something before each access.
type slowCache struct {
	*brokenCache
	before func(context.Context) error
}

func (c slowCache) Get(ctx context.Context, key string) ([]byte, error) {
	if err := c.before(ctx); err != nil {
		return nil, err
	}
	return c.brokenCache.Get(ctx, key)
}

func (c slowCache) Set(ctx context.Context, key string, value []byte, ttl *time.Duration) error {
	if err := c.before(ctx); err != nil {
		return err
	}
	return c.brokenCache.Set(ctx, key, value, ttl)
}

// The whole batch waits for a cache as long as it should, however many machines are in it, and no longer for one that does not answer.
// A cache that is slow and works is not one that fails.
func TestBatchWaitsForItsCacheOnce(t *testing.T) {
	const failed, noAnswer = "cache cannot be read: connection refused", "cache cannot be read: context deadline exceeded"
	refused := errors.New("connection refused")
	takes := func(d time.Duration, err error) func(context.Context) error {
		return func(context.Context) error { time.Sleep(d); return err }
	}
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, c := range map[string]struct {
		retry  string
		before func(context.Context) error
		took   time.Duration
		err    string
	}{
		"refused":              {"5s", takes(0, refused), 4270 * time.Millisecond, failed}, // there is no time for another pause of 1 s
		"refused late":         {"100ms", takes(500*time.Millisecond, refused), 500 * time.Millisecond, failed},
		"refused late, once":   {"0s", takes(500*time.Millisecond, refused), 500 * time.Millisecond, failed},
		"no answer":            {"5s", hangs, 5 * time.Second, noAnswer},
		"no answer, once":      {"0s", hangs, shortestAccess, noAnswer},
		"slow":                 {"100ms", takes(500*time.Millisecond, nil), 7 * 3 * 500 * time.Millisecond, ""},
		"slow, single attempt": {"0s", takes(500*time.Millisecond, nil), 7 * 3 * 500 * time.Millisecond, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSequence(t, "cache: c\nmax_future: 0s\ncache_retry: "+c.retry, "c")
				cache := slowCache{&brokenCache{items: map[string][]byte{}}, c.before}
				s.kept.access = func(_ context.Context, f func(service.Cache)) error { f(cache); return nil }
				var batch []string
				for i := range 200 {
					batch = append(batch, alertOf(fmt.Sprint("m", i), "e", i))
				}
				began := time.Now()
				out := process(t, s, messages(batch...))
				assert.Equal(t, c.took, time.Since(began))
				for i, m := range out {
					if c.err == "" {
						require.NoError(t, m.GetError())
					} else {
						require.EqualError(t, m.GetError(), fmt.Sprintf("window of machine \"m%d\": %s", i, c.err))
					}
				}
			})
		})
	}
}

// A batch that takes longer than cache_retry has the same patience in its end as in its beginning.
func TestBatchIsPatientToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSequence(t, "cache: c\nmax_future: 0s\ncache_retry: 1s", "c") // the clock of synctest is at 2000
		calls := 0
		cache := slowCache{&brokenCache{items: map[string][]byte{}}, func(context.Context) error {
			time.Sleep(400 * time.Millisecond)
			if calls++; calls%2 == 0 {
				return errors.New("connection reset")
			}
			return nil
		}}
		s.kept.access = func(_ context.Context, f func(service.Cache)) error { f(cache); return nil }
		assert.NotNil(t, at(t, process(t, s, messages(alertOf("m", "e", 1)))[0]))
	})
}
