package annotation_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/field"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

var (
	at     = time.Date(2026, 3, 2, 9, 14, 7, 0, time.UTC)
	result = annotation.Result{
		Verdict: model.Verdict{Status: model.Scored, Score: 3, Cluster: 17, Confidence: 0.83333, Distance: 1e-7, Attention: []float32{0, 0.71}},
		Version: `v"1`, Pattern: decisions.Key{1, 2}, HourlyMax: 31,
		Settled: decisions.Settled{Status: model.Answered, Score: 0.25,
			Found: &decisions.Found{Number: 12, Kind: decisions.Answer, Scope: decisions.Pattern, Score: 2, By: "<ann>", At: at}},
	}
	opened = cases.Case{ID: "c-1", Kind: cases.Alarm, Opened: true, Techniques: []string{"T1110"}}
)

// compareRaw annotates a document in its bytes, and compares with how it is annotated when it is decoded. It reports whether bytes are enough.
func compareRaw(t *testing.T, target annotation.Target, content string) bool {
	t.Helper()
	text := []byte(content)
	raw, ok := target.Raw(text, &field.Room{})
	if !ok {
		return false
	}
	document := decoded(t, content)
	for _, path := range []string{"deepcase", "a", "a.b", "a.deepcase.event", "x", "b.0", "deepcase.mine", "de~0pcase"} {
		require.Equal(t, field.FindJSON(text, path), raw.FindJSON(path), path)
	}
	require.NoError(t, target.Check(document), content)
	if s, ok := raw.Sequence(); ok {
		want, err := target.Sequence(document)
		require.NoError(t, err, content)
		require.Equal(t, want, s, content)
	}
	if alert, ok := raw.Alert(); ok {
		want, err := target.Alert(document)
		require.NoError(t, err, content)
		alert.JSON, want.Document = nil, nil
		require.Equal(t, want, alert, content)
	}
	for _, annotate := range []struct {
		decoded func(map[string]any)
		raw     func(annotation.Raw) annotation.Raw
	}{
		{func(d map[string]any) { target.WriteVerdict(d, result, true) }, func(r annotation.Raw) annotation.Raw { return r.WithVerdict(&result, true) }},
		{func(d map[string]any) { target.WriteCase(d, cases.Case{}) }, func(r annotation.Raw) annotation.Raw { return r.WithCase(&cases.Case{}) }},
		{func(d map[string]any) { target.WriteSequence(d, sequence) }, func(r annotation.Raw) annotation.Raw { return r.WithSequence(&sequence) }},
		{func(d map[string]any) { target.WriteVerdict(d, result, false) }, func(r annotation.Raw) annotation.Raw { return r.WithVerdict(&result, false) }},
		{func(d map[string]any) { target.WriteCase(d, opened) }, func(r annotation.Raw) annotation.Raw { return r.WithCase(&opened) }},
	} {
		read := raw
		_, _ = read.Alert() // tells what it has
		written := annotate.raw(read)
		handedOn := annotate.raw(raw)
		text = handedOn.Text()
		require.JSONEq(t, string(written.Text()), string(text), content)
		annotate.decoded(document)
		require.JSONEq(t, encoded(t, document), string(text), content)
		raw, ok = target.Raw(text, &field.Room{})
		require.True(t, ok, "%s", text)
		compareKnown(t, raw, handedOn)
		compareKnown(t, raw, written)
		if len(content)%2 == 0 { // what is handed on is annotated again, without being read
			raw = handedOn
		}
	}
	require.Equal(t, content, string([]byte(content)), "the bytes of a message are not ours")
	s, ok := raw.Sequence()
	require.True(t, ok, "%s", text)
	require.Equal(t, sequence, s)
	alert, ok := raw.Alert()
	require.True(t, ok, "%s", text)
	require.Equal(t, raw.Text(), alert.JSON)
	require.Equal(t, 0.25, alert.Score)
	return true
}

func textOf(r annotation.Raw) string { return string(r.Text()) }

// compareKnown compares what is known of a document that was annotated with what is read from it.
func compareKnown(t *testing.T, read, known annotation.Raw) {
	t.Helper()
	require.Equal(t, read.Annotated(), known.Annotated())
	wantSequence, want := read.Sequence()
	sequence, ok := known.Sequence()
	require.Equal(t, want, ok)
	require.Equal(t, wantSequence, sequence)
	wantAlert, want := read.Alert()
	alert, ok := known.Alert()
	require.Equal(t, want, ok)
	if ok {
		require.Equal(t, wantAlert, alert)
	}
	for _, path := range []string{"deepcase.event", "a.deepcase.event", "a", "x", "b"} {
		require.Equal(t, read.FindJSON(path), known.FindJSON(path), path)
	}
	require.Equal(t, textOf(read.WithVerdict(&result, true)), textOf(known.WithVerdict(&result, true)))
}

var sequence = annotation.Sequence{Machine: "web-1", Event: "é\\", Context: []string{"", "a\"<>\u2028", "b"}, Templates: "0123456789abcdef"}

func TestADocumentIsAnnotatedInItsBytes(t *testing.T) {
	for _, content := range []string{
		`{}`, ` { } `, `{"a":1.50,"b":{"c":[1,{"d":"\u00e9}"}]}}`, `{"deepcase":{}} `, `{"deepcase":{"status":"old","mine":[1, 2],"score":-1},"x":{}}`,
		`{"a":{"deepcase":{"pattern":"x"}}}`, `{"a":{}}`, `{"a" : { "b" : "}" } }`, `{"de\u0065pcase":{"machine":"m","event":"e","context":[null,"x"]}}`,
		`{"deepcase":{"machine":"m","event":"e","context":[],"status":"no_cluster","cluster":3}}`,
	} {
		assert.True(t, compareRaw(t, annotation.Target{"deepcase"}, content), content)
		assert.True(t, compareRaw(t, annotation.Target{"a", "deepcase"}, `{"x":1,"a":`+content+`}`), content)
		assert.True(t, compareRaw(t, annotation.Target{"x\"y", "z", "deepcase"}, content), content)
	}
	for _, content := range []string{
		``, `[]`, `{`, `{"a":1}x`, "{\n}", "{\"a\":\"\xff\"}", `{"deepcase":1}`, `{"deepcase":null}`, `{"deepcase":{},"deepcase":{}}`, `{"deepcase":{},"de\u0065pcase":1}`,
	} {
		assert.False(t, compareRaw(t, annotation.Target{"deepcase"}, content), "has to be decoded: %q", content)
	}
	raw, ok := annotation.Target{"deepcase"}.Raw([]byte(`{"b":1.50,"a":1}`), &field.Room{})
	require.True(t, ok)
	assert.Equal(t, `{"b":1.50,"a":1,"deepcase":{"send":false}}`, textOf(raw.WithCase(&cases.Case{})), "the rest stays as it is")
}

func TestWhatBytesDoNotTellIsLeftToTheDecodedDocument(t *testing.T) {
	for _, object := range []string{
		`{"event":"e","context":[]}`, `{"machine":"m","event":"","context":[]}`, `{"machine":"m","event":1,"context":[]}`, `{"machine":"m","event":"e"}`,
		`{"machine":"m","event":"e","context":[1]}`, `{"machine":"m","event":"e","context":{}}`, `{"machine":"m","event":"e","context":[],"templates":"x"}`,
	} {
		raw, ok := annotation.Target{"deepcase"}.Raw([]byte(`{"deepcase":`+object+`}`), &field.Room{})
		require.True(t, ok)
		_, ok = raw.Sequence()
		assert.False(t, ok, object)
	}
	for _, more := range []string{``, `,"status":1`, `,"status":"x"`, `,"status":"scored"`, `,"status":"scored","score":-1`, `,"status":"scored","score":"1"`,
		`,"status":"no_cluster","cluster":-1`, `,"status":"no_cluster","cluster":0.5`, `,"status":"no_cluster","hourly_max":true`} {
		raw, ok := annotation.Target{"deepcase"}.Raw([]byte(`{"deepcase":{"machine":"m","event":"e"`+more+`}}`), &field.Room{})
		require.True(t, ok)
		_, ok = raw.Alert()
		assert.False(t, ok, more)
	}
}

func FuzzRaw(f *testing.F) {
	f.Add(`{"deepcase":{"machine":"m","event":"e","context":[null,"a\u00e9"],"status":"scored","score":1e0,"cluster":3}}`)
	f.Add(`{"a":{"deepcase":{"x":1}},"b":"}"} `)
	f.Add(`{"a":[{"b":1}],"deepcase":null}`)
	f.Fuzz(func(t *testing.T, content string) {
		var document map[string]any
		if compareRaw(t, annotation.Target{"deepcase"}, content) {
			require.NoError(t, json.Unmarshal([]byte(content), &document))
		}
		compareRaw(t, annotation.Target{"a", "deepcase"}, content)
	})
}
