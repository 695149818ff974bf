package cases

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
)

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		status model.Status
		score  float64
		want   Kind
	}{
		{model.Scored, 3, Alarm},
		{model.Scored, 0, None},
		{model.Answered, 1, Alarm},
		{model.Answered, 0, None},
		{model.Muted, 0, None},
		{model.Unscored, 0, Unscored},
		{model.LowConfidence, 0, New},
		{model.UnknownEvent, 0, New},
		{model.NoCluster, 0, New},
		{model.NoModel, 0, New},
		{model.Status(200), 0, New},
	} {
		var m Machine
		got := m.Add(Options{Gap: time.Hour}, Alert{Machine: "m", Event: "e", At: start, Status: c.status, Score: c.score})
		assert.Equal(t, c.want, got.Kind, "%s %v", c.status, c.score)
		assert.Equal(t, c.want != None, got.Opened, c.status)
		m = Machine{}
		got = m.Add(Options{Audit: 1}, Alert{Machine: "m", Event: "e", At: start, Status: c.status, Score: c.score})
		assert.NotEqual(t, None, got.Kind, "%s %v", c.status, c.score)
	}
	assert.Equal(t, "Kind(6)", Kind(6).String())
	assert.Equal(t, "none", None.String())
}

// alert is one of a status some time after start.
func alert(status model.Status, after time.Duration) Alert {
	return Alert{Machine: "m", Event: "e", At: start.Add(after), Status: status, Cluster: 4}
}

// Ids go to people and to their ticket systems, so they stay what they are.
func TestIDsAreTheSameEverywhere(t *testing.T) {
	o := DefaultOptions()
	o.Burst, o.BurstFloor, o.Audit = 1, 2, 1
	var got []string
	var m Machine
	add := func(a Alert) { got = append(got, m.Add(o, a).ID) }
	scored := alert(model.Scored, 0)
	scored.Score = 2
	add(scored)
	scored.Status = model.Answered
	add(scored)
	add(alert(model.NoCluster, 0))
	add(alert(model.Unscored, 0))
	benign := alert(model.Scored, 0)
	benign.HourlyMax = 1
	m.Add(o, benign)
	add(benign)
	add(alert(model.Muted, 0))
	assert.Equal(t, []string{
		"alarm-b673ae42b81e0f0c", "alarm-ffd4b65f5c2f7bc0", "new-a2f6838518ccf1be", "unscored-e56b42a2ab49cdef", "burst-efa4c5cd5d494ac7", "audit-b2c11c1f50cb5125",
	}, got)

	other := alert(model.Unscored, time.Hour)
	other.Machine = "other"
	assert.Equal(t, got[3], new(Machine).Add(o, other).ID, "a cluster is one case on all machines")
	other.Event = "e2"
	assert.NotEqual(t, got[3], new(Machine).Add(o, other).ID, "after another training a number is another cluster")
}

// What comes late joins the case that it is near to, and does not make one of two.
func TestLateAlerts(t *testing.T) {
	o := DefaultOptions()
	var m Machine
	first := m.Add(o, alert(model.NoCluster, 0))
	second := m.Add(o, alert(model.NoCluster, 110*time.Minute))
	require.NotEqual(t, first.ID, second.ID)
	assert.Equal(t, first.ID, m.Add(o, alert(model.NoCluster, 10*time.Minute)).ID)
	between := m.Add(o, alert(model.NoCluster, 60*time.Minute))
	assert.Contains(t, []string{first.ID, second.ID}, between.ID)
	assert.False(t, between.Opened)
	assert.Equal(t, second.ID, m.Add(o, alert(model.NoCluster, 111*time.Minute)).ID)
	assert.Equal(t, first.ID, m.Add(o, alert(model.NoCluster, -30*time.Minute)).ID)
	late := m.Add(o, alert(model.NoCluster, -3*time.Hour))
	assert.True(t, late.Opened, "too far from all cases: it is one of its own")
}

// A clock that is ahead opens a case of its own, and leaves the others open.
func TestAClockThatIsAhead(t *testing.T) {
	o := DefaultOptions()
	var m Machine
	ids := map[string]int{}
	for i := range 100 {
		ids[m.Add(o, alert(model.NoCluster, time.Duration(i)*time.Minute)).ID]++
		ids[m.Add(o, alert(model.NoCluster, 20*time.Hour+time.Duration(i)*time.Minute)).ID]++
	}
	assert.Len(t, ids, 2)

	var other Machine
	alarm := alert(model.Scored, 0)
	alarm.Score = 3
	id := other.Add(o, alarm).ID
	other.Add(o, alert(model.NoCluster, 100*365*24*time.Hour))
	other.Add(o, alert(model.NoCluster, time.Minute))
	alarm.At = start.Add(2 * time.Minute)
	assert.Equal(t, id, other.Add(o, alarm).ID)
}

// An hour counts for itself, whether its alerts come in order or not.
func TestBurstCountsHours(t *testing.T) {
	o := Options{Gap: time.Hour, Burst: 3, BurstFloor: 5}
	add := func(m *Machine, after time.Duration) Kind {
		a := alert(model.Scored, after)
		a.HourlyMax = 1
		return m.Add(o, a).Kind
	}
	var m Machine
	for range 4 {
		assert.Equal(t, None, add(&m, 0))
		assert.Equal(t, None, add(&m, time.Hour))
		assert.Equal(t, None, add(&m, 25*time.Hour)) // by a clock that is ahead
	}
	assert.Equal(t, Burst, add(&m, time.Hour))
	assert.Equal(t, Burst, add(&m, 25*time.Hour))
	unknown := alert(model.Scored, 25*time.Hour)
	assert.Equal(t, None, m.Add(o, unknown).Kind, "nothing was learnt to compare with")

	o.BurstFloor = 0
	var n Machine
	for range 3 {
		assert.Equal(t, None, add(&n, 0))
	}
	assert.Equal(t, Burst, add(&n, 0), "more than 3 times 1")
	assert.Equal(t, int64(-1), hourOf(time.Unix(-1, 0)))
	assert.Equal(t, int64(-1), hourOf(time.Unix(-3600, 0)))
	assert.Equal(t, int64(0), hourOf(time.Unix(3599, 0)))
}

func TestAuditIsAShare(t *testing.T) {
	drawn := map[bool]int{}
	var m Machine
	for i := range 100_000 {
		a := alert(model.Answered, 0)
		a.ID = fmt.Sprint(i)
		got := m.Add(Options{Audit: 0.01}, a)
		drawn[got.Kind == Audit]++
		require.Equal(t, got, new(Machine).Add(Options{Audit: 0.01}, a), "another process draws the same")
	}
	assert.InDelta(t, 1000, drawn[true], 120) // four standard deviations
}

// Whatever happens on a machine, it stays small.
func TestAMachineIsBounded(t *testing.T) {
	o := DefaultOptions()
	var m Machine
	for i := range 5000 {
		a := Alert{Machine: "m", Event: "e", At: start, ID: fmt.Sprint(i), Status: model.Scored, Score: float64(i % 2), Cluster: i, HourlyMax: 1}
		m.Add(o, a)
	}
	assert.Len(t, m.spans, maxSpans)
	assert.Len(t, m.hours, maxHours)
	assert.Len(t, m.marks, o.Late)
	assert.Equal(t, uint64(5000), m.Arrived())
	m.Add(o, Alert{Machine: "m", Event: "e", At: start.Add(49 * time.Hour), Status: model.Scored, Score: 1})
	m.Add(o, Alert{Machine: "m", Event: "e", At: start.Add(49 * time.Hour), Status: model.Scored, HourlyMax: 1})
	assert.Len(t, m.spans, 1, "what is long closed is forgotten")
	assert.Len(t, m.hours, 1)
}

// A process may remember more or fewer alerts than the one before.
func TestAnotherNumberOfRememberedAlerts(t *testing.T) {
	o := Options{Gap: time.Hour, Late: 5}
	var m Machine
	numbered := func(i int) Alert {
		a := alert(model.NoCluster, time.Duration(i)*2*time.Hour)
		a.ID = fmt.Sprint(i)
		return a
	}
	ids := map[int]Case{}
	next := 0
	for _, late := range []int{5, 3, 9, 4, 1, 6} {
		o.Late = late
		for range 13 {
			ids[next] = m.Add(o, numbered(next))
			next++
			require.LessOrEqual(t, len(m.marks), late)
		}
		for i := next - late; i < next; i++ {
			before := m.Arrived()
			require.Equal(t, ids[i], m.Add(o, numbered(i)))
			require.Equal(t, before, m.Arrived())
		}
	}
}
