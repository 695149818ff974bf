package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// server has the requests to a cluster of Elasticsearch or OpenSearch.
type server struct {
	client    *client
	index     string // names, patterns, aliases, data streams, with commas between them
	keepAlive string // of a point in time
	maxAnswer int    // bytes of a page
}

func (s *server) path(rest string) string { return "/" + url.PathEscape(s.index) + rest }

// fieldTypes gives the types of a field, each with its indices if there are several types.
func (s *server) fieldTypes(ctx context.Context, field string) (map[string][]string, error) {
	query := url.Values{"fields": {field}}
	answer, err := do[capabilities](ctx, s.client, http.MethodGet, s.path("/_field_caps?"+query.Encode()), nil, maxSmall)
	if err != nil {
		return nil, err
	}
	if len(answer.Indices) == 0 {
		return nil, fmt.Errorf("index: nothing is named %q", s.index)
	}
	types := map[string][]string{}
	for name, t := range answer.Fields[field] {
		if !t.Aggregatable {
			return nil, fmt.Errorf("field %q of type %s%s has no doc values to sort by", field, name, within(t.Indices))
		}
		types[name] = t.Indices
	}
	return types, nil
}

// count gives the number of documents that match.
func (s *server) count(ctx context.Context, query any) (int64, error) {
	answer, err := do[counted](ctx, s.client, http.MethodPost, s.path("/_count"), map[string]any{"query": query}, maxSmall)
	if err != nil {
		return 0, err
	}
	return *answer.Count, nil
}

// pit is a point in time: a state of the indices that does not change while it is read. The slices share it.
type pit struct {
	opensearch bool
	mu         sync.Mutex
	id         string
}

// newest is the id in the latest answer.
func (p *pit) newest() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id
}

func (p *pit) renamed(id string) {
	if id == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id = id
}

// errNoPIT means that the server does not have points in time.
var errNoPIT = errors.New("this server has no point in time (Elasticsearch has it from 7.10 on, its builds without X-Pack do not; " +
	"OpenSearch from 2.4 on): point_in_time: false reads without, the documentation says what holds then")

// openPIT opens a point in time. Elasticsearch and OpenSearch use different paths, and neither accepts the other's.
func (s *server) openPIT(ctx context.Context) (*pit, error) {
	keep := "keep_alive=" + url.QueryEscape(s.keepAlive)
	answer, err := do[opened](ctx, s.client, http.MethodPost, s.path("/_pit?"+keep), nil, maxSmall)
	var failed *serverError
	if errors.As(err, &failed) && failed.unknownPath() {
		answer, err = do[opened](ctx, s.client, http.MethodPost, s.path("/_search/point_in_time?allow_partial_pit_creation=false&"+keep), nil, maxSmall)
		if errors.As(err, &failed) && failed.unknownPath() {
			return nil, errNoPIT
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open point in time: %w", err)
	}
	return &pit{opensearch: answer.PitID != "", id: cmp.Or(answer.PitID, answer.ID)}, nil
}

func (s *server) closePIT(ctx context.Context, p *pit) error {
	path, body := "/_pit", map[string]any{"id": p.newest()}
	if p.opensearch {
		path, body = "/_search/point_in_time", map[string]any{"pit_id": []string{p.newest()}}
	}
	_, err := do[common](ctx, s.client, http.MethodDelete, path, body, maxSmall)
	var failed *serverError
	if errors.As(err, &failed) && failed.status == http.StatusNotFound {
		return nil // gone by itself
	}
	return err
}

// page asks for a page, in a point in time unless p is nil.
func (s *server) page(ctx context.Context, p *pit, request map[string]any) (*page, error) {
	path := "/_search?allow_partial_search_results=false"
	if p != nil {
		request["pit"] = map[string]any{"id": p.newest(), "keep_alive": s.keepAlive}
	} else {
		path = s.path(path)
	}
	answer, err := do[page](ctx, s.client, http.MethodPost, path, request, s.maxAnswer)
	if err == nil && p != nil {
		p.renamed(answer.PitID)
	}
	return answer, err
}

// closing is how long closing a point in time may take.
const closing = 5 * time.Second
