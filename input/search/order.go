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

// order says by which field documents are sorted, and of which type its values are.
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

// newOrder takes the types that a field has in the indices that are read: type to indices (none: all of them).
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

// sort is the sort's first entry in a search request. Left to themselves, servers sort the milliseconds of a date and the nanoseconds of
// a date_nanos as mere numbers. So instants are always asked for in one unit, and an answer can be trusted even where an index of the
// other type has joined since the types were looked up. Nanoseconds only where there are some: dates such as 1601 and 9999 have none.
func (o order) sort() map[string]any {
	how := map[string]any{"order": "asc", "unmapped_type": o.typ}
	if o.kind == instant {
		how["numeric_type"] = o.typ
	}
	return map[string]any{o.field: how}
}

// value is a document's value of the field that sorts. One of these is set, as the kind says.
type value struct {
	instant time.Time // whatever the unit it came in
	number  int64
	text    string
}

func (v value) compare(w value) int {
	return cmp.Or(v.instant.Compare(w.instant), cmp.Compare(v.number, w.number), strings.Compare(v.text, w.text))
}

// parse reads the first of a hit's sort values.
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

// from is the part of a query that leaves out what is sorted before v. It may let through values just below.
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

// before is the part of a query that leaves out what is not older than t. In whole milliseconds, or a date in the last one would be left
// out and a date_nanos after it would not.
func (o order) before(t time.Time) map[string]any {
	return o.bound(map[string]any{"lt": t.UnixMilli(), "format": "epoch_millis"})
}

func (o order) bound(b map[string]any) map[string]any {
	return map[string]any{"range": map[string]any{o.field: b}}
}
