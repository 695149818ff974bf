package sequencer

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

// WindowOptions say what a live sequencer remembers.
type WindowOptions struct {
	Options
	MaxMachines int // machines held; the least recently used one goes first
	Late        int // events a machine remembers beyond a context, for late events and redeliveries: see Windows
}

// DefaultWindowOptions hold 100,000 machines in about 150 MB.
func DefaultWindowOptions() WindowOptions {
	return WindowOptions{Options: DefaultOptions(), MaxMachines: 100_000, Late: 32}
}

// Validate names the setting that is wrong.
func (o WindowOptions) Validate() error {
	if err := o.Options.Validate(); err != nil {
		return err
	}
	if o.MaxMachines < 1 {
		return fmt.Errorf("max machines %d: want 1 or more", o.MaxMachines)
	}
	if o.Late < 0 || o.Late > maxLate {
		return fmt.Errorf("late %d: want 0 to %d events", o.Late, maxLate)
	}
	return nil
}

const maxLate = 100_000

// keep is how many events a machine remembers: a context for an event that is Late events late, and that event.
func (o *WindowOptions) keep() int { return o.Length + 1 + o.Late }

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
type Windows struct {
	opts   WindowOptions
	seed   maphash.Seed
	shards []shard // a power of two
	held   atomic.Int64
}

// shard holds some of the machines.
type shard struct {
	mu       sync.Mutex
	machines map[string]*window
	names    names
	list     window // ends of the list of least recent use: list.succ is the latest, list.prev the oldest
}

// NewWindows names the option that is wrong.
func NewWindows(opts WindowOptions) (*Windows, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	// The least recent use is known within a shard, so few machines share one.
	shards := 1
	for shards < 64 && opts.MaxMachines/shards >= 1024 {
		shards *= 2
	}
	w := &Windows{opts: opts, seed: maphash.MakeSeed(), shards: make([]shard, shards)}
	for i := range w.shards {
		s := &w.shards[i]
		s.machines, s.names.ids = map[string]*window{}, map[string]uint32{}
		s.list.prev, s.list.succ = &s.list, &s.list
	}
	return w, nil
}

// Add takes the next event and returns its context: Length event names, oldest first, "" for NO_EVENT. The caller sees to it
// that machine and name are not empty. The id was reused if the machine remembers it of an event with another name or time.
func (w *Windows) Add(e Event) (context []string, reused bool) {
	s := w.shard(e.Machine)
	s.mu.Lock()
	defer s.mu.Unlock()
	win := w.window(s, e.Machine)
	if win.updates == 0 {
		s.touch(win)
		w.evict(s, win)
	}
	return win.add(&s.names, &w.opts, e)
}

// Len is the number of machines held.
func (w *Windows) Len() int { return int(w.held.Load()) }

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
		s.touch(win)
		if len(win.entries) == 0 {
			s.remove(win)
			w.held.Add(-1)
		}
		w.evict(s, nil)
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
func (w *Window) Add(e Event) (context []string, reused bool) {
	w.shard.mu.Lock()
	defer w.shard.mu.Unlock()
	return w.window.add(&w.shard.names, &w.windows.opts, e)
}

// Len is the number of events remembered; 0 for a machine that was not held.
func (w *Window) Len() int {
	w.shard.mu.Lock()
	defer w.shard.mu.Unlock()
	return len(w.window.entries)
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

// evict forgets the shard's least recently used machines, except one, until there are not too many.
func (w *Windows) evict(s *shard, except *window) {
	for oldest := s.list.prev; oldest != &s.list && oldest != except && w.overfull(); oldest = s.list.prev {
		s.remove(oldest)
	}
}

// overfull takes one off the count of machines if there are too many.
func (w *Windows) overfull() bool {
	for {
		n := w.held.Load()
		if n <= int64(w.opts.MaxMachines) {
			return false
		}
		if w.held.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// touch makes win the most recently used.
func (s *shard) touch(win *window) {
	s.unlink(win)
	win.prev, win.succ = &s.list, s.list.succ
	win.prev.succ, win.succ.prev = win, win
}

// unlink takes win out of the list, if it is in.
func (s *shard) unlink(win *window) {
	if win.prev != nil {
		win.prev.succ, win.succ.prev = win.succ, win.prev
		win.prev, win.succ = nil, nil
	}
}

func (s *shard) remove(win *window) {
	s.unlink(win)
	win.clear(&s.names)
	delete(s.machines, win.machine)
}
