package sequencer

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Names that no window has any more take no memory.
func TestWindowsReleaseNames(t *testing.T) {
	w := newWindows(t, 2, time.Hour, 2, 1)
	for i := range int64(1000) {
		w.Add(Event{Machine: fmt.Sprint(i % 5), Name: fmt.Sprint("name", i), Time: second(i)})
		w.Add(Event{Machine: "m", Name: fmt.Sprint("late", i), Time: second(-i)})
	}
	held := 0
	for _, win := range w.shards[0].machines {
		held += len(win.entries)
	}
	assert.LessOrEqual(t, len(w.shards[0].names.ids), held)
	assert.LessOrEqual(t, len(w.shards[0].names.used), 12)
}

// 100,000 machines with full windows fit into 200 MB: 2,000 bytes each, measured on a tenth of them.
func TestWindowsMemory(t *testing.T) {
	o := DefaultWindowOptions()
	o.MaxMachines = 10_000
	w, err := NewWindows(o)
	require.NoError(t, err)
	before := heap()
	for i := range o.keep() {
		for m := range o.MaxMachines {
			w.Add(Event{Machine: fmt.Sprintf("host-%06d.example.org", m), Name: eventNames[(m+i)%len(eventNames)], Time: second(int64(i))})
		}
	}
	used := heap() - before
	assert.Less(t, used/uint64(o.MaxMachines), uint64(2000), "bytes a machine")
	assert.Equal(t, o.MaxMachines, w.Len())
	runtime.KeepAlive(w)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func init() {
	for i := range eventNames {
		eventNames[i] = fmt.Sprintf("Suricata: ET SCAN alert number %d", i)
	}
}

func BenchmarkWindowsAdd(b *testing.B) {
	w, err := NewWindows(DefaultWindowOptions())
	require.NoError(b, err)
	machines := make([]string, 40_000)
	for i := range machines {
		machines[i] = fmt.Sprintf("host-%06d.example.org", i)
	}
	ids := make([]string, 1<<20) // more than a machine remembers
	for i := range ids {
		ids[i] = fmt.Sprintf("01HZ-abcdef-%010d", i)
	}
	r := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Add(Event{Machine: machines[r.IntN(len(machines))], Name: eventNames[r.IntN(1000)], Time: second(int64(i)), ID: ids[i%len(ids)]})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
