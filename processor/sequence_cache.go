package processor

import (
	"context"
	"fmt"

	"connect-deepcase/sequencer"
)

// addShared gives each event without an error its context, from the windows in the cache, or an error: all events of a machine or none.
func (s *sequence) addShared(ctx context.Context, events []pending) {
	machines := map[string][]*pending{}
	for i := range events {
		if p := &events[i]; p.err == nil {
			machines[p.event.Machine] = append(machines[p.event.Machine], p)
		}
	}
	updateEach(ctx, s.kept, s.windows.Update, machines, func(w *sequencer.Window, p *pending) {
		p.context, p.how = w.Add(p.event)
	}, func(p *pending, err error) {
		p.context, p.err = nil, fmt.Errorf("window of machine %q: %w", p.event.Machine, err)
	})
}
