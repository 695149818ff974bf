package search

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// reader is what all passes have in common: which documents to read, and how.
type reader struct {
	server   *server
	log      *service.Logger
	order    order
	query    any
	tiebreak string
	slices   int
	size     int // of a page
	usePIT   bool
}

// pass reads the documents of one point in time that are behind a position, in order. Slices are read in parallel, each one page ahead, and
// merged by their sort values. So the number of slices changes only the speed.
type pass struct {
	reader *reader
	pit    *pit // nil: without
	passed func(value, key) bool
	before *time.Time // nil: no end
	cancel context.CancelFunc
	wait   sync.WaitGroup
	slices []*slice
}

// slice is one part of a point in time.
type slice struct {
	pages chan result
	hits  hits // of the page that is merged now
	ended bool
}

type result struct {
	hits hits
	err  error
}

// errExpired means that the point in time is gone in the middle of a pass.
var errExpired = errors.New("the point in time has expired")

// open begins a pass. It lives until it is closed, not until ctx is done.
func (r *reader) open(ctx context.Context, from position, before *time.Time) (*pass, error) {
	p := &pass{reader: r, passed: from.passed(), before: before}
	if r.usePIT {
		var err error
		if p.pit, err = r.server.openPIT(ctx); err != nil {
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

// ties are the further entries of the sort, which make the place of each document unique.
func (r *reader) ties(ctx context.Context, p *pit) ([]any, error) {
	ascending := func(field string) any { return map[string]any{field: "asc"} }
	var ties []any
	if r.tiebreak != "" {
		ties = append(ties, ascending(r.tiebreak))
	}
	if p != nil {
		// Elasticsearch has it from 7.12 on, OpenSearch from 3.3 on.
		_, err := r.server.page(ctx, p, map[string]any{"size": 0, "sort": []any{ascending("_shard_doc")}})
		switch {
		case err == nil && p.opensearch:
			// Its value is unique only within an index: another index may have the same shard and document number.
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

// read sends the pages of a slice until there are no more or the pass is closed.
func (p *pass) read(ctx context.Context, s *slice, request map[string]any) {
	defer close(s.pages)
	var progress progress
	for {
		hits, err := p.page(ctx, request, &progress)
		select {
		case s.pages <- result{hits: hits, err: err}:
		case <-ctx.Done():
			return
		}
		if err != nil || len(hits) < request["size"].(int) {
			return
		}
		request["search_after"] = hits[len(hits)-1].Sort
	}
}

// page asks for the next documents of a slice, and for fewer of them if the answer is too long.
func (p *pass) page(ctx context.Context, request map[string]any, progress *progress) (hits, error) {
	for {
		answer, err := p.reader.server.page(ctx, p.pit, request)
		size := request["size"].(int)
		var failed *serverError
		switch {
		case errors.Is(err, errTooLong) && size > 1:
			request["size"] = size / 2
			p.reader.log.Warnf("A page of %d documents has more bytes than %s (%d): pages now have %d", size, fieldMaxAnswer, p.reader.server.maxAnswer, size/2)
			continue
		case errors.Is(err, errTooLong):
			return nil, fmt.Errorf("search: the next document: %w: raise %s, or have the query leave it out", err, fieldMaxAnswer)
		case errors.As(err, &failed) && failed.expired():
			return nil, errExpired
		case err != nil:
			return nil, fmt.Errorf("search: %w", err)
		}
		if err := p.accept(answer.Hits.Hits, request, progress); err != nil {
			return nil, fmt.Errorf("search: %w: %w", errAnswer, err)
		}
		return answer.Hits.Hits, nil
	}
}

// accept checks that documents are what was asked for, and reads their sort values.
func (p *pass) accept(hits hits, request map[string]any, progress *progress) (err error) {
	if size := request["size"].(int); len(hits) > size {
		return fmt.Errorf("%d documents came, %d were asked for", len(hits), size)
	}
	for i := range hits {
		h := &hits[i]
		if h.Index == "" || h.ID == "" {
			return fmt.Errorf("document %d has no index or no id", i)
		}
		if len(h.Sort) < len(request["sort"].([]any)) {
			return fmt.Errorf("document %s of index %s came with the sort values %s", h.ID, h.Index, h.sortValues())
		}
		if h.at, err = p.reader.order.parse(h.Sort[0]); err != nil {
			return fmt.Errorf("document %s of index %s: %w", h.ID, h.Index, err)
		}
		if p.before != nil && !h.at.instant.Before(*p.before) {
			return fmt.Errorf("document %s of index %s is of %v, only older ones than %v were asked for", h.ID, h.Index, h.at.instant, *p.before)
		}
		if err := progress.to(h); err != nil {
			return fmt.Errorf("document %s of index %s came %w", h.ID, h.Index, err)
		}
		h.key = keyOf(h.Index, h.ID)
	}
	return nil
}

// progress checks that the documents of a slice come in order, and that no two have the same place.
type progress struct {
	started bool
	at      value
	places  map[key]struct{} // that came at this value
}

func (p *progress) to(h *hit) error {
	if p.started && h.at.compare(p.at) < 0 {
		return errors.New("after a later one: the server does not sort, or ignores search_after")
	}
	if !p.started || h.at.compare(p.at) > 0 {
		*p = progress{started: true, at: h.at, places: map[key]struct{}{}}
	}
	place := keyOf(h.sortValues(), "")
	if _, twice := p.places[place]; twice {
		return fmt.Errorf("twice with the sort values %s: the server ignores search_after, or tiebreak is not different in each document", h.sortValues())
	}
	p.places[place] = struct{}{}
	return nil
}

// next gives the next document in order, or io.EOF after the last one. If ctx ends nothing is lost: next may be called again.
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

// fill waits for the next page if the last one is used up.
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
	if err := p.reader.server.closePIT(ctx, p.pit); err != nil {
		return fmt.Errorf("close point in time: %w", err)
	}
	return nil
}
