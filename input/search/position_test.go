package search

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCursorComesBackAsItWas(t *testing.T) {
	for _, o := range []order{{field: "t", kind: millis}, {field: "t", kind: nanos}, {field: "t", kind: integer}, {field: "t", kind: keyword}} {
		var p position
		at := value{number: -5}
		if o.kind == keyword {
			at = value{text: "é\"\x01"}
		}
		for _, id := range []string{"a", "b", ""} {
			p = p.after(at, keyOf("index", id))
		}
		b, err := encodeCursor(o, p)
		require.NoError(t, err)
		back, err := decodeCursor(o, b)
		require.NoError(t, err)
		require.Equal(t, p, back)
	}
}

func TestCursorFollowsAFieldThatGetsFiner(t *testing.T) {
	p := position{}.after(value{number: 1_700_000_000_123}, keyOf("i", "1"))
	b, err := encodeCursor(order{field: "t", kind: millis}, p)
	require.NoError(t, err)
	fine, err := decodeCursor(order{field: "t", kind: nanos}, b)
	require.NoError(t, err)
	require.Equal(t, int64(1_700_000_000_123_000_000), fine.at.number)
	b, err = encodeCursor(order{field: "t", kind: nanos}, fine)
	require.NoError(t, err)
	coarse, err := decodeCursor(order{field: "t", kind: millis}, b)
	require.NoError(t, err)
	require.Equal(t, p, coarse)
}

func TestCursorsThatAreRefused(t *testing.T) {
	o := order{field: "t", kind: millis, typ: "date"}
	for text, message := range map[string]string{
		`x`:            "cursor: invalid character",
		`{"format":2}`: "cursor: format 2, need 1",
		`{"format":1,"field":"u","type":"date","value":1}`:              `it counts by the field "u", not "t"`,
		`{"format":1,"field":"t","type":"long","value":1}`:              `field "t" was of type "long" and is now of type "date"`,
		`{"format":1,"field":"t","type":"geo","value":1}`:               `was of type "geo"`,
		`{"format":1,"field":"t","type":"date","value":"x"}`:            `sort value "x" of field "t"`,
		`{"format":1,"field":"t","type":"date","value":1,"seen":["a"]}`: `"a" names no document`,
	} {
		_, err := decodeCursor(o, []byte(text))
		require.ErrorContains(t, err, message)
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add([]byte(`{"format":1,"field":"t","type":"date","value":1,"seen":["AAAAAAAAAAAAAAAAAAAAAA"]}`), 0)
	f.Add([]byte(`{"format":1,"field":"t","type":"keyword","value":"x","seen":null}`), 3)
	f.Fuzz(func(t *testing.T, b []byte, k int) {
		o := order{field: "t", kind: kind(uint(k) % 4)}
		p, err := decodeCursor(o, b)
		if err != nil {
			return
		}
		again, err := encodeCursor(o, p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := decodeCursor(o, again)
		if err != nil || q.at != p.at || len(q.seen) != len(p.seen) {
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
		{types: map[string][]string{"date": nil}, want: order{field: "f", kind: millis, typ: "date"}},
		{types: map[string][]string{"long": {"a"}, "integer": {"b"}}, want: order{field: "f", kind: integer, typ: "integer"}},
		{types: map[string][]string{"date": {"a"}, "date_nanos": {"b"}}, want: order{field: "f", kind: nanos, typ: "date", mixed: true}},
		{types: nil, err: `sort_field: no index has a field "f"`},
		{types: map[string][]string{"text": nil}, err: `sort_field: "f" is of type text, need one of byte, date, date_nanos, integer, keyword, long, short`},
		{types: map[string][]string{"date": {"a"}, "keyword": {"b", "c", "d", "e", "g"}},
			err: `sort_field: "f" is of type date in a but of type keyword in b, c, d and 2 other indices: these cannot be sorted together, read them one by one`},
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

func TestRangesThatAQueryGets(t *testing.T) {
	for want, got := range map[string]any{
		`{"range":{"t":{"format":"epoch_millis","gte":-3}}}`:                                                  order{field: "t", kind: millis}.from(value{number: -3}),
		`{"range":{"t":{"format":"strict_date_optional_time_nanos","gte":"1970-01-01T00:00:01.000000002Z"}}}`: order{field: "t", kind: nanos}.from(value{number: 1_000_000_002}),
		`{"range":{"t":{"gte":9223372036854775807}}}`:                                                         order{field: "t", kind: integer}.from(value{number: 1<<63 - 1}),
		`{"range":{"t":{"gte":"a"}}}`:                                                                         order{field: "t", kind: keyword}.from(value{text: "a"}),
		`{"range":{"t":{"format":"epoch_millis","lt":1000}}}`:                                                 order{field: "t", kind: nanos}.before(time.Unix(1, 2)),
	} {
		b, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, want, string(b))
	}
}
