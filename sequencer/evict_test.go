package sequencer

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Invented machines displace each other, not known ones, by number and by bytes.
func TestWindowsOfKnownMachinesOutliveAFlood(t *testing.T) {
	for name, c := range map[string]struct{ machines, bytes, events, nameBytes int }{
		"names":      {20_000, 1 << 30, 1, 10},
		"long names": {20_000, 64 << 20, 9, 4000}, // 9 events are one fewer than make a machine known
		"one shard":  {500, 1 << 30, 1, 10},
	} {
		t.Run(name, func(t *testing.T) {
			o := DefaultWindowOptions()
			o.MaxMachines, o.MaxBytes = c.machines, c.bytes
			w, err := NewWindows(o)
			require.NoError(t, err)
			for i := range int64(10) {
				for v := range 100 {
					w.Add(Event{Machine: fmt.Sprint("victim", v), Name: "e", Time: second(1e9 + i)})
				}
			}
			padding := strings.Repeat("x", c.nameBytes)
			for i := range 30_000 {
				for k := range c.events {
					w.Add(Event{Machine: fmt.Sprint("forged", i), Name: fmt.Sprint(i, k, padding), Time: second(1e9 + 50)})
				}
			}
			for v := range 100 {
				context, _ := w.Add(Event{Machine: fmt.Sprint("victim", v), Name: "e", Time: second(1e9 + 100)})
				assert.NotContains(t, context, "", "victim %d", v)
			}
			live, expired := w.TakeEvicted()
			assert.GreaterOrEqual(t, live, int64(10_000))
			assert.Zero(t, expired)
			live, _ = w.TakeEvicted()
			assert.Zero(t, live, "since the last call")
			assert.LessOrEqual(t, w.Bytes(), c.bytes)
		})
	}
}

// Machines whose events are all too old go first, even before new ones.
func TestWindowsEvictTheExpiredFirst(t *testing.T) {
	w := newWindows(t, 2, time.Hour, 4, 0)
	add := func(machine string, at int64) []string {
		return contextOf(w, Event{Machine: machine, Name: "e", Time: second(at)})
	}
	for _, machine := range []string{"old-1", "old-2"} {
		add(machine, 0)
		add(machine, 1)
	}
	add("new-1", 5000)
	add("new-2", 5000)
	add("new-3", 5000)
	live, expired := w.TakeEvicted()
	assert.Equal(t, [2]int64{0, 1}, [2]int64{live, expired})
	assert.Equal(t, []string{"", "e"}, add("new-1", 5001))
	add("new-4", 5002)
	live, expired = w.TakeEvicted()
	assert.Equal(t, [2]int64{0, 1}, [2]int64{live, expired})
	assert.Equal(t, []string{"", "e"}, add("new-2", 5003))
	assert.Equal(t, 4, w.Len())
}

// An event from the far future does not make windows look expired.
func TestWindowsOutliveAForgedTime(t *testing.T) {
	o := DefaultWindowOptions()
	o.Length, o.MaxMachines, o.Now = 2, 4, func() time.Time { return second(100) }
	w, err := NewWindows(o)
	require.NoError(t, err)
	for i := range int64(2) {
		w.Add(Event{Machine: "known", Name: "e", Time: second(50 + i)})
	}
	for i := range 100 {
		w.Add(Event{Machine: fmt.Sprint("forged", i), Name: "e", Time: second(1e10)})
	}
	assert.Equal(t, []string{"e", "e"}, contextOf(w, Event{Machine: "known", Name: "e", Time: second(60)}))
	live, expired := w.TakeEvicted()
	assert.Equal(t, [2]int64{97, 0}, [2]int64{live, expired})
}

// The counted bytes are the growth of the heap or a little more, for short names that windows share and for long ones that they do not.
// With long names the bytes limit the number of machines.
func TestWindowsStayWithinTheirBytes(t *testing.T) {
	for _, c := range []struct {
		name            string
		machines, bytes int
		event           func(machine, i int) string
	}{
		{"shared names", 10_000, 512 << 20, func(machine, i int) string { return eventNames[(machine+i)%len(eventNames)] }},
		{"long names", 2_000, 64 << 20, func(machine, i int) string { return fmt.Sprint(machine, i) + strings.Repeat("x", 4000) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := DefaultWindowOptions()
			o.MaxBytes = c.bytes
			w, err := NewWindows(o)
			require.NoError(t, err)
			before := heap()
			for i := range o.keep() {
				for m := range c.machines {
					w.Add(Event{Machine: fmt.Sprintf("host-%06d.example.org", m), Name: c.event(m, i), Time: second(int64(i))})
				}
			}
			used := heap() - before
			assert.LessOrEqual(t, w.Bytes(), c.bytes)
			assert.LessOrEqual(t, used, uint64(w.Bytes()), "bytes of the heap")
			assert.LessOrEqual(t, float64(w.Bytes()), 1.3*float64(used), "bytes of the heap")
			runtime.KeepAlive(w)
		})
	}
}

// After any operations, the counted bytes are those of the windows that are left.
func TestWindowsCountBytesExactly(t *testing.T) {
	w := newWindows(t, 2, time.Hour, 3, 2)
	for i := range int64(500) {
		machine := fmt.Sprint(i % 5)
		w.Add(Event{Machine: machine, Name: fmt.Sprint("name", i%17), Time: second(i - 3*(i%7))})
		require.NoError(t, w.Update(machine, func(win *Window) error {
			switch i % 3 {
			case 0:
				return win.Restore(win.Snapshot())
			case 1:
				win.Forget()
			}
			return nil
		}))
	}
	s := &w.shards[0]
	windows, names, fresh, known := 0, 0, 0, 0
	for _, win := range s.machines {
		windows += windowSize + allocated(len(win.machine)) + allocated(entrySize*cap(win.entries))
		if win.in == &s.fresh {
			fresh += win.weight
		} else {
			known += win.weight
		}
	}
	for name := range s.names.ids {
		names += nameSize(name)
	}
	assert.Equal(t, windows+names, w.Bytes())
	assert.Equal(t, [2]int{fresh, known}, [2]int{s.fresh.weight, s.known.weight})
	assert.Equal(t, len(s.machines), s.fresh.n+s.known.n)
}
