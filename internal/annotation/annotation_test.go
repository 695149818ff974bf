package annotation_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/annotation"
)

func decoded(t *testing.T, content string) (document map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(content), &document))
	return document
}

func encoded(t *testing.T, document map[string]any) string {
	t.Helper()
	content, err := json.Marshal(document)
	require.NoError(t, err)
	return string(content)
}

func TestParseTarget(t *testing.T) {
	target, err := annotation.ParseTarget("security.deepcase")
	require.NoError(t, err)
	assert.Equal(t, annotation.Target{"security", "deepcase"}, target)
	assert.Equal(t, "security.deepcase", target.String())
	for _, path := range []string{"", "a..b", ".a", "a."} {
		_, err = annotation.ParseTarget(path)
		assert.EqualError(t, err, `"`+path+`": need names divided by single dots`)
	}
}

func TestSequenceTravelsInADocument(t *testing.T) {
	for _, target := range []annotation.Target{{"deepcase"}, {"security", "deepcase"}} {
		document := map[string]any{"keep": map[string]any{"me": json.Number("1.50")}}
		want := annotation.Sequence{Machine: "web-1", Event: "b", Context: []string{"", "a\"<>", "é"}}
		target.WriteSequence(document, want)
		content := encoded(t, document)
		assert.Contains(t, content, `"keep":{"me":1.50}`)

		got, err := target.Sequence(decoded(t, content))
		require.NoError(t, err)
		assert.Equal(t, want, got)
		got, err = target.JSONSequence([]byte(content))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestJSONSequenceSaysWhatIsMissing(t *testing.T) {
	for _, content := range []string{`{}`, `{"deepcase":null}`, `{"deepcase":{"context":[]}}`, `{"deepcase":{"event":"e","context":"x"}}`, `{"deepcase":{"event":"e","context":[3]}}`} {
		_, err := annotation.Target{"deepcase"}.JSONSequence([]byte(content))
		assert.EqualError(t, err, "deepcase: no annotation of deepcase_sequence, with an event and its context", content)
	}
}

func TestWriteDropsAnOldVerdict(t *testing.T) {
	document := decoded(t, `{"deepcase":{"status":"scored","score":3}}`)
	annotation.Target{"deepcase"}.WriteSequence(document, annotation.Sequence{Machine: "m", Event: "e", Context: []string{""}})
	assert.JSONEq(t, `{"deepcase":{"machine":"m","event":"e","context":[null]}}`, encoded(t, document))
}

func TestCheckNamesWhatIsInTheWay(t *testing.T) {
	document := decoded(t, `{"a":{"b":"x"},"n":null}`)
	assert.NoError(t, annotation.Target{"a", "c", "d"}.Check(document))
	assert.NoError(t, annotation.Target{"n", "d"}.Check(document))
	assert.EqualError(t, annotation.Target{"a", "b", "c"}.Check(document), `document: a.b is the text "x", need an object`)
}

func TestSequenceSaysWhatIsWrong(t *testing.T) {
	at := annotation.Target{"a", "b"}
	for content, want := range map[string]string{
		`{"a":{"b":{"event":"e","context":["x",3]}}}`: "document: a.b.context[1] is a number, need a name or null",
		`{"a":{"b":{"event":"e","context":"x"}}}`:     `document: a.b.context is the text "x", need a list of names`,
		`{"a":{"b":{"event":1,"context":[]}}}`:        "document: a.b.event is a number, need a name",
		`{"a":{"b":{"context":[]}}}`:                  "document: a.b.event is null or missing, need a name",
		`{"a":{"b":{"event":"e"}}}`:                   "document: a.b: " + annotation.ErrNoSequence.Error(),
		`{"a":[]}`:                                    "document: a.b: " + annotation.ErrNoSequence.Error(),
		`{}`:                                          "document: a.b: " + annotation.ErrNoSequence.Error(),
	} {
		_, err := at.Sequence(decoded(t, content))
		assert.EqualError(t, err, want)
	}
}

func FuzzSequence(f *testing.F) {
	f.Add([]byte(`{"deepcase":{"machine":"m","event":"e","context":[null,"a"]}}`))
	f.Add([]byte(`{"deepcase":{"event":{},"context":{}}}`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, content []byte) {
		var document map[string]any
		if json.Unmarshal(content, &document) != nil {
			return
		}
		s, err := annotation.Target{"deepcase"}.Sequence(document)
		if err != nil {
			return
		}
		assert.NotEmpty(t, s.Event)
		assert.True(t, utf8.ValidString(s.Event))
	})
}
