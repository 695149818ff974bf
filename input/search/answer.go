package search

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// common is what any answer may have.
type common struct {
	Error    json.RawMessage
	Status   json.RawMessage             // beside an error: a number
	TimedOut bool                        `json:"timed_out"`
	Shards   struct{ Total, Failed int } `json:"_shards"`
	// Clusters counts remote clusters, if the index is in one.
	Clusters struct{ Total, Skipped, Partial, Failed int } `json:"_clusters"`
}

func (c *common) failed() (json.RawMessage, int) {
	status, _ := strconv.Atoi(string(c.Status))
	return c.Error, status
}

func (c *common) check() error {
	if c.TimedOut {
		return fmt.Errorf("%w: the search timed out", errPartial)
	}
	if c.Shards.Failed != 0 {
		return fmt.Errorf("%w: %d of %d shards failed", errPartial, c.Shards.Failed, c.Shards.Total)
	}
	if r := c.Clusters; r.Skipped != 0 || r.Partial != 0 || r.Failed != 0 {
		return fmt.Errorf("%w: of %d clusters %d were skipped, %d answered in part and %d failed", errPartial, r.Total, r.Skipped, r.Partial, r.Failed)
	}
	return nil
}

// capabilities answer _field_caps.
type capabilities struct {
	common
	Indices []string
	Fields  map[string]map[string]struct {
		Aggregatable bool
		Indices      []string
	}
	FailedIndices int `json:"failed_indices"`
}

func (c *capabilities) check() error {
	switch err := c.common.check(); {
	case err != nil:
		return err
	case c.FailedIndices != 0:
		return fmt.Errorf("%w: the fields of %d indices are missing", errPartial, c.FailedIndices)
	case c.Indices == nil || c.Fields == nil:
		return fmt.Errorf("%w: it needs indices and fields", errAnswer)
	}
	return nil
}

// counted answers _count.
type counted struct {
	common
	Count *int64
}

func (c *counted) check() error {
	if err := c.common.check(); err != nil {
		return err
	}
	if c.Count == nil || *c.Count < 0 {
		return fmt.Errorf("%w: it needs a count", errAnswer)
	}
	return nil
}

// opened answers the opening of a point in time.
type opened struct {
	common
	ID    string `json:"id"`     // of Elasticsearch
	PitID string `json:"pit_id"` // of OpenSearch
}

func (o *opened) check() error {
	if err := o.common.check(); err != nil {
		return err
	}
	if o.ID == "" && o.PitID == "" {
		return fmt.Errorf("%w: it needs an id", errAnswer)
	}
	return nil
}

// page answers a search.
type page struct {
	common
	PitID string `json:"pit_id"`
	Hits  struct{ Hits hits }
}

func (p *page) check() error {
	if err := p.common.check(); err != nil {
		return err
	}
	if p.Hits.Hits == nil {
		return fmt.Errorf("%w: it needs hits.hits, a list of documents", errAnswer)
	}
	return nil
}

// hits are the documents of a page: not nil if the answer has a list of them.
type hits []hit

// UnmarshalJSON reads at most as many documents as a request can ask for: an empty one takes a hundred times its bytes in memory.
func (h *hits) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '[' {
		return nil
	}
	*h = hits{}
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		if len(*h) == maxBatchSize {
			return fmt.Errorf("more than %d documents", maxBatchSize)
		}
		var one hit
		if err := d.Decode(&one); err != nil {
			return err
		}
		*h = append(*h, one)
	}
	return nil
}

// hit is a document in the answer to a search.
type hit struct {
	Index       string          `json:"_index"`
	ID          string          `json:"_id"`
	Routing     string          `json:"_routing"`
	SeqNo       *int64          `json:"_seq_no"`
	PrimaryTerm *int64          `json:"_primary_term"`
	Source      json.RawMessage `json:"_source"`
	Sort        sortValues

	at  value
	key key
}

// sortValues are the sort values of a document, at most as many as a request can ask for: each takes many times its bytes in memory.
type sortValues []json.RawMessage

const maxSortValues = 16

func (v *sortValues) UnmarshalJSON(b []byte) error {
	if commas := bytes.Count(b, []byte{','}); len(b) > 0 && b[0] == '[' && commas >= maxSortValues {
		// Commas may be in texts, which are decoded one by one.
		d := json.NewDecoder(bytes.NewReader(b))
		if _, err := d.Token(); err != nil {
			return err
		}
		for n := 0; d.More(); n++ {
			if n == maxSortValues {
				return fmt.Errorf("more than %d sort values of a document", maxSortValues)
			}
			var one json.RawMessage
			if err := d.Decode(&one); err != nil {
				return err
			}
		}
	}
	return json.Unmarshal(b, (*[]json.RawMessage)(v))
}

// message is the document, with its index and id as metadata.
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
	if len(h.Source) == 0 || h.Source[0] != '{' {
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
