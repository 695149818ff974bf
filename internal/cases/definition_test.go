package cases

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
)

var start = time.Date(2026, 11, 29, 10, 17, 0, 0, time.UTC)

// randomAlerts are n alerts in the order of their times, with pauses from none to several gaps, of few machines and clusters.
func randomAlerts(random *rand.Rand, n int) (alerts []Alert) {
	statuses := []model.Status{model.Scored, model.Scored, model.Scored, model.Unscored, model.LowConfidence, model.UnknownEvent,
		model.NoCluster, model.NoModel, model.Answered, model.Muted}
	at, busy := start, 1+random.IntN(4)
	for i := range n {
		switch random.IntN(40) {
		case 0:
			at = at.Add(time.Duration(random.Int64N(int64(30 * time.Hour))))
		case 1, 2, 3:
			at = at.Add(time.Duration(random.Int64N(int64(90 * time.Minute))))
		default:
			at = at.Add(time.Duration(random.IntN(60*busy)) * time.Second)
		}
		cluster := random.IntN(3)
		alerts = append(alerts, Alert{
			Machine: fmt.Sprint("m", random.IntN(2)), Event: fmt.Sprint("e", cluster/2), At: at, ID: fmt.Sprint(i),
			Status: statuses[random.IntN(len(statuses))], Score: float64(max(0, random.IntN(6)-3)), Cluster: cluster, HourlyMax: cluster,
		})
	}
	return alerts
}

// define says by the words of the definition which case each alert is in: "" for none. It looks at all alerts before each.
func define(o Options, alerts []Alert) (cases []string, kinds []Kind) {
	type key struct {
		kind  Kind
		group string
	}
	last, number := map[key]time.Time{}, map[key]int{}
	for i, a := range alerts {
		var k key
		switch {
		case a.Status == model.Unscored:
			k = key{Unscored, fmt.Sprint(a.Cluster)} // on all machines
		case a.Status.Unsure() || a.Status == model.NoModel:
			k = key{New, a.Machine}
		case a.Status == model.Answered && a.Score > 0:
			k = key{Alarm, fmt.Sprint(a.Machine, "/event ", a.Event)}
		case a.Status == model.Scored && a.Score > 0:
			k = key{Alarm, fmt.Sprint(a.Machine, "/cluster ", a.Cluster)}
		case a.Status == model.Scored && a.HourlyMax > 0:
			inHour := 0
			for _, b := range alerts[:i+1] {
				if b.Machine == a.Machine && b.Cluster == a.Cluster && b.Status == model.Scored && b.Score == 0 && b.At.Truncate(time.Hour).Equal(a.At.Truncate(time.Hour)) {
					inHour++
				}
			}
			if inHour >= o.BurstFloor && float64(inHour) > o.Burst*float64(a.HourlyMax) {
				k = key{Burst, fmt.Sprint(a.Machine, "/", a.Cluster)}
			}
		}
		kinds = append(kinds, k.kind)
		if k.kind == None {
			cases = append(cases, "")
			continue
		}
		if alarm := (key{Alarm, a.Machine}); o.ByMachine {
			before, there := last[alarm]
			if k.kind == Alarm || k.kind == New && there && a.At.Sub(before) <= o.Gap {
				k = alarm
				kinds[i] = Alarm
			}
		}
		gap := o.Gap
		if k.kind == Alarm {
			gap = o.AlarmGap
		}
		if before, ok := last[k]; ok && k.kind != Unscored && a.At.Sub(before) > gap {
			number[k]++
		}
		last[k] = a.At
		cases = append(cases, fmt.Sprint(k, number[k]))
	}
	return cases, kinds
}

func TestCasesAreThoseOfTheDefinition(t *testing.T) {
	o := DefaultOptions()
	o.Burst, o.BurstFloor = 2, 3
	seen := map[Kind]int{}
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		alerts := randomAlerts(random, 600)
		o.Audit, o.ByMachine = []float64{0, 0.2, 1}[seed%3], seed%2 == 1
		want, kinds := define(o, alerts)
		machines := map[string]*Machine{}
		names, ids := map[string]string{}, map[string]string{} // by the other
		opened := map[string]bool{}
		for i, a := range alerts {
			if machines[a.Machine] == nil {
				machines[a.Machine] = &Machine{}
			}
			got := machines[a.Machine].Add(o, a)
			if kinds[i] == None && got.Kind == Audit {
				require.NotZero(t, o.Audit)
				want[i], kinds[i] = fmt.Sprint("audit ", i), Audit
			}
			require.Equal(t, kinds[i], got.Kind, "seed %d, alert %d", seed, i)
			require.Equal(t, got.Kind == None, got.ID == "")
			seen[got.Kind]++
			if got.Kind == None {
				require.Less(t, o.Audit, 1.0)
				continue
			}
			if ids[want[i]] == "" {
				ids[want[i]] = got.ID
			}
			if names[got.ID] == "" {
				names[got.ID] = want[i]
			}
			require.Equal(t, ids[want[i]], got.ID, "seed %d, alert %d: %s is two cases", seed, i, want[i])
			require.Equal(t, names[got.ID], want[i], "seed %d, alert %d: two cases have one id", seed, i)
			if got.Kind != Unscored { // which opens again on a machine after a day, and on each machine
				require.Equal(t, !opened[got.ID], got.Opened, "seed %d, alert %d", seed, i)
			}
			opened[got.ID] = true
		}
	}
	for _, kind := range Kinds {
		require.Greater(t, seen[kind], 100, kind)
	}
}

// Alerts that come again, whatever their verdicts are by then, get what they got, and leave the machine as it was. Each process may have the
// machine in turn.
func TestRedeliveryChangesNothing(t *testing.T) {
	o := DefaultOptions()
	o.Burst, o.BurstFloor, o.Audit, o.Late = 2, 3, 0.1, 20
	again := 0
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 2))
		alerts := randomAlerts(random, 300)
		var undisturbed, disturbed Machine
		var got []Case
		for i, a := range alerts {
			a.Machine = "m"
			alerts[i] = a
			got = append(got, undisturbed.Add(o, a))
			require.Equal(t, got[i], disturbed.Add(o, a))
			if random.IntN(5) == 0 { // a batch comes again
				for k := max(0, i+1-random.IntN(o.Late+1)); k <= i; k++ {
					b := alerts[k]
					b.Status, b.Score = alerts[0].Status, alerts[0].Score
					require.Equal(t, got[k], disturbed.Add(o, b), "seed %d, alert %d", seed, k)
					again++
				}
			}
			require.Equal(t, undisturbed.Snapshot(), disturbed.Snapshot(), "seed %d, alert %d", seed, i)
			if random.IntN(10) == 0 {
				var next Machine
				require.NoError(t, next.Restore(disturbed.Snapshot()))
				disturbed = next
			}
		}
	}
	require.Greater(t, again, 1000)
}
