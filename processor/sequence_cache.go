package processor

import (
	"context"
	"fmt"
	"sync"

	"connect-deepcase/sequencer"
)

// parallelMachines is the most machines of a batch that wait for the cache at the same time.
const parallelMachines = 32

// eachMachine calls f for the items of each machine. Calls for several machines run at the same time.
func eachMachine[T any](items []T, machineOf func(T) string, f func(machine string, items []T)) {
	var order []string
	machines := map[string][]T{}
	for _, item := range items {
		machine := machineOf(item)
		if machines[machine] == nil {
			order = append(order, machine)
		}
		machines[machine] = append(machines[machine], item)
	}
	var running sync.WaitGroup
	slots := make(chan struct{}, parallelMachines)
	for _, machine := range order {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			f(machine, machines[machine])
		})
	}
	running.Wait()
}

// addShared gives each event without an error its context, from the windows in the cache, or an error: all events of a machine or none.
func (s *sequence) addShared(ctx context.Context, events []*pending) {
	var waiting []*pending
	for _, p := range events {
		if p.err == nil {
			waiting = append(waiting, p)
		}
	}
	wait := s.kept.patience()
	eachMachine(waiting, func(p *pending) string { return p.event.Machine }, func(machine string, events []*pending) {
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
	})
}
