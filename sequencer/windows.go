package sequencer

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"
)

// WindowOptions say what a live sequencer remembers.
type WindowOptions struct {
	Options
	MaxMachines int              // machines held
	MaxBytes    int              // memory that their windows may take, names included: see Windows
	Late        int              // events a machine remembers beyond a context, for late events and redeliveries: see Windows
	Now         func() time.Time // nil: time.Now
}

// DefaultWindowOptions hold 100,000 machines, in about 150 MB with names of usual length.
func DefaultWindowOptions() WindowOptions {
	return WindowOptions{Options: DefaultOptions(), MaxMachines: 100_000, MaxBytes: 512 << 20, Late: 32}
}

// Validate names the setting that is wrong.
func (o WindowOptions) Validate() error {
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

// MinWindowBytes is the least MaxBytes.
const MinWindowBytes = 1 << 20

const maxLate = 100_000

// keep is how many events a machine remembers: a context for an event that is Late events late, and that event.
func (o *WindowOptions) keep() int { return o.Length + 1 + o.Late }

// longName is the longest name that the plugins let through.
const longName = 4096

// Windows are the last events of every machine. All methods may be called from several goroutines at once.
//
// The context of an event is the last Length events, by timestamp, that arrived on its machine before it and are not younger
// than it; among equal timestamps, arrival order counts.
//
// Guaranteed, while the machine is held: the context is the same as if everything that ever arrived were remembered, for an event
// that at most Late events on its machine are younger than. And an event with the id, name and time of an earlier one gets the same
// context as that, and changes nothing, if the events that were younger when it first came and those that came since are at most Late
// together. Beyond that an event may get a shorter context (more NO_EVENT), and a redelivery may count as a new event.
//
// When Length + 1 + Late arrivals in a row on a machine have more than Late younger events each, a clock was ahead: the younger
// events are forgotten.
//
// Beyond MaxMachines or MaxBytes machines are forgotten: those first whose events are all older than Timeout. Then new machines, of
// which fewer than Length events have arrived, as long as they take more than a quarter: many invented names displace each other, not the
// machines that are known. Then the known ones; of each kind those first that were silent for longest. The windows in use may take more
// than MaxBytes: those of running Updates, and one in each shard, which are an eighth of it together with names of up to 4096 bytes.
type Windows struct {
	opts   WindowOptions
	seed   maphash.Seed
	shards []shard // a power of two
	held   atomic.Int64
	bytes  atomic.Int64

	evictedLive, evictedExpired atomic.Int64
}

// NewWindows names the option that is wrong.
func NewWindows(opts WindowOptions) (*Windows, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	// The least recent use is known within a shard, so few machines share one.
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

// Add takes the next event and returns its context: Length event names, oldest first, "" for NO_EVENT. The caller sees to it
// that machine and name are not empty.
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

// Len is the number of machines held.
func (w *Windows) Len() int { return int(w.held.Load()) }

// Bytes is the memory that they take, as MaxBytes counts it.
func (w *Windows) Bytes() int { return int(w.bytes.Load()) }

// TakeEvicted is how many machines were forgotten since the last call, beyond MaxMachines or MaxBytes: live ones, which had an event that was not
// older than Timeout, and expired ones, which lose nothing.
func (w *Windows) TakeEvicted() (live, expired int64) {
	return w.evictedLive.Swap(0), w.evictedExpired.Swap(0)
}

// Update runs f on the window of a machine, which is created where it is not held. Two Updates of the same machine wait for each
// other, those of different machines do not, so f may do I/O: with a cache that outlives the process,
//
//	err := windows.Update(machine, func(w *sequencer.Window) error {
//		if data, err := cache.Get(machine); err == nil { // always, or only where SnapshotArrived says that more has arrived
//			if err := w.Restore(data); err != nil { … } // w is as it was
//		}
//		for … { context, _ := w.Add(event); contexts = append(contexts, context) }
//		return cache.Set(machine, w.Snapshot())
//	})
//
// The window is not evicted while f runs: Len may pass MaxMachines by the number of running Updates. f must not call
// Update, nor keep w. Update returns f's error; what f did to the window stays.
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

// Window is one machine's window during an Update.
type Window struct {
	windows *Windows
	shard   *shard
	window  *window
}

// Add is Windows.Add for this machine; e.Machine does not matter.
func (w *Window) Add(e Event) (context []string, how Arrival) {
	w.shard.mu.Lock()
	defer w.shard.mu.Unlock()
	return w.windows.add(w.shard, w.window, e)
}

// Arrived is how many events of the machine have arrived, redeliveries apart, since its window was first made.
func (w *Window) Arrived() uint64 {
	w.shard.mu.Lock()
	defer w.shard.mu.Unlock()
	return w.window.arrived
}

// Forget drops the events, and Arrived stays: of the machine's states, the one that begins anew is then later than those before.
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

// window finds or makes a machine's window; a new one may be one too many.
func (w *Windows) window(s *shard, machine string) *window {
	win := s.machines[machine]
	if win == nil {
		win = &window{machine: strings.Clone(machine)}
		s.machines[win.machine] = win
		w.held.Add(1)
	}
	return win
}
