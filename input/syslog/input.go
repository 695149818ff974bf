// Package syslog holds the input deepcase_syslog, which listens for syslog.
package syslog

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/redeliver"
)

func init() {
	service.MustRegisterBatchInput("deepcase_syslog", spec(), redeliver.Constructor(newFromParsed))
}

// input is the input deepcase_syslog.
type input struct {
	*server
	queue     *queue
	batchSize int
	patience  time.Duration // of Close

	mu        sync.Mutex
	listening bool
	stopped   chan struct{} // closed by Close
	stopOnce  sync.Once
	watching  sync.WaitGroup
}

// Connect listens, and watches for the signals that end the process.
func (in *input) Connect(ctx context.Context) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.listening {
		return nil
	}
	if err := in.listen(ctx); err != nil {
		return err
	}
	in.listening = true
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	in.watching.Go(func() {
		defer signal.Stop(signals)
		select {
		case <-signals:
			in.drain()
			in.queue.end()
			in.close()
		case <-in.stopped:
		}
	})
	return nil
}

func (in *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	taken, err := in.queue.take(ctx, in.batchSize)
	if err != nil {
		return nil, nil, err
	}
	if len(taken) == 0 {
		return nil, nil, service.ErrEndOfInput
	}
	batch := make(service.MessageBatch, len(taken))
	for i, r := range taken {
		batch[i] = service.NewMessage(r.text)
		batch[i].MetaSetMut("syslog_peer", r.peer)
		batch[i].MetaSetMut("syslog_network", r.network)
		if r.err != nil {
			batch[i].SetError(r.err)
		}
	}
	// Rejected batches count as acknowledged: without auto_replay_nacks they are dropped.
	return batch, func(context.Context, error) error {
		in.queue.release(taken)
		return nil
	}, nil
}

// Close stops all goroutines. Messages that are not acknowledged are counted as lost.
func (in *input) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, in.patience)
	defer cancel()
	in.stopOnce.Do(func() { close(in.stopped) })
	in.close()
	in.queue.end() // readers that wait for room go on
	ended := make(chan struct{})
	go func() {
		in.watching.Wait()
		in.readers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		in.lostMessages(in.queue.unacknowledged())
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
