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
		"UTF-16":               {"a.csv", "\xff\xfea\x00", nil, "a.csv: is UTF-16: want UTF-8"},
		"UTF-16 without mark":  {"a.csv", "t\x00i\x00", nil, "a.csv: is UTF-16 without its mark: want UTF-8"},
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
			have, wrong := eventsOfInput(t, c.file, c.content)
			require.Equal(t, c.events, have)
			require.Equal(t, c.wrong, wrong)
			have, wrong = eventsOfTable(t, c.file, c.content)
			require.Equal(t, c.events, have)
			require.Equal(t, c.wrong, wrong)
		})
	}
}

// eventsOfTable reads as the command line does.
func eventsOfTable(t *testing.T, name, content string) (events []string, wrong string) {
	t.Helper()
	var table sequencer.Table
	if err := table.ReadStream(strings.NewReader(content), name, sequencer.ReadOptions{}); err != nil {
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
func eventsOfInput(t *testing.T, name, content string) (events []string, wrong string) {
	t.Helper()
	text := &text{line: 1, wait: true}
	in, err := textfile.NewReader(strings.NewReader(content))
	if err != nil {
		return nil, name + ": " + err.Error()
	}
	text.in = in
	s, err := reading{format: formatAuto, comma: ',', max: 16 << 20}.splitter(text, name)
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
