package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// api is what is asked of a server, in the words of the two families.
type api struct {
	*client
	index     string // names, patterns, aliases, data streams, with commas between them
	keepAlive string // of a point in time
}

func (a *api) path(rest string) string { return "/" + url.PathEscape(a.index) + rest }

// fieldTypes gives the types that a field has, and in which indices where there is more than one.
func (a *api) fieldTypes(ctx context.Context, field string) (map[string][]string, error) {
	query := url.Values{"fields": {field}}
	answer, err := do[struct {
		Indices []string
		Fields  map[string]map[string]struct {
			Aggregatable bool
			Indices      []string
		}
	}](ctx, a.client, http.MethodGet, a.path("/_field_caps?"+query.Encode()), nil)
	if err != nil {
		return nil, err
	}
	if len(answer.Indices) == 0 {
		return nil, fmt.Errorf("index: nothing is named %q", a.index)
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
func (a *api) count(ctx context.Context, query any) (int64, error) {
	answer, err := do[struct{ Count int64 }](ctx, a.client, http.MethodPost, a.path("/_count"), map[string]any{"query": query})
	if err != nil {
		return 0, err
	}
	return answer.Count, nil
}

// pit is a point in time: a state of the indices that stays as it is while it is read. Several slices share it.
type pit struct {
	opensearch bool
	mu         sync.Mutex
	id         string
}

// newest is the id that the latest answer gave.
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

// errNoPIT tells a server without points in time.
var errNoPIT = errors.New("this server has no point in time (Elasticsearch has it from 7.10 on, its builds without X-Pack do not; " +
	"OpenSearch from 2.4 on): point_in_time: false reads without, the documentation says what holds then")

// openPIT opens a point in time. Elasticsearch and OpenSearch have it at different paths, and neither takes the other's.
func (a *api) openPIT(ctx context.Context) (*pit, error) {
	type opened struct {
		ID    string `json:"id"`
		PitID string `json:"pit_id"`
	}
	keep := "keep_alive=" + url.QueryEscape(a.keepAlive)
	answer, err := do[opened](ctx, a.client, http.MethodPost, a.path("/_pit?"+keep), nil)
	var failed *serverError
	if errors.As(err, &failed) && failed.unknownPath() {
		answer, err = do[opened](ctx, a.client, http.MethodPost, a.path("/_search/point_in_time?allow_partial_pit_creation=false&"+keep), nil)
		if errors.As(err, &failed) && failed.unknownPath() {
			return nil, errNoPIT
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("open point in time: %w", err)
	case answer.PitID != "":
		return &pit{opensearch: true, id: answer.PitID}, nil
	case answer.ID != "":
		return &pit{id: answer.ID}, nil
	default:
		return nil, errors.New("open point in time: the answer has no id")
	}
}

func (a *api) closePIT(ctx context.Context, p *pit) error {
	path, body := "/_pit", map[string]any{"id": p.newest()}
	if p.opensearch {
		path, body = "/_search/point_in_time", map[string]any{"pit_id": []string{p.newest()}}
	}
	_, err := do[struct{}](ctx, a.client, http.MethodDelete, path, body)
	var failed *serverError
	if errors.As(err, &failed) && failed.status == http.StatusNotFound {
		return nil // gone by itself
	}
	return err
}

// hit is a document as a search gives it.
type hit struct {
	Index       string          `json:"_index"`
	ID          string          `json:"_id"`
	Routing     string          `json:"_routing"`
	SeqNo       *int64          `json:"_seq_no"`
	PrimaryTerm *int64          `json:"_primary_term"`
	Source      json.RawMessage `json:"_source"`
	Sort        []json.RawMessage

	at  value
	key key
}

// message is the document with where it lies as metadata.
func (h *hit) message() *service.Message {
	m := service.NewMessage(h.Source)
	m.MetaSetMut("search_index", h.Index)
	m.MetaSetMut("search_id", h.ID)
	if h.Routing != "" {
		m.MetaSetMut("search_routing", h.Routing)
	}
	if h.SeqNo != nil && h.PrimaryTerm != nil {
		m.MetaSetMut("search_seq_no", *h.SeqNo)
		m.MetaSetMut("search_primary_term", *h.PrimaryTerm)
	}
	m.MetaSetMut("search_sort", h.sortValues())
	if len(h.Source) == 0 {
		m.SetError(fmt.Errorf("index %s keeps no _source of document %s", h.Index, h.ID))
	}
	return m
}

// sortValues is the JSON array of a document's sort values.
func (h *hit) sortValues() string {
	values := make([]string, len(h.Sort))
	for i, v := range h.Sort {
		values[i] = string(v)
	}
	return "[" + strings.Join(values, ",") + "]"
}

// page is the answer to a search.
type page struct {
	PitID    string                      `json:"pit_id"`
	TimedOut bool                        `json:"timed_out"`
	Shards   struct{ Total, Failed int } `json:"_shards"`
	Hits     struct{ Hits []hit }
}

func (p *page) check() error {
	if p.TimedOut {
		return fmt.Errorf("%w: the search timed out", errPartial)
	}
	if p.Shards.Failed > 0 {
		return fmt.Errorf("%w: %d of %d shards failed", errPartial, p.Shards.Failed, p.Shards.Total)
	}
	return nil
}

// search asks for a page, in a point in time or (nil) without.
func (a *api) search(ctx context.Context, p *pit, request map[string]any) (*page, error) {
	path := "/_search?allow_partial_search_results=false"
	if p != nil {
		request["pit"] = map[string]any{"id": p.newest(), "keep_alive": a.keepAlive}
	} else {
		path = a.path(path)
	}
	answer, err := do[page](ctx, a.client, http.MethodPost, path, request)
	if err == nil && p != nil {
		p.renamed(answer.PitID)
	}
	return answer, err
}

// closing bounds what is done when all is over already.
const closing = 5 * time.Second
