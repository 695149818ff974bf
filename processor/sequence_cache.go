package processor

import (
	"context"
	"fmt"
	"sync"

	"connect-deepcase/sequencer"
)

// parallelMachines is the most machines of a batch that wait for the cache at the same time.
const parallelMachines = 32

// addShared gives each event without an error its context, from the windows in the cache, or an error.
func (s *sequence) addShared(ctx context.Context, events []*pending) {
	var order []string
	machines := map[string][]*pending{}
	for _, p := range events {
		if p.err != nil {
			continue
		}
		if machines[p.event.Machine] == nil {
			order = append(order, p.event.Machine)
		}
		machines[p.event.Machine] = append(machines[p.event.Machine], p)
	}

	wait := s.kept.patience()
	var running sync.WaitGroup
	slots := make(chan struct{}, parallelMachines)
	for _, machine := range order {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			s.addToShared(ctx, wait, machine, machines[machine])
		})
	}
	running.Wait()
}

// addToShared adds the events of one machine to its window: all or none.
func (s *sequence) addToShared(ctx context.Context, wait *patience, machine string, events []*pending) {
	err := s.windows.Update(machine, func(w *sequencer.Window) error {
		return s.kept.update(ctx, wait, machine, w, func() {
			for _, p := range events {
				p.context, p.how = w.Add(p.event)
			}
		})
	})
	if err != nil {
		for _, p := range events {
			p.context, p.err = nil, fmt.Errorf("window of machine %q: %w", machine, err)
		}
	}
}
