// Package parallel shares work among goroutines.
package parallel

import (
	"context"
	"sync"
	"sync/atomic"
)

// Each lets up to so many workers take tasks, in order, until none is left or ctx ends. It returns when all of them have. Whoever calls is one of
// them, so that a single task costs no goroutine. work is called once for each worker, which may so keep memory from one task to the next.
func Each(ctx context.Context, workers, tasks int, work func(next func() (task int, more bool))) {
	var taken atomic.Int64
	next := func() (int, bool) {
		k := int(taken.Add(1)) - 1
		return k, k < tasks && ctx.Err() == nil
	}
	var running sync.WaitGroup
	for range min(workers, tasks) - 1 {
		running.Go(func() { work(next) })
	}
	work(next)
	running.Wait()
}

// Ranges is Each for rows 0 to n, so many of which are a task: those from…to.
func Ranges(ctx context.Context, workers, n, size int, work func(next func() (from, to int, more bool))) {
	Each(ctx, workers, (n+size-1)/size, func(next func() (int, bool)) {
		work(func() (from, to int, more bool) {
			k, more := next()
			return k * size, min(n, (k+1)*size), more
		})
	})
}
