package jsontext_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/jsontext"
)

// texts are valid and not, and each of their beginnings is tried, too.
var texts = []string{
	`{"a":[1,-0.5e+7,true,false,null,"é\u00e9\"\\\/\b\f\n\r\t"],"b":{},"c":[]}`, ` [ 1 , { "a" : 0 } ] `, `{"long":"0123456789abcdef\u0041 0123456789"}`,
	`01`, `-`, `1.`, `1e`, `1e+`, `.5`, `+1`, `0x1`, `tru`, `nulll`, `"a`, `"\x"`, `"\u00g0"`, "\"a\tb\"", "\"0123456\n\"", "\"\x1f\"", "\"\x7f\xff\x80\"", `{"a"}`, `{"a":1,}`, `[1,]`, `{a:1}`,
	`{"a":1}{}`, `[1 2]`, `{"a" 1}`, "\ufeff{}", "{}\v", `[]]`, `{]`, `'a'`, "\x00",
}

func TestValidIsThatOfEncodingJSON(t *testing.T) {
	for _, text := range texts {
		for n := range len(text) + 1 {
			require.Equal(t, json.Valid([]byte(text[:n])), jsontext.Valid([]byte(text[:n])), "%q", text[:n])
		}
	}
	for _, depth := range []int{jsontext.MaxDepth, jsontext.MaxDepth + 1} {
		for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
			text := []byte(strings.Repeat(pair[0], depth) + "1" + strings.Repeat(pair[1], depth))
			require.Equal(t, json.Valid(text), jsontext.Valid(text), depth)
		}
	}
}

func FuzzValid(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		require.Equal(t, json.Valid(text), jsontext.Valid(text))
		members := map[string]json.RawMessage{}
		valid := jsontext.EachMember(text, func(key, value []byte) {
			var decoded string
			require.NoError(t, json.Unmarshal(key, &decoded))
			require.True(t, json.Valid(value), "%q", value)
			members[decoded] = value
		})
		var want map[string]json.RawMessage
		if err := json.Unmarshal(text, &want); !valid {
			require.True(t, err != nil || want == nil, "%q is an object", text)
		} else if require.NoError(t, err); utf8.Valid(text) {
			require.Equal(t, want, members)
		}
	})
}

func BenchmarkValid(b *testing.B) {
	text := []byte(`{"timestamp":1642118409,"src_ip":"10.0.0.1","alert":{"action":"allowed","signature":"ET SCAN Potential SSH Scan","severity":2},"host":{"name":"host-17"},"payload":"` +
		strings.Repeat("0", 200) + `"}`)
	for name, valid := range map[string]func([]byte) bool{"this": jsontext.Valid, "encoding/json": json.Valid} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				require.True(b, valid(text))
			}
		})
	}
}
