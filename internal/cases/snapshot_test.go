package cases

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/snapshot"
	"connect-deepcase/model"
)

// machineOf has n alerts of one machine.
func machineOf(n int) *Machine {
	o := DefaultOptions()
	o.Burst, o.BurstFloor, o.Audit = 1, 2, 0.1
	m := &Machine{}
	for _, a := range randomAlerts(rand.New(rand.NewPCG(1, 3)), n) {
		m.Add(o, a)
	}
	return m
}

// Caches hold version C: it stays readable.
func TestSnapshotIsTheSameEverywhere(t *testing.T) {
	o := Options{Gap: time.Hour, AlarmGap: time.Hour, Burst: 1, BurstFloor: 2, Late: 3}
	var m Machine
	for i, a := range []Alert{alert(model.NoCluster, 0), alert(model.Scored, time.Second), alert(model.Unscored, time.Minute)} {
		a.ID, a.HourlyMax = fmt.Sprint(i), 1
		m.Add(o, a)
	}
	const want = "43030202e7b03257c9b8794bbef1cc188583f6a280e088c6b8aabeec310003efcd49aba2426be5efcd49aba2426be580c0c3caf7adbeec3100014f3581efe66892a2f4f23c0103" +
		"1a52887ba5e3a51805bef1cc188583f6a25d18d818f45b8bb2004361df2efdd46b2007efcd49aba2426be543183cea"
	got := m.Snapshot()
	assert.Equal(t, want, fmt.Sprintf("%x", got))
	var restored Machine
	require.NoError(t, restored.Restore(got))
	restored.latest = m.latest
	assert.Equal(t, m, restored)
}

func TestRestoreRefusesDamage(t *testing.T) {
	data := machineOf(60).Snapshot()
	m := machineOf(5)
	before := m.Snapshot()
	for i := range data {
		assert.Error(t, m.Restore(data[:i]), "cut at %d", i)
		flipped := append([]byte(nil), data...)
		flipped[i] ^= 0x10
		assert.Error(t, m.Restore(flipped), "bit flipped at %d", i)
		_, err := SnapshotArrived(flipped)
		assert.Error(t, err, "bit flipped at %d", i)
	}
	assert.EqualError(t, m.Restore(nil), "case snapshot is damaged: it is empty")
	assert.EqualError(t, m.Restore(append([]byte{2}, data[1:]...)), "case snapshot of version 2: want 67")
	assert.Equal(t, before, m.Snapshot(), "it is as it was")
	arrived, err := SnapshotArrived(data)
	require.NoError(t, err)
	assert.Equal(t, uint64(60), arrived)
	m.Forget()
	assert.Equal(t, uint64(5), m.Arrived())
	assert.Empty(t, m.spans)
}

func FuzzRestore(f *testing.F) {
	for _, n := range []int{0, 3, 100} {
		data := machineOf(n).Snapshot()
		f.Add(data[:len(data)-4])
	}
	named := Machine{spans: []span{{kind: New, techniques: []string{"T1021.004", "T1110"}}}}
	data := named.Snapshot()
	f.Add(data[:len(data)-4])
	f.Fuzz(func(t *testing.T, data []byte) {
		// The checksum would keep almost all inputs from the parser.
		var m Machine
		if m.Restore(snapshot.Seal(data)) != nil {
			require.Equal(t, Machine{}, m)
			return
		}
		once := m.Snapshot()
		require.NoError(t, m.Restore(once))
		require.Equal(t, once, m.Snapshot())
		for _, a := range randomAlerts(rand.New(rand.NewPCG(1, 1)), 50) {
			m.Add(DefaultOptions(), a)
		}
		require.LessOrEqual(t, len(m.marks), DefaultOptions().Late)
	})
}
