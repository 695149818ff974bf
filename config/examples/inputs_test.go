package examples_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// read is what an example makes of input files: what it scored, and its dead letters.
func read(t *testing.T, example, input string, more ...string) (scored, dead []annotated) {
	t.Helper()
	variables := outputs(t)
	variables["INPUT"] = input
	for i := 0; i < len(more); i += 2 {
		variables[more[i]] = more[i+1]
	}
	run(t, example, variables)
	return lines[annotated](t, variables["OUTPUT"]), lines[annotated](t, variables["DEAD_LETTERS"])
}

// written are files in a folder; the result is a pattern of them all.
func written(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	return filepath.Join(dir, "*")
}

// events are the machines and events of documents.
func events(documents []annotated) (found []string) {
	for _, d := range documents {
		found = append(found, d.Deepcase.Machine+" "+d.Deepcase.Event)
	}
	return found
}

func TestAnEmptyFileIsAnEnd(t *testing.T) {
	csv := map[string]string{"a.csv": "", "b.csv": "machine,event,timestamp\nm,a,1\nm,b,2\n", "c.csv.gz": "", "d.csv.gz": gzipped(t, ""), "e.csv": "\n"}
	scored, dead := read(t, "source_csv.yaml", written(t, csv))
	assert.Equal(t, []string{"m a", "m b"}, events(scored))
	assert.Empty(t, dead)

	const ndjson = `{"machine":"m","event":"a","timestamp":1}` + "\n"
	scored, dead = read(t, "score_ndjson.yaml", written(t, map[string]string{"a.gz": "", "b.ndjson": "", "c.ndjson": ndjson}))
	assert.Equal(t, []string{"m a"}, events(scored))
	assert.Empty(t, dead)

	// Of training, the end is what is looked for: two events make no model.
	variables := outputs(t)
	variables["INPUT"] = written(t, csv)
	variables["CLUSTERS"] = filepath.Join(t.TempDir(), "clusters")
	run(t, "train_from_files.yaml", variables)
}

// Whatever way of naming rotated files: the contexts are those of the files joined oldest first.
func TestRotatedFilesAreReadOldestFirst(t *testing.T) {
	var parts []string
	for i := range 4 {
		var b strings.Builder
		for minute := range 20 {
			b.WriteString("2026-07-" + []string{"01", "08", "15", "15"}[i] + "T1" + string(rune('0'+i)) + ":" + string(rune('0'+minute/10)) + string(rune('0'+minute%10)) +
				":00Z web-1 sshd[1]: Accepted password for a from 192.0.2.1 port 1 ssh2\n")
		}
		parts = append(parts, b.String())
	}
	want, dead := read(t, "source_authlog.yaml", written(t, map[string]string{"all.log": strings.Join(parts, "")}))
	require.Empty(t, dead)
	require.Len(t, want, 80)
	for _, names := range [][]string{
		{"auth.log.10.gz", "auth.log.2", "auth.log.1", "auth.log"},
		{"auth.log.3.gz", "auth.log.2.gz", "auth.log.1.gz", "auth.log"},
		{"auth.log-20260701.gz", "auth.log-20260708", "auth.log-20260715", "auth.log"},
		{"auth-20260701.log", "auth-20260708.log", "auth-20260715.log", "auth.log"},
		{"auth.log.2.gz", "auth.log.1.gz", "auth.log.0.gz", "auth.log"},
		{"auth.2.log", "auth.1.log", "auth.0.log.gz", "auth.log"},
	} {
		files := map[string]string{}
		for i, name := range names {
			if files[name] = parts[i]; strings.HasSuffix(name, ".gz") {
				files[name] = gzipped(t, parts[i])
			}
		}
		have, dead := read(t, "source_authlog.yaml", strings.TrimSuffix(written(t, files), "*")+"auth*")
		require.Empty(t, dead, names)
		assert.Equal(t, want, have, names)
	}
}

func TestJSONThatIsNotOneDocumentALine(t *testing.T) {
	fields := []string{"MACHINE_FIELD", "Computer", "EVENT_FIELD", "RuleTitle", "TIME_FIELD", "time"}
	events := []map[string]any{
		{"Computer": "WS-1", "RuleTitle": "PW Spray", "time": "2019-05-01T04:32:03.525+09:00", "Details": map[string]any{"Count": 14}},
		{"Computer": "WS-1", "RuleTitle": "Log Cleared", "time": "2019-05-01T04:32:07.525+09:00"},
	}
	pretty := func(v any) string {
		b, err := json.MarshalIndent(v, "", "    ")
		require.NoError(t, err)
		return string(b)
	}
	plain := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return string(b)
	}
	for name, text := range map[string]string{
		"pretty":       pretty(events[0]) + "\n" + pretty(events[1]) + "\n",
		"array":        "[\n" + plain(events[0]) + ",\n" + plain(events[1]) + "\n]\n",
		"pretty array": pretty(events),
		"one line":     plain(events),
		"records":      plain(map[string]any{"Records": events}),
		"side by side": plain(events[0]) + plain(events[1]),
		"commas":       plain(events[0]) + ",\n" + plain(events[1]) + ",\n",
		"gzipped":      gzipped(t, pretty(events)),
	} {
		scored, dead := read(t, "score_ndjson.yaml", written(t, map[string]string{"events.json": text}), fields...)
		require.Empty(t, dead, name)
		require.Len(t, scored, 2, name)
		assert.Equal(t, "PW Spray", scored[0].Deepcase.Event, name)
		assert.Equal(t, "PW Spray", *scored[1].Deepcase.Context[9], name)
	}
	// One that is broken is one dead letter, not one a line.
	_, dead := read(t, "score_ndjson.yaml", written(t, map[string]string{"events.json": pretty(events)[:200]}), fields...)
	require.Len(t, dead, 1)
	assert.Contains(t, dead[0].Error, "ends in the middle")
}

func TestBytesThatAreNotUTF8AreDeadLetters(t *testing.T) {
	for example, c := range map[string]struct{ good, bad string }{
		"score_ndjson.yaml":    {`{"machine":"M\u00dcNCHEN-1","event":"a","timestamp":1}`, "{\"machine\":\"M\xdcNCHEN-1\",\"event\":\"a\",\"timestamp\":1}"},
		"source_csv.yaml":      {"machine,event,timestamp\nM\u00dcNCHEN-1,a,1", "M\xdcNCHEN-1,a,1"},
		"source_suricata.yaml": {`{"dest_ip":"M\u00dcNCHEN-1","alert":{"signature":"a"},"timestamp":1}`, "{\"dest_ip\":\"M\xdcNCHEN-1\"}"},
		"source_wazuh.yaml":    {`{"agent":{"name":"M\u00dcNCHEN-1"},"rule":{"description":"a"},"timestamp":"2026-01-01T00:00:00Z"}`, "{\"agent\":{\"name\":\"M\xdcNCHEN-1\"}}"},
		"source_windows.yaml":  {`{"Hostname":"M\u00dcNCHEN-1","Channel":"c","EventID":1,"@timestamp":"2026-01-01T00:00:00Z"}`, "{\"Hostname\":\"M\xdcNCHEN-1\"}"},
		"source_authlog.yaml":  {"2026-01-01T00:00:00Z m\u00fcnchen-1 su: + /dev/pts/1 bob:root", "2026-01-01T00:00:00Z M\xdcNCHEN-1 su: + /dev/pts/1 bob:root"},
	} {
		t.Run(example, func(t *testing.T) {
			input := written(t, map[string]string{"events": c.good + "\n" + c.bad + "\n"})
			if example == "source_csv.yaml" {
				input = written(t, map[string]string{"events.csv": c.good + "\n" + c.bad + "\n"})
			}
			scored, dead := read(t, example, input)
			require.Len(t, scored, 1, dead)
			assert.Equal(t, "münchen-1", strings.ToLower(scored[0].Deepcase.Machine))
			require.Len(t, dead, 1)
			assert.Contains(t, dead[0].Error, "is not UTF-8: want UTF-8", "the first cause stays")
			bytes, err := base64.StdEncoding.DecodeString(dead[0].Base64)
			require.NoError(t, err)
			assert.Equal(t, c.bad, string(bytes), "nothing is lost")
		})
	}
}

func TestCSVIsReadAsTheCommandLineReadsIt(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
		dead string
	}{
		"duplicate": {"timestamp,event,event\n1,a,b\n2,a,b\n", nil, `column "event" comes twice: want one`},
		"cr":        {"machine,event,timestamp\rm,a,1\rm,b,2\r", []string{"m a", "m b"}, ""},
		"utf16":     {"\xff\xfem\x00", nil, "is UTF-16: want encoding: utf-16"},
		"semicolon": {"machine;event;timestamp\nm;a;1\nm;b;2\n", nil, `want delimiter: ";"`},
		"quotes":    {"machine,event,timestamp\nm,\"a, \"\"x\"\"\",1\n", []string{`m a, "x"`}, ""},
	} {
		scored, dead := read(t, "source_csv.yaml", written(t, map[string]string{"a.csv": c.text}))
		assert.Equal(t, c.want, events(scored), name)
		if c.dead == "" {
			assert.Empty(t, dead, name)
			continue
		}
		require.Len(t, dead, 1, name)
		assert.Contains(t, dead[0].Error, c.dead, name)
	}
}

func TestALineThatIsTooLongIsOneDeadLetter(t *testing.T) {
	const event = `{"machine":"m","event":"a","timestamp":1}` + "\n"
	var b bytes.Buffer
	b.WriteString(event)
	b.WriteString(`{"x":"` + strings.Repeat("x", 17<<20) + "\"}\n" + event)
	scored, dead := read(t, "score_ndjson.yaml", written(t, map[string]string{"events.ndjson": b.String()}))
	assert.Len(t, scored, 2)
	require.Len(t, dead, 1)
	assert.Contains(t, dead[0].Error, "events.ndjson:2: is longer than 16777216 bytes (max_line): left out")
	assert.Len(t, dead[0].Document, 1000)
}

// What an analyst's spreadsheet may write: a row that cannot be read is refused, and a file that is no csv, with what is wrong with it.
func TestLabelsOfAFileThatIsNotAsItShouldBe(t *testing.T) {
	for text, want := range map[string][]string{
		"":                             nil,
		"cluster,score\n0,\n":          nil,
		"cluster;score\n0;1\n":         {`want delimiter: ";"`},
		"cluster,score\n0\n0,\n":       {"1 columns, the header has 2"},
		"cluster,score,score\n0,1,2\n": {`column "score" comes twice`},
		"\xff\xfec\x00l\x00":           {"is UTF-16: want encoding: utf-16"},
		"cluster,score,event\n0,1,caf\xe9\n0,,x\n": {"is not UTF-8"},
	} {
		scored, dead := read(t, "label_from_csv.yaml", written(t, map[string]string{"clusters.csv": text}))
		assert.Empty(t, scored, text)
		if assert.Len(t, dead, len(want), text) && want != nil {
			assert.Contains(t, dead[0].Error, want[0])
		}
	}
}
