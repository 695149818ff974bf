package sequencer

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/textfile"
)

// BenchmarkRead reads rows of four fields, alerts with a payload, and real alerts. Run it with -cpu 1 for the rate of one core.
func BenchmarkRead(b *testing.B) {
	const rows = 100_000
	var table, short, alerts strings.Builder
	table.WriteString("timestamp,machine,event\n")
	for i := range rows {
		fmt.Fprintf(&table, "%d,host-%d,%s\n", 1642118409+i, i%400, eventNames[i%100])
		fmt.Fprintf(&short, `{"timestamp":%q,"machine":"host-%d","event":%q,"label":0}`+"\n",
			time.Unix(int64(1642118409+i), 0).UTC().Format(time.RFC3339), i%400, eventNames[i%100])
		fmt.Fprintf(&alerts,
			`{"timestamp":%d,"src_ip":"10.0.0.1","alert":{"action":"allowed","signature":%q,"severity":2},"host":{"name":"host-%d"},"payload":"%0200d"}`+"\n",
			1642118409+i, eventNames[i%100], i%400, i)
	}
	suricata := Columns{Machine: "src_ip", Event: "alert.signature"}
	wazuh := Columns{Machine: "agent.name", Event: "rule.description"}
	for _, c := range []struct {
		name    string
		text    func(testing.TB) string
		columns Columns
	}{
		{"short.csv", func(testing.TB) string { return table.String() }, Columns{}},
		{"short.ndjson", func(testing.TB) string { return short.String() }, Columns{}},
		{"array.json", func(testing.TB) string {
			return "[" + strings.TrimSuffix(strings.ReplaceAll(short.String(), "}\n", "},\n"), ",\n") + "]\n"
		}, Columns{}},
		{"objects.json", func(testing.TB) string { return strings.ReplaceAll(short.String(), ",", ",\n  ") }, Columns{}},
		{"alerts.ndjson", func(testing.TB) string { return alerts.String() }, Columns{Machine: "host.name", Event: "alert.signature"}},
		{"ait-ads.ndjson", aitAlerts, Columns{Timestamp: "time", Machine: "host", Event: "name", Label: "time_label"}},
		{"suricata.ndjson", func(t testing.TB) string {
			return strings.Repeat(realText(t, "suricata-cptc2017/team1.eve.json.gz"), 20)
		}, suricata},
		{"wazuh.ndjson", func(t testing.TB) string { return strings.Repeat(realText(t, "wazuh/ossec_insect.json"), 40) }, wazuh},
	} {
		b.Run(c.name, func(b *testing.B) {
			text := c.text(b)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			read := 0
			for b.Loop() {
				var table Table
				require.NoError(b, table.ReadStream(strings.NewReader(text), c.name, ReadOptions{Columns: c.columns, Benign: "false_positive"}))
				read = table.Len()
			}
			lines := 1
			if c.name == "objects.json" {
				lines = 4
			}
			require.InDelta(b, strings.Count(text, "\n")/lines, read, 1, "all rows, but for the header")
			b.ReportMetric(float64(read*b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(len(text))/float64(read), "bytes/row")
		})
	}
}

// realText is the text of a file with real events.
func realText(t testing.TB, name string) string {
	t.Helper()
	file, err := os.Open(realData(t, name)[0])
	require.NoError(t, err)
	defer file.Close()
	in, err := textfile.NewReader(file)
	require.NoError(t, err)
	text, err := io.ReadAll(in)
	require.NoError(t, err)
	return string(text)
}

// aitAlerts are alerts of the AIT Alert Data Set as one object per line, all of whose fields are texts.
func aitAlerts(t testing.TB) string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(realText(t, "ait-ads/fox.csv.gz"))).ReadAll()
	require.NoError(t, err)
	var lines strings.Builder
	encoder := json.NewEncoder(&lines)
	for _, record := range records[1:100_001] {
		alert := map[string]string{}
		for i, name := range records[0] {
			alert[name] = record[i]
		}
		require.NoError(t, encoder.Encode(alert))
	}
	return lines.String()
}
