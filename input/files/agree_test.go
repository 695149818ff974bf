package files

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/field"
	"connect-deepcase/internal/textfile"
	"connect-deepcase/sequencer"
)

func packed(t *testing.T, text string, writer func(io.Writer) io.WriteCloser) string {
	t.Helper()
	var b bytes.Buffer
	w := writer(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// The command line and deepcase_files see the same events in a file, or both refuse it in the same words.
func TestCommandLineAndInputReadTheSame(t *testing.T) {
	gzipped := func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
	zipped := func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z }
	const csv = "timestamp,machine,event\n1,m,a\n2,n,b\n"
	const ndjson = `{"timestamp":1,"machine":"m","event":"a"}` + "\n" + `{"timestamp":2,"machine":"n","event":"b"}` + "\n"
	both := []string{"1 m a", "2 n b"}
	wide := strings.Repeat(",", 10_000)
	for name, c := range map[string]struct {
		file, content string
		events        []string
		wrong         string // what the error of both says; "" for none
	}{
		"csv":                  {"a.csv", csv, both, ""},
		"csv with CRLF":        {"a.csv", strings.ReplaceAll(csv, "\n", "\r\n"), both, ""},
		"csv with a mark":      {"a.csv", "\ufeff" + csv, both, ""},
		"csv, gzip":            {"a.csv.gz", packed(t, csv, gzipped), both, ""},
		"csv, zstd":            {"a.csv.zst", packed(t, csv, zipped), both, ""},
		"csv with blank lines": {"a.csv", "\n" + strings.ReplaceAll(csv, "\n", "\n\n"), both, ""},
		"csv without an end":   {"a.csv", strings.TrimSuffix(csv, "\n"), both, ""},
		"spaces in the header": {"a.csv", strings.Replace(csv, "machine,", " machine ,", 1), both, ""},
		"values in quotes":     {"a.csv", "timestamp,machine,event\n1,\"m\",\"a\"\"b\"\n", []string{`1 m a"b`}, ""},
		"a line end in quotes": {"a.csv", "timestamp,machine,event\n1,m,\"a\nb\"\n", []string{"1 m a\nb"}, ""},
		"more columns":         {"a.csv", "x,timestamp,machine,event,\n9,1,m,a,\n", []string{"1 m a"}, ""},
		"a column twice":       {"a.csv", "timestamp,machine,event,event\n1,m,a,b\n", nil, `a.csv:1: column "event" comes twice: want one`},
		"too few columns":      {"a.csv", csv + "3,m\n", both, "a.csv:4: 2 columns, the header has 3"},
		"too many columns":     {"a.csv", csv + "3,m,c,d\n", both, "a.csv:4: 4 columns, the header has 3"},
		"far too many columns": {"a.csv", csv + wide + "\n", both, "a.csv:4: more than 10000 columns: want fewer"},
		"a quote in a value":   {"a.csv", csv + "3,m,c\"d\n", both, `a.csv:4: a " inside a value: want the value in quotes and each " in it twice`},
		"a quote that is open": {"a.csv", csv + "3,m,\"c\n", both, `a.csv:4: a quoted value does not end, or goes on after its ": want each " in it twice`},
		"UTF-16":               {"a.csv", "\xff\xfea\x00", nil, "a.csv: is UTF-16: want encoding: utf-16"},
		"UTF-16 without mark":  {"a.csv", "t\x00i\x00", nil, "a.csv: is UTF-16 without its mark: want encoding: utf-16le"},
		"a cut gzip file":      {"a.csv.gz", packed(t, csv, gzipped)[:12], nil, "a.csv.gz: ends in the middle: want the whole file"},
		"a zip file":           {"a.csv", "PK\x03\x04..", nil, "a.csv: is zip: want text, gzip, zstd or bzip2"},
		"ndjson":               {"a.ndjson", ndjson, both, ""},
		"ndjson with CRLF":     {"a.ndjson", strings.ReplaceAll(ndjson, "\n", "\r\n"), both, ""},
		"ndjson with a mark":   {"a.ndjson", "\ufeff" + ndjson, both, ""},
		"ndjson, gzip":         {"a.ndjson.gz", packed(t, ndjson, gzipped), both, ""},
		"blank lines":          {"a.ndjson", strings.ReplaceAll(ndjson, "\n", "\n\n"), both, ""},
		"a key with a dot":     {"a.ndjson", `{"timestamp":1,"machine":["m"],"event":"\u00e9\ud83d\ude00"}` + "\n", []string{"1 m é😀"}, ""},
		"json, one array":      {"a.json", "[" + strings.ReplaceAll(strings.TrimSpace(ndjson), "\n", ",\n") + "]", both, ""},
		"json in a row":        {"a.json", strings.ReplaceAll(ndjson, ",", ",\n"), both, ""},
		"an empty array":       {"a.json", "[]", nil, ""},
		"empty":                {"a.ndjson", "", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			have, wrong := eventsOfInput(t, "", c.file, c.content)
			require.Equal(t, c.events, have)
			require.Equal(t, c.wrong, wrong)
			have, wrong = eventsOfTable(t, "", c.file, c.content)
			require.Equal(t, c.events, have)
			require.Equal(t, c.wrong, wrong)
		})
	}
}

// They see the same events in containers and in other encodings, too.
func TestCommandLineAndInputReadTheSameContainers(t *testing.T) {
	const a, b = `{"timestamp":1,"machine":"m\u00fc","event":"a"}`, `{"timestamp":2,"machine":"n","event":"\u767b"}`
	both := []string{"1 mü a", "2 n 登"}
	pretty := strings.ReplaceAll(a+b, ",", ",\n   ")
	gzipBoth := gzipped(t, "["+a+",\n") + gzipped(t, b+"]")
	const csv = "timestamp,machine,event\r\n1,mü,a\r\n2,n,登\r\n"
	latin := []string{"1 mü a"}
	for name, c := range map[string]struct {
		encoding, file, content string
		events                  []string
		wrong                   string
	}{
		"concatenated":          {"", "a.json", pretty, both, ""},
		"array":                 {"", "a.json", "[\n" + a + ",\n" + b + "\n]\n", both, ""},
		"arrays":                {"", "a.json", "[" + a + "]\n[" + b + "]", both, ""},
		"array and document":    {"", "a.json", "[" + a + "]\n" + b, both, ""},
		"members of gzip":       {"", "a.json.gz", gzipBoth, both, ""},
		"Records":               {"", "a.json", `{"Records":[` + a + "," + b + "]}", both, ""},
		"several Records":       {"", "a.json", `{"Records":[` + a + `]}{"records":[` + b + "]}", both, ""},
		"search answer":         {"", "a.json", `{"took":1,"hits":{"total":2,"hits":[` + a + "," + b + `]},"x":[1]}`, both, ""},
		"Microsoft Graph":       {"", "a.json", `{"@odata.context":"x","value":[` + a + "," + b + `],"@odata.nextLink":"y"}`, both, ""},
		"empty Records":         {"", "a.json", `{"Records":[]}`, nil, ""},
		"utf-16 csv":            {"utf-16", "a.csv", utf16le(t, csv), both, ""},
		"utf-16 csv, gzip":      {"utf-16", "a.csv.gz", gzipped(t, utf16le(t, csv)), both, ""},
		"utf-16 ndjson":         {"utf-16", "a.ndjson", utf16le(t, a+"\r\n"+b+"\r\n"), both, ""},
		"utf-16 json":           {"utf-16", "a.json", utf16le(t, `{"Records":[`+a+",\n"+b+"]}"), both, ""},
		"windows-1252 csv":      {"windows-1252", "a.csv", "timestamp,machine,event\n1,m\xfc,a\n", latin, ""},
		"windows-1252 ndjson":   {"windows-1252", "a.ndjson", `{"timestamp":1,"machine":"m` + "\xfc" + `","event":"a"}`, latin, ""},
		"declared, but another": {"windows-1252", "a.csv", utf16le(t, csv), nil, "a.csv: is UTF-16: want encoding: utf-16"},
		"utf-16, but is not":    {"utf-16", "a.csv", csv, nil, "a.csv: is not UTF-16: want encoding: utf-8 or a code page"},
	} {
		t.Run(name, func(t *testing.T) {
			have, wrong := eventsOfInput(t, c.encoding, c.file, c.content)
			require.Equal(t, c.events, have)
			require.Equal(t, c.wrong, wrong)
			have, wrong = eventsOfTable(t, c.encoding, c.file, c.content)
			require.Equal(t, c.events, have)
			require.Equal(t, c.wrong, wrong)
		})
	}
	const wrong = "1,m\xfc,a\n2,\x81,b\n"
	have, err := eventsOfTable(t, "windows-1252", "a.csv", "timestamp,machine,event\n"+wrong)
	require.Equal(t, latin, have)
	require.Equal(t, "a.csv:3: machine: has the byte 0x81, which is not windows-1252: want another encoding", err)
	have, err = eventsOfTable(t, "windows-1252", "a.ndjson", `{"timestamp":1,"machine":"x","event":"`+"\x81"+`"}`)
	require.Empty(t, have)
	require.Equal(t, "a.ndjson:1: event: has the byte 0x81, which is not windows-1252: want another encoding", err)
}

// eventsOfTable reads as the command line does.
func eventsOfTable(t *testing.T, encoding, name, content string) (events []string, wrong string) {
	t.Helper()
	var table sequencer.Table
	if err := table.ReadStream(strings.NewReader(content), name, sequencer.ReadOptions{Encoding: encoding}); err != nil {
		wrong = err.Error()
	}
	s, err := table.Sequence(sequencer.SequenceOptions{Options: sequencer.DefaultOptions()})
	require.NoError(t, err)
	for row, event := range s.Events {
		events = append(events, fmt.Sprintf("%d %s %s", s.Times[row]/1e9, s.Machines[s.Machine[row]], s.Names[event]))
	}
	return events, wrong
}

// eventsOfInput reads as deepcase_files does, up to the first error.
func eventsOfInput(t *testing.T, encoding, name, content string) (events []string, wrong string) {
	t.Helper()
	from, err := textfile.ParseEncoding(encoding)
	require.NoError(t, err)
	text := &text{encoding: from, line: 1, wait: true}
	in, err := from.NewReader(strings.NewReader(content))
	if err != nil {
		return nil, name + ": " + err.Error()
	}
	text.in = in
	s, err := reading{format: formatAuto, comma: ',', envelopes: envelopes, max: 16 << 20}.splitter(text, name)
	require.NoError(t, err)
	for {
		p, err := s.next()
		if err == io.EOF {
			return events, wrong
		}
		require.NoError(t, err)
		if p.err != nil {
			return events, fmt.Sprintf("%s:%d: %v", name, p.line, p.err)
		}
		var document any = p.row
		if p.row == nil {
			require.NoError(t, json.Unmarshal(p.content, &document))
		}
		var event []any
		for _, path := range []string{"timestamp", "machine", "event"} {
			value, err := field.Text(field.Find(document, path))
			require.NoError(t, err)
			event = append(event, value)
		}
		events = append(events, fmt.Sprintf("%s %s %s", event...))
	}
}
