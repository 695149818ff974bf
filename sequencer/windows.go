package sequencer

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

// Windows are the last events of every machine. All methods may be called from several goroutines at once.
//
// The context of an event is the last Length events, by timestamp, that arrived on its machine before it and are not younger
// than it; among equal timestamps, arrival order counts.
//
// Guaranteed, while the machine is held: the context is the same as if everything that ever arrived were remembered, for an event
// that at most Late events on its machine are younger than. And the same id again gives the same context as the first time, and
// changes nothing, if the events that were younger when it first came and those that came since are at most Late together.
// Beyond that an event may get a shorter context (more NO_EVENT), and a redelivery may count as a new event.
// Late arrivals in a row with more than Late younger events each, nothing else in between, mean that the clock was ahead:
// the younger events are forgotten.
type Windows struct{}

// NewWindows names the option that is wrong.
func NewWindows(opts WindowOptions) (*Windows, error) { panic("stub") }

// Add takes the next event and returns its context: Length event names, oldest first, "" for NO_EVENT. The caller sees to it
// that machine and name are not empty.
func (w *Windows) Add(e Event) []string { panic("stub") }

// Len is the number of machines held.
func (w *Windows) Len() int { panic("stub") }

// Update runs f on the window of a machine, which is created where it is not held. Two Updates of the same machine wait for each
// other, those of different machines do not, so f may do I/O: with a cache that outlives the process,
//
//	err := windows.Update(machine, func(w *sequencer.Window) error {
//		if data, err := cache.Get(machine); err == nil { // always, or only where w.Len() == 0
//			if err := w.Restore(data); err != nil { … } // w is as it was
//		}
//		for … { contexts = append(contexts, w.Add(event)) }
//		return cache.Set(machine, w.Snapshot())
//	})
//
// The window is not evicted while f runs: Len may pass MaxMachines by the number of running Updates. f must not call
// Update, nor keep w. Update returns f's error; what f did to the window stays.
func (w *Windows) Update(machine string, f func(*Window) error) error { panic("stub") }

// Window is one machine's window during an Update.
type Window struct{}

// Add is Windows.Add for this machine; e.Machine does not matter.
func (w *Window) Add(e Event) []string { panic("stub") }

// Len is the number of events remembered; 0 for a machine that was not held.
func (w *Window) Len() int { panic("stub") }

// Snapshot encodes the window: versioned, checked, independent of this process, some 15 bytes an event and each name once.
func (w *Window) Snapshot() []byte { panic("stub") }

// Restore replaces the window by an encoded one, which may come from a sequencer with other options. If data is damaged or of
// a newer version, it returns an error and the window is as it was.
func (w *Window) Restore(data []byte) error { panic("stub") }
