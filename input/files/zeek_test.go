package files

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestZeek(t *testing.T) {
	const header = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tnotice\n#open\t2024-05-01-10-00-00\n" +
		"#fields\tts\tid.orig_h\tmsg\tactions\n#types\ttime\taddr\tstring\tset[enum]\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"unset, empty and sets": {
			header + "1714557600.305988\t10.0.0.1\tx, y\tNotice::ACTION_LOG,Notice::ACTION_EMAIL\n1714557601.0\t-\t(empty)\t(empty)\n1714557602.0\t-\t-\t-\n#close\t2024-05-01-11-00-00\n",
			[]string{
				`9 {"_path":"notice","actions":["Notice::ACTION_LOG","Notice::ACTION_EMAIL"],"id.orig_h":"10.0.0.1","msg":"x, y","ts":"1714557600.305988"}`,
				`10 {"_path":"notice","actions":[],"id.orig_h":null,"msg":"","ts":"1714557601.0"}`,
				`11 {"_path":"notice","actions":null,"id.orig_h":null,"msg":null,"ts":"1714557602.0"}`,
			},
		},
		"a text that looks as if it were unset or empty is escaped": {
			header + "1\t-\t\\x2d\t\\x28empty),a\\x2cb\n",
			[]string{`9 {"_path":"notice","actions":["(empty)","a,b"],"id.orig_h":null,"msg":"-","ts":"1"}`},
		},
		"escapes": {
			header + "1\t-\t\\x23 C:\\\\x41 caf\\xc3\\xa9 \\x0a\t-\n2\t-\t\\xff \\x4\t-\n3\t-\tC:\\temp \\\t-\n",
			[]string{
				`9 {"_path":"notice","actions":null,"id.orig_h":null,"msg":"# C:\\x41 café \n","ts":"1"}`,
				`10 {"_path":"notice","actions":null,"id.orig_h":null,"msg":"\\xff \\x4","ts":"2"}`,
				`11 {"_path":"notice","actions":null,"id.orig_h":null,"msg":"C:\\temp \\","ts":"3"}`,
			},
		},
		"the header comes again after a rotation, with other columns": {
			header + "1\t-\ta\t-\n#close\t2024\n#separator \\x7c\n#path|weird\n#fields|name|ts\n#types|string|time\nbad_checksum|2\n",
			[]string{`9 {"_path":"notice","actions":null,"id.orig_h":null,"msg":"a","ts":"1"}`, `15 {"_path":"weird","name":"bad_checksum","ts":"2"}`},
		},
		"a row with too few columns": {header + "1\t-\n2\t-\ta\t-\n", []string{
			"9 1\t- ! 2 columns, the header has 4", `10 {"_path":"notice","actions":null,"id.orig_h":null,"msg":"a","ts":"2"}`,
		}},
		"no fields": {"#separator \\x09\n1\t2\n", []string{"2 1\t2 ! comes before a usable line that begins with #fields: want the header of the log above its rows"}},
		"a field twice": {"#separator \\x09\n#fields\ta\ta\n1\t2\n", []string{
			"2 #fields\ta\ta ! column \"a\" comes twice: want one",
			"3 1\t2 ! comes before a usable line that begins with #fields: want the header of the log above its rows",
		}},
		"a field without a name": {"#separator \\x09\n#fields\ta\t\n", []string{"2 #fields\ta\t ! column 2 has no name: want one for each column"}},
		"no separator":           {"#separator \n#fields\ta\n1\n", []string{"1 #separator  ! #separator is empty: want what divides columns, such as \\x09", `3 {"a":"1"}`}},
		"no types, no path":      {"#separator \\x09\n#fields\ta\n1,2\n", []string{`3 {"a":"1,2"}`}},
		"not UTF-8":              {"#separator \\x09\n#fields\ta\ncaf\xe9\nb\n", []string{"3 caf\xe9 ! is not UTF-8: want UTF-8", `4 {"a":"b"}`}},
		"CRLF":                   {strings.ReplaceAll("#separator \\x09\n#fields\ta\tb\n1\t2\n", "\n", "\r\n"), []string{`3 {"a":"1","b":"2"}`}},
		"only a header":          {header, nil},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, show(split(t, iotest.OneByteReader(strings.NewReader(c.text)), usual(formatAuto), "notice.log", true)))
			assert.Equal(t, c.want, show(split(t, strings.NewReader(c.text), usual(formatZeek), "x.csv", false)))
		})
	}
}

func TestWhatIsNoLogOfZeek(t *testing.T) {
	const row = "1714557600.305988\t10.0.0.1\n"
	assert.Equal(t, []string{"1 " + strings.TrimSpace(row)}, show(split(t, strings.NewReader(row), usual(formatAuto), "notice.log", false)),
		"without its header it is lines")
	assert.Equal(t, []string{"1 " + strings.TrimSpace(row) + " ! comes before a usable line that begins with #fields: want the header of the log above its rows"},
		show(split(t, strings.NewReader(row), usual(formatZeek), "notice.log", false)))
	assert.Equal(t, []string{"1 #separators", "2 a"}, show(split(t, strings.NewReader("#separators\na\n"), usual(formatAuto), "notice.log", false)))
}

// A line of 16 MiB would otherwise become hundreds of megabytes.
func TestTooManyValuesOfZeek(t *testing.T) {
	const header = "#separator \\x09\n#fields\ta\tb\tc\n#types\tstring\tset[string]\tvector[string]\n"
	commas := strings.Repeat(",", 5_000)
	pieces := split(t, strings.NewReader(header+strings.Repeat("\t", 20_000)+"x\nx\t"+commas+"\t"+commas+"\n"+commas+commas+commas+"\t2\t-\n"), usual(formatZeek), "x", false)
	require.Len(t, pieces, 3)
	assert.EqualError(t, pieces[0].err, "20001 values or more: want at most 10000")
	assert.EqualError(t, pieces[1].err, "10002 values or more: want at most 10000")
	assert.Equal(t, map[string]any{"a": commas + commas + commas, "b": []any{"2"}, "c": nil}, pieces[2].row)
}

// escapeZeek writes a value as Zeek's writer of ASCII does with enable_utf_8.
func escapeZeek(value string, reserved ...string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		switch {
		case c == '\\':
			b.WriteString(`\\`)
		case c < ' ' || c == 0x7f || strings.IndexByte(strings.Join(reserved, ""), c) >= 0:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	s := b.String()
	if s == usualZeek.unset || s == usualZeek.empty || strings.HasPrefix(s, "#") {
		s = fmt.Sprintf(`\x%02x`, s[0]) + s[1:]
	}
	if s == "" {
		s = usualZeek.empty
	}
	return s
}

// What is written as Zeek writes it is read back, whatever it is.
func TestZeekIsReadAsItWasWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"-", "(empty)", "#", "\\", "\\x09", "x41", "\t", "\n", ",", "|", "é", "😀", "a", " ", "\"", "\x00"}
	word := func() string {
		var b strings.Builder
		for range random.IntN(4) {
			b.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		return b.String()
	}
	for range 3000 {
		separator := []string{"\t", "|", ";;"}[random.IntN(3)]
		var text strings.Builder
		fmt.Fprintf(&text, "#separator %s\n#path%[2]sp\n#fields%[2]sa%[2]sb%[2]sc\n#types%[2]sstring%[2]svector[string]%[2]sstring\n", escapeZeek(separator, separator), separator)
		row := map[string]any{"_path": "p", "a": word(), "c": word()}
		var list []any
		var written []string
		for range random.IntN(4) {
			w := word()
			list, written = append(list, w), append(written, escapeZeek(w, separator, ","))
		}
		joined := strings.Join(written, ",")
		if row["b"] = any(list); list == nil {
			row["b"], joined = []any{}, usualZeek.empty
		} else if len(list) == 1 && joined == usualZeek.empty {
			row["b"] = []any{} // Zeek writes a set of one empty text as an empty set
		}
		fmt.Fprintf(&text, "%s%s%s%s%s\n", escapeZeek(row["a"].(string), separator), separator, joined, separator, escapeZeek(row["c"].(string), separator))
		pieces := split(t, strings.NewReader(text.String()), usual(formatAuto), "p.log", false)
		require.Len(t, pieces, 1, text.String())
		require.NoError(t, pieces[0].err, text.String())
		require.Equal(t, row, pieces[0].row, text.String())
	}
}

func FuzzZeek(f *testing.F) {
	f.Add("#separator \\x09\n#set_separator\t,\n#fields\ta\tb\n#types\tstring\tset[string]\n1\t2,3\n#fields\ta\n-\n\\x2d\n\\")
	f.Add("#separator ,\n#fields,a\n#unset_field,\n#set_separator,\n\\x\\xg0\\xff\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows := 0
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSuffix(line, "\r"); strings.TrimSpace(line) != "" && line[0] != '#' {
				rows++
			}
		}
		for _, p := range split(t, strings.NewReader(text), usual(formatZeek), "x", false) {
			if p.content == nil || p.content[0] != '#' {
				rows--
			}
			if p.err == nil {
				require.NotNil(t, p.row)
				require.Nil(t, p.content)
			}
		}
		require.Zero(t, rows, "each row is a message")
	})
}
