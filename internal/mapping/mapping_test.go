package mapping_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	"connect-deepcase/internal/mapping"
	"connect-deepcase/sequencer"
)

func newMapping(t testing.TB, yaml string) (*mapping.Mapping, error) {
	t.Helper()
	conf, err := service.NewConfigSpec().Fields(mapping.Fields()...).ParseYAML(yaml, nil)
	require.NoError(t, err)
	return mapping.New(conf, service.MockResources().Logger())
}

func TestMappingReadsAnEvent(t *testing.T) {
	m, err := newMapping(t, `
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

func TestMappingSaysWhatIsWrong(t *testing.T) {
	m, err := newMapping(t, "machine: ${! json(\"host.name\") }")
	require.NoError(t, err)
	long := strings.Repeat("x", 10_000)
	for content, want := range map[string]string{
		`{"event":"a","timestamp":1}`:                                            `machine: host.name: is missing or null: want a name`,
		`{"host":{"name":null},"event":"a","timestamp":1}`:                       `machine: host.name: is missing or null: want a name`,
		`{"host":{"name":" "},"event":"a","timestamp":1}`:                        `machine: host.name: is empty: want a name`,
		`{"host":{"name":"N/A"},"event":"a","timestamp":1}`:                      `machine: host.name: "N/A" stands for an unknown machine: want a name`,
		`{"host":{"name":["web-1","web-2"]},"event":"a","timestamp":1}`:          `machine: host.name: is a list of 2: want a text or a number`,
		`{"host":{"name":{"a":"web-1"}},"event":"a","timestamp":1}`:              `machine: host.name: is an object (a longer path leads into it): want a text or a number`,
		`{"host":{"name":[]},"event":"a","timestamp":1}`:                         `machine: host.name: is a list of 0: want a text or a number`,
		`{"host":{"name":true},"event":"a","timestamp":1}`:                       `machine: host.name: is the boolean true: want a text or a number`,
		"{\"host\":{\"name\":\"M\xdcNCHEN-1\"},\"event\":\"a\",\"timestamp\":1}": `machine: host.name: "M` + "\uFFFD" + `NCHEN-1" has U+FFFD in place of bytes that were not UTF-8, so that two names may have become one: want UTF-8 at the source`,
		`{"host":{"name":"m"},"event":"","timestamp":1}`:                         `event: is empty: want a name`,
		`{"host":{"name":"m"},"event":false,"timestamp":1}`:                      `event: is the boolean false: want a text or a number`,
		`{"host":{"name":"m"},"event":"a"}`:                                      `timestamp: is missing or null: want a time`,
		`{"host":{"name":"m"},"event":"` + long + `","timestamp":1}`:             `event: "` + long[:60] + `…" has 10000 bytes: want at most 4096`,
		`{"host":{"name":"` + long + `"},"event":"a","timestamp":1}`:             `machine: host.name: "` + long[:60] + `…" has 10000 bytes: want at most 4096`,
		`{"host":{"name":"m"},"event":"a","timestamp":"yesterday evening"}`:      `timestamp: "yesterday evening": want a date and time such as 2006-01-02T15:04:05Z`,
		`{"host":{"name":"m"},"event":"a","timestamp":133374260249410000}`:       `timestamp: "133374260249410000": want a date and time`,
		"\x00\xff\xfe garbage":                                                   `document: not JSON: `,
	} {
		_, err := m.Over(service.MessageBatch{service.NewMessage([]byte(content))}).Event(0)
		if assert.Error(t, err, "%.60s", content) {
			assert.Truef(t, strings.HasPrefix(err.Error(), want), "%s\n%s", err, want)
		}
	}
}

func read(t *testing.T, yaml, content string) (sequencer.Event, error) {
	t.Helper()
	m, err := newMapping(t, yaml)
	require.NoError(t, err, yaml)
	message := service.NewMessage([]byte(content))
	message.MetaSet("host", "from-meta")
	message.MetaSetMut("list", []any{"only"})
	return m.Over(service.MessageBatch{service.NewMessage([]byte(`{}`)), message}).Event(1)
}

func TestMappingReadsEachKindOfInterpolation(t *testing.T) {
	const content = `{"host":{"name":["web-1"],"os":null},"id.orig_h":"192.0.2.10","id":{"orig_h":"other"},"rules":[{"name":"x"}],
		"big":12345678901234567890,"exp":1e3,"n":7,"event":"e","timestamp":1700000000,"brace":"a}b"}`
	for expression, want := range map[string]string{
		`${! json("host.name") }`:                            "web-1",
		`${!json("host.name")}`:                              "web-1",
		`${! json("id.orig_h") }`:                            "192.0.2.10",
		`${! json("id~1orig_h") }`:                           "192.0.2.10",
		`${! json().deepcase_field("id.orig_h") }`:           "192.0.2.10",
		`${! this.deepcase_field("id.orig_h").uppercase() }`: "192.0.2.10",
		`${! this.deepcase_field("n") * 2 }`:                 "14",
		`${! json().deepcase_field("big").string() }`:        "12345678901234567890",
		`${! json("rules.0.name") }`:                         "x",
		`${! json("rules.*.name") }`:                         "x",
		`${! json("big") }`:                                  "12345678901234567890",
		`${! json("exp") }`:                                  "1e3",
		`${! json("n") + 1 }`:                                "8",
		`${! meta("host") }`:                                 "from-meta",
		`${! @host }`:                                        "from-meta",
		`${! @list }`:                                        "only",
		`${! metadata("host").or("none") }`:                  "from-meta",
		`${! this.host.name.index(0) }`:                      "web-1",
		`${! brace.replace_all("}", "{") }`:                  "a{b",
		`${! if json("n") == 7 { "seven" } else { "}" } }`:   "seven",
		`${! match { this.n == 7 => "}{", _ => "x" } }`:      "}{",
		`${! {"a":{"b":"deep"}}.a.b }`:                       "deep",
		`${! batch_index() }`:                                "1",
		`${! json("n") }/${! json("host.name") }`:            "7/web-1",
		`a-${! json("n") }-$b${{!x}}`:                        "a-7-$b${!x}",
		`one machine`:                                        "one machine",
	} {
		e, err := read(t, "machine: '"+expression+"'", content)
		if assert.NoError(t, err, expression) {
			assert.Equal(t, want, e.Machine, expression)
		}
	}
	for expression, want := range map[string]string{
		`${! json("host.os") }`:                    `machine: host.os: is missing or null: want a name`,
		`${! json("host.os").or(null) }`:           `machine: json("host.os").or(null): is missing or null: want a name`,
		`${! json("n") }/${! json("host.os") }`:    `machine: host.os: is missing or null: want a name`,
		`${! json("n") }/${! json("host") }`:       `machine: host: is an object (a longer path leads into it): want a text or a number`,
		`${! meta("none") }/${! meta("nothing") }`: `machine: meta("none"): is missing or null: want a name`,
		`${! deleted() }`:                          `machine: deleted(): is missing or null: want a name`,
		`${! json("big").or("x") }`:                `machine: json("big").or("x"): is the number 1.2345678901234567e+19, which is not exact any more: read it with json("…") and nothing else`,
	} {
		_, err := read(t, "machine: '"+expression+"'", content)
		assert.EqualError(t, err, want, expression)
	}
}

func TestMappingReadsIDs(t *testing.T) {
	const yaml = "machine: m\nevent: ${! json(\"e\") }\ntimestamp: \"1\"\nid: "
	for id, want := range map[string]string{
		`${! json("id") }`:                         "7",
		`${! json("none") }`:                       "",
		`${! json("dash") }`:                       "",
		`${! meta("host") }/${! json("id") }`:      "from-meta/7",
		`${! meta("none") }/${! meta("nothing") }`: "",
		`${! meta("host") }/${! meta("nothing") }`: "",
	} {
		e, err := read(t, yaml+id, `{"e":"e","id":7,"dash":"-"}`)
		require.NoError(t, err, id)
		assert.Equal(t, want, e.ID, id)
	}
	_, err := read(t, yaml+`${! json("id") }`, `{"e":"e","id":[1,2]}`)
	assert.EqualError(t, err, "id: is a list of 2: want a text or a number")
}

func TestMappingTakesDeclaredTimesAndMachines(t *testing.T) {
	e, err := read(t, "time_format: filetime\nplaceholders: [ localhost ]", `{"machine":"-","event":"e","timestamp":133374260249410000}`)
	require.NoError(t, err)
	assert.Equal(t, "2023-08-25T08:33:44.941Z", e.Time.Format(time.RFC3339Nano))
	assert.Equal(t, "-", e.Machine)
	_, err = read(t, "placeholders: [ localhost ]", `{"machine":"LOCALHOST","event":"e","timestamp":1}`)
	assert.EqualError(t, err, `machine: "LOCALHOST" stands for an unknown machine: want a name`)
	_, err = newMapping(t, "time_format: unix")
	assert.ErrorContains(t, err, `field 'time_format': "unix": want auto, seconds,`)
}

func TestMappingRefusesEmptyFields(t *testing.T) {
	for _, name := range []string{"machine", "event", "timestamp"} {
		_, err := newMapping(t, name+`: ""`)
		assert.EqualError(t, err, `field '`+name+`' is empty: need an interpolation such as ${! json("`+name+`") }`)
	}
}

func TestNamesAreAlwaysUTF8(t *testing.T) {
	_, err := read(t, "machine: m\nevent: ${! content() }\ntimestamp: \"1\"", "caf\xe9")
	assert.EqualError(t, err, `event: content(): "caf\xe9": want UTF-8`)
}

func TestTargetRefusesEmptyNames(t *testing.T) {
	for _, path := range []string{"", "a..b", ".a", "a."} {
		conf, err := service.NewConfigSpec().Field(mapping.TargetField()).ParseYAML(`target: "`+path+`"`, nil)
		require.NoError(t, err)
		_, err = mapping.ParseTarget(conf)
		assert.EqualError(t, err, `field 'target': "`+path+`": need names divided by single dots`)
	}
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
		_, err := mapping.Document(service.NewMessage([]byte(content)))
		assert.EqualError(t, err, want)
	}
	_, err := mapping.Document(service.NewMessage(nil))
	assert.ErrorContains(t, err, "document: not JSON: ")
}

// TestTimesAreTheSameInBytes: a mapping that reads only the time finds in a document that is not decoded what it finds in one that is.
func TestTimesAreTheSameInBytes(t *testing.T) {
	conf, err := service.NewConfigSpec().Fields(mapping.TimestampFields()...).ParseYAML(`timestamp: ${! json("event.at") }`, nil)
	require.NoError(t, err)
	m, err := mapping.NewTimestamps(conf)
	require.NoError(t, err)
	all, err := newMapping(t, `
machine: ${! meta("machine") }
event: ${! meta("machine") }
timestamp: ${! json("event.at") }
`)
	require.NoError(t, err)
	for _, document := range []string{
		`{"event":{"at":"2026-03-02T09:14:07Z"}}`, "\n {\"event.at\" : 1700000000.25 }\n", `{"event":{"at":["2026-03-02 09:14:07"]}}`, `{"event":{"at":1700000000000000001}}`,
		`{"event":{"at":null},"event.at":" 1700000000 "}`, `{"event":{"at":1,"at":2}}`, `{"event":{"at":"2026\u002d03-02"}}`, `[{"event":1}]`,
		`{"event":{"at":null}}`, `{"event":{"at":{}}}`, `{"event":{"at":true}}`, `{"event":{"at":["1","2"]}}`, `{"event":{"at":"soon"}}`, `{}`, `7`, ``,
	} {
		bytes, decoded := service.NewMessage([]byte(document)), service.NewMessage([]byte(document))
		_, _ = decoded.AsStructured()
		decoded.MetaSet("machine", "web-1")
		at, err := m.Over(service.MessageBatch{bytes}).Time(0)
		e, want := all.Over(service.MessageBatch{decoded}).Event(0)
		if want != nil {
			assert.EqualError(t, err, want.Error(), "%q", document)
			continue
		}
		require.NoError(t, err, "%q", document)
		assert.True(t, at.Equal(e.Time), "%q", document)
	}
}
