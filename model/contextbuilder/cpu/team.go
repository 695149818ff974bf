package cpu

import (
	"runtime"
	"sync/atomic"
)

// team is a group of goroutines that share the phases of a batch. Whoever is free takes the next part of a phase, so that a goroutine that the
// system has suspended does not hold up the others.
type team struct {
	workers int
	phases  chan *phase
}

type phase struct {
	do         func(part int)
	parts      int64
	next, left atomic.Int64
	done       chan struct{} // closed with the last part
}

func newTeam(workers int) *team {
	t := &team{workers: workers, phases: make(chan *phase, workers)}
	for range workers - 1 {
		go func() {
			for {
				p, ok := receive(t.phases)
				if !ok {
					return
				}
				p.work()
			}
		}()
	}
	return t
}

func (t *team) stop() { close(t.phases) }

// run does all parts, at least one, and returns when they are done.
func (t *team) run(parts int, do func(part int)) {
	p := &phase{do: do, parts: int64(parts), done: make(chan struct{})}
	p.left.Store(p.parts)
	for range min(t.workers, parts) - 1 {
		select {
		case t.phases <- p:
		default: // a goroutine that is still busy with an older phase comes by itself
		}
	}
	p.work()
	receive(p.done)
}

func (p *phase) work() {
	for {
		part := p.next.Add(1) - 1
		if part >= p.parts {
			return
		}
		p.do(int(part))
		if p.left.Add(-1) == 0 {
			close(p.done)
		}
	}
}

// patience is how often a goroutine looks for something to receive before it sleeps: for about 100 µs. A phase takes some hundred microseconds; to wake
// a processor, above all one of a virtual machine, can take a hundred.
const patience = 700

// receive receives from a channel. It keeps the processor awake at first.
func receive[T any](c <-chan T) (v T, ok bool) {
	for range patience {
		select {
		case v, ok = <-c:
			return v, ok
		default:
			runtime.Gosched()
		}
	}
	v, ok = <-c
	return v, ok
}
