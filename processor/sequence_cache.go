package processor

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/sequencer"
)

// keptWindows are windows that a cache keeps: it is read before each use of a window and written after it, so that whoever comes next
// knows a machine's past.
type keptWindows struct {
	access     func(context.Context, func(service.Cache)) error
	prefix     string
	retry      time.Duration
	writer     uint64 // tells this process's windows from others'
	failures   *service.MetricCounter
	toldDamage atomic.Bool
	log        *service.Logger
}

// parallelMachines bounds the machines of a batch that wait for the cache at the same time.
const parallelMachines = 32

// add gives each event without an error its context, or the error why it has none.
func (k *keptWindows) add(ctx context.Context, windows *sequencer.Windows, events []*pending) {
	wait := &patience{until: time.Now().Add(k.retry)}
	var order []string
	machines := map[string][]*pending{}
	for _, p := range events {
		if p.err != nil {
			continue
		}
		if machines[p.event.Machine] == nil {
			order = append(order, p.event.Machine)
		}
		machines[p.event.Machine] = append(machines[p.event.Machine], p)
	}

	var running sync.WaitGroup
	slots := make(chan struct{}, parallelMachines)
	for _, machine := range order {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			k.update(ctx, wait, windows, machine, machines[machine])
		})
	}
	running.Wait()
}

// update adds the events of one machine: all of them, or none.
func (k *keptWindows) update(ctx context.Context, wait *patience, windows *sequencer.Windows, machine string, events []*pending) {
	err := windows.Update(machine, func(w *sequencer.Window) error {
		before := w.Snapshot()
		err := k.exchange(ctx, wait, w, machine, events)
		if err != nil {
			return errors.Join(err, w.Restore(before))
		}
		return nil
	})
	if err != nil {
		for _, p := range events {
			p.context, p.err = nil, fmt.Errorf("window of machine %q: %w", machine, err)
		}
	}
}

// exchange takes up what the cache knows of the machine, adds the events and writes the window back.
//
// When a machine moves from one process to another, the old one may still have events on their way, and write its window after the new one
// has written a later one. So that it does not replace that, each machine has two keys: a process writes to the one where its own window
// is, or else to the one that was written less recently. And of both, and its own memory, it goes on from the window that most arrived in.
// If one of the two cannot be read, which may have been that window, the machine begins anew: contexts of an older one would miss events,
// and nobody would see it.
func (k *keptWindows) exchange(ctx context.Context, wait *patience, w *sequencer.Window, machine string, events []*pending) error {
	keys := k.keys(machine)
	var places [2]stamp
	var damaged []string
	for i, key := range keys {
		data, err := k.read(ctx, wait, key)
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		if places[i], err = take(w, data); err != nil {
			// Waiting would not mend it, and refusing the machine for ever would be worse than a context that starts anew.
			k.failures.Incr(1)
			if !k.toldDamage.Swap(true) {
				k.log.With("key", key).Errorf("The cache holds a window that cannot be read, the machine begins with an empty one (further ones are only counted): %v", err)
			}
			damaged = append(damaged, key)
		}
	}
	if damaged != nil {
		w.Forget()
	}
	for _, p := range events {
		p.context, p.how = w.Add(p.event)
	}
	to := damaged // all of them, or the next batch would find one again
	switch {
	case to != nil:
	case places[1].writer == k.writer, places[0].writer != k.writer && places[1].turn < places[0].turn:
		to = keys[1:]
	default:
		to = keys[:1]
	}
	data := stamp{writer: k.writer, turn: 1 + max(places[0].turn, places[1].turn)}.before(w.Snapshot())
	for _, key := range to {
		err := k.try(ctx, wait, "written", func(ctx context.Context, c service.Cache) error { return c.Set(ctx, key, data, nil) })
		if err != nil {
			return err
		}
	}
	return nil
}

// stamp comes before a window in the cache.
type stamp struct {
	writer uint64 // the process
	turn   uint64 // one more than the writer had seen
}

func (s stamp) before(window []byte) []byte {
	data := binary.LittleEndian.AppendUint64(make([]byte, 0, 16+len(window)), s.writer)
	return append(binary.LittleEndian.AppendUint64(data, s.turn), window...)
}

// take restores w from what is in the cache, if more has arrived there.
func take(w *sequencer.Window, data []byte) (s stamp, err error) {
	if len(data) < 16 {
		return s, fmt.Errorf("%d bytes, need 16 and a window", len(data))
	}
	window := data[16:]
	arrived, err := sequencer.SnapshotArrived(window)
	if err == nil && arrived > w.Arrived() {
		err = w.Restore(window)
	}
	if err != nil {
		return s, err
	}
	return stamp{binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])}, nil
}

// read gives what the cache holds, nil for nothing.
func (k *keptWindows) read(ctx context.Context, wait *patience, key string) (data []byte, err error) {
	err = k.try(ctx, wait, "read", func(ctx context.Context, c service.Cache) (err error) {
		if data, err = c.Get(ctx, key); errors.Is(err, service.ErrKeyNotFound) {
			data, err = nil, nil
		}
		return err
	})
	return data, err
}

// patience is how long the machines of a batch wait for a failing cache: together, or a large batch would wait once for each few of them.
type patience struct {
	mu    sync.Mutex
	until time.Time // cache_retry after the batch began, or after the last access that succeeded
	err   error     // of the access that failed beyond; the rest of the batch fails with it
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

// lose says whether there is no time for another attempt after a pause; then err is what the rest of the batch fails with.
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

// shortestAccess is what an access to the cache may take at least, also where cache_retry asks for a single attempt.
const shortestAccess = time.Second

// try repeats an access to the cache until it succeeds, the batch's patience is lost or ctx ends.
func (k *keptWindows) try(ctx context.Context, wait *patience, what string, f func(context.Context, service.Cache) error) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if err := wait.lost(); err != nil {
			return err
		}
		failed := k.attempt(ctx, f)
		if failed == nil {
			wait.extend(k.retry)
			return nil
		}
		k.failures.Incr(1)
		k.log.Debugf("The cache cannot be %s: %v", what, failed)
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

func (k *keptWindows) attempt(ctx context.Context, f func(context.Context, service.Cache) error) (failed error) {
	ctx, cancel := context.WithTimeout(ctx, max(k.retry, shortestAccess))
	defer cancel()
	if err := k.access(ctx, func(c service.Cache) { failed = f(ctx, c) }); err != nil {
		return err
	}
	return failed
}

// keys name the two windows of a machine in the cache. Caches differ in what their keys may hold (the file cache makes files of them), so
// what is not plain is escaped and what is long is hashed. No escaped name ends with a percent sign, or has one before "s".
func (k *keptWindows) keys(machine string) [2]string {
	escaped := url.QueryEscape(machine)
	if len(escaped) > 150 {
		sum := sha256.Sum256([]byte(machine))
		escaped = "%sha256-" + hex.EncodeToString(sum[:])
	}
	return [2]string{k.prefix + escaped, k.prefix + escaped + "%"}
}
