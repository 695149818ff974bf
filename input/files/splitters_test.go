package files

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/jsontext"
)

// chunked gives a text in pieces of these many bytes, over and over.
type chunked struct {
	rest  []byte
	sizes []byte
	at    int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := len(c.rest)
	if len(c.sizes) > 0 {
		n = 1 + int(c.sizes[c.at%len(c.sizes)])%16
		c.at++
	}
	n = copy(p, c.rest[:min(n, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}

// split reads a text to its end. With impatient it asks first for what can be had without waiting, and is told to wait only then.
func split(t testing.TB, in io.Reader, r reading, name string, impatient bool) []piece {
	t.Helper()
	text := &text{in: in, line: 1, wait: true}
	s, err := r.splitter(text, name)
	require.NoError(t, err)
	var pieces []piece
	for calls := 0; ; calls++ {
		text.wait = !impatient
		p, err := s.next()
		if errors.Is(err, errLater) {
			text.wait = true
			p, err = s.next()
		}
		if err == io.EOF {
			return pieces
		}
		require.NoError(t, err)
		p.content = bytes.Clone(p.content)
		pieces = append(pieces, p)
		if p.last {
			return pieces
		}
	}
}

// show is a piece in short.
func show(pieces []piece) (shown []string) {
	for _, p := range pieces {
		s := fmt.Sprintf("%d %s", p.line, p.content)
		if p.row != nil {
			row, _ := json.Marshal(p.row)
			s = fmt.Sprintf("%d %s", p.line, row)
		}
		if p.err != nil {
			s += " ! " + p.err.Error()
		}
		if p.last {
			s += " END"
		}
		shown = append(shown, s)
	}
	return shown
}

var envelopes, _ = jsontext.ParseEnvelopes(jsontext.DefaultEnvelopes())

func usual(format string) reading {
	return reading{format: format, comma: ',', envelopes: envelopes, max: 1 << 20}
}

func TestSplitters(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"a.log", "", nil},
		{"a.log", "\n\r\n  \n", nil},
		{"a.log", "one\ntwo\r\n\nfour", []string{"1 one", "2 two", "4 four"}},
		{"a.log", "caf\xe9\nb\n", []string{"1 caf\xe9 ! is not UTF-8: want UTF-8", "2 b"}},
		{"a.log", "[Fri Jan 02] error\n", []string{"1 [Fri Jan 02] error"}},
		{"a.log", "[2026-01-02] error\n", []string{"1 [2026-01-02] error"}},
		{"a.json", "{\"a\":1}\n{\"a\":2}\n", []string{`1 {"a":1}`, `2 {"a":2}`}},
		{"a.json", "{\"a\":1}\n{\"a\":\n{\"a\":3}\n", []string{`1 {"a":1}`, `2 {"a":`, `3 {"a":3}`}}, // a line that is cut is one message
		{"a.json", `{"a":1}`, []string{`1 {"a":1}`}},
		{"a.json", `{"a":1} {"a":2}{"a":3}`, []string{`1 {"a":1}`, `1 {"a":2}`, `1 {"a":3}`}},
		{"a.json", "{\"a\":1},\n{\"a\":2},\n", []string{`1 {"a":1}`, `2 {"a":2}`}},
		{"a.json", "{\n  \"a\": [1,\n {\"b\": \"x y\"}]\n}\n{\n  \"a\": 2\n}\n", []string{`1 {"a":[1,{"b":"x y"}]}`, `5 {"a":2}`}},
		{"a.json", "[\n{\"a\":1},\n{\"a\":2}\n]\n", []string{`2 {"a":1}`, `3 {"a":2}`}},
		{"a.json", " [{\"a\":1},{\"a\":\"]}\\\"\"}] [ ] [[{}]]", []string{`1 {"a":1}`, `1 {"a":"]}\""}`, `1 {}`}},
		{"a.json", "{\"Records\": [{\"a\":1}, {\"a\":2}]}\n{ \"records\" :\n[ {\"a\":3} ] }", []string{`1 {"a":1}`, `1 {"a":2}`, `3 {"a":3}`}},
		{"a.json", "{\"Record\": [{\"a\":1}]}", []string{`1 {"Record": [{"a":1}]}`}},
		{"a.json", "{\"Records\": 1}", []string{`1 {"Records": 1}`}},
		{"a.json", `{"Records":[{"a":1}],"next":"x"}`, []string{`1 {"a":1}`, `1 "next":"x"} ! goes on after the array: want a }`}},
		{"a.json", "[{\"a\":1},\n", []string{`1 {"a":1}`, `2  ! ends in the middle: want an end for the '[' of line 1 END`}},
		{"a.json", "[{\"a\":1},\n{\"a\":", []string{`1 {"a":1}`, `2 {"a": ! ends in the middle: want the whole document END`}},
		{"a.json", "{\n \"a\": 1,\n{\"b\":2}\n", []string{"1 {\n \"a\": 1, ! is not JSON: has a '{' after ','", `3 {"b":2}`}},
		{"a.json", "{\n \"a\": 1]\n}\n{\"b\":2}\n", []string{"1 {\n \"a\": 1]\n} ! is not JSON: has a ']' for a '{'", `4 {"b":2}`}},
		{"a.json", "{\n \"a\": \"x\n}\n{\"b\":2}\n", []string{"1 {\n \"a\": \"x\n} ! is not JSON: has a string with a line end in it: want \\n, or a quote before it", `4 {"b":2}`}},
		{"a.json", "{\n\"a\": tru}\n{\"b\":2}\n", []string{"1 {\n\"a\": tru} ! is not JSON: invalid character '}' in literal true (expecting 'e')", `3 {"b":2}`}},
		{"a.json", "[{\"a\":1}]]\n{\"b\":2}\n", []string{`1 {"a":1}`, `1 ] ! a ']' without a '['`, `2 {"b":2}`}},
		{"a.json", "[{\"a\":1}]\nnot JSON at\nall, no\n{\"b\":2}\n", []string{`1 {"a":1}`, "2 not JSON at\nall, no ! is not JSON: invalid character 'o' in literal null (expecting 'u')", `4 {"b":2}`}},
		{"a.json", "[{\"a\":1}] xyz\nmore\n", []string{`1 {"a":1}`, "1 xyz\nmore ! is not JSON: has a 'x' where a document begins"}},
		{"a.json", "[{\"a\":\"caf\xe9\"},{}]", []string{"1 {\"a\":\"caf\xe9\"} ! is not UTF-8: want UTF-8", "1 {}"}},
		{"a.csv", "", nil},
		{"a.csv", "\n\n", nil},
		{"a.csv", "a,b\n", nil},
		{"a.csv", "a, b \r\n1,2\r\n\r\n3,\"4\r\n\"\"5\"\r\n6,7", []string{`2 {"a":"1","b":"2"}`, `4 {"a":"3","b":"4\n\"5"}`, `6 {"a":"6","b":"7"}`}},
		{"a.csv", "a,b\r1,2\r3,4\r", []string{`2 {"a":"1","b":"2"}`, `3 {"a":"3","b":"4"}`}},
		{"a.csv", "a,b\r1,2", []string{`2 {"a":"1","b":"2"}`}},
		{"a.csv", "a,b,a\n1,2,3\n", []string{`1 a,b,a ! column "a" comes twice: want one END`}},
		{"a.csv", "a;b\n1;2\n", []string{`1 a;b ! has one column, "a;b": want delimiter: ";" if that divides columns END`}},
		{"a.csv", ",\n1,2\n", []string{`1 , ! has no names in its header: want one for each column END`}},
		{"a.csv", "caf\xc3,\xa9\n1,2\n", []string{"1 caf\xc3,\xa9 ! is not UTF-8: want UTF-8 END"}}, // although the names would be, one after the other
		{"a.csv", "a,\"b\n1,2\n", []string{`1 a,"b ! a quoted value does not end, or goes on after its ": want each " in it twice END`}},
		{"a.csv", "a,,\n1,,\n2,,x\n", []string{`2 {"a":"1"}`, `3 {"a":"2","column_3":"x"}`}},
		{"a.csv", "a,b\n1\n2,3\n1,2,3\n", []string{`2 1 ! 1 columns, the header has 2`, `3 {"a":"2","b":"3"}`, `4 1,2,3 ! 3 columns, the header has 2`}},
		{"a.csv", "a,b\n1,caf\xe9\n2,3\n", []string{"2 1,caf\xe9 ! is not UTF-8: want UTF-8", `3 {"a":"2","b":"3"}`}},
		{"a.csv", "a,b\n1,\"2\n3,4\n5,6\n", []string{`2 1,"2 ! a quoted value does not end, or goes on after its ": want each " in it twice`, `3 {"a":"3","b":"4"}`, `4 {"a":"5","b":"6"}`}},
		{"a.csv", "a,b\n1,2\"\n3,4\"\n5,6\n", []string{`2 1,2" ! a " inside a value: want the value in quotes and each " in it twice`, `3 3,4" ! a " inside a value: want the value in quotes and each " in it twice`, `4 {"a":"5","b":"6"}`}},
	} {
		for _, in := range []io.Reader{strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text)), iotest.DataErrReader(strings.NewReader(c.text))} {
			assert.Equal(t, c.want, show(split(t, in, usual(formatAuto), c.name, true)), "%s: %q", c.name, c.text)
		}
	}
}

func TestFormatsThatAreNamed(t *testing.T) {
	for _, c := range []struct {
		format, name, text string
		want               []string
	}{
		{formatLines, "a.csv", "[{\n\"a\"\n", []string{"1 [{", `2 "a"`}},
		{formatNDJSON, "a.log", "{\"a\":1}\nx\n", []string{`1 {"a":1}`, "2 x"}},
		{formatNDJSON, "a.log", "\n[\n{\"a\":1}\n]\n", []string{"1 [ ! is JSON, but not one document per line: want format: auto or json END"}},
		{formatJSON, "a.csv", "{\"a\":1}\n2 \"x\" null", []string{`1 {"a":1}`, "2 2", `2 "x"`, "2 null"}},
		{formatCSV, "a.txt", "a\n1\n", []string{`2 {"a":"1"}`}},
	} {
		assert.Equal(t, c.want, show(split(t, strings.NewReader(c.text), usual(c.format), c.name, false)), "%s: %q", c.format, c.text)
	}
}

const endInString = ` ! is not JSON: has a string with a line end in it: want \n, or a quote before it`

func TestWhatIsTooLongIsLeftOut(t *testing.T) {
	long, out := strings.Repeat("x", 60), " ! is longer than 50 bytes (max_line): left out"
	begin := func(s string) string { return s[:50] + out }
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"a.log", "a\n" + long[:50] + "\n" + long[:51] + "\nb\n" + long, []string{"1 a", "2 " + long[:50], "3 " + begin(long), "4 b", "5 " + begin(long)}},
		{"a.json", `[{"a":"` + long + `"},{"a":1},{"a":["` + long + long + `"]}]`, []string{`1 ` + begin(`{"a":"`+long), `1 {"a":1}`, `1 ` + begin(`{"a":["`+long)}},
		{"a.json", "[{\"a\":\"" + long + "\n{\"a\":1}]\n", []string{`1 ` + (`{"a":"` + long)[:50] + endInString, `2 {"a":1}`}},
		{"a.json", "[{\"a\":\"" + long, []string{`1 ` + (`{"a":"` + long)[:50] + " ! ends in the middle: want the whole document END"}},
		{"a.json", "[{\"a\":1}]\nno JSON\n" + long + long, []string{`1 {"a":1}`, "2 " + ("no JSON\n" + long)[:50] + " ! is not JSON: invalid character 'o' in literal null (expecting 'u')"}},
		{"a.csv", "a,b\n1," + long + "\n2,\"" + long + "\"\n3,4\n", []string{"2 " + begin("1,"+long), `3 ` + begin(`2,"`+long), `4 {"a":"3","b":"4"}`}},
		{"a.csv", "a,b\n1,\"2\n" + strings.Repeat("3,4\n", 20) + "5,\"\"\n", append(append([]string{
			`2 1,"2 ! a quoted value does not end within 50 bytes (max_line): want a " after it`}, rowsOf34...), `23 {"a":"5","b":""}`)},
		{"a.csv", long + "," + long + "\na,b\n", []string{"1 " + begin(long) + " END"}},
	} {
		r := usual(formatAuto)
		r.max = 50
		for _, sizes := range [][]byte{nil, {0}, {3, 9, 1}} {
			have := show(split(t, &chunked{rest: []byte(c.text), sizes: sizes}, r, c.name, false))
			assert.Equal(t, c.want, have, "%q, %v", c.text, sizes)
		}
	}
}

var rowsOf34 = func() (rows []string) {
	for i := range 20 {
		rows = append(rows, fmt.Sprintf(`%d {"a":"3","b":"4"}`, 3+i))
	}
	return rows
}()

func TestAnErrorOfTheFileComesAfterWhatWasRead(t *testing.T) {
	gone := errors.New("disk gone")
	for name, want := range map[string][]string{
		"a.log":  {"1 one", "2 {\"two ! disk gone END"},
		"a.json": {"1 {\"one\":1}", "1 {\"two ! disk gone END"},
		"a.csv":  {"2 {\"one\":\"x\"}", "3 {\"two ! disk gone END"},
	} {
		before := map[string]string{"a.log": "one\n{\"two", "a.json": "[{\"one\":1},{\"two", "a.csv": "one\nx\n{\"two"}[name]
		have := split(t, io.MultiReader(strings.NewReader(before), iotest.ErrReader(gone)), usual(formatAuto), name, true)
		assert.Equal(t, want, show(have), name)
	}
}

// whole splits a text by simple means. It knows what is right of lines, and of csv and JSON in which nothing is wrong: ok tells whether it does.
func whole(format, text string, most int) (want []string, ok bool) {
	switch format {
	case formatLines:
		for i, line := range strings.Split(text, "\n") {
			if len(line) > most {
				want = append(want, fmt.Sprintf("%d %s ! %v", i+1, line[:min(excerpt, most)], errTooLong(most)))
				continue
			}
			line = strings.TrimSuffix(line, "\r")
			if s := fmt.Sprintf("%d %s", i+1, line); strings.TrimSpace(line) == "" {
				continue
			} else if !utf8.ValidString(line) {
				want = append(want, s+" ! "+"is not UTF-8: want UTF-8")
			} else {
				want = append(want, s)
			}
		}
		return want, true
	case formatCSV:
		records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(records) == 0 || !utf8.ValidString(text) || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") {
			return nil, false
		}
		r := newRows()
		if r.readHeader(records[0]) != nil {
			return nil, false
		}
		for _, record := range records[1:] {
			row, _ := json.Marshal(r.row(record))
			want = append(want, string(row))
		}
		return want, true
	case formatJSON:
		if !utf8.ValidString(text) {
			return nil, false
		}
		var documents []json.RawMessage
		if json.Unmarshal([]byte(text), &documents) != nil {
			documents = nil
			for d := json.NewDecoder(strings.NewReader(text)); ; {
				var document json.RawMessage
				if err := d.Decode(&document); err == io.EOF {
					break
				} else if err != nil {
					return nil, false
				}
				documents = append(documents, document)
			}
		}
		for _, document := range documents {
			if document[0] != '{' || strings.Contains(string(document), "ecords") { // these are around documents, or none
				return nil, false
			}
			var b bytes.Buffer
			if json.Compact(&b, document) != nil {
				return nil, false
			}
			want = append(want, b.String())
		}
		return want, true
	}
	return nil, false
}

// compare splits a text in chunks and at once, and by simple means where these know.
func compare(t *testing.T, format, text string, most int, sizes []byte) {
	t.Helper()
	r := usual(format)
	r.max = most
	atOnce := split(t, strings.NewReader(text), r, "a.csv", false)
	have := show(atOnce)
	require.Equal(t, have, show(split(t, &chunked{rest: []byte(text), sizes: sizes}, r, "a.csv", len(sizes)%2 == 0)), "%s in chunks of %v: %q", format, sizes, text)
	if most < len(text) && format != formatLines {
		return
	}
	want, ok := whole(format, text, most)
	if !ok {
		return
	}
	if format != formatLines {
		have = nil
		for _, p := range atOnce {
			require.NoError(t, p.err, "%s: %q", format, text)
			p.content = bytes.TrimSpace(p.content)
			var b bytes.Buffer
			if p.row == nil {
				require.NoError(t, json.Compact(&b, p.content), "%q", text)
				have = append(have, b.String())
				continue
			}
			row, _ := json.Marshal(p.row)
			have = append(have, string(row))
		}
	}
	require.Equal(t, want, have, "%s: %q", format, text)
}

// random strings together what files are made of; most of it is wrong somewhere.
func random(r *rand.Rand, parts []string, most int) string {
	var b strings.Builder
	for range r.IntN(most) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

func TestChunksDoNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	parts := map[string][]string{
		formatLines:  {"a", "bc", "\n", "\r\n", " ", "\xe9", "\r"},
		formatNDJSON: {`{"a":1}`, "\n", "[", "{", "}", "x", `"`},
		formatCSV:    {"a,b\n", "1,2\n", ",", "\n", "\r\n", `"`, `""`, "x", "\"y\nz\"", "\r", "\xe9", "1,\"2\"\n"},
		formatJSON:   {`{"a":1}`, "{\n\"a\": [1, {\"b\": \"]}\\\\\"}]\n}", "\n", "\n{", "[", "]", "{", "}", ",", ":", `"a"`, `"`, " ", "1", "true", "x", "\xe9", `{"Records":[`, "]}"},
	}
	for n := range 2_000 {
		for format, parts := range parts {
			sizes := make([]byte, r.IntN(4))
			for i := range sizes {
				sizes[i] = byte(r.IntN(16))
			}
			compare(t, format, random(r, parts, 14), []int{3, 10, 1 << 20}[n%3], sizes)
		}
	}
}

func FuzzSplitters(f *testing.F) {
	for i := range uint8(5) {
		f.Add("a,b\n1,\"x\ny\"\r\n\xe9,2\n", i, uint16(1000), []byte{1, 2})
		f.Add("[\n{\"a\":[1,\"]\\\"\"]},\n{}]{\"Records\":[{}]}\n{", i, uint16(5), []byte{3})
	}
	f.Add(strings.Repeat("-", excerpt+2), uint8(0), uint16(excerpt), []byte{0}) // too long, and longer than what is kept of it
	f.Fuzz(func(t *testing.T, text string, format uint8, most uint16, sizes []byte) {
		compare(t, []string{formatLines, formatNDJSON, formatJSON, formatCSV, formatAuto}[format%5], text, 1+int(most), sizes)
	})
}

func newRows() *rows { return &rows{text: &text{}} }
