package cpu

import (
	"sync"
	"sync/atomic"
)

// team is a group of goroutines that share the phases of a batch. Whoever is free takes the next part of a phase, so that a goroutine that the
// system has suspended does not hold up the others.
type team struct {
	workers int
	phases  chan *phase
}

type phase struct {
	do    func(part int)
	parts int64
	next  atomic.Int64
	left  sync.WaitGroup
}

func newTeam(workers int) *team {
	t := &team{workers: workers, phases: make(chan *phase, workers)}
	for range workers - 1 {
		go func() {
			for p := range t.phases {
				p.work()
			}
		}()
	}
	return t
}

func (t *team) stop() { close(t.phases) }

// run does all parts and returns when they are done.
func (t *team) run(parts int, do func(part int)) {
	p := &phase{do: do, parts: int64(parts)}
	p.left.Add(parts)
	for range min(t.workers, parts) - 1 {
		select {
		case t.phases <- p:
		default: // a goroutine that is still busy with an older phase comes by itself
		}
	}
	p.work()
	p.left.Wait()
}

func (p *phase) work() {
	for {
		part := p.next.Add(1) - 1
		if part >= p.parts {
			return
		}
		p.do(int(part))
		p.left.Done()
	}
}
