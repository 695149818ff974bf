package sequencer

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/snapshot"
)

// snapshotOf has n events with ties, ids and repeated names.
func snapshotOf(t testing.TB, n int) []byte {
	w := newWindows(t, 10, time.Hour, 1, 100)
	var data []byte
	require.NoError(t, w.Update("m", func(win *Window) error {
		for i := range n {
			e := Event{Name: fmt.Sprint("event ", i%7), Time: second(int64(1e9 + i/2*((i%5)+1)))}
			if i%3 > 0 {
				e.ID = fmt.Sprint("id ", i)
			}
			win.Add(e)
		}
		data = win.Snapshot()
		return nil
	}))
	return data
}

func TestSnapshotIsTheSameEverywhere(t *testing.T) {
	w := newWindows(t, 2, time.Hour, 1, 3)
	require.NoError(t, w.Update("m", func(win *Window) error {
		win.Add(Event{Name: "b", Time: second(7), ID: "x"})
		win.Add(Event{Name: "a", Time: second(5)})
		win.Add(Event{Name: "b", Time: second(7)})
		// Caches hold version 2: it stays readable. The id is XXH64("x"), but for the lower 16 bits, which stand for the content: none.
		want := "02" + "03" + "00" + "02" + "0161" + "0162" + "03" + "80c8afa025" +
			"00" + "00" + "01" + "80a8d6b907" + "03" + "00" + "0000048396c0805c" + "00" + "02" + "02"
		got := win.Snapshot()
		assert.Equal(t, want, fmt.Sprintf("%x", got[:len(got)-4]))
		return nil
	}))
}

func TestRestoreWithOtherOptionsKeepsTheYoungest(t *testing.T) {
	data := snapshotOf(t, 50)
	small := newWindows(t, 2, time.Hour, 1, 1)
	require.NoError(t, small.Update("m", func(win *Window) error {
		require.NoError(t, win.Restore(data))
		assert.Len(t, win.window.entries, 4)
		return nil
	}))
	large := newWindows(t, 12, time.Hour, 1, 100)
	require.NoError(t, large.Update("m", func(win *Window) error {
		require.NoError(t, win.Restore(data))
		assert.Len(t, win.window.entries, 50)
		assert.Equal(t, data, win.Snapshot())
		return nil
	}))
	late := Event{Machine: "m", Name: "now", Time: second(2e9)}
	_, l := contextOf(small, late), contextOf(large, late)
	assert.Len(t, l, 12)
	assert.Equal(t, make([]string, 12), l, "an hour is over")
}

func TestRestoreRefusesDamage(t *testing.T) {
	data := snapshotOf(t, 9)
	w := newWindows(t, 10, time.Hour, 1, 3)
	require.NoError(t, w.Update("m", func(win *Window) error {
		win.Add(Event{Name: "mine", Time: second(1)})
		before := win.Snapshot()
		for i := range data {
			assert.Error(t, win.Restore(data[:i]), "cut at %d", i)
			flipped := append([]byte(nil), data...)
			flipped[i] ^= 0x10
			assert.Error(t, win.Restore(flipped), "bit flipped at %d", i)
			_, err := SnapshotArrived(flipped)
			assert.Error(t, err, "bit flipped at %d", i)
		}
		assert.ErrorContains(t, win.Restore(nil), "empty")
		assert.ErrorContains(t, win.Restore(append([]byte{1}, data[1:]...)), "version 1: want 2")
		assert.Equal(t, before, win.Snapshot(), "it is as it was")
		return nil
	}))
}

// The number of arrivals continues after a window is restored. Redeliveries do not count.
func TestSnapshotTellsHowMuchHasArrived(t *testing.T) {
	one, two := newWindows(t, 1, time.Hour, 1, 1), newWindows(t, 1, time.Hour, 1, 1)
	var data []byte
	for want := uint64(1); want < 20; want++ {
		for range 2 {
			one, two = two, one
			require.NoError(t, one.Update("m", func(win *Window) error {
				if data != nil {
					require.NoError(t, win.Restore(data))
				}
				win.Add(Event{Name: "e", Time: second(int64(want)), ID: fmt.Sprint(want)})
				require.Equal(t, want, win.Arrived())
				data = win.Snapshot()
				return nil
			}))
			arrived, err := SnapshotArrived(data)
			require.NoError(t, err)
			require.Equal(t, want, arrived)
		}
	}
}

func FuzzRestore(f *testing.F) {
	f.Add(snapshotOf(f, 0))
	f.Add(snapshotOf(f, 3))
	f.Add(snapshotOf(f, 60))
	w := newWindows(f, 3, time.Hour, 1, 5)
	f.Fuzz(func(t *testing.T, data []byte) {
		// The checksum would keep almost all inputs from the parser.
		data = snapshot.Seal(data)
		require.NoError(t, w.Update("m", func(win *Window) error {
			if win.Restore(data) != nil {
				return nil
			}
			once := win.Snapshot()
			require.NoError(t, win.Restore(once))
			require.Equal(t, once, win.Snapshot())
			win.Add(Event{Name: "next", Time: second(1)})
			return nil
		}))
	})
}
