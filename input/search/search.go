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
	service.MustRegisterBatchInput("deepcase_search", spec(), redeliver.Constructor(func(conf *service.ParsedConfig, mgr *service.Resources) (*search, error) {
		return newFromParsed(conf, mgr, time.Now)
	}))
}

// search is the input deepcase_search.
type search struct {
	reader
	follow  bool
	poll    time.Duration
	lag     time.Duration
	missing string
	keeper  *keeper       // nil: the cursor is not kept
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
func (s *search) Connect(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return service.ErrEndOfInput
	}
	if s.pass != nil {
		return nil
	}
	return s.secrets.hide(s.begin(ctx))
}

// arrange finds out how documents are sorted: each time, as an index with another type may have joined.
func (s *search) arrange(ctx context.Context) error {
	types, err := s.fieldTypes(ctx, s.order.field)
	if err != nil {
		return err
	}
	o, err := newOrder(s.order.field, types)
	switch {
	case err != nil:
		return err
	case s.follow && o.kind != instant:
		return fmt.Errorf("sort_field: %q is of type %s%s, need date or date_nanos to follow", o.field, o.typ, within(types[o.typ]))
	case s.prepared && o.kind != s.order.kind:
		return fmt.Errorf("sort_field: %q was of type %s when reading began and is now of type %s%s: these cannot be sorted together",
			o.field, s.order.typ, o.typ, within(types[o.typ]))
	}
	s.order = o
	return nil
}

// prepare checks, before the first pass, what is to be read, and finds where to go on.
func (s *search) prepare(ctx context.Context) (err error) {
	if s.tiebreak != "" {
		switch types, err := s.fieldTypes(ctx, s.tiebreak); {
		case err != nil:
			return fmt.Errorf("tiebreak: %w", err)
		case len(types) == 0:
			return fmt.Errorf("tiebreak: no index has a field %q", s.tiebreak)
		case len(types) > 1:
			return fmt.Errorf("tiebreak: field %q has %d types in %q, need one", s.tiebreak, len(types), s.index)
		}
	}
	if err := s.checkMissing(ctx); err != nil {
		return err
	}
	if s.keeper == nil {
		return nil
	}
	s.keeper.order = s.order
	s.position, err = s.keeper.load(ctx)
	return err
}

// checkMissing deals with documents that no place in the order can be found for.
func (s *search) checkMissing(ctx context.Context) error {
	n, err := s.count(ctx, map[string]any{"bool": map[string]any{
		"filter":   s.query,
		"must_not": map[string]any{"exists": map[string]any{"field": s.order.field}},
	}})
	if err != nil || n == 0 {
		return err
	}
	if s.missing == missingFail {
		return fmt.Errorf("sort_field: %d of the documents in %q have no field %q: have the query leave them out, or set missing: skip",
			n, s.index, s.order.field)
	}
	s.log.With("documents", n).Warnf("Documents without the field %q are left out", s.order.field)
	return nil
}

// begin opens a pass at the position.
func (s *search) begin(ctx context.Context) (err error) {
	var before *time.Time
	if s.follow {
		t := s.now().Add(-s.lag).Truncate(time.Millisecond) // as the query says it
		before = &t
	}
	if err := s.arrange(ctx); err != nil {
		return err
	}
	if !s.prepared {
		if err := s.prepare(ctx); err != nil {
			return err
		}
		s.prepared = true
	}
	if s.pass, err = s.open(ctx, s.position, before); err != nil {
		s.pass = nil
		return err
	}
	s.passes.Incr(1, "opened")
	return nil
}

// finish closes the pass.
func (s *search) finish(outcome string) {
	if err := s.pass.close(); err != nil {
		s.log.Warnf("The server will drop it by itself after a while: %v", s.secrets.hide(err))
	}
	s.pass = nil
	s.passes.Incr(1, outcome)
}

func (s *search) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	batch, acknowledged, err := s.next(ctx)
	if err != nil {
		<-s.slots
		return nil, nil, err
	}
	// Rejected ones too: without auto_replay_nacks they are dropped.
	return batch, func(ctx context.Context, _ error) error {
		if acknowledged != nil {
			acknowledged(ctx)
		}
		<-s.slots
		return nil
	}, nil
}

// next waits for a batch, and gives what is to be called (nil: nothing) once it is acknowledged.
func (s *search) next(ctx context.Context) (service.MessageBatch, func(context.Context), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended {
		if s.pass == nil {
			return nil, nil, service.ErrNotConnected
		}
		err := s.take(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case errors.Is(err, errExpired):
			s.finish("expired")
			s.log.Warn("The point in time has expired: reading goes on in a new one")
			if err := s.begin(ctx); err != nil {
				s.log.Errorf("No new point in time: %v", s.secrets.hide(err))
			}
			continue
		case err == nil, errors.Is(err, io.EOF) && len(s.pending) > 0:
			return s.batch()
		case errors.Is(err, io.EOF) && s.follow:
			s.finish("finished")
			if err := s.wait(ctx); err != nil {
				return nil, nil, err
			}
		case errors.Is(err, io.EOF):
			s.finish("finished")
			s.ended = true
		default:
			s.finish("failed")
			s.log.Errorf("Reading failed and starts again where it was: %v", s.secrets.hide(err))
			// Connecting may well succeed, and reading fail again: without a pause that would be hundreds of times a second.
			if err := pause(ctx, s.pauses.NextBackOff()); err != nil {
				return nil, nil, err
			}
		}
	}
	return nil, nil, service.ErrEndOfInput
}

// take reads documents until a batch is full.
func (s *search) take(ctx context.Context) error {
	bytes := 0
	for _, h := range s.pending {
		bytes += len(h.Source)
	}
	for len(s.pending) < s.size && bytes < s.maxAnswer {
		h, err := s.pass.next(ctx)
		if err != nil {
			return err
		}
		s.position = s.position.after(h.at, h.key)
		s.pending = append(s.pending, *h)
		bytes += len(h.Source)
	}
	return nil
}

// wait passes the time until the next poll and opens it. A server that fails then is for Connect to wait for.
func (s *search) wait(ctx context.Context) error {
	if err := pause(ctx, s.poll); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		s.log.Errorf("Looking for newer documents failed: %v", s.secrets.hide(err))
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

// batch hands the documents on that were taken.
func (s *search) batch() (batch service.MessageBatch, acknowledged func(context.Context), err error) {
	for i := range s.pending {
		batch = append(batch, s.pending[i].message())
	}
	s.pending = nil
	s.pauses.Reset()
	s.documents.Incr(int64(len(batch)))
	if s.keeper != nil {
		acknowledged = s.keeper.track(s.position)
	}
	return batch, acknowledged, nil
}

func (s *search) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pass != nil {
		s.finish("stopped")
	}
	if s.keeper != nil {
		s.keeper.close(ctx)
	}
	s.http.CloseIdleConnections()
	return nil
}
