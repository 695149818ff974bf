package sequencer

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The bytes say what arrives on one machine. The contexts are compared with those of a memory of everything, with extreme times, ids, and
// snapshots in between.
func FuzzWindowsBesideAll(f *testing.F) {
	f.Add(uint8(3), uint8(4), uint8(20), []byte("\x01\x02\x03\x04\x81\x05\x06\xff\x07\x08\x40\x41"))
	f.Add(uint8(1), uint8(0), uint8(0), []byte("aabbccddeeffgghh"))
	f.Fuzz(func(t *testing.T, length, late, timeout uint8, steps []byte) {
		o := WindowOptions{Options: Options{1 + int(length%6), time.Duration(timeout) * time.Second}, MaxMachines: 10, MaxBytes: MinWindowBytes, Late: int(late % 12)}
		w, err := NewWindows(o)
		require.NoError(t, err)
		type old struct {
			Event
			at      int64
			younger int
			number  int
			context []string
		}
		var all []old
		stale := 0
		for i := 0; i+1 < len(steps) && i < 600; i += 2 {
			a, b := steps[i], steps[i+1]
			at := int64(b) * int64(time.Second)
			switch a & 0x30 {
			case 0x10:
				at = 1<<62 - int64(b)
			case 0x20:
				at = -1<<62 + int64(b)
			}
			e := Event{Machine: "m", Name: fmt.Sprint("e", a&3), Time: time.Unix(0, at).UTC()}
			if a&4 != 0 {
				e.ID = fmt.Sprint("id", b&7)
			}
			if a&8 != 0 { // the window goes through a snapshot
				require.NoError(t, w.Update("m", func(x *Window) error { return x.Restore(x.Snapshot()) }))
			}
			var before, after uint64
			var got []string
			var how Arrival
			require.NoError(t, w.Update("m", func(x *Window) error {
				before = x.Arrived()
				got, how = x.Add(e)
				after = x.Arrived()
				return nil
			}))
			younger, arrived := 0, len(all)
			for _, x := range all {
				if x.at > at {
					younger++
				}
			}
			again := -1
			for k, x := range slices.Backward(all) {
				if e.ID != "" && x.ID == e.ID && x.Name == e.Name && x.at == at {
					again = k
					break
				}
			}
			if again >= 0 && all[again].younger+arrived-all[again].number-1 <= o.Late {
				require.Equal(t, before, after, "a redelivery within the guarantee changes nothing")
				require.Equal(t, all[again].context, got, "and has the context it had")
				continue
			}
			if before == after {
				require.GreaterOrEqual(t, again, 0, "only a redelivery is no arrival")
				continue
			}
			if younger > o.Late {
				if stale++; stale >= o.Length+1+o.Late {
					return // the future is forgotten
				}
			} else {
				stale = 0
			}
			want := make([]string, o.Length)
			sorted := slices.Clone(all)
			slices.SortStableFunc(sorted, func(x, y old) int {
				if x.at < y.at {
					return -1
				} else if x.at > y.at {
					return 1
				}
				return 0
			})
			k := o.Length
			for _, x := range slices.Backward(sorted) {
				if x.at > at {
					continue
				}
				if k == 0 || o.Timeout < time.Duration(math.MaxInt64) && uint64(at)-uint64(x.at) > uint64(o.Timeout) {
					break
				}
				k--
				want[k] = x.Name
			}
			if younger <= o.Late {
				require.Equal(t, want, got)
				require.Equal(t, younger, how.Younger)
				require.Equal(t, younger > 0, how.Behind > 0)
			} else {
				require.Greater(t, how.Younger, o.Late, "an event that is too late is known to be")
			}
			all = append(all, old{e, at, younger, arrived, got})
		}
	})
}
