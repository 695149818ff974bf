package search

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	byDate      = order{field: "t", kind: instant, typ: date}
	byDateNanos = order{field: "t", kind: instant, typ: dateNanos}
	byLong      = order{field: "t", kind: integer, typ: "long"}
	byKeyword   = order{field: "t", kind: keyword, typ: "keyword"}
)

func parsed(t *testing.T, o order, raw string) value {
	t.Helper()
	v, err := o.parse(json.RawMessage(raw))
	require.NoError(t, err)
	return v
}

func TestCursorComesBackAsItWas(t *testing.T) {
	for raw, o := range map[string]order{
		"-5": byLong, `"é\"\u0001"`: byKeyword, "1700000000123": byDate, "1700000000123456789": byDateNanos,
		"-11644473600000": byDate, "253402300799999": byDate, // 1601 and 9999, as some write for never
	} {
		var p position
		for _, id := range []string{"a", "b", ""} {
			p = p.after(parsed(t, o, raw), keyOf("index", id))
		}
		b, err := encodeCursor(o, p)
		require.NoError(t, err)
		require.Contains(t, string(b), `"type":"`+o.typ+`","value":`+raw+",")
		back, err := decodeCursor(o, b)
		require.NoError(t, err)
		require.Equal(t, p, back)
	}
}

// An index with nanoseconds comes or goes, and the cursor stays what it is.
func TestCursorHoldsInTheOtherUnit(t *testing.T) {
	at := func(o order, raw string) position {
		b, err := encodeCursor(o, position{}.after(parsed(t, o, raw), keyOf("i", "seen")))
		require.NoError(t, err)
		other := byDate
		if o == byDate {
			other = byDateNanos
		}
		p, err := decodeCursor(other, b)
		require.NoError(t, err)
		return p
	}
	for _, c := range []struct {
		cursor position
		next   order
		raw    string
		passed bool
	}{
		{at(byDate, "1700000000123"), byDateNanos, "1700000000122999999", true},
		{at(byDate, "1700000000123"), byDateNanos, "1700000000123000000", false},
		{at(byDate, "1700000000123"), byDateNanos, "1700000000123000001", false},
		{at(byDateNanos, "1700000000123000001"), byDate, "1700000000123", true},
		{at(byDateNanos, "1700000000123000001"), byDate, "1700000000124", false},
		{at(byDateNanos, "1700000000123000001"), byDate, "-11644473600000", true},
		{at(byDateNanos, "1700000000123000001"), byDate, "253402300799999", false},
	} {
		v := parsed(t, c.next, c.raw)
		require.Equal(t, c.passed, c.cursor.passed()(v, keyOf("i", "new")), c.raw)
	}
	whole := at(byDateNanos, "1700000000123000000")
	require.True(t, whole.passed()(parsed(t, byDate, "1700000000123"), keyOf("i", "seen")))
}

func TestCursorsThatAreRefused(t *testing.T) {
	for text, message := range map[string]string{
		`x`:            "cursor: invalid character",
		`{"format":2}`: "cursor: format 2, need 1",
		`{"format":1,"field":"u","type":"date","value":1}`:              `it is about the field "u", not "t"`,
		`{"format":1,"field":"t","type":"long","value":1}`:              `field "t" was of type "long" and is now of type "date"`,
		`{"format":1,"field":"t","type":"geo","value":1}`:               `was of type "geo"`,
		`{"format":1,"field":"t","type":"date","value":"x"}`:            `sort value "x" of field "t"`,
		`{"format":1,"field":"t","type":"date","value":1,"seen":["a"]}`: `"a" names no document`,
	} {
		_, err := decodeCursor(byDate, []byte(text))
		require.ErrorContains(t, err, message)
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add([]byte(`{"format":1,"field":"t","type":"date","value":1,"seen":["AAAAAAAAAAAAAAAAAAAAAA"]}`), 0)
	f.Add([]byte(`{"format":1,"field":"t","type":"keyword","value":"x","seen":null}`), 3)
	f.Fuzz(func(t *testing.T, b []byte, k int) {
		o := []order{byDate, byDateNanos, byLong, byKeyword}[uint(k)%4]
		p, err := decodeCursor(o, b)
		if err != nil {
			return
		}
		again, err := encodeCursor(o, p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := decodeCursor(o, again)
		if err != nil || q.at.compare(p.at) != 0 || len(q.seen) != len(p.seen) {
			t.Fatalf("%+v became %+v, %v", p, q, err)
		}
	})
}

// Whatever the documents, a read that is broken off anywhere and goes on at its position sees each of them once.
func TestPositionsSplitAReadAnywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	type doc struct {
		at  value
		key key
	}
	var docs []doc
	at := int64(0)
	for i := range 300 {
		at += r.Int64N(2)
		docs = append(docs, doc{value{number: at}, keyOf("i", string(rune(i)))})
	}
	for split := range docs {
		var p position
		for _, d := range docs[:split] {
			require.False(t, p.passed()(d.at, d.key))
			p = p.after(d.at, d.key)
		}
		passed := p.passed()
		for i, d := range docs {
			require.Equal(t, i < split, passed(d.at, d.key))
		}
	}
}

func TestOrdersOfSeveralIndices(t *testing.T) {
	for _, c := range []struct {
		types map[string][]string
		want  order
		err   string
	}{
		{types: map[string][]string{"date": nil}, want: order{field: "f", kind: instant, typ: date}},
		{types: map[string][]string{"long": {"a"}, "integer": {"b"}}, want: order{field: "f", kind: integer, typ: "long"}},
		{types: map[string][]string{"date": {"a"}, "date_nanos": {"b"}}, want: order{field: "f", kind: instant, typ: dateNanos}},
		{types: nil, err: `sort_field: no index has a field "f"`},
		{types: map[string][]string{"text": nil}, err: `sort_field: "f" is of type text, need one of byte, date, date_nanos, integer, keyword, long, short`},
		{types: map[string][]string{"date": {"a"}, "keyword": {"b", "c", "d", "e", "g"}},
			err: `sort_field: "f" is of type date in a but of type keyword in b, c, d and 2 other indices: these cannot be sorted together, read them by an input each`},
	} {
		o, err := newOrder("f", c.types)
		if c.err != "" {
			require.EqualError(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, o)
	}
}

func TestRangesAndSortsThatARequestGets(t *testing.T) {
	for want, got := range map[string]any{
		`{"range":{"t":{"format":"epoch_millis","gte":-3}}}`:                             byDate.from(parsed(t, byDate, "-3")),
		`{"range":{"t":{"format":"epoch_millis","gte":1000}}}`:                           byDateNanos.from(parsed(t, byDateNanos, "1000000002")),
		`{"range":{"t":{"gte":9223372036854775807}}}`:                                    byLong.from(value{number: 1<<63 - 1}),
		`{"range":{"t":{"gte":"a"}}}`:                                                    byKeyword.from(value{text: "a"}),
		`{"range":{"t":{"format":"epoch_millis","lt":1000}}}`:                            byDateNanos.before(time.Unix(1, 2)),
		`{"t":{"numeric_type":"date","order":"asc","unmapped_type":"date"}}`:             byDate.sort(),
		`{"t":{"numeric_type":"date_nanos","order":"asc","unmapped_type":"date_nanos"}}`: byDateNanos.sort(),
		`{"t":{"order":"asc","unmapped_type":"long"}}`:                                   byLong.sort(),
	} {
		b, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, want, string(b))
	}
}
