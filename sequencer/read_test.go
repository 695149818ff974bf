package sequencer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/textfile"
)

// rows are the rows of a table as lines "seconds machine event label".
func (t *Table) rows() (rows []string) {
	for i, at := range t.time {
		row := fmt.Sprintf("%g %s %s", float64(at)/1e9, t.machines.texts[t.machine[i]], t.names.texts[t.name[i]])
		if t.labels != nil {
			row += fmt.Sprintf(" %g", t.labels[i])
		}
		rows = append(rows, row)
	}
	return rows
}

func read(t *testing.T, in, name string, opts ReadOptions) (*Table, error) {
	t.Helper()
	table := &Table{}
	return table, table.ReadStream(strings.NewReader(in), name, opts)
}

func TestReadFormats(t *testing.T) {
	ait := ReadOptions{Columns: Columns{Timestamp: "time", Machine: "host", Event: "name", Label: "event_label"}, Benign: "-"}
	plain := ReadOptions{}
	for _, c := range []struct {
		test, name, in string
		opts           ReadOptions
		want           []string
	}{
		{"csv", "a.csv", "timestamp,machine,event\n1,m,a\n2.5,m,b\n", plain, []string{"1 m a", "2.5 m b"}},
		{"csv: order of columns, more of them, mark, CRLF, quotes", "a.csv",
			"\xef\xbb\xbfx, event ,label,machine,timestamp\r\n,\"a, \"\"b\"\"\n\",3,m,1\r\n,c,,m,2",
			plain, []string{"1 m a, \"b\"\n 3", "2 m c -1"}},
		{"csv: other names, benign", "a.csv", "time,host,name,event_label\n1,m,a,-\n2,m,b,dnsteal\n3,m,b,7\n", ait, []string{"1 m a 0",
			"2 m b 1", "3 m b 7"}},
		{"csv: truth values", "a.csv", "timestamp,machine,event,label\n1,m,a,true\n2,m,b,false\n", plain, []string{"1 m a 1", "2 m b 0"}},
		{"csv: truth values, one benign", "a.csv", "time,host,name,event_label\n1,m,a,true\n2,m,b, false\n3,m,b,\n",
			ReadOptions{Columns: ait.Columns, Benign: "true"}, []string{"1 m a 0", "2 m b 1", "3 m b -1"}},
		{"csv: header only", "a.csv", "timestamp,machine,event\n", plain, nil},
		{"csv: rows", "a.csv", "timestamp,machine,event\n1,m,a\n2,m,b\n3,m,broken", ReadOptions{Rows: 2}, []string{"1 m a", "2 m b"}},
		{"txt", "a.txt", "5 22  11 \n\n7\r\n8", plain, []string{"0 0 5", "1 0 22", "2 0 11", "3 2 7", "4 3 8"}},
		{"txt: rows are lines", "a.txt", "5 22\n7\n8\n", ReadOptions{Rows: 2}, []string{"0 0 5", "1 0 22", "2 1 7"}},
		{"txt: machines of its own", "in/a.txt.gz", "5\n7", ReadOptions{PerFile: true}, []string{"0 a/0 5", "1 a/1 7"}},
		{"ndjson", "a.ndjson",
			`{"timestamp":1,"machine":"m","event":"a"}` + "\r\n\n" + `{"event":4688,"machine":7,"timestamp":"2022-01-14T00:00:09Z","label":2}`, plain,
			[]string{"1 m a -1", "1.642118409e+09 7 4688 2"}},
		{"json array", "a.json",
			" \n[ {\"timestamp\":1,\"machine\":\"m\",\"event\":\"a\"} ,\n{\"timestamp\":2,\"machine\":\"m\",\"event\":\"b\"}]\n", plain,
			[]string{"1 m a", "2 m b"}},
		{"json lines", "a.json",
			"\xef\xbb\xbf{\"timestamp\":1,\"machine\":\"m\",\"event\":\"a\"}\n{\"timestamp\":2,\"machine\":\"m\",\"event\":\"b\"}", plain,
			[]string{"1 m a", "2 m b"}},
		{"json: rows", "a.json", `[{"timestamp":1,"machine":"m","event":"a"},broken`, ReadOptions{Rows: 1}, []string{"1 m a"}},
		{"json: nested, escapes, dotted keys, braces in strings", "a.json",
			`{"x":{"y":[1,{"z":"}]\""}]},"agent":{"name":"h\u00e9\n"},"rule.description":"flat","rule":{"description":"nested"},"@timestamp":12e-1,"t":{"level":true}}` +
				`{"agent.name":"b","rule":{"description":"nested","n":null},"agent":3,"@timestamp":2,"t":{"level":null}}`,
			ReadOptions{Columns: Columns{"@timestamp", "agent.name", "rule.description", "t.level"}}, []string{"1.2 hé\n flat 1", "2 b nested -1"}},
		{"json: benign", "a.json",
			`{"time":1,"host":"m","name":"a","event_label":"-"} {"time":2,"host":"m","name":"a","event_label":"scan"}`, ait,
			[]string{"1 m a 0", "2 m a 1"}},
		{"empty json", "a.json", " \n", plain, nil},
		{"empty array", "a.json", "[]", plain, nil},
		{"empty txt", "a.txt", "", plain, nil},
	} {
		t.Run(c.test, func(t *testing.T) {
			table, err := read(t, c.in, c.name, c.opts)
			require.NoError(t, err)
			assert.Equal(t, c.want, table.rows())

			// Compressed, the same comes out, whatever the name says.
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			_, _ = w.Write([]byte(c.in))
			require.NoError(t, w.Close())
			table, err = read(t, z.String(), c.name, c.opts)
			require.NoError(t, err)
			assert.Equal(t, c.want, table.rows())
		})
	}
}

func TestReadSaysWhatIsWrongWhere(t *testing.T) {
	const head = "timestamp,machine,event,label\n"
	const form = ": want a date and time such as 2006-01-02T15:04:05Z, or the time since 1970 in seconds (10 digits), " +
		"milliseconds (13), microseconds (16) or nanoseconds (19); another form needs a time format"
	long := strings.Repeat("x", 10_000)
	for _, c := range []struct{ name, in, want string }{
		{"a.csv", "", `a.csv: is empty: want a header with "timestamp", "machine" and "event"`},
		{"a.csv", "time,machine,event\n1,m,a\n", `a.csv:1: column "timestamp" is missing: the header has "time", "machine", "event"`},
		{"a.csv", "event,timestamp,machine,event\n", `a.csv:1: column "event" comes twice: want one`},
		{"a.csv", head + "1,m,a,0\nyesterday,m,b,0\n", `a.csv:3: timestamp: "yesterday"` + form},
		{"a.csv", head + long + ",m,b,0\n", `a.csv:2: timestamp: "` + long[:60] + `…"` + form},
		{"a.csv", head + "\"1\",\"two\nlines\",,\n", `a.csv:3: event: is empty: want a name`},
		{"a.csv", head + "1,,b,0\n", `a.csv:2: machine: is empty: want a name`},
		{"a.csv", head + "1,m,b\xff,0\n", `a.csv:2: event: "b\xff": want UTF-8`},
		{"a.csv", head + "1,m,b,scan\n", `a.csv:2: label: "scan": want a number, true or false; if labels are texts, set benign to the one that means benign`},
		{"a.csv", head + "1,m,b,NaN\n", `a.csv:2: label: "NaN": want a number that is at least 0, or -1 or nothing for none`},
		{"a.csv", head + "1,m,b,0\n1,m\n", `a.csv:3: 2 columns, the header has 4`},
		{"a.csv", head + "1,m,b \"c\",0\n", `a.csv:2: a " inside a value: want the value in quotes and each " in it twice`},
		{"a.csv", head + "1,m,a,0\n1,\"m,a,0\n1,m,a,0\n", `a.csv:3: a quoted value does not end, or goes on after its ": want each " in it twice`},
		{"a.csv", "\xff\xfet\x00", `a.csv: is UTF-16: want encoding: utf-16`},
		{"a.csv", "\x1f\x8bgarbage garbage", `a.csv: is damaged gzip: want the file as it was compressed`},
		{"a.csv", "\x1f\x8b", `a.csv: ends in the middle: want the whole file`},
		{"a.csv", "timestamp,machine,event\r1,m,a\r", `a.csv:1: has line ends of CR alone: want LF or CRLF`},
		{"a.txt", "1 2\r3 4\r", `a.txt:1: has a line end of CR alone, so that machines would become one: want LF or CRLF`},
		{"a.txt", "1\x00 \x002\x00", `a.txt: is UTF-16 without its mark: want encoding: utf-16le`},
		{"a.txt", "1 2\n3 \xfe", `a.txt:2: event: "\xfe": want UTF-8`},
		{"a.xml", "", `a.xml: format unknown: want a name that ends in .csv, .txt, .json or .ndjson, also with .gz, .zst or .bz2, or the format itself`},
		{"a.json", "\n{\"timestamp\":1,\n\"machine\":\"m\",\n\"event\":\"a\"}\n{\"timestamp\":1,\n\"event\":\"a\"\n}",
			`a.json:5: machine: is missing or null: the object has "timestamp", "event"`},
		{"a.json", "{}", `a.json:1: timestamp: is missing or null: the object has none`},
		{"a.json", `{"timestamp":1,"machine":null,"event":"a"}`,
			`a.json:1: machine: is missing or null: the object has "timestamp", "machine", "event"`},
		{"a.json", `{"timestamp":1,"machine":"m","event":{"a":1}}`,
			`a.json:1: event: is an object (a longer path leads into it): want a text or a number`},
		{"a.json", `{"timestamp":1,"machine":"","event":"a"}`, `a.json:1: machine: is empty: want a name`},
		{"a.json", `{"timestamp":[],"machine":"m","event":"a"}`,
			`a.json:1: timestamp: is a list of 0: want a text or a number`},
		{"a.json", `{"timestamp":1,"machine":"m","event":"a","label":"x"}`,
			`a.json:1: label: "x": want a number, true or false; if labels are texts, set benign to the one that means benign`},
		{"a.json", "[1]", `a.json:1: "1": want an object`},
		{"a.ndjson", "{\"timestamp\":1,\"machine\":\"m\",\"event\":\"a\"}\n\nnope\n",
			`a.ndjson:3: "nope" is not JSON (invalid character 'o' in literal null (expecting 'u')): want an object`},
		{"a.ndjson", "{\"timestamp\":1,\"machine\":\"m\",\"event\":\"a\"}\n{\"timest", `a.ndjson:2: ends in the middle: want the whole file`},
		{"a.json", "[{\"timestamp\":1,\"machine\":\"m\",\"event\":\"a\"},\n", `a.json:2: ends in the middle: want the whole file`},
		{"a.json", "[\n{\"timestamp\":1,\"machine\":\"m\",\"event\":\"a\"}\n{}]",
			`a.json:3: "{}]" is not JSON (expected comma after array element): want an object`},
		{"a.json", "[]\n]", `a.json:2: "]" is not JSON (invalid character ']' looking for beginning of value): want an object`},
		{"a.json", "[]\n{\"Records\":[\n{\"timestamp\":1,\"machine\":\"m\",\"event\":\"a\"},\n{}]}", `a.json:4: timestamp: is missing or null: the object has none`},
		{"a.json", strings.Repeat("[", 40) + strings.Repeat("]", 40), `a.json:1: has more than 32 arrays in each other: want an object`},
		{"a.json", "[}", `a.json:1: "}" is not JSON (invalid character '}' looking for beginning of value): want an object`},
	} {
		_, err := read(t, c.in, c.name, ReadOptions{})
		assert.EqualError(t, err, c.want, "%s %.80q", c.name, c.in)
	}

	_, err := read(t, head, "a.csv", ReadOptions{Columns: Columns{Label: "verdict"}})
	assert.EqualError(t, err, `a.csv:1: column "verdict" is missing: the header has "timestamp", "machine", "event", "label"`)
	var row *RowError
	require.ErrorAs(t, err, &row)
	assert.Equal(t, 1, row.Line)
	_, err = read(t, "", "a.csv", ReadOptions{Format: "xml"})
	assert.EqualError(t, err, `format "xml": want csv, txt, json or ndjson`)
	_, err = read(t, "1\r\n2\r\r\n", "stdin", ReadOptions{Format: Text})
	assert.NoError(t, err)
}

func TestReadSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	one := write("one.csv", "timestamp,machine,event\n1,m,a\n2,n,b\n")
	two := write("two.eve.json", `{"timestamp":3,"machine":"m","event":"c"}`)
	three := write("x/one.csv", "machine,event,timestamp,label\nm,a,4,1\n")

	var table Table
	var done, total int64
	require.NoError(t, table.Read(ReadOptions{Progress: func(d, t int64) { done, total = d, t }}, one, two, three))
	assert.Equal(t, []string{"1 m a -1", "2 n b -1", "3 m c -1", "4 m a 1"}, table.rows())
	assert.Equal(t, total, done)
	assert.Positive(t, total)

	table = Table{}
	require.NoError(t, table.Read(ReadOptions{PerFile: true}, one, two))
	assert.Equal(t, []string{"1 one/m a", "2 one/n b", "3 two.eve/m c"}, table.rows())

	table = Table{}
	require.NoError(t, table.Read(ReadOptions{PerFile: true, Rows: 3}, one, three, two))
	assert.Equal(t, []string{"1 " + one + "/m a -1", "2 " + one + "/n b -1", "4 " + three + "/m a 1"}, table.rows(),
		"equal names: the whole path")

	lines := write("a.txt", "1 2\n3\n")
	table = Table{}
	require.NoError(t, table.Read(ReadOptions{}, lines, lines))
	assert.Equal(t, []string{"0 0 1", "1 0 2", "2 1 3", "3 2 1", "4 2 2", "5 3 3"}, table.rows())

	require.ErrorIs(t, table.Read(ReadOptions{}, filepath.Join(dir, "none.csv")), os.ErrNotExist)
}

func TestParseColumns(t *testing.T) {
	c, err := ParseColumns("timestamp=time, machine = agent.name,label=event_label")
	require.NoError(t, err)
	assert.Equal(t, Columns{"time", "agent.name", "event", "event_label"}, c)
	c, err = ParseColumns("")
	require.NoError(t, err)
	assert.Equal(t, defaultColumns(), c)
	for _, bad := range []string{"time", "time=timestamp", "event=", ",", "event=a,"} {
		_, err = ParseColumns(bad)
		assert.ErrorContains(t, err, ": want timestamp=…, machine=…, event=… or label=…", bad)
	}
	_, err = ParseColumns("machine=src_ip,event=rule,machine=dst_ip")
	assert.EqualError(t, err, "columns: machine comes twice: want one")
}

// fuzzRead reads any bytes. Each row has names and gets a context; each error is a *RowError.
func fuzzRead(f *testing.F, format Format, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var table Table
		if err := table.ReadStream(bytes.NewReader(data), "fuzz", ReadOptions{Format: format}); err != nil {
			var row *RowError
			require.ErrorAs(t, err, &row)
			require.LessOrEqual(t, row.Line, 1+bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r")))
		}
		s, err := table.Sequence(SequenceOptions{Options: Options{Length: 2}, NoEvent: "\xff"})
		require.NoError(t, err)
		require.Len(t, s.Contexts, 2*table.Len())
		require.NotContains(t, s.Names, "")
	})
}

func FuzzCSV(f *testing.F) {
	fuzzRead(f, CSV, "timestamp,machine,event,label\n1,m,\"a \"\"b\"\"\",\r\n2022-01-14T00:00:09Z,m,b,1\n")
}

func FuzzText(f *testing.F) { fuzzRead(f, Text, "5 22 11\n\n7\r\n8", "\xef\xbb\xbf1") }

func FuzzJSON(f *testing.F) {
	fuzzRead(f, JSON, `[{"timestamp":1,"machine":"m","event":"a","label":null},{"timestamp":2}]`,
		"{\"timestamp\":\"2022-01-14T00:00:09+0000\",\"machine\":{\"a\":[\"}\\\"\"]},\"event\":\"\\u00e9\"}\n{\"timestamp\" : 1e3, \"machine\":0,\"event\":true}")
}

// What comes from outside does not fill the memory, and is read the same when it is not remembered.
func TestManyLabels(t *testing.T) {
	var table Table
	r, err := newReader(&table, ReadOptions{})
	require.NoError(t, err)
	for i := range 2 * maxLabels {
		label, kind, err := r.jsonLabel(json.RawMessage(strconv.Itoa(i)))
		require.NoError(t, err)
		require.EqualValues(t, i, label)
		require.Equal(t, strconv.Itoa(i), kind)
	}
	require.Len(t, r.labels, maxLabels)
}

// FuzzLinesAreDocuments: lines, and values one after the other, give the rows and errors that the decoder of encoding/json leads to, however they are
// cut.
func FuzzLinesAreDocuments(f *testing.F) {
	for _, seed := range []string{
		`{"time":1,"host":{"name":"m"},"event":"a"}` + "\n" + ` {"time":"2022-01-14T00:00:09.5Z","host.name":"\u00e9","event":2,"label":[true]} ` + "\r\n\n" + `{"time":3,"time":4,"host":{"name":"m"},"event":"b","label":"2"}`,
		`{"time":1,"host":{"name":"m"},"event":"a"} {"time":2,"host":{"name":"n"},"event":"b"}` + "\n{",
		`{"Records":[{"time":1,"host":{"name":"m"},"event":"a","label":0},` + "\n" + `{"time":1}]}`,
		`{"time":1,"host":{"name":"m"},"event":"a","label":"x"}` + "\n",
		"{\"time\":1,\"host\":{\"name\":\"\xff\"},\"event\":\"a\"}\n[]\n",
		"\n[{\"time\":1,\"host\":{\"name\":\"\\ud83d\\ude00\\ud83d\"},\n\"event\":\"a\"} ,\n {\"time\":2,\"host.name\":\"\\ud83d\\ude00\",\"\\u0065vent\":-1e2}]{\"time\":3,\n\"event\":[\"b\"],\"host\":{\"name\":7}}",
		"[{\"time\":1,\"host.name\":\"m\",\"event\":\"a\",\"host.name\":\"n\"},]", "[{\"time\":1,\"host.name\":\"m\",\"event\":\"a\"}{", "[{}", "[] ,", "[[[{\"time\":1,\"host.name\":\"m\",\"event\":\"a\"}]], 1]",
		"\xef\xbb\xbf{}", "{\"time\":1,\"host.name\":\"m\",\"event\":\"a\x00\"}", "\r\n{\"took\":1,\"hits\":{\"hits\":[\n{\"time\":1,\"host.name\":\"m\",\"event\":\"a\"}\n,{}]}}",
	} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		read := func(in io.Reader, how func(*reader, io.Reader) error) ([]string, error) {
			var table Table
			r, err := newReader(&table, ReadOptions{Columns: Columns{Timestamp: "time", Machine: "host.name"}})
			require.NoError(t, err)
			r.piece, r.workers = 1+int(size>>2), 1+int(size&3)
			err = how(r, in)
			return table.rows(), err
		}
		rows, wrong := read(bytes.NewReader(data), decodeAll)
		for _, in := range []io.Reader{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data)), iotest.HalfReader(bytes.NewReader(data))} {
			for _, how := range []func(*reader, io.Reader) error{(*reader).jsonLines, func(r *reader, in io.Reader) error { return r.json(in, 0) }} {
				got, err := read(in, how)
				require.Equal(t, rows, got)
				if !sameSyntaxError(t, wrong, err) {
					require.Equal(t, fmt.Sprint(wrong), fmt.Sprint(err))
				}
				in = bytes.NewReader(data)
			}
		}
	})
}

// decodeAll is json with the decoder of encoding/json for all of it.
func decodeAll(r *reader, in io.Reader) error {
	text := bufio.NewReader(in)
	lines := 0
	for {
		first, err := text.Peek(1)
		switch {
		case err == nil && bytes.ContainsAny(first, " \t\r\n"):
			if first[0] == '\n' {
				lines++
			}
			_, _ = text.Discard(1)
		case err == nil && first[0] == '[':
			_, _ = text.Discard(1)
			return r.decode(text, lines, "[")
		default:
			return r.decode(text, lines, "")
		}
	}
}

// An endless line must not fill the memory: a record may have 64 MiB by default, and 100 bytes here.
func TestALongRecordIsAnError(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, c := range map[string]struct {
		format Format
		text   string
		line   int
	}{
		"csv":            {CSV, "timestamp,machine,event\n1,m,a\n2,m," + long + "\n", 3},
		"csv, quoted":    {CSV, "timestamp,machine,event\n1,m,\"" + strings.Repeat("x\n", 500) + "\"\n", 2},
		"csv, header":    {CSV, long, 1},
		"txt":            {Text, "a b\n" + long, 2},
		"ndjson":         {NDJSON, `{"timestamp":1,"machine":"m","event":"a"}` + "\n" + `{"timestamp":1,"machine":"m","event":"` + long + `"}`, 2},
		"json":           {JSON, `[{"timestamp":1,"machine":"m","event":"` + long + `"}]`, 1},
		"json of blanks": {JSON, `[` + strings.Repeat(" ", 1000) + `]`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var table Table
			r, err := newReader(&table, ReadOptions{Format: c.format, MaxBytes: 100})
			require.NoError(t, err)
			r.piece = 50
			err = r.stream(iotest.OneByteReader(strings.NewReader(c.text)), "f", "")
			var wrong *RowError
			require.ErrorAs(t, err, &wrong)
			require.ErrorAs(t, err, new(textfile.LongError), "%v", err)
			assert.Equal(t, c.line, wrong.Line)
		})
	}
	var table Table
	many := "timestamp,machine,event\n" + strings.Repeat("1,m,a\n", 100)
	require.NoError(t, table.ReadStream(strings.NewReader(many), "f.csv", ReadOptions{MaxBytes: 100}), "it is the record that counts")
	many = strings.Repeat(`{"timestamp":1,"machine":"m","event":"a"}`+"\n", 100)
	require.NoError(t, table.ReadStream(strings.NewReader(many), "f.ndjson", ReadOptions{MaxBytes: 100}))
}
