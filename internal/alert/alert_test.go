package alert_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	"connect-deepcase/internal/alert"
)

func mapping(t *testing.T, yaml string) (*alert.Mapping, error) {
	t.Helper()
	conf, err := service.NewConfigSpec().Fields(alert.MappingFields()...).ParseYAML(yaml, nil)
	require.NoError(t, err)
	return alert.NewMapping(conf)
}

func TestMappingReadsAnEvent(t *testing.T) {
	m, err := mapping(t, `
machine: ${! json("host.name") }
event: ${! json("rule.id") }
timestamp: ${! json("@timestamp") }
id: ${! meta("id") }
`)
	require.NoError(t, err)
	message := service.NewMessage([]byte(`{"host":{"name":"web-1"},"rule":{"id":17},"@timestamp":1700000000.25}`))
	message.MetaSet("id", "abc")
	e, err := m.Over(service.MessageBatch{message}).Event(0)
	require.NoError(t, err)
	assert.Equal(t, "web-1", e.Machine)
	assert.Equal(t, "17", e.Name)
	assert.Equal(t, "abc", e.ID)
	assert.Equal(t, time.Unix(1700000000, 250_000_000).UTC(), e.Time.UTC())
}

func TestMappingSaysWhatAMessageLacks(t *testing.T) {
	m, err := mapping(t, "{}")
	require.NoError(t, err)
	long := strings.Repeat("x", 10_000)
	for content, want := range map[string]string{
		`{"event":"a","timestamp":1}`:                                 `machine: empty or missing, need a name`,
		`{"machine":null,"event":"a","timestamp":1}`:                  `machine: empty or missing, need a name`,
		`{"machine":"m","event":"","timestamp":1}`:                    `event: empty or missing, need a name`,
		`{"machine":"m","event":"a"}`:                                 `timestamp: empty or missing, need RFC 3339 or the time since 1970`,
		`{"machine":"m","event":"` + long + `","timestamp":1}`:        `event: "` + long[:40] + `"… has 10000 bytes, need at most 4096`,
		`{"machine":"` + long + `","event":"a","timestamp":1}`:        `machine: "` + long[:40] + `"… has 10000 bytes, need at most 4096`,
		`{"machine":"m","event":"a","timestamp":"yesterday evening"}`: `timestamp: `,
		"\x00\xff\xfe garbage":                                        `machine: `,
	} {
		_, err := m.Over(service.MessageBatch{service.NewMessage([]byte(content))}).Event(0)
		if assert.Error(t, err, "%.60s", content) {
			assert.Contains(t, err.Error(), want)
		}
	}
	_, err = m.Over(service.MessageBatch{service.NewMessage([]byte(`{"machine":"m","event":"a","timestamp":"yesterday evening"}`))}).Event(0)
	assert.ErrorContains(t, err, "yesterday evening", "the value is named")
}

func TestMappingRefusesEmptyFields(t *testing.T) {
	for _, name := range []string{"machine", "event", "timestamp"} {
		_, err := mapping(t, name+`: ""`)
		assert.EqualError(t, err, `field '`+name+`' is empty: need an interpolation such as ${! json("`+name+`") }`)
	}
}

func TestNamesAreAlwaysUTF8(t *testing.T) {
	m, err := mapping(t, "machine: m\nevent: ${! content() }\ntimestamp: \"1\"")
	require.NoError(t, err)
	e, err := m.Over(service.MessageBatch{service.NewMessage([]byte("caf\xe9"))}).Event(0)
	require.NoError(t, err)
	assert.Equal(t, "caf\uFFFD", e.Name)
}

func target(t *testing.T, path string) alert.Target {
	t.Helper()
	conf, err := service.NewConfigSpec().Field(alert.TargetField()).ParseYAML("target: "+path, nil)
	require.NoError(t, err)
	at, err := alert.NewTarget(conf)
	require.NoError(t, err)
	return at
}

func TestTargetRefusesEmptyNames(t *testing.T) {
	for _, path := range []string{"", "a..b", ".a", "a."} {
		conf, err := service.NewConfigSpec().Field(alert.TargetField()).ParseYAML(`target: "`+path+`"`, nil)
		require.NoError(t, err)
		_, err = alert.NewTarget(conf)
		assert.EqualError(t, err, `field 'target': "`+path+`": need names divided by single dots`)
	}
}

func TestSequenceTravelsInADocument(t *testing.T) {
	for _, path := range []string{"deepcase", "security.deepcase"} {
		at := target(t, path)
		message := service.NewMessage([]byte(`{"keep":{"me":1.50}}`))
		want := alert.Sequence{Machine: "web-1", Event: "b", Context: []string{"", "a\"<>", "é"}}
		at.Write(alert.Mutable(message), want)
		bytes, err := message.AsBytes()
		require.NoError(t, err)
		assert.Contains(t, string(bytes), `"keep":{"me":1.50}`)

		document, err := alert.Document(service.NewMessage(bytes))
		require.NoError(t, err)
		got, err := at.Sequence(document)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestWriteDropsAnOldVerdict(t *testing.T) {
	message := service.NewMessage([]byte(`{"deepcase":{"status":"scored","score":3}}`))
	target(t, "deepcase").Write(alert.Mutable(message), alert.Sequence{Machine: "m", Event: "e", Context: []string{""}})
	bytes, err := message.AsBytes()
	require.NoError(t, err)
	assert.JSONEq(t, `{"deepcase":{"machine":"m","event":"e","context":[null]}}`, string(bytes))
}

func TestDocumentsThatAreNone(t *testing.T) {
	for content, want := range map[string]string{
		`[1,2]`:    "document: need a JSON object, have a list",
		`"text"`:   `document: need a JSON object, have the text "text"`,
		`17`:       "document: need a JSON object, have a number",
		`null`:     "document: need a JSON object, have null or missing",
		`true`:     "document: need a JSON object, have a boolean",
		`{"a":`:    "document: not JSON: unexpected EOF",
		"\xff\x00": "document: not JSON: invalid character 'ÿ' looking for beginning of value",
	} {
		_, err := alert.Document(service.NewMessage([]byte(content)))
		assert.EqualError(t, err, want)
	}
	_, err := alert.Document(service.NewMessage(nil))
	assert.ErrorContains(t, err, "document: not JSON: ")
}

func TestSequenceSaysWhatIsWrong(t *testing.T) {
	at := target(t, "a.b")
	for content, want := range map[string]string{
		`{"a":{"b":{"event":"e","context":["x",3]}}}`: "document: a.b.context[1] is a number, need a name or null",
		`{"a":{"b":{"event":"e","context":"x"}}}`:     `document: a.b.context is the text "x", need a list of names`,
		`{"a":{"b":{"event":1,"context":[]}}}`:        "document: a.b.event is a number, need a name",
		`{"a":{"b":{"context":[]}}}`:                  "document: a.b.event is null or missing, need a name",
		`{"a":{"b":{"event":"e"}}}`:                   "document: a.b: " + alert.ErrNoSequence.Error(),
		`{"a":[]}`:                                    "document: a.b: " + alert.ErrNoSequence.Error(),
		`{}`:                                          "document: a.b: " + alert.ErrNoSequence.Error(),
	} {
		document, err := alert.Document(service.NewMessage([]byte(content)))
		require.NoError(t, err)
		_, err = at.Sequence(document)
		assert.EqualError(t, err, want)
	}
}

func TestCheckNamesWhatIsInTheWay(t *testing.T) {
	document := map[string]any{"a": map[string]any{"b": "x"}, "n": nil}
	assert.NoError(t, alert.Check(document, "a", "c", "d"))
	assert.NoError(t, alert.Check(document, "n", "d"))
	assert.EqualError(t, alert.Check(document, "a", "b", "c"), `document: a.b is the text "x", need an object`)
}

func FuzzSequence(f *testing.F) {
	f.Add([]byte(`{"deepcase":{"machine":"m","event":"e","context":[null,"a"]}}`))
	f.Add([]byte(`{"deepcase":{"event":{},"context":{}}}`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, content []byte) {
		document, err := alert.Document(service.NewMessage(content))
		if err != nil {
			return
		}
		s, err := alert.Target{"deepcase"}.Sequence(document)
		if err != nil {
			return
		}
		assert.NotEmpty(t, s.Event)
		assert.True(t, utf8.ValidString(s.Event))
	})
}
