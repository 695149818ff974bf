package model

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// picked are the rows of the examples of samples.
func picked(t *testing.T, samples []sample) (rows []int) {
	t.Helper()
	for _, x := range examples(samples, func(row int) json.RawMessage { return json.RawMessage(fmt.Sprint(row)) }) {
		var row int
		require.NoError(t, json.Unmarshal(x, &row))
		rows = append(rows, row)
	}
	return rows
}

const day = 24 * int64(time.Hour)

// A cluster that begins with three benign events and goes on with an attack: what comes first must not stand for all.
func TestExamplesShowWhatIsFrequent(t *testing.T) {
	var samples []sample
	for row := range 1477 {
		s := sample{row: int32(row), context: 1, machine: 1, at: 3*day + int64(row)}
		if row < 7 {
			s.context, s.machine, s.at = 0, 0, int64(row)
		}
		samples = append(samples, s)
	}
	rows := picked(t, samples)
	require.Len(t, rows, MaxExamples)
	require.Equal(t, 0, rows[0], "the first one")
	require.Equal(t, 1476, rows[MaxExamples-1], "the last one")
	frequent := 0
	for _, row := range rows {
		if row >= 7 {
			frequent++
		}
	}
	require.GreaterOrEqual(t, frequent, MaxExamples-2)
}

func TestExamplesShowContextsMachinesAndDays(t *testing.T) {
	var samples []sample
	for row := range 900 { // most are alike; two other contexts, machines and days are each a ninth
		s := sample{row: int32(row), at: int64(row)}
		switch row % 9 {
		case 1:
			s.context = 1
		case 2:
			s.machine = 1
		case 3:
			s.at += day
		}
		samples = append(samples, s)
	}
	contexts, machines, days := map[int32]int{}, map[int32]int{}, map[int64]int{}
	for _, row := range picked(t, samples) {
		s := samples[row]
		contexts[s.context]++
		machines[s.machine]++
		days[s.day()]++
	}
	for _, shown := range []int{contexts[1], machines[1], days[1]} {
		require.GreaterOrEqual(t, shown, 1)
		require.LessOrEqual(t, shown, 3)
	}
}

func TestExamplesOfAnySamples(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		samples := make([]sample, 1+random.IntN(30))
		first, last := 0, 0
		for i := range samples {
			samples[i] = sample{row: int32(i), context: int32(random.IntN(4)), machine: int32(random.IntN(3)), at: random.Int64N(4 * day)}
			if random.IntN(9) == 0 {
				samples[i].at = undated
			}
			if inTime(samples[i], samples[first]) < 0 {
				first = i
			}
			if inTime(samples[i], samples[last]) > 0 {
				last = i
			}
		}
		rows := picked(t, samples)
		require.Len(t, rows, min(len(samples), MaxExamples))
		require.Equal(t, first, rows[0])
		require.Equal(t, last, rows[len(rows)-1])
		seen := map[int]bool{}
		for i, row := range rows {
			require.False(t, seen[row], "an event is shown once")
			seen[row] = true
			require.True(t, i == 0 || inTime(samples[rows[i-1]], samples[row]) < 0, "in the order of time")
		}
		require.Equal(t, rows, picked(t, samples), "the same samples give the same examples")
	}
}

func TestExamplesHaveABound(t *testing.T) {
	samples := make([]sample, 100)
	for i := range samples {
		samples[i].row = int32(i)
	}
	asked := 0
	large := json.RawMessage(`"` + strings.Repeat("x", maxExampleBytes/2) + `"`)
	got := examples(samples, func(row int) json.RawMessage {
		asked++
		if row%2 == 0 {
			return large
		}
		return json.RawMessage("1")
	})
	require.Len(t, got, MaxExamples)
	size := 0
	for _, x := range got {
		size += len(x)
	}
	require.LessOrEqual(t, size, maxExampleBytes)
	asked = 0
	require.Empty(t, examples(samples, func(int) json.RawMessage { asked++; return nil }))
	require.LessOrEqual(t, asked, 4*MaxExamples, "documents that are not there are not searched for without end")
}

func TestClusterSaysWhereAndWhen(t *testing.T) {
	d := data(abc, "a a > b", "a a > b", "a a > b", "a a > b", "a a > b", "c c > b")
	at := []time.Time{time.Unix(70, 0), {}, time.Unix(10, 0), time.Unix(90, 5), time.Unix(20, 0), time.Unix(1, 0)}
	source := Source{Seen: func(row int) (string, time.Time) { return []string{"web", "db", "web"}[row%3], at[row] }}
	e := &scripted{}
	m, err := Train(t.Context(), e, d, params(2))
	require.NoError(t, err)
	clustered, rows, err := m.Cluster(t.Context(), e, d, "")
	require.NoError(t, err)
	require.Equal(t, []int32{0, 0, 0, 0, 0, -1}, rows.Clusters)
	c := clustered.WithExamples(rows, source).Clusters[0]
	require.Equal(t, 2, c.MachineCount)
	require.Equal(t, []MachineCount{{"web", 3}, {"db", 2}}, c.Machines)
	require.Equal(t, time.Unix(10, 0).UTC(), c.FirstSeen)
	require.Equal(t, time.Unix(90, 5).UTC(), c.LastSeen)
	require.Equal(t, 1, c.ContextCount)
	require.Empty(t, c.Examples)
}

func TestHourlyMax(t *testing.T) {
	hour := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	type seen struct {
		machine string
		at      time.Time
	}
	rows := []seen{{"x", hour}, {"x", hour.Add(59*time.Minute + 59*time.Second)}, {"x", hour.Add(time.Hour)}, {"y", hour.Add(time.Minute)},
		{"y", hour.Add(24 * time.Hour)}, {"z", time.Time{}}, {"z", time.Time{}}, {"z", time.Time{}},
		{"y", hour.Add(24*time.Hour + 1)}, {"y", hour.Add(24*time.Hour + 2).In(time.FixedZone("", 1800))}, {"y", hour.Add(24*time.Hour - 1)}}
	m := &Model{Clusters: []Cluster{{ID: 0}, {ID: 1}, {ID: 2}}}
	a := &Assignment{Clusters: []int32{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1}, Contexts: make([]int32, len(rows))}
	with := m.WithExamples(a, Source{Seen: func(row int) (string, time.Time) { return rows[row].machine, rows[row].at }})
	require.Equal(t, 2, with.Clusters[0].HourlyMax, "of a machine, by the clock, and only where the time is known")
	require.Equal(t, 2, with.Clusters[1].HourlyMax)
	require.Zero(t, with.Clusters[2].HourlyMax)
	require.Zero(t, m.WithExamples(a, Source{Document: func(int) json.RawMessage { return nil }}).Clusters[0].HourlyMax)

	around1970 := &Assignment{Clusters: []int32{0, 0}, Contexts: make([]int32, 2)}
	with = m.WithExamples(around1970, Source{Seen: func(row int) (string, time.Time) { return "x", time.Unix(int64(2*row-1), 0) }})
	require.Equal(t, 1, with.Clusters[0].HourlyMax, "an hour does not go on over 1970")
}
