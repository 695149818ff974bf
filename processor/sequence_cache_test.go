package processor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/configfield"
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
			if seed%2 == 0 {
				s.kept.batched = func() configfield.Batched { return oneByOne{t.Context(), c} }
			}
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
	const machines = 200
	const rounds = (machines + parallelMachines - 1) / parallelMachines
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
		"slow":                 {"100ms", takes(500*time.Millisecond, nil), rounds * 3 * 500 * time.Millisecond, ""},
		"slow, single attempt": {"0s", takes(500*time.Millisecond, nil), rounds * 3 * 500 * time.Millisecond, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSequence(t, "cache: c\nmax_future: 0s\ncache_retry: "+c.retry, "c")
				cache := slowCache{&brokenCache{items: map[string][]byte{}}, c.before}
				s.kept.access = func(_ context.Context, f func(service.Cache)) error { f(cache); return nil }
				var batch []string
				for i := range machines {
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

func TestSequenceWindowsSurviveInTheCache(t *testing.T) {
	resources := service.MockResources(service.MockResourcesOptAddCache("c"))
	build := func() *sequence {
		s, err := newSequenceFromParsed(parse(t, sequenceSpec(), "length: 2\ncache: c\nid: ${! json(\"id\") }"), resources)
		require.NoError(t, err)
		return s
	}
	one, two := build(), build()
	process(t, one, messages(alertOf("a", "1", 1), alertOf("b", "x", 1), alertOf("a", "2", 2)))
	out := process(t, two, messages(alertOf("a", "3", 3), alertOf("b", "y", 2)))
	assert.Equal(t, []any{"1", "2"}, at(t, out[0])["context"])
	assert.Equal(t, []any{nil, "x"}, at(t, out[1])["context"])
	out = process(t, one, messages(alertOf("a", "2", 2), alertOf("a", "4", 4)))
	assert.Equal(t, []any{nil, "1"}, at(t, out[0])["context"], "a redelivery after the other process was at it")
	assert.Equal(t, []any{"2", "3"}, at(t, out[1])["context"], "and not what this process remembers itself")
}

// brokenCache fails while fails is set.
type brokenCache struct {
	mu         sync.Mutex
	items      map[string][]byte
	failGets   int // how many more Gets fail
	failSets   int
	calls      int
	storeFirst bool // a Set that fails has written all the same
}

func (c *brokenCache) Get(_ context.Context, key string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.failGets > 0 {
		c.failGets--
		return nil, errors.New("connection refused")
	}
	if data, ok := c.items[key]; ok {
		return data, nil
	}
	return nil, service.ErrKeyNotFound
}

func (c *brokenCache) Set(_ context.Context, key string, value []byte, _ *time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.failSets > 0 {
		c.failSets--
		if c.storeFirst {
			c.items[key] = value
		}
		return errors.New("connection refused")
	}
	c.items[key] = value
	return nil
}

func (c *brokenCache) Add(context.Context, string, []byte, *time.Duration) error { return nil }
func (c *brokenCache) Delete(context.Context, string) error                      { return nil }
func (c *brokenCache) Close(context.Context) error                               { return nil }

func withCache(t *testing.T, yaml string, c *brokenCache, together bool) *sequence {
	s := newSequence(t, "cache: c\n"+yaml, "c")
	c.items = map[string][]byte{}
	s.kept.access = func(_ context.Context, f func(service.Cache)) error { f(c); return nil }
	if together {
		s.kept.batched = func() configfield.Batched { return oneByOne{t.Context(), c} }
	}
	return s
}

// eachWay runs a test with a cache that reads and writes many entries at once, and with one that does not.
func eachWay(t *testing.T, test func(t *testing.T, together bool)) {
	for _, together := range []bool{false, true} {
		t.Run(fmt.Sprintf("together=%t", together), func(t *testing.T) { test(t, together) })
	}
}

func TestSequenceWaitsForAFailingCache(t *testing.T) {
	eachWay(t, func(t *testing.T, together bool) {
		c := &brokenCache{}
		s := withCache(t, "length: 2\ncache_retry: 30s", c, together)
		process(t, s, messages(alertOf("a", "1", 1)))
		c.failGets, c.failSets = 2, 2
		out := process(t, s, messages(alertOf("a", "2", 2), alertOf("a", "3", 3)))
		assert.Equal(t, []any{"1", "2"}, at(t, out[1])["context"])
		assert.Zero(t, c.failGets+c.failSets)
	})
}

// Messages that the cache fails for are flagged, and what they were does not stick: sent again they get the contexts of an
// undisturbed run, without ids too.
func TestSequenceLeavesWindowsAsTheyWere(t *testing.T) {
	eachWay(t, func(t *testing.T, together bool) {
		for _, first := range []bool{true, false} {
			c := &brokenCache{}
			s := withCache(t, "length: 3\ncache_retry: 0s", c, together)
			if !first {
				process(t, s, messages(alertOf("a", "0", 0)))
			}
			batch := []string{alertOf("a", "1", 1), alertOf("a", "2", 2)}
			c.failGets = 1
			for _, m := range process(t, s, messages(batch...)) {
				assert.EqualError(t, m.GetError(), `window of machine "a": cache cannot be read: connection refused`)
				assert.NotContains(t, text(t, m), "deepcase")
			}
			c.failSets = 1
			for _, m := range process(t, s, messages(batch...)) {
				assert.EqualError(t, m.GetError(), `window of machine "a": cache cannot be written: connection refused`)
			}
			out := process(t, s, messages(batch...))
			want := []any{nil, "0", "1"}
			if first {
				want = []any{nil, nil, "1"}
			}
			assert.Equal(t, want, at(t, out[1])["context"])
		}
	})
}

// Of several machines, those fail that the cache fails for, and no others.
func TestSequenceOfSeveralMachinesAndAFailingCache(t *testing.T) {
	eachWay(t, func(t *testing.T, together bool) {
		c := &brokenCache{}
		s := withCache(t, "length: 3\ncache_retry: 0s", c, together)
		var batch []string
		for i := range 30 {
			batch = append(batch, alertOf(fmt.Sprint(i%10), "e", i))
		}
		c.failSets = 1
		failed := 0
		for _, m := range process(t, s, messages(batch...)) {
			if m.GetError() != nil {
				failed++
			}
		}
		if together {
			assert.Equal(t, 3, failed, "the three of a machine")
		} else {
			assert.NotZero(t, failed) // how many are on their way then depends on chance
		}
		assert.Len(t, c.items, 10-failed/3)
	})
}

// A write that failed for us may have arrived all the same. With ids the same messages again get the same contexts.
func TestSequenceOnAWriteOfUnknownFate(t *testing.T) {
	eachWay(t, func(t *testing.T, together bool) {
		c := &brokenCache{storeFirst: true}
		s := withCache(t, "length: 3\ncache_retry: 0s\nid: ${! json(\"id\") }", c, together)
		batch := []string{alertOf("a", "1", 1), alertOf("a", "2", 2)}
		c.failSets = 1
		assert.Error(t, process(t, s, messages(batch...))[0].GetError())
		out := process(t, s, messages(append(batch, alertOf("a", "3", 3))...))
		assert.Equal(t, []any{nil, nil, nil}, at(t, out[0])["context"])
		assert.Equal(t, []any{nil, nil, "1"}, at(t, out[1])["context"])
		assert.Equal(t, []any{nil, "1", "2"}, at(t, out[2])["context"])
	})
}

// Where one window of a machine is damaged, the other one does not stand in for it: it is older, or may be.
func TestSequenceStartsAnewOnADamagedWindow(t *testing.T) {
	eachWay(t, func(t *testing.T, together bool) {
		c := &brokenCache{items: map[string][]byte{}}
		start := func() *sequence {
			s := newSequence(t, "length: 3\ncache: c", "c")
			s.kept.access = func(_ context.Context, f func(service.Cache)) error { f(c); return nil }
			if together {
				s.kept.batched = func() configfield.Batched { return oneByOne{t.Context(), c} }
			}
			return s
		}
		for _, damaged := range [][]int{{0}, {1}, {0, 1}} {
			for name, next := range map[string]int{"a process that has none": 2, "the one before": 0, "the last one": 1} {
				clear(c.items)
				processes := []*sequence{start(), start(), start()}
				keys := processes[0].kept.keys("a")
				process(t, processes[0], messages(alertOf("a", "1", 1), alertOf("a", "2", 2)))
				process(t, processes[1], messages(alertOf("a", "3", 3)))
				require.Len(t, c.items, 2)
				for _, i := range damaged {
					c.items[keys[i]] = []byte{}
				}
				s, what := processes[next], fmt.Sprint(damaged, " ", name)
				assert.Equal(t, []any{nil, nil, nil}, at(t, process(t, s, messages(alertOf("a", "4", 4)))[0])["context"], what)
				assert.Equal(t, []any{nil, nil, "4"}, at(t, process(t, s, messages(alertOf("a", "5", 5)))[0])["context"], what)
				assert.Equal(t, []any{nil, "4", "5"}, at(t, process(t, start(), messages(alertOf("a", "6", 6)))[0])["context"], what)
			}
		}
	})
}

func TestCacheKeysArePlainAndDistinct(t *testing.T) {
	k := &sharedStates{prefix: "p-"}
	long := strings.Repeat("é", 2000)
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(long)))
	seen := map[string]bool{}
	for _, machine := range []string{"web-1", "web-1%", "a/b", "a b", "a+b", "../x", long, long + "x", "é", sum, "%sha256-" + sum, "sha256-" + sum} {
		for _, key := range k.keys(machine) {
			assert.False(t, seen[key], machine)
			seen[key] = true
			assert.Regexp(t, `^p-[A-Za-z0-9._~%+-]{1,151}$`, key)
		}
	}
	assert.Equal(t, [2]string{"p-web-1", "p-web-1%"}, k.keys("web-1"))
}
