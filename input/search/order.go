package search

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// order is the field that sorts documents, and its type.
type order struct {
	field string
	kind  kind
	typ   string // one of the mapped types; date_nanos where it is among them
}

type kind int

const (
	instant kind = iota // date, date_nanos
	integer             // byte, short, integer, long
	keyword
)

var kinds = map[string]kind{
	date: instant, dateNanos: instant, "byte": integer, "short": integer, "integer": integer, "long": integer, "keyword": keyword,
}

const (
	date      = "date"       // its sort values are milliseconds since 1970
	dateNanos = "date_nanos" // nanoseconds
)

// newOrder takes the types that a field has in the indices that are read. It maps a type to its indices; none means all indices.
func newOrder(field string, types map[string][]string) (o order, err error) {
	found := slices.Sorted(maps.Keys(types))
	if len(found) == 0 {
		return o, fmt.Errorf("sort_field: no index has a field %q", field)
	}
	for _, t := range found {
		if _, ok := kinds[t]; !ok {
			return o, fmt.Errorf("sort_field: %q is of type %s%s, need one of %s", field, t, within(types[t]),
				strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		}
		if first := found[0]; kinds[t] != kinds[first] {
			return o, fmt.Errorf("sort_field: %q is of type %s%s but of type %s%s: these cannot be sorted together, read them by an input each", field,
				first, within(types[first]), t, within(types[t]))
		}
	}
	finest := found[len(found)-1]
	return order{field: field, kind: kinds[finest], typ: finest}, nil
}

func within(indices []string) string {
	if len(indices) == 0 {
		return ""
	}
	if len(indices) > 3 {
		return fmt.Sprintf(" in %s and %d other indices", strings.Join(indices[:3], ", "), len(indices)-3)
	}
	return " in " + strings.Join(indices, ", ")
}

// sort is the first entry of the sort in a search request. By default, servers sort the milliseconds of a date and the nanoseconds of a
// date_nanos as plain numbers. So the request always asks for one unit, and the order is right even if an index of the other type has joined
// since the types were looked up. It asks for nanoseconds only if there is a date_nanos: years such as 1601 and 9999 have no nanoseconds.
func (o order) sort() map[string]any {
	how := map[string]any{"order": "asc", "unmapped_type": o.typ}
	if o.kind == instant {
		how["numeric_type"] = o.typ
	}
	return map[string]any{o.field: how}
}

// value is the sort value of a document. The kind says which field is set.
type value struct {
	instant time.Time // whatever the unit it came in
	number  int64
	text    string
}

func (v value) compare(w value) int {
	return cmp.Or(v.instant.Compare(w.instant), cmp.Compare(v.number, w.number), strings.Compare(v.text, w.text))
}

// parse reads the first sort value of a hit.
func (o order) parse(raw json.RawMessage) (v value, err error) {
	if o.kind == keyword {
		err = json.Unmarshal(raw, &v.text)
	} else {
		if v.number, err = strconv.ParseInt(string(raw), 10, 64); err != nil {
			err = errors.Unwrap(err) // without the value, which may be long
		}
	}
	switch {
	case err != nil:
		return v, fmt.Errorf("sort value %s of field %q: %w", raw, o.field, err)
	case o.typ == dateNanos:
		return value{instant: time.Unix(0, v.number)}, nil
	case o.kind == instant:
		return value{instant: time.UnixMilli(v.number)}, nil
	}
	return v, nil
}

// from is the part of a query that leaves out documents before v. It may let through values just below v.
func (o order) from(v value) map[string]any {
	switch o.kind {
	case instant:
		return o.bound(map[string]any{"gte": v.instant.UnixMilli(), "format": "epoch_millis"})
	case integer:
		return o.bound(map[string]any{"gte": v.number})
	default:
		return o.bound(map[string]any{"gte": v.text})
	}
}

// before is the part of a query that leaves out documents from t on. It counts whole milliseconds: otherwise a date in the last millisecond
// would be left out, but not a date_nanos after it.
func (o order) before(t time.Time) map[string]any {
	return o.bound(map[string]any{"lt": t.UnixMilli(), "format": "epoch_millis"})
}

func (o order) bound(b map[string]any) map[string]any {
	return map[string]any{"range": map[string]any{o.field: b}}
}
