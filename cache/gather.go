package cache

import (
	"runtime"
	"sync"
)

// gather does one piece of work for many callers: while it runs for some, those who come meanwhile wait, and are the next ones together.
type gather[T any] struct {
	running sync.Mutex
	mu      sync.Mutex
	next    *round[T]
}

type round[T any] struct {
	items []T
	done  chan struct{}
	err   error
}

// do returns after work was done for the item: work began after the call of do. All items of a round have its error.
func (g *gather[T]) do(item T, work func([]T) error) error {
	g.mu.Lock()
	if r := g.next; r != nil {
		r.items = append(r.items, item)
		g.mu.Unlock()
		<-r.done
		return r.err
	}
	r := &round[T]{items: []T{item}, done: make(chan struct{})}
	g.next = r
	g.mu.Unlock()

	g.running.Lock()
	defer g.running.Unlock()
	runtime.Gosched() // who is about to call do joins this round: with two processors and 500 callers, a third as many rounds
	g.mu.Lock()
	g.next = nil
	g.mu.Unlock()
	defer close(r.done)
	r.err = work(r.items)
	return r.err
}
