package cpu

import "sync/atomic"

// team is a group of goroutines that share the phases of a batch. Each begins with its own parts, the same ones in every phase, so that what a part works
// on stays in the caches of a core. Then it takes what others have not begun, so that a goroutine that the system has suspended does not hold them up.
type team struct {
	workers int
	last    *phase
}

// phase is done by the caller of run, which is worker 0, and the other workers, all of which go from one phase to the next.
type phase struct {
	do    func(part int)
	taken []atomic.Bool // by part
	left  atomic.Int64
	done  chan struct{} // closed with the last part
	over  chan struct{} // closed when next is set
	next  *phase        // nil: the team stops
}

func newTeam(workers int) *team {
	t := &team{workers: workers, last: &phase{over: make(chan struct{})}}
	for worker := 1; worker < workers; worker++ {
		go func(p *phase) {
			for {
				await(p.over)
				if p = p.next; p == nil {
					return
				}
				p.work(worker, workers)
			}
		}(t.last)
	}
	return t
}

func (t *team) stop() { close(t.last.over) }

// run does all parts, at least one, and returns when they are done.
func (t *team) run(parts int, do func(part int)) {
	p := &phase{do: do, taken: make([]atomic.Bool, parts), done: make(chan struct{}), over: make(chan struct{})}
	p.left.Store(int64(parts))
	t.last.next = p
	close(t.last.over)
	t.last = p
	p.work(0, t.workers)
	await(p.done)
}

// work does parts until all are taken. If there are more workers than parts, only the first ones work, since others would take a part away from its core.
func (p *phase) work(worker, workers int) {
	parts := len(p.taken)
	if worker >= parts {
		return
	}
	first := worker * parts / min(workers, parts)
	for i := range parts {
		part := (first + i) % parts
		if p.taken[part].Swap(true) {
			continue
		}
		p.do(part)
		if p.left.Add(-1) == 0 {
			close(p.done)
		}
	}
}

// patience is how often a goroutine looks whether a channel is closed before it sleeps: for some 100 µs. A phase takes some hundred microseconds; to wake
// a processor, above all one of a virtual machine, can take a hundred.
const patience = 30_000

// await waits for a channel to be closed. It keeps the processor at first: to yield it would let goroutines change their cores, and with them their caches.
func await(c <-chan struct{}) {
	for range patience {
		select {
		case <-c:
			return
		default:
		}
	}
	<-c
}
