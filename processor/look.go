package processor

import (
	"context"
	"time"
)

// looking is work in the background that looks every so often whether something on disk has changed.
type looking struct {
	stop    context.CancelFunc
	stopped chan struct{}
}

// lookEvery runs follow, which looks at each tick, until close.
func lookEvery(every time.Duration, follow func(context.Context, <-chan time.Time)) looking {
	ctx, stop := context.WithCancel(context.Background())
	l := looking{stop, make(chan struct{})}
	go func() {
		defer close(l.stopped)
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		follow(ctx, ticks.C)
	}()
	return l
}

// eachTick calls look at each tick until ctx ends.
func eachTick(look func()) func(ctx context.Context, ticks <-chan time.Time) {
	return func(ctx context.Context, ticks <-chan time.Time) {
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks:
				look()
			}
		}
	}
}

// close returns when nothing looks any more. It may be called again.
func (l looking) close() {
	l.stop()
	<-l.stopped
}
