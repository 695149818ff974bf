package sequencer

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"
)

// WindowOptions say how much Windows remember.
type WindowOptions struct {
	Options
	MaxMachines int              // the most machines to remember
	MaxBytes    int              // the most memory for their windows, including names: see Windows
	Late        int              // events to remember per machine beyond a context, for late events and redeliveries: see Windows
	Now         func() time.Time // nil for time.Now
}

// DefaultWindowOptions remember 100,000 machines, which takes about 150 MB with names of usual length.
func DefaultWindowOptions() WindowOptions {
	return WindowOptions{Options: DefaultOptions(), MaxMachines: 100_000, MaxBytes: 512 << 20, Late: 32}
}

// validate returns an error that names the wrong setting.
func (o WindowOptions) validate() error {
	if err := o.Options.Validate(); err != nil {
		return err
	}
	if o.MaxMachines < 1 {
		return fmt.Errorf("max machines %d: want 1 or more", o.MaxMachines)
	}
	if o.MaxBytes < MinWindowBytes {
		return fmt.Errorf("max bytes %d: want %d or more", o.MaxBytes, MinWindowBytes)
	}
	if o.Late < 0 || o.Late > maxLate {
		return fmt.Errorf("late %d: want 0 to %d events", o.Late, maxLate)
	}
	return nil
}

// MinWindowBytes is the smallest MaxBytes.
const MinWindowBytes = 1 << 20

const maxLate = 100_000

// keep is how many events are remembered per machine: the context of an event that is Late events late, and that event.
func (o *WindowOptions) keep() int { return o.Length + 1 + o.Late }

// longName is the longest name that the plugins accept.
const longName = 4096

// Windows remember the last events of each machine. All methods may be called from several goroutines at once.
//
// The context of an event is made of the last Length events, by time, that arrived on its machine before it and are not younger. Of
// events with the same time, the one that arrived first comes first.
//
// While a machine is remembered, two things are guaranteed:
//
//   - If at most Late events of its machine are younger, an event gets the same context as if all events were remembered.
//   - An event with the id, name and time of an earlier one gets the same context as the earlier one and changes nothing. This holds if
//     the events that were younger when it first arrived, together with those that arrived since, are at most Late.
//
// Otherwise an event may get a shorter context (more NO_EVENT), and a redelivery may count as a new event.
//
// If Length + 1 + Late events in a row on a machine each have more than Late younger ones, a clock was ahead. The younger events are
// forgotten then.
//
// Beyond MaxMachines or MaxBytes, machines are forgotten in this order, and within each group the one that was silent longest goes first:
//
//  1. machines whose events are all older than Timeout
//  2. new machines, with fewer than Length events, while they take more than a quarter of the limit, so that a flood of invented names
//     does not displace the machines that are known
//  3. all others
//
// Windows in use may exceed MaxBytes: those of running Updates, and one in each shard. With names of up to 4096 bytes the latter are at most
// an eighth of it.
type Windows struct {
	opts   WindowOptions
	seed   maphash.Seed
	shards []shard // a power of two
	held   atomic.Int64
	bytes  atomic.Int64

	evictedLive, evictedExpired atomic.Int64
}

// NewWindows returns an error that names the option that is out of range.
func NewWindows(opts WindowOptions) (*Windows, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	// Which window was used least recently is known per shard only, so shards must hold many machines.
	shards, largest := 1, opts.keep()*(entrySize+nameSize(strings.Repeat(" ", longName)))
	for shards < 64 && opts.MaxMachines/shards >= 1024 && opts.MaxBytes/(2*shards) >= 8*largest {
		shards *= 2
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	w := &Windows{opts: opts, seed: maphash.MakeSeed(), shards: make([]shard, shards)}
	for i := range w.shards {
		w.shards[i].init(opts.MaxMachines/shards/4, opts.MaxBytes/shards/4)
	}
	return w, nil
}

// Add takes the next event and returns its context: Length event names, oldest first, "" for NO_EVENT. Machine and name must not be empty.
func (w *Windows) Add(e Event) (context []string, how Arrival) {
	s := w.shard(e.Machine)
	s.mu.Lock()
	defer s.mu.Unlock()
	win := w.window(s, e.Machine)
	context, how = w.add(s, win, e)
	if win.updates == 0 {
		s.touch(win, w.opts.Length)
		w.evict(s, win)
	}
	return context, how
}

func (w *Windows) add(s *shard, win *window, e Event) ([]string, Arrival) {
	context, how := win.add(&s.names, &w.opts, e)
	s.last = nanos(e.Time)
	w.settle(s, win)
	return context, how
}

// Len is the number of machines that are remembered.
func (w *Windows) Len() int { return int(w.held.Load()) }

// Bytes is the memory of their windows, as MaxBytes counts it.
func (w *Windows) Bytes() int { return int(w.bytes.Load()) }

// TakeEvicted returns how many machines were forgotten since the last call because of MaxMachines or MaxBytes. Live ones had an event not
// older than Timeout; expired ones lose nothing.
func (w *Windows) TakeEvicted() (live, expired int64) {
	return w.evictedLive.Swap(0), w.evictedExpired.Swap(0)
}

// Update runs f on the window of a machine, which is created if there is none. Two Updates of the same machine wait for each other; those of
// different machines do not. So f may do I/O, for example with a cache that outlives the process:
//
//	err := windows.Update(machine, func(w *sequencer.Window) error {
//		if data, err := cache.Get(machine); err == nil { // always, or only if SnapshotArrived says that more has arrived
//			if err := w.Restore(data); err != nil { … } // w is as it was
//		}
//		for … { context, _ := w.Add(event); contexts = append(contexts, context) }
//		return cache.Set(machine, w.Snapshot())
//	})
//
// The window is not forgotten while f runs, so Len may exceed MaxMachines by the number of running Updates. f must not call Update or keep
// w. Update returns the error of f; changes that f made to the window stay.
func (w *Windows) Update(machine string, f func(*Window) error) error {
	s := w.shard(machine)
	s.mu.Lock()
	win := w.window(s, machine)
	if win.updates++; win.updates == 1 {
		s.unlink(win)
	}
	w.evict(s, nil)
	s.mu.Unlock()

	win.mu.Lock()
	defer func() {
		win.mu.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		if win.updates--; win.updates > 0 {
			return
		}
		s.touch(win, w.opts.Length)
		if len(win.entries) == 0 {
			w.remove(s, win)
			w.held.Add(-1)
		}
		w.evict(s, win)
	}()
	return f(&Window{w, s, win})
}

// Window is the window of one machine during an Update.
type Window struct {
	windows *Windows
	shard   *shard
	window  *window
}

// Add is Windows.Add for this machine; e.Machine is ignored.
func (w *Window) Add(e Event) (context []string, how Arrival) {
	w.shard.mu.Lock()
	defer w.shard.mu.Unlock()
	return w.windows.add(w.shard, w.window, e)
}

// Arrived is how many events of the machine have arrived since its window was first created, without redeliveries.
func (w *Window) Arrived() uint64 {
	w.shard.mu.Lock()
	defer w.shard.mu.Unlock()
	return w.window.arrived
}

// Forget drops the events and keeps Arrived, so that the new state of the machine counts as later than the states before.
func (w *Window) Forget() {
	w.shard.mu.Lock()
	defer w.shard.mu.Unlock()
	arrived := w.window.arrived
	w.window.clear(&w.shard.names)
	w.window.arrived = arrived
	w.windows.settle(w.shard, w.window)
}

func (w *Windows) shard(machine string) *shard {
	return &w.shards[maphash.String(w.seed, machine)&uint64(len(w.shards)-1)]
}

// window finds or creates the window of a machine. A new one may exceed the limits.
func (w *Windows) window(s *shard, machine string) *window {
	win := s.machines[machine]
	if win == nil {
		win = &window{machine: strings.Clone(machine)}
		s.machines[win.machine] = win
		w.held.Add(1)
	}
	return win
}
