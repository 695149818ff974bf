package processor

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
)

// sharedState is what this process holds of a machine: *sequencer.Window and *cases.Machine are such states.
type sharedState interface {
	// Arrived is how much has gone into the state. Of two states of a machine, the one in which more has arrived is the later one.
	Arrived() uint64
	Snapshot() []byte
	Restore(snapshot []byte) error
	// Forget empties the state and leaves Arrived as it is, so that the state is later than those before.
	Forget()
}

// sharedStates are states of machines that processes share through a cache. The cache is read before each change of a state and written
// after it, so that the next process knows the past of the machine.
type sharedStates struct {
	what       string                                // what a state is, for messages
	arrived    func(snapshot []byte) (uint64, error) // what Arrived was at a snapshot
	access     func(context.Context, func(service.Cache)) error
	batched    func() configfield.Batched // nil if the cache has entries one by one only
	prefix     string                     // of the keys
	retry      time.Duration
	writer     uint64 // tells what this process wrote from what others did
	failures   *service.MetricCounter
	toldDamage atomic.Bool
	log        *service.Logger
}

// shareStates reads the fields cache, cache_prefix and cache_retry. It gives nil if no cache is named. what names a state in messages, and
// arrived reads Arrived from a snapshot.
func shareStates(conf *service.ParsedConfig, mgr *service.Resources, what string, arrived func([]byte) (uint64, error)) (*sharedStates, error) {
	cache, err := configfield.ParseCache(conf, mgr)
	if err != nil || cache == nil {
		return nil, err
	}
	prefix, err := conf.FieldString(fieldCachePrefix)
	if err != nil {
		return nil, err
	}
	retry, err := fieldCacheRetry.Parse(conf)
	if err != nil {
		return nil, err
	}
	s := &sharedStates{
		what:     what,
		arrived:  arrived,
		access:   cache.Access,
		batched:  cache.Batched,
		prefix:   prefix,
		retry:    retry,
		writer:   rand.Uint64(),
		failures: mgr.Metrics().NewCounter("deepcase_cache_failures"),
		log:      mgr.Logger().With("cache", cache.Label),
	}
	s.failures.Incr(0)
	return s, nil
}

// parallelMachines is the most machines of a batch that wait for the cache at the same time.
const parallelMachines = 128

// updateEach adds the items of each machine to its state: all of them, or none and they fail. hold runs a function on the state that this process
// holds of a machine. Several machines are updated at the same time, or, if the cache reads and writes many entries at once, together.
func updateEach[S sharedState, T any](ctx context.Context, s *sharedStates, hold func(machine string, f func(S) error) error, machines map[string][]T,
	add func(S, T), fail func(T, error)) {
	wait := s.patience()
	names := slices.Sorted(maps.Keys(machines)) // all who hold several machines hold them in this order
	if s.batched() != nil {
		for some := range slices.Chunk(names, machinesTogether) {
			updateTogether(ctx, s, wait, hold, some, machines, add, fail)
		}
		return
	}
	var running sync.WaitGroup
	slots := make(chan struct{}, parallelMachines)
	for _, machine := range names {
		items := machines[machine]
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			err := hold(machine, func(state S) error {
				return s.update(ctx, wait, machine, state, addAll(add, state, items))
			})
			if err != nil {
				for _, item := range items {
					fail(item, err)
				}
			}
		})
	}
	running.Wait()
}

// addAll adds items to a state.
func addAll[S sharedState, T any](add func(S, T), state S, items []T) func() {
	return func() {
		for _, item := range items {
			add(state, item)
		}
	}
}

// update sets state to the latest state of the machine, which may be in the cache, calls change, and writes the result to the cache. If that
// fails, state is as it was before. All updates of a batch share wait.
//
// When a machine moves from one process to another, the old process may still be working on events, and write its state after the new
// process has written a later one. It must not replace that. So each machine has two keys: a process writes to the key that has its own
// state, or else to the key that was written less recently. It goes on from the state in which most has arrived: one of the two, or that in
// its memory. If one of the two cannot be read, it may have been that state. Then the machine begins with an empty state, because an older
// one would lack events, and nobody would notice.
func (s *sharedStates) update(ctx context.Context, wait *patience, machine string, state sharedState, change func()) error {
	before := state.Snapshot()
	if err := s.exchange(ctx, wait, machine, state, change); err != nil {
		return errors.Join(err, state.Restore(before))
	}
	return nil
}

func (s *sharedStates) exchange(ctx context.Context, wait *patience, machine string, state sharedState, change func()) error {
	keys := s.keys(machine)
	var found [2][]byte
	for i, key := range keys {
		var err error
		if found[i], err = s.read(ctx, wait, key); err != nil {
			return err
		}
	}
	to, data := s.merge(keys, found, state, change)
	for _, key := range to {
		if err := s.write(ctx, wait, key, data); err != nil {
			return err
		}
	}
	return nil
}

// merge sets state to the latest one by what was found at the keys, calls change, and says what to write to which of the keys.
func (s *sharedStates) merge(keys [2]string, found [2][]byte, state sharedState, change func()) (to []string, data []byte) {
	var places [2]stamp
	var damaged []string
	for i, key := range keys {
		if found[i] == nil {
			continue
		}
		var err error
		if places[i], err = s.take(state, found[i]); err != nil {
			// Waiting does not help, and refusing the machine for ever would be worse than an empty state.
			s.failures.Incr(1)
			if !s.toldDamage.Swap(true) {
				s.log.With("key", key).Errorf("The cache holds a %s that cannot be read, so the machine begins with an empty one (further ones are only counted): %v", s.what, err)
			}
			damaged = append(damaged, key)
		}
	}
	if damaged != nil {
		state.Forget()
	}
	change()
	switch {
	case damaged != nil:
		to = damaged // all damaged keys, or the next batch would find one again
	case places[1].writer == s.writer, places[0].writer != s.writer && places[1].turn < places[0].turn:
		to = keys[1:]
	default:
		to = keys[:1]
	}
	return to, stamp{writer: s.writer, turn: 1 + max(places[0].turn, places[1].turn)}.before(state.Snapshot())
}

// stamp comes before a snapshot in the cache.
type stamp struct {
	writer uint64 // the process
	turn   uint64 // one more than the highest turn that the writer had seen
}

func (s stamp) before(snapshot []byte) []byte {
	data := binary.LittleEndian.AppendUint64(make([]byte, 0, 16+len(snapshot)), s.writer)
	return append(binary.LittleEndian.AppendUint64(data, s.turn), snapshot...)
}

// take restores state from data of the cache if more has arrived there.
func (s *sharedStates) take(state sharedState, data []byte) (stamp, error) {
	if len(data) < 16 {
		return stamp{}, fmt.Errorf("%d bytes, need 16 and a %s", len(data), s.what)
	}
	snapshot := data[16:]
	arrived, err := s.arrived(snapshot)
	if err == nil && arrived > state.Arrived() {
		err = state.Restore(snapshot)
	}
	if err != nil {
		return stamp{}, err
	}
	return stamp{binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])}, nil
}

// read gives what the cache has at a key, nil if nothing.
func (s *sharedStates) read(ctx context.Context, wait *patience, key string) (data []byte, err error) {
	err = s.try(ctx, wait, "read", func(ctx context.Context, c service.Cache) (err error) {
		if data, err = c.Get(ctx, key); errors.Is(err, service.ErrKeyNotFound) {
			data, err = nil, nil
		}
		return err
	})
	return data, err
}

func (s *sharedStates) write(ctx context.Context, wait *patience, key string, data []byte) error {
	return s.try(ctx, wait, "written", func(ctx context.Context, c service.Cache) error { return c.Set(ctx, key, data, nil) })
}

// patience begins the time for which a batch waits for a failing cache.
func (s *sharedStates) patience() *patience { return &patience{until: time.Now().Add(s.retry)} }

// patience is how long the machines of a batch wait for a failing cache. They share it, or a large batch would wait again for each few of them.
type patience struct {
	mu    sync.Mutex
	until time.Time // cache_retry after the batch began, or after the last access that succeeded
	err   error     // of the access that failed after that; the rest of the batch fails with it
}

func (p *patience) lost() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *patience) extend(by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now().Add(by)
}

// lose says whether there is no time for another attempt after a pause. If so, the rest of the batch fails with err.
func (p *patience) lose(pause time.Duration, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Add(pause).Before(p.until) {
		return false
	}
	if p.err == nil {
		p.err = err
	}
	return true
}

// shortestAccess is how long an access to the cache may take even if cache_retry is shorter.
const shortestAccess = time.Second

// try repeats an access to the cache until it succeeds, the patience of the batch is lost, or ctx ends.
func (s *sharedStates) try(ctx context.Context, wait *patience, what string, f func(context.Context, service.Cache) error) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if err := wait.lost(); err != nil {
			return err
		}
		failed := s.attempt(ctx, f)
		if failed == nil {
			wait.extend(s.retry)
			return nil
		}
		s.failures.Incr(1)
		s.log.Debugf("The cache cannot be %s: %v", what, failed)
		err := fmt.Errorf("cache cannot be %s: %w", what, failed)
		if wait.lose(pause, err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (s *sharedStates) attempt(ctx context.Context, f func(context.Context, service.Cache) error) (failed error) {
	ctx, cancel := context.WithTimeout(ctx, max(s.retry, shortestAccess))
	defer cancel()
	if err := s.access(ctx, func(c service.Cache) { failed = f(ctx, c) }); err != nil {
		return err
	}
	return failed
}

// keys are the two keys of a machine in the cache. Caches differ in what keys may be (the file cache uses them as file names), so special
// characters are escaped and long names are hashed. No escaped name ends with a percent sign or has one before an "s", so keys never clash.
func (s *sharedStates) keys(machine string) [2]string {
	escaped := url.QueryEscape(machine)
	if len(escaped) > 150 {
		sum := sha256.Sum256([]byte(machine))
		escaped = "%sha256-" + hex.EncodeToString(sum[:])
	}
	return [2]string{s.prefix + escaped, s.prefix + escaped + "%"}
}
