package parallel

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEachTaskIsDoneOnce(t *testing.T) {
	for _, workers := range []int{-1, 0, 1, 2, 9} {
		for _, tasks := range []int{0, 1, 2, 100} {
			done, called := make([]atomic.Int32, tasks), atomic.Int32{}
			Each(t.Context(), workers, tasks, func(next func() (int, bool)) {
				called.Add(1)
				for task, more := next(); more; task, more = next() {
					done[task].Add(1)
				}
			})
			for task := range done {
				require.EqualValues(t, 1, done[task].Load(), "task %d of %d, workers %d", task, tasks, workers)
			}
			require.EqualValues(t, max(1, min(workers, tasks)), called.Load(), "workers")
		}
	}
}

func TestRangesCoverEachRowOnce(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 100} {
		done := make([]atomic.Int32, n)
		Ranges(t.Context(), 3, n, 8, func(next func() (int, int, bool)) {
			for from, to, more := next(); more; from, to, more = next() {
				for row := from; row < to; row++ {
					done[row].Add(1)
				}
			}
		})
		for row := range done {
			require.EqualValues(t, 1, done[row].Load(), "row %d of %d", row, n)
		}
	}
}

func TestWorkersRunAtOnce(t *testing.T) {
	const workers = 4
	var together sync.WaitGroup
	together.Add(workers)
	Each(t.Context(), workers, workers, func(next func() (int, bool)) {
		for _, more := next(); more; _, more = next() {
			together.Done()
			together.Wait() // would never end if one of them waited for another's end
		}
	})
}

func TestEachEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := atomic.Int32{}
	Each(ctx, 2, 1000, func(next func() (int, bool)) {
		for task, more := next(); more; task, more = next() {
			if task == 10 {
				cancel()
			}
			done.Add(1)
		}
	})
	require.Less(t, done.Load(), int32(1000))
}
