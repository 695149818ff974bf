package mapping_test

import (
	"encoding/json"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNameMethod(t *testing.T) {
	name, err := bloblang.Parse(`root = {"name": this.a.deepcase_name()}`)
	require.NoError(t, err)
	for document, want := range map[string]any{
		`{"a":"web-1"}`: "web-1", `{"a":" web 1\t"}`: "web 1", `{"a":["web-1"]}`: "web-1", `{"a":[["web-1"]]}`: "web-1",
		`{"a":7}`: "7", `{"a":4624.5}`: "4624.5", `{"a":12345678901234567890}`: "12345678901234567890",
		`{}`: nil, `{"a":null}`: nil, `{"a":[]}`: nil, `{"a":[null]}`: nil, `{"a":""}`: nil, `{"a":" "}`: nil, `{"a":["-"]}`: nil,
		`{"a":" - "}`: nil, `{"a":"N/A"}`: nil, `{"a":"Unknown"}`: nil, `{"a":"(null)"}`: nil, `{"a":"none"}`: nil, `{"a":"?"}`: nil,
		`{"a":"unknown host"}`:                            "unknown host",
		`{"a":"2001:0DB8:0000:0000:0000:0000:0000:0007"}`: "2001:db8::7", `{"a":"fe80::1%eth0"}`: "fe80::1%eth0", `{"a":"192.0.2.7"}`: "192.0.2.7",
		`{"a":"192.0.2.07"}`: "192.0.2.07", `{"a":"00:11:22:33:44:55"}`: "00:11:22:33:44:55",
	} {
		var decoded any
		require.NoError(t, json.Unmarshal([]byte(document), &decoded))
		if document == `{"a":12345678901234567890}` { // as Benthos decodes it
			decoded = map[string]any{"a": json.Number("12345678901234567890")}
		}
		got, err := name.Query(decoded)
		if assert.NoError(t, err, document) {
			assert.Equal(t, map[string]any{"name": want}, got, document)
		}
	}
	for document, want := range map[string]string{
		`{"a":["web-1","web-2"]}`: `["web-1","web-2"] is no name, it is a list of 2: want a text or a number`,
		`{"a":{"b":1}}`:           `{"b":1} is no name, it is an object`,
		`{"a":true}`:              `true is no name, it is the boolean true: want a text or a number`,
	} {
		var decoded any
		require.NoError(t, json.Unmarshal([]byte(document), &decoded))
		_, err := name.Query(decoded)
		assert.ErrorContains(t, err, want, document)
	}
}

func TestInternalMethod(t *testing.T) {
	inside, err := bloblang.Parse(`root = this.map_each(ip -> ip.deepcase_internal(home: "203.0.113.0/24"))`)
	require.NoError(t, err)
	got, err := inside.Query([]any{"203.0.113.9", "198.51.100.1", "10.0.0.1", nil, 7, "web-1"})
	require.NoError(t, err)
	require.Equal(t, []any{true, false, true, false, false, false}, got)
	_, err = bloblang.Parse(`root = this.deepcase_internal(home: "web-1")`)
	require.ErrorContains(t, err, `home (HOME_NET in the examples): "web-1", want networks such as 203.0.113.0/24`)
}
