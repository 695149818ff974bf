package search

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// reader is how a pass reads: what does not change from one pass to the next.
type reader struct {
	*api
	order    order
	query    any
	tiebreak string
	slices   int
	size     int // of a page
	usePIT   bool
}

// pass reads, in order, what one point in time holds beyond a position. Slices are read side by side, each a page ahead, and merged by
// their sort values, so that the number of slices changes the speed and nothing else.
type pass struct {
	*reader
	pit    *pit // nil: without
	passed func(value, key) bool
	cancel context.CancelFunc
	wait   sync.WaitGroup
	slices []*slice
}

// slice is one of the parts in which a point in time is read.
type slice struct {
	pages chan result
	hits  []hit // of the page that is merged now
	ended bool
}

type result struct {
	hits []hit
	err  error
}

// errExpired tells that the point in time is gone in the middle of a pass.
var errExpired = errors.New("the point in time has expired")

// open begins a pass. It lives until it is closed, not until ctx is done.
func (r *reader) open(ctx context.Context, from position, before *time.Time) (*pass, error) {
	p := &pass{reader: r, passed: from.passed()}
	if r.usePIT {
		var err error
		if p.pit, err = r.openPIT(ctx); err != nil {
			return nil, err
		}
	}
	filter := []any{r.query, map[string]any{"exists": map[string]any{"field": r.order.field}}}
	if from.started {
		filter = append(filter, r.order.from(from.at))
	}
	if before != nil {
		filter = append(filter, r.order.before(*before))
	}
	query := map[string]any{"bool": map[string]any{"filter": filter}}
	ties, err := r.ties(ctx, p.pit)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	running, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	for i := range r.slices {
		s := &slice{pages: make(chan result)}
		p.slices = append(p.slices, s)
		request := map[string]any{
			"size": r.size, "query": query, "sort": append([]any{r.order.sort()}, ties...),
			"seq_no_primary_term": true, "track_total_hits": false,
		}
		if r.slices > 1 {
			request["slice"] = map[string]any{"id": i, "max": r.slices}
		}
		p.wait.Go(func() { p.read(running, s, request) })
	}
	return p, nil
}

// ties are the sort's entries beyond the first: together they make each document's place unique.
func (r *reader) ties(ctx context.Context, p *pit) ([]any, error) {
	ascending := func(field string) any { return map[string]any{field: "asc"} }
	var ties []any
	if r.tiebreak != "" {
		ties = append(ties, ascending(r.tiebreak))
	}
	if p != nil {
		// Elasticsearch has it from 7.12 on, OpenSearch from 3.3 on.
		_, err := r.search(ctx, p, map[string]any{"size": 0, "sort": []any{ascending("_shard_doc")}})
		switch {
		case err == nil && p.opensearch:
			// Its value is unique within an index alone: the same shard and document number may be in each.
			return append(ties, ascending("_shard_doc"), ascending("_index")), nil
		case err == nil:
			return append(ties, ascending("_shard_doc")), nil
		}
		var failed *serverError
		if !errors.As(err, &failed) || failed.passing() || !strings.Contains(failed.body, "_shard_doc") {
			return nil, err
		}
	}
	if r.tiebreak != "" {
		return append(ties, ascending("_index")), nil
	}
	return []any{ascending("_id"), ascending("_index")}, nil
}

// read hands the pages of a slice on, until there is no more or the pass is closed.
func (p *pass) read(ctx context.Context, s *slice, request map[string]any) {
	defer close(s.pages)
	for {
		hits, err := p.page(ctx, request)
		select {
		case s.pages <- result{hits: hits, err: err}:
		case <-ctx.Done():
			return
		}
		if err != nil || len(hits) < p.size {
			return
		}
		request["search_after"] = hits[len(hits)-1].Sort
	}
}

func (p *pass) page(ctx context.Context, request map[string]any) ([]hit, error) {
	answer, err := p.search(ctx, p.pit, request)
	var failed *serverError
	switch {
	case errors.As(err, &failed) && failed.expired():
		return nil, errExpired
	case err != nil:
		return nil, fmt.Errorf("search: %w", err)
	}
	hits := answer.Hits.Hits
	for i := range hits {
		h := &hits[i]
		if len(h.Sort) == 0 {
			return nil, fmt.Errorf("search: document %s of index %s came without sort values", h.ID, h.Index)
		}
		if h.at, err = p.order.parse(h.Sort[0]); err != nil {
			return nil, fmt.Errorf("search: document %s of index %s: %w", h.ID, h.Index, err)
		}
		h.key = keyOf(h.Index, h.ID)
	}
	return hits, nil
}

// next gives the next document in order, or io.EOF behind the last one. When ctx is done nothing is lost: it may be called again.
func (p *pass) next(ctx context.Context) (*hit, error) {
	for {
		var first *slice
		for _, s := range p.slices {
			if err := s.fill(ctx); err != nil {
				return nil, err
			}
			if len(s.hits) > 0 && (first == nil || s.hits[0].at.compare(first.hits[0].at) < 0) {
				first = s
			}
		}
		if first == nil {
			return nil, io.EOF
		}
		h := &first.hits[0]
		first.hits = first.hits[1:]
		if !p.passed(h.at, h.key) {
			return h, nil
		}
	}
}

// fill waits for a page, where the last one is used up.
func (s *slice) fill(ctx context.Context) error {
	for len(s.hits) == 0 && !s.ended {
		select {
		case r, ok := <-s.pages:
			if r.err != nil {
				return r.err
			}
			s.hits, s.ended = r.hits, !ok
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// close ends the pass and its point in time.
func (p *pass) close() error {
	if p.cancel != nil {
		p.cancel()
		p.wait.Wait()
	}
	if p.pit == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if err := p.closePIT(ctx, p.pit); err != nil {
		return fmt.Errorf("close point in time: %w", err)
	}
	return nil
}
