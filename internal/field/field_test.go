package field

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/excerpt"
)

func decode(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	return v
}

func TestTextIsTheSameDecodedOrNot(t *testing.T) {
	for in, want := range map[string]string{
		`"web-1"`:              "web-1",
		`["web-1"]`:            "web-1",
		`[["web-1"]]`:          "web-1",
		`4688`:                 "4688",
		`12345678901234567890`: "12345678901234567890",
		`1e3`:                  "1e3",
		`1.50`:                 "1.50",
		`"h\u00e9\n"`:          "hé\n",
	} {
		got, err := Text(decode(t, in))
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
		got, err = JSONText([]byte(in))
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for in, want := range map[string]string{
		`null`:              "is missing or null",
		`[null]`:            "is missing or null",
		`true`:              "is the boolean true: want a text or a number",
		`[]`:                "is a list of 0: want a text or a number",
		`["web-1","web-2"]`: "is a list of 2: want a text or a number",
		`{"a":"web-1"}`:     "is an object (a longer path leads into it): want a text or a number",
		`[{"a":"web-1"}]`:   "is an object (a longer path leads into it): want a text or a number",
	} {
		_, err := Text(decode(t, in))
		assert.EqualError(t, err, want, in)
		_, err = JSONText([]byte(in))
		assert.EqualError(t, err, want, in)
	}
	_, err := JSONText(nil)
	assert.ErrorIs(t, err, ErrMissing)
	for want, v := range map[string]any{"7": int64(7), "8": 8, "9": uint64(9), "10.5": 10.5, "100000000000000000000": 1e20, "x": []byte("x")} {
		got, err := Text(v)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err = Text(struct{}{})
	assert.EqualError(t, err, "is a struct {}: want a text or a number")
}

func TestNames(t *testing.T) {
	long := strings.Repeat("x", MaxName+1)
	for in, want := range map[string]string{
		"":           "is empty: want a name",
		" \t":        "is empty: want a name",
		"caf\xe9":    `"caf\xe9": want UTF-8`,
		"caf\uFFFD":  `"caf` + "\uFFFD" + `" has U+FFFD in place of bytes that were not UTF-8, so that two names may have become one: want UTF-8 at the source`,
		long:         `"` + long[:60] + `…" has 4097 bytes: want at most 4096`,
		"null":       "",
		"web-1":      "ok",
		long[1:]:     "ok",
		"Zugriff a…": "ok",
	} {
		for _, err := range []error{Event(in), Machine(in, Placeholders{})} {
			switch want {
			case "ok":
				assert.NoError(t, err, in)
			case "":
				assert.Error(t, err, in)
			default:
				assert.EqualError(t, err, want, in)
			}
		}
	}
}

func TestPlaceholdersAreNoMachine(t *testing.T) {
	for _, in := range []string{"-", "NULL", " n/a", "N/A", "Unknown", "(null)", "none", "NaN"} {
		assert.EqualError(t, Machine(in, Placeholders{}), excerpt.Quote(in)+" stands for an unknown machine: want a name")
		assert.NoError(t, Machine(in, NewPlaceholders(nil)), "%q, where none is one", in)
		id, err := ID(in)
		assert.NoError(t, err)
		assert.Empty(t, id, "%q tells no event from another", in)
	}
	assert.NoError(t, Event("unknown"), "an event may be of an unknown kind")
	assert.Error(t, Machine("LocalHost", NewPlaceholders([]string{"localhost "})))
	assert.NoError(t, Machine("-", NewPlaceholders([]string{"localhost"})))
	id, err := ID("7/8")
	assert.NoError(t, err)
	assert.Equal(t, "7/8", id)
	_, err = ID("caf\xe9")
	assert.ErrorContains(t, err, "want UTF-8")
}

func TestLabel(t *testing.T) {
	for _, c := range []struct {
		text, benign string
		want         float64
	}{
		{"", "", NoLabel}, {" \t", "-", NoLabel}, {"-1", "", NoLabel}, {"-1", "-", NoLabel}, {"-", "-", 0}, {" - ", "-", 0}, {"2.5", "-", 2.5},
		{" 3 ", "", 3}, {"false", "", 0}, {"False", "-", 0}, {"true", "", 1}, {"TRUE ", "-", 1}, {"true", "true", 0}, {"false", "true", 1},
		{"false", "false", 0}, {"true", "false", 1}, {"7", "7", 0}, {"dnsteal", "-", 1}, {"BENIGN", "Benign", 0}, {"DoS Hulk", "BENIGN", 1},
	} {
		got, err := Label(c.text, c.benign)
		require.NoError(t, err, "%+v", c)
		assert.Equal(t, c.want, got, "%+v", c)
	}
	const number = ": want a number that is at least 0, or -1 or nothing for none"
	for text, want := range map[string]string{"NaN": number, "-Inf": number, "1e999": number, "-3": number} {
		for _, benign := range []string{"", "-"} {
			_, err := Label(text, benign)
			assert.EqualError(t, err, excerpt.Quote(text)+want)
		}
	}
	for _, text := range []string{"scan", "-", "BENIGN", "Normal", "production", "none", "FP", "False Positive"} {
		_, err := Label(text, "")
		assert.EqualError(t, err, excerpt.Quote(text)+": want a number, true or false; if labels are texts, set benign to the one that means benign")
	}
	for _, text := range []string{"BENIGN", "Normal", "none", "FP", "False Positive", "BenignPositive", "Benign Positive", "Benign_True_Positive", "Undetermined", "--",
		"Informational, Expected Activity"} {
		_, err := Label(text, "-")
		assert.EqualError(t, err, excerpt.Quote(text)+` does not sound like an attack, but "-" was declared benign: want that, a number, or the name of an attack`)
	}
}

func TestLabelsOfDocuments(t *testing.T) {
	for in, want := range map[string]float64{`true`: 1, `[false]`: 0, `null`: NoLabel, `3`: 3, `"2"`: 2, `["2"]`: 2, `-1`: NoLabel} {
		got, err := JSONLabel([]byte(in), "")
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
		got, err = ValueLabel(decode(t, in), "")
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{`[1,2]`, `{}`, `"x"`} {
		_, err := JSONLabel([]byte(in), "")
		require.Error(t, err, in)
		_, err2 := ValueLabel(decode(t, in), "")
		assert.EqualError(t, err2, err.Error())
	}
}

func TestFind(t *testing.T) {
	for _, c := range []struct{ document, path, want string }{
		{`{"id.orig_h":"a","id":{"orig_h":"b"}}`, "id.orig_h", `"a"`},
		{`{"id":{"orig_h":"b"},"id.orig_h":"a"}`, "id.orig_h", `"a"`},
		{`{"id.orig_h":null,"id":{"orig_h":"b"}}`, "id.orig_h", `"b"`},
		{`{"id.orig_h":"a"}`, "id~1orig_h", `"a"`},
		{`{"id":{"orig_h":"b"}}`, "id~1orig_h", ``},
		{`{"a~b":1}`, "a~0b", `1`},
		{`{"kibana.alert.rule.name":"X","kibana":{"alert":1}}`, "kibana.alert.rule.name", `"X"`},
		{`{"kibana":{"alert.rule":{"name":"X"}}}`, "kibana.alert.rule.name", `"X"`},
		{`{"a":{"b.c":1},"a.b":{"c":2}}`, "a.b.c", `2`},
		{`{"a":{"b.c":1},"a.b":{"d":2}}`, "a.b.c", `1`},
		{`{"rules":[{"name":"x"},{"name":"y"}]}`, "rules.1.name", `"y"`},
		{`{"rules":[1,2]}`, "rules.2", ``},
		{`{"rules":[1,2]}`, "rules.x", ``},
		{`{"a":1,"a":2}`, "a", `2`},
		{`{"a":1}`, "b", ``},
		{`{"a":1}`, "a.b", ``},
		{`{"":1}`, "", ``},
		{`[{"a":1}]`, "0.a", `1`},
		{`{"a":{"b":{}}}`, "a.b", `{}`},
		{"{ \"x\" : [ \"}\\\"\" , 1 ] ,\n \"y\" : 2 }", "y", `2`},
	} {
		assert.Equal(t, c.want, string(FindJSON([]byte(c.document), c.path)), "%s in %s", c.path, c.document)
		got := Find(decode(t, c.document), c.path)
		if c.want == "" {
			assert.Nil(t, got, "%s in %s", c.path, c.document)
			continue
		}
		assert.Equal(t, decode(t, c.want), got, "%s in %s", c.path, c.document)
	}
	assert.Nil(t, FindJSON(nil, "a"))
	assert.Equal(t, []string{"a", "b.c"}, Keys([]byte(`{"a":{"x":1},"b.c":2}`)))
}

// FuzzFind: in valid documents both ways find the same, and nothing else makes either panic.
func FuzzFind(f *testing.F) {
	f.Add([]byte(`{"a":{"b.c":[1,{"d":"}\""}]},"a.b":{"c":null}}`), "a.b.c.1.d")
	f.Add([]byte(`{"id.orig_h":"\u00e9"}`), "id~1orig_h")
	f.Add([]byte(`{"a`), "a")
	f.Add([]byte(`{"a":{"b":1}}`), "a.c")
	f.Add([]byte(``), "")
	f.Fuzz(func(t *testing.T, document []byte, path string) {
		raw := FindJSON(document, path)
		_, _ = JSONText(raw)
		paths := []string{path, "a", path + ".1", "a.b.c"}
		each := make([]json.RawMessage, len(paths))
		object := bytes.Trim(document, " \t\r\n")
		end, valid := NewPaths(paths...).FindJSON(object, each)
		require.Equal(t, json.Valid(document) && object[0] == '{', valid && end == len(object))
		if valid { // without what comes after the object
			object = object[:end]
			require.True(t, json.Valid(object), "%q", object)
			known := NewPaths(paths...)
			for range 2 { // the second time, the layout is known
				again, _ := known.FindJSON(append(bytes.Clone(object), ",}"...), each)
				require.Equal(t, end, again)
			}
		}
		for i, path := range paths {
			if valid {
				require.Equal(t, string(FindJSON(object, path)), string(each[i]), path)
			}
		}
		_ = Keys(document)
		if document = bytes.TrimSpace(document); !json.Valid(document) || !utf8.Valid(document) {
			return
		}
		raw = FindJSON(document, path)
		found := Find(decode(t, string(document)), path)
		if raw == nil {
			require.Nil(t, found)
			return
		}
		require.Equal(t, decode(t, string(raw)), found)
		fromRaw, err := JSONText(raw)
		fromValue, err2 := Text(found)
		require.Equal(t, fmt.Sprint(err), fmt.Sprint(err2))
		require.Equal(t, fromRaw, fromValue)
	})
}

// FuzzLayouts: after other objects, Paths find the same in an object as without them.
func FuzzLayouts(f *testing.F) {
	f.Add([]byte(`{"a":1,"a.b":{"c":"x"}}`), []byte(`{"a":{"b":2},"a.b":{"c":null}}`))
	f.Add([]byte(`{"a":{"b":[{}]},"c":[true,"x"]}`), []byte(`{"a":{"b":[{}]},"c":[true,"\""]},`))
	f.Add([]byte(`{"a":["x"]}`), []byte(`{"a":["x`))
	f.Fuzz(func(t *testing.T, before, object []byte) {
		compareWithNew(t, NewPaths("a", "a.b.c", "c.1", "a~1b"), before, object, before)
	})
}

// compareWithNew compares what Paths find in one object after the other with what new ones find in each.
func compareWithNew(t *testing.T, paths *Paths, objects ...[]byte) {
	t.Helper()
	var texts []string
	for _, p := range paths.paths {
		texts = append(texts, p.text)
	}
	found, want := make([]json.RawMessage, len(texts)), make([]json.RawMessage, len(texts))
	for _, object := range objects {
		end, valid := paths.FindJSON(object, found)
		wantEnd, wantValid := NewPaths(texts...).FindJSON(object, want)
		require.Equal(t, wantValid, valid, "%q", object)
		if valid {
			require.Equal(t, wantEnd, end, "%q", object)
			require.Equal(t, want, found, "%q", object)
		}
	}
}

// Objects of all layouts that a few pieces make, one after the other.
func TestPathsInObjectsOfOtherLayouts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{`"a":`, `"a.b":`, `"c" :`, `{`, `}`, `[`, `]`, `,`, `, `, `"x"`, `"\\\""`, `"a"`, `1`, `-2.5e3`, `true`, `null`, `{}`, `[]`, `{"b":{"c":1}}`, `["x",{"b":2}]`, `{"b":null}`}
	valid := 0
	paths := NewPaths("a", "a.b.c", "c.1", "a~1b")
	for range 200_000 {
		object := "{"
		for range 1 + r.IntN(7) {
			object += pieces[r.IntN(len(pieces))]
		}
		object += "}"
		if json.Valid([]byte(object)) {
			if valid++; valid%500 == 0 {
				paths = NewPaths("a", "a.b.c", "c.1", "a~1b")
			}
		}
		compareWithNew(t, paths, []byte(object))
	}
	require.Greater(t, valid, 2_000)
}

func FuzzLabel(f *testing.F) {
	f.Add(" TRUE", "-")
	f.Add("1e999", "")
	f.Add("Normal", "BENIGN")
	f.Add("2.5", "")
	f.Fuzz(func(t *testing.T, text, benign string) {
		label, err := Label(text, benign)
		if err != nil {
			return
		}
		require.True(t, label >= 0 && !math.IsInf(label, 0) || label == NoLabel)
		if benign == "" && label > 0 {
			_, number := fmt.Sscan(text, new(float64))
			require.True(t, number == nil || strings.EqualFold(strings.TrimSpace(text), "true"), "%q became an attack", text)
		}
	})
}
