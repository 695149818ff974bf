// Package train holds DeepCASE's input deepcase_train.
package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/redeliver"
	"connect-deepcase/internal/spool"
)

func init() {
	service.MustRegisterBatchInput("deepcase_train", spec(), redeliver.Constructor(func(conf *service.ParsedConfig, mgr *service.Resources) (*input, error) {
		return newFromParsed(conf, mgr, time.Now)
	}))
}

// input is the input deepcase_train. Two goroutines work for it once it is connected: the taker brings events from the child input to the
// spool, and the learner learns from the spool and hands clusters to ReadBatch.
type input struct {
	child    *service.OwnedInput
	spoolDir string
	limits   spool.Limits
	taker    taker
	learner  learner
	log      *service.Logger
	metrics  metrics

	connect sync.Mutex
	spool   *spool.Spool // nil before Connect
	cancel  context.CancelFunc
	done    chan struct{} // closed when nothing more comes
}

func (in *input) Connect(context.Context) error {
	in.connect.Lock()
	defer in.connect.Unlock()
	if in.spool != nil {
		return nil
	}
	var err error
	if in.spool, err = spool.Open(in.spoolDir, in.limits); err != nil {
		in.spool = nil
		return err
	}
	in.taker.spool, in.learner.spool = in.spool, in.spool
	if n := in.spool.Len(); n > 0 {
		in.log.With("spool", in.spoolDir, "events", n).Info("Events of an earlier run are part of the next training")
	}
	in.metrics.spooled.Set(int64(in.spool.Len()))
	if _, err := os.Stat(filepath.Join(in.spoolDir, trainedFile)); errors.Is(err, os.ErrNotExist) {
		in.learner.mark()
	}
	ctx, cancel := context.WithCancel(context.Background())
	in.cancel = cancel
	ended := make(chan struct{}) // closed when all events of the child are in the spool
	var both sync.WaitGroup
	both.Go(func() {
		if in.taker.run(ctx) {
			close(ended)
		}
	})
	both.Go(func() { in.learner.run(ctx, ended) })
	go func() {
		both.Wait()
		close(in.done)
	}()
	return nil
}

func (in *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	select {
	case out := <-in.learner.out:
		return out.batch, out.ack, nil
	case <-in.done:
		return nil, nil, service.ErrEndOfInput
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// shutdownTimeout bounds Close: a training ends between two batches, a clustering between two events.
const shutdownTimeout = time.Minute

func (in *input) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	in.connect.Lock()
	defer in.connect.Unlock()
	if in.spool == nil {
		return in.child.Close(ctx)
	}
	in.cancel()
	err := in.child.Close(ctx)
	select {
	case <-in.done:
		return errors.Join(err, in.spool.Close())
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("training still runs: %w", ctx.Err()))
	}
}
