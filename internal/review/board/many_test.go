package board

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

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
