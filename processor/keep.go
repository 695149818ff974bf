package processor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/sequencer"
)

// keptWindows are windows that a cache keeps: it is read before each use of a window and written after it, so that it is the cache, and
// not this process, that knows a machine's past.
type keptWindows struct {
	access   func(context.Context, func(service.Cache)) error
	prefix   string
	retry    time.Duration
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

func (k *keptWindows) exchange(ctx context.Context, deadline time.Time, w *sequencer.Window, machine string, events []*pending) error {
	key := k.key(machine)
	var data []byte
	err := k.try(ctx, deadline, "read", func(c service.Cache) (err error) {
		if data, err = c.Get(ctx, key); errors.Is(err, service.ErrKeyNotFound) {
			data, err = nil, nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if data != nil {
		if err := w.Restore(data); err != nil {
			// Waiting would not mend it, and refusing the machine for ever would be worse than a context that starts anew.
			k.failures.Incr(1)
			k.log.With("key", key).Errorf("The cache holds a window that cannot be read, going on without it: %v", err)
		}
	}
	for _, p := range events {
		p.context = w.Add(p.event)
	}
	return k.try(ctx, deadline, "written", func(c service.Cache) error { return c.Set(ctx, key, w.Snapshot(), nil) })
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

// key names a machine's window in the cache. Caches differ in what their keys may hold (the file cache makes files of them), so what is
// not plain is escaped and what is long is hashed.
func (k *keptWindows) key(machine string) string {
	escaped := url.QueryEscape(machine)
	if len(escaped) > 150 {
		sum := sha256.Sum256([]byte(machine))
		escaped = hex.EncodeToString(sum[:])
	}
	return k.prefix + escaped
}
