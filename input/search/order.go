package search

import (
	"cmp"
	"encoding/json"
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
	typ   string // one of the mapped types, for indices that do not have the field
	mixed bool   // date here, date_nanos there
}

type kind int

const (
	millis  kind = iota // date: milliseconds since 1970
	nanos               // date_nanos, alone or with date: nanoseconds since 1970
	integer             // byte, short, integer, long
	keyword
)

var kinds = map[string]kind{
	"date": millis, "date_nanos": nanos, "byte": integer, "short": integer, "integer": integer, "long": integer, "keyword": keyword,
}

func (k kind) instant() bool { return k == millis || k == nanos }

// newOrder takes the types that a field has in the indices that are read: type to indices (none: all of them).
func newOrder(field string, types map[string][]string) (o order, err error) {
	o.field = field
	found := slices.Sorted(maps.Keys(types))
	if len(found) == 0 {
		return o, fmt.Errorf("sort_field: no index has a field %q", field)
	}
	for _, t := range found {
		if _, ok := kinds[t]; !ok {
			return o, fmt.Errorf("sort_field: %q is of type %s%s, need one of %s", field, t, within(types[t]),
				strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		}
	}
	o.typ, o.kind = found[0], kinds[found[0]]
	for _, t := range found[1:] {
		switch {
		case o.kind.instant() && kinds[t].instant():
			o.kind, o.mixed = nanos, true
		case kinds[t] != o.kind:
			return o, fmt.Errorf("sort_field: %q is of type %s%s but of type %s%s: these cannot be sorted together, read them one by one", field,
				found[0], within(types[found[0]]), t, within(types[t]))
		}
	}
	return o, nil
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

// sort is the sort's first entry in a search request.
func (o order) sort() map[string]any {
	how := map[string]any{"order": "asc", "unmapped_type": o.typ}
	if o.mixed {
		how["numeric_type"] = "date_nanos"
	}
	return map[string]any{o.field: how}
}

// value is a document's value of the field that sorts.
type value struct {
	number int64
	text   string // where the kind is keyword
}

func (v value) compare(w value) int {
	return cmp.Or(cmp.Compare(v.number, w.number), strings.Compare(v.text, w.text))
}

// parse reads the first of a hit's sort values.
func (o order) parse(raw json.RawMessage) (v value, err error) {
	if o.kind == keyword {
		err = json.Unmarshal(raw, &v.text)
	} else {
		v.number, err = strconv.ParseInt(string(raw), 10, 64)
	}
	if err != nil {
		return v, fmt.Errorf("sort value %s of field %q: %w", raw, o.field, err)
	}
	return v, nil
}

// from is the part of a query that leaves out what is sorted before v. It may let through values just below.
func (o order) from(v value) map[string]any {
	switch o.kind {
	case millis:
		return o.bound(map[string]any{"gte": v.number, "format": "epoch_millis"})
	case nanos:
		return o.bound(map[string]any{"gte": formatNanos(time.Unix(0, v.number)), "format": formatOfNanos})
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

const formatOfNanos = "strict_date_optional_time_nanos"

func formatNanos(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }
