package cases

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
)

func machines(t *testing.T, limits Limits) *Machines {
	t.Helper()
	m, err := NewMachines(DefaultOptions(), limits)
	require.NoError(t, err)
	return m
}

func TestNewMachinesNamesWhatIsWrong(t *testing.T) {
	for want, change := range map[string]func(*Options, *Limits){
		"gap -1s, alarm gap 24h0m0s: want 0 or more":                     func(o *Options, _ *Limits) { o.Gap = -time.Second },
		"gap 1h0m0s, alarm gap -1s: want 0 or more":                      func(o *Options, _ *Limits) { o.AlarmGap = -time.Second },
		"burst NaN, burst floor 20: want 0 or more":                      func(o *Options, _ *Limits) { o.Burst = math.NaN() },
		"burst 3, burst floor -1: want 0 or more":                        func(o *Options, _ *Limits) { o.BurstFloor = -1 },
		"audit 1.5: want 0 to 1":                                         func(o *Options, _ *Limits) { o.Audit = 1.5 },
		"late -1: want 0 to 100000 alerts":                               func(o *Options, _ *Limits) { o.Late = -1 },
		"max machines 0, max bytes 1048576: want at least 1 and 1048576": func(_ *Options, l *Limits) { l.MaxMachines = 0 },
		"max machines 9, max bytes 1: want at least 1 and 1048576":       func(_ *Options, l *Limits) { l.MaxBytes = 1 },
	} {
		o, l := DefaultOptions(), Limits{MaxMachines: 9, MaxBytes: minBytes}
		change(&o, &l)
		_, err := NewMachines(o, l)
		assert.EqualError(t, err, want)
	}
}

// newAt is an alert of a machine that opens a case unless one is open.
func newAt(machine string, after time.Duration) Alert {
	a := alert(model.NoCluster, after)
	a.Machine = machine
	return a
}

func TestMachinesAreForgotten(t *testing.T) {
	now := func() time.Time { return start.Add(48 * time.Hour) }
	m := machines(t, Limits{MaxMachines: 40, MaxBytes: 1 << 20, Now: now})
	for i := range 20 {
		for range matured {
			m.Add(newAt(fmt.Sprint("known ", i), time.Minute))
		}
	}
	for i := range 1000 { // invented ones displace each other
		m.Add(newAt(fmt.Sprint("invented ", i), 2*time.Minute))
	}
	assert.Equal(t, 40, m.Len())
	for i := range 20 {
		assert.False(t, m.Add(newAt(fmt.Sprint("known ", i), 3*time.Minute)).Opened, i)
	}
	live, expired := m.TakeEvicted()
	assert.Equal(t, []int64{980, 0}, []int64{live, expired})
	assert.Equal(t, 40, m.Open())
	m.Add(newAt("a day later", 25*time.Hour))
	assert.Equal(t, 40, m.Len())
	live, expired = m.TakeEvicted()
	assert.Equal(t, []int64{0, 1}, []int64{live, expired}, "nothing is lost with a case that is closed")
	assert.Equal(t, 1, m.Open())
}

// An update that adds no alert, because the cache failed, does not turn the time back.
func TestAFailedUpdateOpensNoCases(t *testing.T) {
	m := machines(t, Limits{MaxMachines: 9, MaxBytes: minBytes})
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for i, machine := range []string{"a", "b"} {
		m.Add(Alert{Machine: machine, Event: "scan", At: start.Add(time.Duration(i) * 100 * time.Hour), Status: model.NoCluster, Cluster: -1})
	}
	require.Equal(t, 1, m.Open(), "that of a is closed")
	require.Error(t, m.Update("c", func(*Machine) error { return errors.New("no cache") }))
	assert.Equal(t, 1, m.Open())
}

func TestBytesBoundMachines(t *testing.T) {
	m := machines(t, Limits{MaxMachines: 100_000, MaxBytes: 1 << 20})
	for i := range 20_000 {
		m.Add(newAt(fmt.Sprint("machine ", i), time.Minute))
	}
	assert.LessOrEqual(t, m.Bytes(), 1<<20)
	assert.Greater(t, m.Len(), 1000)
	assert.Positive(t, m.Bytes())
}

func TestUpdatesOfAMachineWaitForEachOther(t *testing.T) {
	m := machines(t, Limits{MaxMachines: 2, MaxBytes: 1 << 20})
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for k := range 200 {
				machine := fmt.Sprint(k % 4)
				require.NoError(t, m.Update(machine, func(s *Machine) error {
					a := newAt(machine, time.Duration(k)*time.Second)
					a.ID = fmt.Sprint(i, "/", k)
					s.Add(m.Options(), a)
					return nil
				}))
			}
		})
	}
	running.Wait()
	assert.LessOrEqual(t, m.Len(), 2)
	failed := errors.New("no")
	assert.Equal(t, failed, m.Update("empty", func(*Machine) error { return failed }))
	assert.LessOrEqual(t, m.Len(), 2, "a machine without alerts is not held")
}

func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		name string
		id   bool
		a    Alert
	}{
		{"dismissed", false, Alert{Machine: "web-1.example.org", Event: "sshd: session opened", Status: model.Scored, Cluster: 17, HourlyMax: 40}},
		{"dismissed with an id", true, Alert{Machine: "web-1.example.org", Event: "sshd: session opened", Status: model.Scored, Cluster: 17, HourlyMax: 40}},
		{"new with an id", true, Alert{Machine: "web-1.example.org", Event: "sshd: session opened", Status: model.NoCluster}},
	} {
		b.Run(c.name, func(b *testing.B) {
			m, err := NewMachines(DefaultOptions(), Limits{MaxMachines: 100_000, MaxBytes: 1 << 30})
			require.NoError(b, err)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c.a.At = start.Add(time.Duration(i) * time.Millisecond)
				if c.id {
					c.a.ID = fmt.Sprint(i)
				}
				m.Add(c.a)
			}
		})
	}
}
