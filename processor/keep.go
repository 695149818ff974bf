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
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/sequencer"
)

// keptWindows are windows that a cache keeps: it is read before each use of a window and written after it, so that whoever comes next
// knows a machine's past.
type keptWindows struct {
	access   func(context.Context, func(service.Cache)) error
	prefix   string
	retry    time.Duration
	writer   uint64 // tells this process's windows from others'
	failures *service.MetricCounter
	log      *service.Logger
}

// parallelMachines bounds the machines of a batch that wait for the cache at the same time.
const parallelMachines = 32

// add gives each event without an error its context, or the error why it has none.
func (k *keptWindows) add(ctx context.Context, windows *sequencer.Windows, events []*pending) {
	deadline := time.Now().Add(k.retry)
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
			k.update(ctx, deadline, windows, machine, machines[machine])
		})
	}
	running.Wait()
}

// update adds the events of one machine: all of them, or none.
func (k *keptWindows) update(ctx context.Context, deadline time.Time, windows *sequencer.Windows, machine string, events []*pending) {
	err := windows.Update(machine, func(w *sequencer.Window) error {
		before := w.Snapshot()
		err := k.exchange(ctx, deadline, w, machine, events)
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
func (k *keptWindows) exchange(ctx context.Context, deadline time.Time, w *sequencer.Window, machine string, events []*pending) error {
	keys := k.keys(machine)
	var places [2]stamp
	for i, key := range keys {
		data, err := k.read(ctx, deadline, key)
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		if places[i], err = take(w, data); err != nil {
			// Waiting would not mend it, and refusing the machine for ever would be worse than a context that starts anew.
			k.failures.Incr(1)
			k.log.With("key", key).Errorf("The cache holds a window that cannot be read, going on without it: %v", err)
		}
	}
	for _, p := range events {
		p.context, p.reused = w.Add(p.event)
	}
	to := 0
	if places[1].writer == k.writer || places[0].writer != k.writer && places[1].turn < places[0].turn {
		to = 1
	}
	data := stamp{writer: k.writer, turn: 1 + max(places[0].turn, places[1].turn)}.before(w.Snapshot())
	return k.try(ctx, deadline, "written", func(c service.Cache) error { return c.Set(ctx, keys[to], data, nil) })
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
func (k *keptWindows) read(ctx context.Context, deadline time.Time, key string) (data []byte, err error) {
	err = k.try(ctx, deadline, "read", func(c service.Cache) (err error) {
		if data, err = c.Get(ctx, key); errors.Is(err, service.ErrKeyNotFound) {
			data, err = nil, nil
		}
		return err
	})
	return data, err
}

// try repeats an access to the cache until it succeeds, the deadline has passed or ctx ends.
func (k *keptWindows) try(ctx context.Context, deadline time.Time, what string, f func(service.Cache) error) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		var failed error
		if err := k.access(ctx, func(c service.Cache) { failed = f(c) }); err != nil {
			failed = err
		}
		if failed == nil {
			return nil
		}
		k.failures.Incr(1)
		k.log.Debugf("The cache cannot be %s: %v", what, failed)
		if time.Now().Add(wait).After(deadline) {
			return fmt.Errorf("cache cannot be %s: %w", what, failed)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cache cannot be %s: %w", what, failed)
		case <-time.After(wait):
		}
	}
}

// keys name the two windows of a machine in the cache. Caches differ in what their keys may hold (the file cache makes files of them), so
// what is not plain is escaped and what is long is hashed. No escaped name ends with a percent sign.
func (k *keptWindows) keys(machine string) [2]string {
	escaped := url.QueryEscape(machine)
	if len(escaped) > 150 {
		sum := sha256.Sum256([]byte(machine))
		escaped = hex.EncodeToString(sum[:])
	}
	return [2]string{k.prefix + escaped, k.prefix + escaped + "%"}
}
