//go:build integration

package integration

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/bench/report"
)

// ait is a file of the AIT Alert Data Set, which is not part of this repository. Without it a test is skipped; where CI is set it fails.
func ait(t testing.TB, name string) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(cmp.Or(os.Getenv("DATA"), "../../shared/data"), "ait-ads", name+".csv.gz"))
	require.NoError(t, err)
	if _, err := os.Stat(file); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the AIT Alert Data Set is missing: %v", err)
		}
		t.Skipf("the AIT Alert Data Set is missing: %v; DATA names the folder that has ait-ads/", err)
	}
	return file
}

// aitAlerts reads a scenario's alerts, in the order of the file, as an index has them: at most n, 0 for all.
func aitAlerts(t testing.TB, name string, n int) (found []alert) {
	t.Helper()
	file, err := os.Open(ait(t, name))
	require.NoError(t, err)
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	require.NoError(t, err)
	rows := csv.NewReader(unpacked)
	rows.ReuseRecord = true
	header, err := rows.Read()
	require.NoError(t, err)
	at, what, host := slices.Index(header, "time"), slices.Index(header, "name"), slices.Index(header, "host")
	for n == 0 || len(found) < n {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		seconds, err := strconv.ParseInt(row[at], 10, 64)
		require.NoError(t, err)
		a := alert{Time: time.Unix(seconds, 0).UTC().Format(time.RFC3339), Site: fmt.Sprint(len(found))}
		a.Rule.Name, a.Host.Name = strings.Clone(row[what]), strings.Clone(row[host])
		found = append(found, a)
	}
	return found
}

// aitModel learns from scenarios, with scores, and gives the model directory.
func aitModel(t testing.TB, names ...string) string {
	t.Helper()
	folder := t.TempDir()
	from := []string{"--benign", "-", "--columns", "timestamp=time,machine=host,event=name,label=event_label"}
	for _, name := range names {
		from = append(from, "--csv", ait(t, name))
	}
	deepcase(t, folder, append([]string{"cluster", "--epochs", "4", "--seed", "1", "--save-builder", "model", "--save-interpreter", "model"}, from...)...)
	deepcase(t, folder, append([]string{"manual", "--load-interpreter", "model", "--save-interpreter", "model"}, from...)...)
	return filepath.Join(folder, "model")
}

// BenchmarkFox annotates the alerts of AIT-ADS fox in their documents, with the published pipelines, and then does the same with one
// mapping in place of DeepCASE's processors, which adds a constant object of the same size. PAGE: a file to which the table is added.
func BenchmarkFox(b *testing.B) {
	given := aitAlerts(b, "fox", 0)
	model := aitModel(b, "russellmitchell", "santos")
	table := "| server | pipeline | seconds | alerts/s | CPU time of the pipeline, s | of the server, s | peak memory of the pipeline, MB | of the server, MB |\n" +
		"|---|---|--:|--:|--:|--:|--:|--:|\n"
	var verdicts, size string
	for _, name := range engines {
		b.Run(name, func(b *testing.B) {
			s := engine(b, name)
			text, err := os.ReadFile("../config/elastic/enrich_" + s.kind() + ".yaml")
			require.NoError(b, err)
			input, rest, ok := strings.Cut(string(text), "\npipeline:\n")
			require.True(b, ok)
			_, output, ok := strings.Cut(rest, "\noutput:\n")
			require.True(b, ok)
			constant := filepath.Join(b.TempDir(), "constant.yaml")
			run := func(kind, config string) {
				folder := b.TempDir()
				require.NoError(b, os.Mkdir(filepath.Join(folder, "state"), 0o755))
				begun, before := time.Now(), s.processorTime(b)
				p := begin(b, config, folder, map[string]string{"URL": s.url(), "INDEX": "alerts-fox-*", "MODE": "once", "MODEL": model})
				p.finish(b, 20*time.Minute)
				took, used := time.Since(begun).Seconds(), s.processorTime(b)-before
				own := p.ProcessState.UserTime() + p.ProcessState.SystemTime()
				s.refresh(b, "alerts-fox-*")
				require.Equal(b, len(given), s.total(b, "alerts-fox-*", `{"exists":{"field":"deepcase.status"}}`), "annotated")
				require.Equal(b, len(given), s.total(b, "alerts-fox-*", `{"match_all":{}}`), "there")
				require.NoFileExists(b, filepath.Join(folder, "dead-letters.ndjson"))
				rate := float64(len(given)) / took
				table += fmt.Sprintf("| %s | %s | %.0f | %.0f | %.0f | %.0f | %d | %d |\n", name, kind, took, rate, own.Seconds(), used.Seconds(),
					p.peak(), residentPeak(s.process.Process.Pid)/1024)
				b.ReportMetric(rate, kind+"/s")
			}
			again := func() {
				s.drop(b, "alerts-fox")
				s.fill(b, "alerts-fox", given)
			}
			s.give(b, "alerts-fox", given)
			for b.Loop() {
				run("DeepCASE", "../config/elastic/enrich_"+s.kind()+".yaml")
				object := s.typical(b, "alerts-fox-*")
				verdicts, size = s.shares(b, "alerts-fox-*"), fmt.Sprint(len(object))
				again()
				require.NoError(b, os.WriteFile(constant, []byte(input+"\npipeline:\n  threads: 1\n  processors:\n    - mapping: |\n"+
					"        root.doc.deepcase = "+string(object)+"\n\noutput:\n"+output), 0o600))
				run("constant", constant)
				again()
			}
		})
	}
	page(b, fmt.Sprintf("## AIT-ADS fox, annotated in its documents\n\n%s. `config/elastic/enrich_*.yaml` reads, sequences and scores %d alerts\n"+
		"(model of russellmitchell and santos; %s), and writes the verdicts back by update.\n"+
		"All alerts are annotated, none is lost. In the pipeline *constant*, one `mapping` that adds an\n"+
		"object of the same size (%s bytes) takes the place of DeepCASE's processors. If other work\n"+
		"disturbs a run, the CPU time tells more than the seconds.\n\n%s",
		report.Machine(), len(given), verdicts, size, table))
}

// processorTime is what the server's process has used: fields 14 and 15 of stat, in ticks of 10 ms.
func (s *server) processorTime(t testing.TB) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Process.Pid))
	require.NoError(t, err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):]))
	var ticks int64
	for _, f := range fields[12:14] {
		n, err := strconv.ParseInt(f, 10, 64)
		require.NoError(t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// typical is an annotation of median size among the first ones of an index.
func (s *server) typical(t testing.TB, index string) json.RawMessage {
	t.Helper()
	answer := s.ask(t, "POST", "/"+index+"/_search", `{"size":5001,"_source":["deepcase"],"query":{"match_all":{}}}`)
	var objects []json.RawMessage
	for _, hit := range answer["hits"].(map[string]any)["hits"].([]any) {
		object, err := json.Marshal(hit.(map[string]any)["_source"].(map[string]any)["deepcase"])
		require.NoError(t, err)
		objects = append(objects, object)
	}
	slices.SortFunc(objects, func(a, b json.RawMessage) int { return cmp.Compare(len(a), len(b)) })
	return objects[len(objects)/2]
}

// shares tells which share of an index has which status.
func (s *server) shares(t testing.TB, index string) string {
	t.Helper()
	all := float64(s.total(t, index, `{"match_all":{}}`))
	var parts []string
	for _, status := range []string{"scored", "unscored", "low_confidence", "unknown_event", "no_cluster", "no_model", "disputed", "answered", "muted"} {
		if n := s.total(t, index, `{"term":{"deepcase.status":"`+status+`"}}`); n > 0 {
			parts = append(parts, fmt.Sprintf("%.1f %% %s", 100*float64(n)/all, status))
		}
	}
	return strings.Join(parts, ", ")
}

// page prints a part of the page of measurements, and adds it to the file that PAGE names.
func page(t testing.TB, text string) {
	t.Helper()
	fmt.Println(text)
	if name := os.Getenv("PAGE"); name != "" {
		file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		require.NoError(t, err)
		_, err = fmt.Fprintln(file, text)
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
}
