package cases

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/attack"
	"connect-deepcase/model"
)

// naming is a document that names techniques.
func naming(ids ...string) map[string]any {
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	return map[string]any{"rule": map[string]any{"mitre": map[string]any{"id": list}}}
}

// The techniques of a case are those of its alerts on the machine so far, also after restarts.
func TestTechniquesOfACaseAreThoseOfItsAlerts(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(7, seed))
		o := DefaultOptions()
		o.Burst, o.BurstFloor, o.Audit, o.ByMachine = 1, 2, 0.1, seed%2 == 0
		machines := map[string]*Machine{"m0": {}, "m1": {}}
		want := map[string][]string{}
		for _, a := range randomAlerts(random, 300) {
			var ids []string
			for range random.IntN(3) {
				ids = append(ids, fmt.Sprintf("T%04d", random.IntN(20)))
			}
			a.Document = naming(ids...)
			m := machines[a.Machine]
			if random.IntN(5) == 0 {
				restored := &Machine{}
				require.NoError(t, restored.Restore(m.Snapshot()))
				machines[a.Machine], m = restored, restored
			}
			c := m.Add(o, a)
			if c.Kind == None {
				require.Empty(t, c.Techniques)
				continue
			}
			key := a.Machine + c.ID
			if c.Opened { // an unscored case has one id for ever
				want[key] = nil
			}
			all := slices.Concat(want[key], ids)
			slices.Sort(all)
			want[key] = slices.Compact(all)
			require.ElementsMatch(t, want[key], c.Techniques, key)
			require.True(t, slices.IsSorted(c.Techniques), key)
			again := m.Add(o, a)
			require.Equal(t, c, again, "an alert that comes again")
		}
	}
}

func TestTechniquesOfACaseAreBounded(t *testing.T) {
	o := DefaultOptions()
	var m Machine
	var c Case
	for i := range 100 {
		a := alert(model.NoCluster, time.Duration(i)*time.Second)
		a.Document = naming(fmt.Sprintf("T%04d", 2000-i))
		c = m.Add(o, a)
	}
	assert.Len(t, c.Techniques, attack.Most)
	assert.Equal(t, "T2000", c.Techniques[attack.Most-1], "those that came first")
	c.Techniques[0] = "changed by who got it"
	assert.Equal(t, "T1969", m.spans[0].techniques[0])

	all, err := NewMachines(o, Limits{MaxMachines: 10, MaxBytes: 1 << 30})
	require.NoError(t, err)
	a := alert(model.NoCluster, 0)
	all.Add(a)
	without := all.Bytes()
	a.At, a.Document = a.At.Add(time.Second), naming("T1110", "T1021.004")
	all.Add(a)
	assert.GreaterOrEqual(t, all.Bytes(), without+2*techniqueBytes)
}

// A repetition that comes later gets what the case has by then; one of a forgotten case gets its own.
func TestTechniquesOfAnAlertThatComesAgain(t *testing.T) {
	o := DefaultOptions()
	var m Machine
	first, second := alert(model.NoCluster, 0), alert(model.NoCluster, time.Second)
	first.ID, first.Document = "1", naming("T1110")
	second.ID, second.Document = "2", naming("T1003")
	assert.Equal(t, []string{"T1110"}, m.Add(o, first).Techniques)
	assert.Equal(t, []string{"T1003", "T1110"}, m.Add(o, second).Techniques)
	assert.Equal(t, []string{"T1003", "T1110"}, m.Add(o, first).Techniques)
	m.spans = nil
	assert.Equal(t, []string{"T1110"}, m.Add(o, first).Techniques)
}

// Caches hold version D where alerts name techniques, and version C where none does.
func TestSnapshotWithTechniquesIsTheSameEverywhere(t *testing.T) {
	o := Options{Gap: time.Hour, AlarmGap: time.Hour}
	var m Machine
	m.Add(o, alert(model.NoCluster, 0))
	plain := m.Snapshot()
	assert.Equal(t, byte('C'), plain[0])
	a := alert(model.Unscored, time.Minute)
	a.Document = naming("T1110", "T1021.004")
	m.Add(o, a)
	const want = "44020202e7b03257c9b8794bbef1cc188583f6a280e088c6b8aabeec31000003efcd49aba2426be5efcd49aba2426be580c0c3caf7adbeec3100020954313032312e3030340554313131300000eb76e524"
	got := m.Snapshot()
	assert.Equal(t, want, fmt.Sprintf("%x", got))
	var restored Machine
	require.NoError(t, restored.Restore(got))
	restored.latest = m.latest
	assert.Equal(t, m, restored)
	arrived, err := SnapshotArrived(got)
	require.NoError(t, err)
	assert.Equal(t, uint64(2), arrived)
}

func TestRestoreRefusesTechniquesThatAreNone(t *testing.T) {
	var m Machine
	for _, ids := range [][]string{{"T111"}, {"t1110"}, {"T1110", "T1110"}, {"T1110", "T1003"}, slices.Repeat([]string{"T1110"}, attack.Most+1)} {
		bad := Machine{spans: []span{{kind: New, techniques: ids}}}
		assert.EqualError(t, m.Restore(bad.Snapshot()), "case snapshot is damaged: a case is not valid", ids)
	}
	assert.Equal(t, Machine{}, m)
}
