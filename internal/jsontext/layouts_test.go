package jsontext

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// learn teaches a layout, with what is between « and » as what was found.
func learn(t *testing.T, l *Layouts, marked string) {
	t.Helper()
	object := []byte(strings.NewReplacer("«", "", "»", "").Replace(marked))
	require.True(t, json.Valid(object), "%s", object)
	before, rest, _ := strings.Cut(marked, "«")
	part, _, _ := strings.Cut(rest, "»")
	l.Learn(object, []json.RawMessage{object[len(before) : len(before)+len(part)], nil})
}

func TestLayouts(t *testing.T) {
	var l Layouts
	for _, marked := range []string{
		`{"a":"x","b":{"c":«[1,"y"]»},"d":null}`,
		`{"a":"x","b":{"c":«"z"»},"d":true}`,
		`{"a":"x","b":«{}»}`,
		`{"e":«[]»,"f":-1}`,
		`{ "g" : [ { "h" : «1» } , 2 ] }`,
	} {
		learn(t, &l, marked)
	}
	found := make([]json.RawMessage, 2)
	for _, c := range []struct{ text, want string }{
		{`{"a":"x","b":{"c":[1,"y"]},"d":null}`, `[1,"y"]`},
		{`{"a":"","b":{"c":[-2.5e3,"\"\u00e9]}"]},"d":null}`, `[-2.5e3,"\"\u00e9]}"]`},
		{`{"a":"x","b":{"c":"longer than before"},"d":true},`, `"longer than before"`},
		{`{"a":"\\","b":{}}{}`, `{}`},
		{`{"e":[],"f":0}`, `[]`},
		{`{ "g" : [ { "h" : 123 } , 0 ] }`, `123`},
	} {
		found[1] = json.RawMessage("old")
		end, ok := l.Find([]byte(c.text), found)
		require.True(t, ok, c.text)
		assert.True(t, json.Valid([]byte(c.text[:end])), c.text)
		assert.Equal(t, c.want, string(found[0]), c.text)
		assert.Nil(t, found[1], "nothing was found here")
	}
	for _, text := range []string{
		`{"a":"x","b":{"c":"z"},"d":false}`, // not learnt
		`{"a":"x","b":{"c":"z"},"d":null}`,
		`{"a":"x","b":{"c":1},"d":true}`,
		`{"e":[1],"f":1}`,
		`{"e": [],"f":1}`,
		`{"a":"x","b":{"c":"z"},"d":true`, // no object
		`{"a":"x","b":{"c":"z"},"d":truer}`,
		`{"a":"\x","b":{}}`,
		"{\"a\":\"\t\",\"b\":{}}",
		`{"e":[],"f":01}`,
		`{"e":[],"f":-}`,
		`{"e":[],"f":}`,
		`{"e":[],"f":1`,
		``,
	} {
		_, ok := l.Find([]byte(text), found)
		assert.False(t, ok, text)
	}
}

// Objects whose keys are data have a layout each: few are kept, and after a while they are only read.
func TestLayoutsHaveBounds(t *testing.T) {
	long := strings.Repeat("k", 80_000)
	for name, object := range map[string]func(i int) string{
		"keys at the beginning": func(i int) string { return fmt.Sprintf(`{"key-%d":0}`, i) },
		"keys at the end":       func(i int) string { return fmt.Sprintf(`{"a":0,"b":"x","c":{"key-%d":0}}`, i) },
		"lists of all lengths":  func(i int) string { return `{"a":[0` + strings.Repeat(",1", i) + `]}` },
		"booleans":              booleans,
		"long keys":             func(i int) string { return fmt.Sprintf(`{"%s%d":0}`, long, i%15) },
	} {
		t.Run(name, func(t *testing.T) {
			var l Layouts
			hits := 0
			for i := range 1_500 {
				text := []byte(object(i))
				if _, ok := l.Find(text, nil); ok {
					hits++
				} else {
					l.Learn(text, nil)
				}
			}
			assert.LessOrEqual(t, l.bytes, maxLayoutBytes)
			assert.LessOrEqual(t, len(l.start.after), maxStepsAfter)
			assert.LessOrEqual(t, l.misses, hits+maxMisses+1)
		})
	}
}

// booleans is a list of twelve booleans, by the bits of a number.
func booleans(i int) string {
	list := make([]bool, 12)
	for bit := range list {
		list[bit] = i>>bit&1 == 1
	}
	text, _ := json.Marshal(map[string]any{"list": list})
	return string(text)
}
