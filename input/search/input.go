// Package search holds the input deepcase_search, which reads Elasticsearch and OpenSearch.
package search

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/redeliver"
)

func init() {
	service.MustRegisterBatchInput("deepcase_search", spec(), redeliver.Constructor(func(conf *service.ParsedConfig, mgr *service.Resources) (*input, error) {
		return newFromParsed(conf, mgr, time.Now)
	}))
}

// input is the input deepcase_search.
type input struct {
	server  *server
	reader  *reader
	follow  bool
	poll    time.Duration
	lag     time.Duration
	missing string
	keeper  *cursorKeeper // nil: the cursor is not kept
	slots   chan struct{} // one is taken for each batch that is not acknowledged
	now     func() time.Time

	log       *service.Logger
	documents *service.MetricCounter
	passes    *service.MetricCounter // by outcome

	mu       sync.Mutex
	prepared bool
	ended    bool
	position position                    // behind the last document that was read
	pass     *pass                       // nil: none is open
	pending  []hit                       // read, but not yet handed on
	pauses   *backoff.ExponentialBackOff // between failures of reading, until a batch comes
}

// Connect opens a pass, unless one is open.
func (in *input) Connect(ctx context.Context) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return service.ErrEndOfInput
	}
	if in.pass != nil {
		return nil
	}
	return in.hide(in.begin(ctx))
}

// begin opens a pass at the position.
func (in *input) begin(ctx context.Context) (err error) {
	var before *time.Time
	if in.follow {
		t := in.now().Add(-in.lag).Truncate(time.Millisecond) // as the query says it
		before = &t
	}
	if err := in.lookUpOrder(ctx); err != nil {
		return err
	}
	if !in.prepared {
		if err := in.prepare(ctx); err != nil {
			return err
		}
		in.prepared = true
	}
	if in.pass, err = in.reader.open(ctx, in.position, before); err != nil {
		in.pass = nil
		return err
	}
	in.passes.Incr(1, "opened")
	return nil
}

// finish closes the pass.
func (in *input) finish(outcome string) {
	if err := in.pass.close(); err != nil {
		in.log.Warnf("A point in time was not closed; the server drops it after a while: %v", in.hide(err))
	}
	in.pass = nil
	in.passes.Incr(1, outcome)
}

func (in *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	select {
	case in.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	batch, acknowledged, err := in.next(ctx)
	if err != nil {
		<-in.slots
		return nil, nil, err
	}
	// Rejected batches count as acknowledged: without auto_replay_nacks they are dropped.
	return batch, func(ctx context.Context, _ error) error {
		if acknowledged != nil {
			acknowledged(ctx)
		}
		<-in.slots
		return nil
	}, nil
}

// next waits for a batch. If acknowledged is not nil, it must be called when the batch is acknowledged.
func (in *input) next(ctx context.Context) (service.MessageBatch, func(context.Context), error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for !in.ended {
		if in.pass == nil {
			return nil, nil, service.ErrNotConnected
		}
		err := in.collect(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case errors.Is(err, errExpired):
			in.finish("expired")
			in.log.Warn("The point in time has expired: reading continues in a new one")
			if err := in.begin(ctx); err != nil {
				in.log.Errorf("No new point in time: %v", in.hide(err))
			}
			continue
		case err == nil, errors.Is(err, io.EOF) && len(in.pending) > 0:
			return in.batch()
		case errors.Is(err, io.EOF) && in.follow:
			in.finish("finished")
			if err := in.awaitPoll(ctx); err != nil {
				return nil, nil, err
			}
		case errors.Is(err, io.EOF):
			in.finish("finished")
			in.ended = true
		default:
			in.finish("failed")
			in.log.Errorf("Reading failed and starts again where it was: %v", in.hide(err))
			// Connecting may succeed and reading fail again. Without a pause this would happen hundreds of times per second.
			if err := pause(ctx, in.pauses.NextBackOff()); err != nil {
				return nil, nil, err
			}
		}
	}
	return nil, nil, service.ErrEndOfInput
}

// collect reads documents until a batch is full.
func (in *input) collect(ctx context.Context) error {
	bytes := 0
	for _, h := range in.pending {
		bytes += len(h.Source)
	}
	for len(in.pending) < in.reader.size && bytes < in.server.maxAnswer {
		h, err := in.pass.next(ctx)
		if err != nil {
			return err
		}
		if len(in.position.seen) == maxTies && in.position.at.compare(h.at) == 0 {
			return fmt.Errorf("sort_field: more than %d documents have the same %q as document %s of index %s: the cursor remembers each of them. "+
				"Sort by a field that tells documents apart better, such as a time with milliseconds", maxTies, in.reader.order.field, h.ID, h.Index)
		}
		in.position = in.position.after(h.at, h.key)
		in.pending = append(in.pending, *h)
		bytes += len(h.Source)
	}
	return nil
}

// awaitPoll waits until the next poll and opens a pass. If that fails, Connect retries it.
func (in *input) awaitPoll(ctx context.Context) error {
	if err := pause(ctx, in.poll); err != nil {
		return err
	}
	if err := in.begin(ctx); err != nil {
		in.log.Errorf("Looking for newer documents failed: %v", in.hide(err))
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// batch makes messages from the documents collected.
func (in *input) batch() (batch service.MessageBatch, acknowledged func(context.Context), err error) {
	for i := range in.pending {
		batch = append(batch, in.pending[i].message())
	}
	in.pending = nil
	in.pauses.Reset()
	in.documents.Incr(int64(len(batch)))
	if in.keeper != nil {
		acknowledged = in.keeper.track(in.position)
	}
	return batch, acknowledged, nil
}

// hide takes the credentials out of an error that is logged.
func (in *input) hide(err error) error { return in.server.client.secrets.hide(err) }

func (in *input) Close(ctx context.Context) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.pass != nil {
		in.finish("stopped")
	}
	if in.keeper != nil {
		in.keeper.close(ctx)
	}
	in.server.client.http.CloseIdleConnections()
	return nil
}
