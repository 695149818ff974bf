package sequencer

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newWindows(t testing.TB, length int, timeout time.Duration, machines, late int) *Windows {
	t.Helper()
	w, err := NewWindows(WindowOptions{Options: Options{length, timeout}, MaxMachines: machines, MaxBytes: 1 << 30, Late: late})
	require.NoError(t, err)
	return w
}

// contextOf adds an event and returns only its context.
func contextOf(w interface {
	Add(Event) ([]string, Arrival)
}, e Event) []string {
	context, _ := w.Add(e)
	return context
}

func second(s int64) time.Time { return time.Unix(s, 0) }

// history is the definition: it remembers all events of one machine by time, and equal times by arrival.
type history struct {
	options Options
	events  []Event
	first   map[string][]string // the first context of each id
}

func (h *history) add(e Event) []string {
	if context, ok := h.first[e.ID]; ok && e.ID != "" {
		return context
	}
	i := len(h.events)
	for i > 0 && h.events[i-1].Time.After(e.Time) {
		i--
	}
	context := make([]string, h.options.Length)
	for k := 1; k <= h.options.Length && i-k >= 0; k++ {
		if e.Time.Sub(h.events[i-k].Time) <= h.options.Timeout {
			context[h.options.Length-k] = h.events[i-k].Name
		}
	}
	h.events = append(h.events[:i:i], append([]Event{e}, h.events[i:]...)...)
	if h.first == nil {
		h.first = map[string][]string{}
	}
	h.first[e.ID] = context
	return context
}

// younger counts the events that are younger than e.
func (h *history) younger(e Event) (n int) {
	for _, other := range h.events {
		if other.Time.After(e.Time) {
			n++
		}
	}
	return n
}

// Random streams on several machines, with ties, late events and redeliveries as far as the guarantees go. In between, windows are saved as
// snapshots and restored.
func TestWindowsAreExactWithinTheirGuarantee(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := WindowOptions{Options: Options{1 + r.IntN(6), time.Duration(r.IntN(30)) * time.Second}, MaxMachines: 1000, MaxBytes: 1 << 30, Late: r.IntN(12)}
		w, err := NewWindows(o)
		require.NoError(t, err)
		histories := map[string]*history{}
		type arrival struct {
			event   Event
			younger int // when it came
			number  int // on its machine
		}
		past := map[string][]arrival{}
		clock, late, redelivered := int64(0), 0, 0
		for i := range 400 {
			clock += int64(r.IntN(3))
			machine := fmt.Sprint("m", r.IntN(3))
			h := histories[machine]
			if h == nil {
				h = &history{options: o.Options}
				histories[machine] = h
			}
			e := Event{Machine: machine, Name: fmt.Sprint("e", r.IntN(9)), Time: second(clock - int64(r.IntN(8)*r.IntN(2)))}
			if r.IntN(3) > 0 {
				e.ID = fmt.Sprint("id", i)
			}
			if a := past[machine]; len(a) > 0 && r.IntN(5) == 0 {
				old := a[len(a)-1-r.IntN(min(len(a), o.Late+1))]
				if old.event.ID == "" || old.younger+len(a)-1-old.number > o.Late {
					continue
				}
				redelivered++
				e = old.event
				require.Equal(t, h.add(e), contextOf(w, e), "seed %d, redelivery %v", seed, e)
				continue
			}
			younger := h.younger(e)
			if younger > o.Late {
				continue
			}
			if younger > 0 {
				late++
			}
			past[machine] = append(past[machine], arrival{e, younger, len(past[machine])})
			require.Equal(t, h.add(e), contextOf(w, e), "seed %d, event %d %v", seed, i, e)
			if r.IntN(10) == 0 {
				require.NoError(t, w.Update(machine, func(win *Window) error { return win.Restore(win.Snapshot()) }))
			}
		}
		if o.Late > 4 {
			require.Positive(t, late)
			require.Positive(t, redelivered)
		}
		require.Equal(t, len(histories), w.Len())
	}
}

// An event with the id of another event is no redelivery, before and after a snapshot.
func TestWindowsTellEventsWithOneIDApart(t *testing.T) {
	w := newWindows(t, 2, time.Hour, 10, 4)
	for i, step := range []struct {
		event   Event
		context []string
		reused  bool
	}{
		{Event{Machine: "m", Name: "a", Time: second(1), ID: "null/null"}, []string{"", ""}, false},
		{Event{Machine: "m", Name: "b", Time: second(2), ID: "null/null"}, []string{"", "a"}, true},
		{Event{Machine: "m", Name: "b", Time: second(3), ID: "null/null"}, []string{"a", "b"}, true},
		{Event{Machine: "m", Name: "c", Time: second(3), ID: "null/null"}, []string{"b", "b"}, true},
		{Event{Machine: "m", Name: "b", Time: second(2), ID: "null/null"}, []string{"", "a"}, false},
		{Event{Machine: "m", Name: "d", Time: second(4), ID: "of its own"}, []string{"b", "c"}, false},
		{Event{Machine: "n", Name: "b", Time: second(2), ID: "null/null"}, []string{"", ""}, false},
	} {
		context, how := w.Add(step.event)
		assert.Equal(t, step.context, context, "step %d", i)
		assert.Equal(t, step.reused, how.Reused, "step %d", i)
		require.NoError(t, w.Update("m", func(win *Window) error { return win.Restore(win.Snapshot()) }))
	}
}

// When the order of arrival exceeds 32 bits, renumbering does not change contexts.
func TestWindowsRunOutOfOrderNumbers(t *testing.T) {
	w := newWindows(t, 4, time.Hour, 10, 6)
	h := history{options: w.opts.Options}
	r := rand.New(rand.NewPCG(3, 3))
	for i := range int64(500) {
		if i%50 == 10 {
			win := w.shard("m").machines["m"]
			shift := math.MaxUint32 - 5 - win.next
			for k := range win.entries {
				win.entries[k].order += shift
			}
			win.next += shift
		}
		e := Event{Machine: "m", Name: fmt.Sprint(i), Time: second(i - int64(r.IntN(3))), ID: fmt.Sprint(i)}
		require.Equal(t, h.add(e), contextOf(w, e))
		require.Equal(t, h.add(e), contextOf(w, e))
	}
}

func TestWindowsForgetTheFuture(t *testing.T) {
	w := newWindows(t, 2, time.Hour, 10, 3)
	for i := range int64(20) { // a clock that is years ahead
		w.Add(Event{Machine: "m", Name: "future", Time: second(1e9 + i)})
	}
	var last []string
	for i := range int64(8) {
		last, _ = w.Add(Event{Machine: "m", Name: fmt.Sprint(i), Time: second(i)})
	}
	assert.Equal(t, []string{"5", "6"}, last)

	// Late events with others in between do not make the window forget.
	w = newWindows(t, 2, time.Hour, 10, 0)
	for i := range int64(50) {
		w.Add(Event{Machine: "m", Name: "old", Time: second(i)})
		last, _ = w.Add(Event{Machine: "m", Name: "new", Time: second(1e6 + i)})
	}
	assert.Equal(t, []string{"new", "new"}, last)
}

// With few machines, exactly the least recently used one is forgotten.
func TestWindowsEvictTheLeastRecentlyUsed(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 17, 64, 1000} {
		w := newWindows(t, 1, time.Hour, limit, 0)
		r := rand.New(rand.NewPCG(uint64(limit), 2))
		var recent []string // oldest use first
		for i := range int64(5000) {
			machine := fmt.Sprint(r.IntN(2 * limit))
			held := false
			for k, m := range recent {
				if held = m == machine; held {
					recent = append(recent[:k], recent[k+1:]...)
					break
				}
			}
			recent = append(recent, machine)
			if len(recent) > limit {
				recent = recent[1:]
			}
			e := Event{Machine: machine, Name: "e", Time: second(i)}
			var context []string
			if r.IntN(2) == 0 {
				context, _ = w.Add(e)
			} else {
				require.NoError(t, w.Update(machine, func(win *Window) error {
					require.Equal(t, held, len(win.window.entries) > 0)
					context, _ = win.Add(e)
					return nil
				}))
			}
			require.Equal(t, held, context[0] == "e", "limit %d, event %d", limit, i)
			require.Equal(t, len(recent), w.Len())
		}
	}
}

func TestWindowsUpdate(t *testing.T) {
	w := newWindows(t, 2, time.Hour, 1, 2)
	failed := errors.New("cache is away")
	require.ErrorIs(t, w.Update("a", func(win *Window) error {
		win.Add(Event{Name: "a1", Time: second(1)})
		for i := range int64(5) { // others come by; this window stays
			w.Add(Event{Machine: fmt.Sprint(i), Name: "x", Time: second(1)})
		}
		assert.Equal(t, 2, w.Len())
		assert.Equal(t, []string{"", "a1"}, contextOf(win, Event{Name: "a2", Time: second(2)}))
		return failed
	}), failed)
	assert.Equal(t, 1, w.Len())
	assert.Equal(t, []string{"a1", "a2"}, contextOf(w, Event{Machine: "a", Name: "a3", Time: second(3)}), "what f did stays")

	require.NoError(t, w.Update("b", func(*Window) error { return nil }))
	assert.LessOrEqual(t, w.Len(), 1)
	assert.Panics(t, func() { _ = w.Update("c", func(*Window) error { panic("f") }) })
	assert.Equal(t, []string{"", ""}, contextOf(w, Event{Machine: "c", Name: "c", Time: second(1)}), "the lock is free again")
}

// A window that was emptied counts as later than its old state.
func TestWindowsBeginAnew(t *testing.T) {
	w := newWindows(t, 2, time.Hour, 10, 0)
	for i := range 5 {
		contextOf(w, Event{Machine: "m", Name: fmt.Sprint(i), Time: second(int64(i))})
	}
	require.NoError(t, w.Update("m", func(m *Window) error {
		before := m.Arrived()
		m.Forget()
		assert.Empty(t, m.window.entries)
		assert.Equal(t, []string{"", ""}, contextOf(m, Event{Machine: "m", Name: "5", Time: second(int64(5))}))
		assert.Equal(t, []string{"", "5"}, contextOf(m, Event{Machine: "m", Name: "6", Time: second(int64(6))}))
		assert.Equal(t, before+2, m.Arrived())
		return nil
	}))
}

// Many goroutines run Updates with a cache and hardly any machine in memory: in the end the cache has every event.
func TestWindowsConcurrently(t *testing.T) {
	const machines, events, workers = 12, 40, 8
	w := newWindows(t, machines*events, time.Hour, 3, 0)
	var cache sync.Map
	var wait sync.WaitGroup
	for worker := range workers {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 5))
			for i := range events * machines {
				machine := fmt.Sprint(i % machines)
				w.Add(Event{Machine: fmt.Sprint("other", r.IntN(50)), Name: "x", Time: second(1)})
				assert.NoError(t, w.Update(machine, func(win *Window) error {
					if data, ok := cache.Load(machine); ok {
						assert.NoError(t, win.Restore(data.([]byte)))
					}
					win.Add(Event{Name: fmt.Sprint("e", r.IntN(5)), Time: second(r.Int64N(100))})
					cache.Store(machine, win.Snapshot())
					return nil
				}))
			}
		})
	}
	wait.Wait()
	assert.LessOrEqual(t, w.Len(), 3)
	for machine := range machines {
		data, _ := cache.Load(fmt.Sprint(machine))
		s, err := decodeSnapshot(data.([]byte))
		require.NoError(t, err)
		assert.Len(t, s.entries, workers*events)
	}
}

// Adds from many goroutines, each to its own machines, give the same as from one.
func TestWindowsShards(t *testing.T) {
	w := newWindows(t, 3, time.Hour, 100_000, 4)
	require.Len(t, w.shards, 64)
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range int64(200) {
				for m := range 20 {
					context, _ := w.Add(Event{Machine: fmt.Sprint(worker, "-", m), Name: fmt.Sprint(i), Time: second(i)})
					if i >= 3 {
						assert.Equal(t, []string{fmt.Sprint(i - 3), fmt.Sprint(i - 2), fmt.Sprint(i - 1)}, context)
					}
				}
			}
		})
	}
	wait.Wait()
	assert.Equal(t, 160, w.Len())
}

func TestWindowsTimesAtTheEdge(t *testing.T) {
	w := newWindows(t, 2, time.Hour, 2, 8)
	w.Add(Event{Machine: "m", Name: "zero"}) // year 1
	w.Add(Event{Machine: "m", Name: "1970", Time: second(0)})
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	assert.Equal(t, []string{"", ""}, contextOf(w, Event{Machine: "m", Name: "9999", Time: far}))
	assert.Equal(t, []string{"", "9999"}, contextOf(w, Event{Machine: "m", Name: "9999", Time: far}))
	assert.Equal(t, []string{"", "zero"}, contextOf(w, Event{Machine: "m", Name: "zero"}))
	require.NoError(t, w.Update("m", func(win *Window) error { return win.Restore(win.Snapshot()) }))
	assert.Equal(t, []string{"9999", "9999"}, contextOf(w, Event{Machine: "m", Name: "9999", Time: far}))
}

func TestWindowOptionsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*WindowOptions){
		"length 0: want 1 to 10000 events":     func(o *WindowOptions) { o.Length = 0 },
		"length 10001: want 1 to 10000 events": func(o *WindowOptions) { o.Length = 10_001 },
		"timeout -1s: want 0 or more":          func(o *WindowOptions) { o.Timeout = -time.Second },
		"max machines 0: want 1 or more":       func(o *WindowOptions) { o.MaxMachines = 0 },
		"max bytes 1: want 1048576 or more":    func(o *WindowOptions) { o.MaxBytes = 1 },
		"late -1: want 0 to 100000 events":     func(o *WindowOptions) { o.Late = -1 },
	} {
		o := DefaultWindowOptions()
		change(&o)
		_, err := NewWindows(o)
		assert.EqualError(t, err, want)
	}
}

var eventNames = strings.Fields(strings.Repeat("name ", 1000))
