package search

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"
)

// position says how far reading has come: past all documents with a lower value, and past those seen among the documents with this value.
// A position is valid in every point in time, while the tiebreaks of a sort are valid in only one. It is immutable.
type position struct {
	started bool // false: before the first document
	at      value
	seen    []key // only appended to
}

// maxTies is the most documents with one value: the cursor has some 25 bytes for each of them, and is written with each batch.
const maxTies = 2_000_000

// key identifies a document: a hash of its index and id.
type key [16]byte

func keyOf(index, id string) (k key) {
	h := fnv.New128a()
	_, _ = h.Write([]byte(index))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(id))
	h.Sum(k[:0])
	return k
}

// after is the position behind the next document in order.
func (p position) after(v value, k key) position {
	if p.started && p.at.compare(v) == 0 {
		return position{started: true, at: v, seen: append(p.seen, k)}
	}
	return position{started: true, at: v, seen: []key{k}}
}

// passed gives a function that reports whether a document was read before this position.
func (p position) passed() func(value, key) bool {
	if !p.started {
		return func(value, key) bool { return false }
	}
	seen := make(map[key]struct{}, len(p.seen))
	for _, k := range p.seen {
		seen[k] = struct{}{}
	}
	return func(v value, k key) bool {
		if c := v.compare(p.at); c != 0 {
			return c < 0
		}
		_, ok := seen[k]
		return ok
	}
}

// cursor is the format of a position in the cache. Its type is date or date_nanos depending only on the value, not on the indices.
type cursor struct {
	Format int             `json:"format"`
	Field  string          `json:"field"`
	Type   string          `json:"type"` // date, date_nanos, long or keyword
	Value  json.RawMessage `json:"value"`
	Seen   []string        `json:"seen"` // keys of the documents at the value, in base64
}

const cursorFormat = 1

func encodeCursor(o order, p position) ([]byte, error) {
	c := cursor{Format: cursorFormat, Field: o.field, Seen: make([]string, len(p.seen))}
	var v any
	switch at := p.at.instant; {
	case o.kind == keyword:
		c.Type, v = "keyword", p.at.text
	case o.kind == integer:
		c.Type, v = "long", p.at.number
	case at.Nanosecond()%int(time.Millisecond) == 0:
		c.Type, v = date, at.UnixMilli()
	default:
		c.Type, v = dateNanos, at.UnixNano()
	}
	var err error
	c.Value, err = json.Marshal(v)
	if err != nil {
		return nil, err
	}
	for i, k := range p.seen {
		c.Seen[i] = base64.RawStdEncoding.EncodeToString(k[:])
	}
	return json.Marshal(c)
}

// decodeCursor reads a cursor that was written for the same field.
func decodeCursor(o order, b []byte) (p position, err error) {
	var c cursor
	if err := json.Unmarshal(b, &c); err != nil {
		return p, fmt.Errorf("cursor: %w: delete the entry to read from the beginning", err)
	}
	if c.Format != cursorFormat {
		return p, fmt.Errorf("cursor: format %d, need %d", c.Format, cursorFormat)
	}
	if c.Field != o.field {
		return p, fmt.Errorf("cursor: it is about the field %q, not %q: use another cache_key, or delete the entry to read from the beginning", c.Field, o.field)
	}
	if written, ok := kinds[c.Type]; !ok || written != o.kind {
		return p, fmt.Errorf("cursor: field %q was of type %q and is now of type %q: use another cache_key, or delete the entry to read from the beginning",
			c.Field, c.Type, o.typ)
	}
	p.started = true
	if p.at, err = (order{field: c.Field, kind: o.kind, typ: c.Type}).parse(c.Value); err != nil {
		return position{}, fmt.Errorf("cursor: %w", err)
	}
	for _, s := range c.Seen {
		b, err := base64.RawStdEncoding.DecodeString(s)
		if err != nil || len(b) != len(key{}) {
			return position{}, fmt.Errorf("cursor: %q names no document", s)
		}
		p.seen = append(p.seen, key(b))
	}
	return p, nil
}
