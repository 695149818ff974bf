package jsontext_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/jsontext"
)

func usual(t testing.TB) jsontext.Envelopes {
	t.Helper()
	e, err := jsontext.ParseEnvelopes(jsontext.DefaultEnvelopes())
	require.NoError(t, err)
	return e
}

func TestEnvelopes(t *testing.T) {
	for _, c := range []struct {
		around  string // up to the first document
		objects int    // 0: none
		more    bool
	}{
		{`{"Records":[`, 1, false},
		{" {\n  \"records\" : [", 1, false},
		{`{"Findings":[`, 1, false},
		{`{"took":3,"timed_out":false,"_shards":{"total":1,"hits":[1]},"hits":{"total":{"value":2},"max_score":null,"hits":[`, 2, true},
		{`{"hits":{"hits":[`, 2, true},
		{`{"hits":{"total":1,"hits":[`, 2, true},
		{`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#security/alerts_v2","@odata.count":2,"value":[`, 1, true},
		{`{"a":1,"Records":[`, 0, false}, // a document that has records
		{`{"value":[`, 0, false},
		{`{"Records":{`, 0, false},
		{`{"hits":[`, 0, false},
		{`{"took":3,"hits":{"total":1}}`, 0, false},
		{`{}`, 0, false},
		{`[`, 0, false},
		{`"Records"`, 0, false},
	} {
		found, whole := usual(t).Match([]byte(c.around + `{"a":1}]}`))
		assert.True(t, whole, c.around)
		want := jsontext.Envelope{}
		if c.objects > 0 {
			want = jsontext.Envelope{Start: len(c.around), Objects: c.objects, More: c.more}
		}
		assert.Equal(t, want, found, c.around)
		if c.objects == 0 {
			continue
		}
		for n := range len(c.around) { // as it comes through a pipe
			found, whole := usual(t).Match([]byte(c.around[:n]))
			assert.False(t, whole, c.around[:n])
			assert.Zero(t, found, c.around[:n])
		}
	}
	own, err := jsontext.ParseEnvelopes([]string{"results", "preview:results", "a:b:c.d"})
	require.NoError(t, err)
	found, _ := own.Match([]byte(`{"preview":false,"messages":[],"results":[{}]}`))
	assert.Equal(t, 1, found.Objects)
	found, _ = own.Match([]byte(`{"a:b":1,"c":{"x":"]}","d":[{}]}}`))
	assert.Equal(t, 2, found.Objects)
}

func TestShapesThatAreNone(t *testing.T) {
	for _, shape := range []string{"", ":", "took:", ":hits", "took:hits..hits"} {
		_, err := jsontext.ParseEnvelopes([]string{shape})
		assert.ErrorContains(t, err, "want the key of an array (Records), or the first key of an object and the path of its array (took:hits.hits)", shape)
	}
}

// A scan ends where the standard library's decoder does.
func compareScan(t *testing.T, text string, chunk int) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	var value json.RawMessage
	if d.Decode(&value) != nil {
		return
	}
	rest := text[int(d.InputOffset()):]
	if rest != "" && strings.IndexByte(" \t\r\n,]}", rest[0]) < 0 { // as 1"a"
		return
	}
	var s jsontext.Scan
	at := 0
	for at < len(text) {
		n, done, err := s.Feed([]byte(text[at:min(len(text), at+chunk)]))
		require.NoError(t, err, "%q", text)
		at += n
		if done {
			require.Equal(t, int(d.InputOffset()), at, "%q", text)
			return
		}
	}
	require.False(t, s.Open(), "%q", text)
}

func randomJSON(r *rand.Rand) string {
	parts := []string{`{"a":1}`, `{"a":[1,{"b":"]}\\"}]}`, "[", "]", "{", "}", ",", ":", `"a"`, `"\""`, " ", "\n", "1", "true", `{"Records":[`, `"took":1,`, `"hits":{`, `"hits":[`}
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

// compareMatch: what a whole text says, its beginnings say, too, or ask for more.
func compareMatch(t *testing.T, text string) {
	t.Helper()
	want, whole := usual(t).Match([]byte(text))
	require.LessOrEqual(t, want.Start, len(text))
	for n := range len(text) {
		found, sure := usual(t).Match([]byte(text[:n]))
		if sure && whole {
			require.Equal(t, want, found, "%q of %q", text[:n], text)
		}
	}
}

func TestScansAndEnvelopesOfAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3_000 {
		text := randomJSON(r)
		compareScan(t, text, 1+r.IntN(4))
		compareMatch(t, text)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(`{"took":1,"hits":{"hits":[{"a":"]\""}]}}`, uint8(2))
	f.Add(" \n[1,{},\"\\\\\"] x", uint8(0))
	f.Fuzz(func(t *testing.T, text string, chunk uint8) {
		compareScan(t, text, 1+int(chunk))
		compareMatch(t, text[:min(len(text), 500)])
	})
}
