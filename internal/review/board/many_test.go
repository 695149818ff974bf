package board

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"connect-deepcase/internal/review"

	"github.com/stretchr/testify/require"
)

// Each alert of a day has the same chance to be drawn.
func TestSamplesAreFair(t *testing.T) {
	b := open(t, t.TempDir(), Options{})
	var alerts []Alert
	for i := range 4 * aDay {
		alerts = append(alerts, document{At: start.Add(time.Duration(i) * time.Second), Machine: fmt.Sprint(i), Event: "login", Context: []string{"x"}, Status: "no_cluster"}.alert(t))
	}
	require.NoError(t, b.Add(t.Context(), alerts))
	quarters := [4]int{}
	b.View(func(v View) {
		require.Len(t, v.Samples(), aDay)
		for _, s := range v.Samples() {
			quarters[int(s.At.Sub(start)/time.Second)/aDay]++
		}
	})
	for _, n := range quarters {
		require.InDelta(t, aDay/4, n, 50, quarters)
	}
}

func TestConcurrentAdds(t *testing.T) {
	b := open(t, t.TempDir(), Options{})
	done := make(chan error)
	for g := range 8 {
		r := rand.New(rand.NewPCG(uint64(g), 1))
		batches := make([][]Alert, 20)
		for i := range batches {
			for _, d := range invented(r, 10) {
				batches[i] = append(batches[i], d.alert(t))
			}
		}
		go func() {
			for _, alerts := range batches {
				if err := b.Add(context.Background(), alerts); err != nil {
					done <- err
					return
				}
				b.View(func(v View) {
					for _, q := range v.Questions() {
						_ = cmp.Compare(q.Alerts, len(q.Patterns))
					}
				})
			}
			done <- nil
		}()
	}
	for range 8 {
		require.NoError(t, <-done)
	}
	b.View(func(v View) { require.Equal(t, 1600, v.Totals().Alerts) })
	require.NotEmpty(t, maps.Keys(picture(b)))
}

// A long case shows its first and its last alerts, whatever order they came in, and what was before and after its first alert.
func TestALongCase(t *testing.T) {
	b := open(t, t.TempDir(), Options{})
	const n = 1500
	order := rand.New(rand.NewPCG(9, 10)).Perm(n)
	for from := 0; from < n; from += 100 {
		var alerts []Alert
		for _, i := range order[from : from+100] {
			d := document{At: start.Add(time.Duration(i) * time.Second), Machine: "pc-1", Event: "login", Context: []string{"x"}, Status: "no_cluster"}
			if i >= n/3 { // the case begins after the others
				d.Case, d.Kind = "c", "new"
			}
			alerts = append(alerts, d.alert(t))
		}
		require.NoError(t, b.Add(t.Context(), alerts))
		if from%200 == 0 {
			require.NoError(t, b.Close(t.Context()))
		}
	}
	seconds := func(alerts []review.CaseAlert) (all []int) {
		for _, a := range alerts {
			all = append(all, int(a.At.Sub(start)/time.Second))
		}
		return all
	}
	run := func(from, to int) (all []int) {
		for i := from; i < to; i++ {
			all = append(all, i)
		}
		return all
	}
	alerts, left, err := b.CaseAlerts(t.Context(), caseID("c"))
	require.NoError(t, err)
	require.Equal(t, n-n/3-caseFirst-caseLast, left)
	require.Equal(t, append(run(n/3, n/3+caseFirst), run(n-caseLast, n)...), seconds(alerts))
	alerts, err = b.Around(t.Context(), "pc-1", start, start.Add(n*time.Second), caseID("c"), 200)
	require.NoError(t, err)
	require.Equal(t, run(n/3-100, n/3+100), seconds(alerts))
	require.False(t, alerts[99].In)
	require.True(t, alerts[100].In)
}
