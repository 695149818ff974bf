package examples_test

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCSVAsSpreadsheetsWriteIt(t *testing.T) {
	variables := outputs(t)
	variables["INPUT"], variables["DELIMITER"] = filepath.Join(t.TempDir(), "events.csv"), ";"
	require.NoError(t, os.WriteFile(variables["INPUT"], []byte("\uFEFFmachine;event;timestamp\r\n"+
		"web-1;\"login; \"\"failed\"\"\";2026-01-01T10:00:00Z\r\n"+
		"web-1;too few\r\n"+
		"web-1;login;2026-01-01T10:00:01Z\r\n"), 0o644))
	run(t, "source_csv.yaml", variables)
	documents := lines[annotated](t, variables["OUTPUT"])
	require.Len(t, documents, 2)
	require.Equal(t, `login; "failed"`, documents[0].Deepcase.Event)
	require.Equal(t, "login", documents[1].Deepcase.Event)
	dead := lines[annotated](t, variables["DEAD_LETTERS"])
	require.Len(t, dead, 1)
	require.Contains(t, dead[0].Document, "too few")
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestFilesMayBeginWithAByteOrderMark(t *testing.T) {
	const ndjson = `{"machine":"m","event":"a","timestamp":"2026-01-01T10:00:00Z","event_type":"alert","dest_ip":"m","alert":{"signature":"a"},` +
		`"agent":{"name":"m"},"rule":{"description":"a"},"@timestamp":"2026-01-01T10:00:00Z","Hostname":"m","Channel":"c","EventID":1}` + "\n"
	for example, text := range map[string]string{
		"score_ndjson.yaml": ndjson, "source_suricata.yaml": ndjson, "source_wazuh.yaml": ndjson, "source_windows.yaml": ndjson,
		"source_authlog.yaml":  "2026-01-01T10:00:00Z m su: + /dev/pts/1 bob:root\n",
		"source_auditd.yaml":   "node=m type=LOGIN msg=audit(1767261600.000:7): pid=7\n",
		"source_cef.yaml":      "CEF:0|a|b|1|7|n|5|dvchost=m rt=1767261600000\n",
		"source_cisco.yaml":    "2026-01-01T10:00:00Z m %SYS-5-CONFIG_I: Configured\n",
		"source_fortinet.yaml": "eventtime=1767261600 devname=m logid=1 type=event logdesc=a\n",
		"source_paloalto.yaml": "1,2026/01/01 10:00:00,7,HIPMATCH,0,1,2026/01/01 10:00:00,bob,vsys1,m,Windows,10.0.0.7,a\n",
		"source_csv.yaml":      "machine,event,timestamp\nm,a,1767261600\n",
	} {
		for name, content := range map[string]string{"events": "\uFEFF" + text, "events.gz": gzipped(t, "\uFEFF"+text)} {
			variables := outputs(t)
			variables["INPUT"] = filepath.Join(t.TempDir(), name)
			require.NoError(t, os.WriteFile(variables["INPUT"], []byte(content), 0o644))
			run(t, example, variables)
			require.Empty(t, lines[annotated](t, variables["DEAD_LETTERS"]), "%s %s", example, name)
			documents := lines[annotated](t, variables["OUTPUT"])
			require.Len(t, documents, 1, "%s %s", example, name)
			require.Equal(t, "m", documents[0].Deepcase.Machine, "%s %s", example, name)
		}
	}
}

func TestALineOfSixteenMegabytesIsRead(t *testing.T) {
	variables := outputs(t)
	variables["INPUT"] = filepath.Join(t.TempDir(), "events.ndjson")
	const event = `{"machine":"m","event":"a","timestamp":1767261600,"payload":"%s"}` + "\n"
	require.NoError(t, os.WriteFile(variables["INPUT"], []byte(fmt.Sprintf(event+event, strings.Repeat("x", 16_000_000), "")), 0o644))
	run(t, "score_ndjson.yaml", variables)
	require.Equal(t, map[string]int{"no_model": 2}, statuses(t, variables["OUTPUT"]))
}

// history are the days of two machines: logins, and now and then an attack that goes through the same steps.
func history(days int) string {
	var b strings.Builder
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	add := func(machine, event, label string) {
		at = at.Add(time.Minute)
		fmt.Fprintf(&b, `{"machine":%q,"event":%q,"timestamp":%q,"label":%q}`+"\n", machine, event, at.Format(time.RFC3339), label)
	}
	for day := range days {
		for range 5 {
			for _, machine := range []string{"web-1", "web-2"} {
				add(machine, "login", "-")
				add(machine, "job started", "-")
				add(machine, "job ended", "-")
				add(machine, "logout", "-")
			}
		}
		if day%2 == 0 {
			for _, step := range []string{"scan", "login failed", "login failed", "login", "new service"} {
				add("web-1", step, "intrusion")
			}
		}
		at = at.Add(48 * time.Hour)
	}
	return b.String()
}

// only is the file that a pattern matches.
func only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.Len(t, found, 1, pattern)
	return found[0]
}

// A training that failed says so where a script can see it, and writes no clusters.
func TestTrainingThatFails(t *testing.T) {
	variables := outputs(t)
	dir := t.TempDir()
	variables["INPUT"], variables["MODEL"] = filepath.Join(dir, "events.ndjson"), filepath.Join(dir, "model")
	variables["CLUSTERS"], variables["TRAININGS"] = filepath.Join(dir, "clusters"), filepath.Join(dir, "trainings.ndjson")
	require.NoError(t, os.WriteFile(variables["INPUT"], []byte(history(1)), 0o644))
	variables["MIN_SAMPLES"] = "1000"
	run(t, "train_from_files.yaml", variables)
	trainings := lines[struct{ Status, Error string }](t, variables["TRAININGS"])
	require.Len(t, trainings, 1)
	require.Equal(t, "failed", trainings[0].Status)
	require.Contains(t, trainings[0].Error, "no clusters in ")
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 3, "%v", files)
}

// From nothing to scores as the README tells it: events are sequenced without a model, a model is learnt from that output, an analyst
// fills in the csv of clusters, and the same events are scored.
func TestLearnLabelScore(t *testing.T) {
	dir := t.TempDir()
	events := filepath.Join(dir, "events.ndjson")
	require.NoError(t, os.WriteFile(events, []byte(history(40)), 0o644))
	with := func(changes map[string]string) map[string]string {
		variables := outputs(t)
		variables["MODEL"] = filepath.Join(dir, "model")
		maps.Copy(variables, changes)
		return variables
	}

	before := with(map[string]string{"INPUT": events})
	run(t, "score_ndjson.yaml", before)
	require.Equal(t, map[string]int{"no_model": 1700}, statuses(t, before["OUTPUT"]))

	clusters := filepath.Join(dir, "clusters")
	training := with(map[string]string{
		// Labels are left to the analyst here.
		"INPUT": before["OUTPUT"], "CLUSTERS": clusters, "LABEL_FIELD": "none", "EPOCHS": "30", "TRAININGS": filepath.Join(dir, "trainings.ndjson"),
	})
	run(t, "train_from_files.yaml", training)
	found := lines[struct {
		Cluster int
		Event   string
		Size    int
	}](t, only(t, clusters+"-*.ndjson"))
	require.NotEmpty(t, found)
	trainings := lines[struct {
		Status   string
		Clusters int
	}](t, training["TRAININGS"])
	require.Len(t, trainings, 1)
	require.Equal(t, "published", trainings[0].Status)
	require.Equal(t, len(found), trainings[0].Clusters)

	unscored := with(map[string]string{"INPUT": events})
	run(t, "score_ndjson.yaml", unscored)
	require.Zero(t, statuses(t, unscored["OUTPUT"])["scored"])
	require.NotZero(t, statuses(t, unscored["OUTPUT"])["unscored"])

	file, err := os.Open(only(t, clusters+"-*.csv"))
	require.NoError(t, err)
	rows, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Equal(t, []string{"cluster", "event", "size", "score", "context", "attended", "contexts", "machines", "hosts", "first_seen", "last_seen",
		"hourly_max", "mixed", "examples", "model"}, rows[0])
	require.Len(t, rows, len(found)+1)
	malicious := map[string]bool{"scan": true, "login failed": true, "new service": true}
	for i, row := range rows[1:] {
		require.Equal(t, fmt.Sprint(found[i].Cluster), row[0])
		require.Equal(t, found[i].Event, row[1])
		require.Empty(t, row[3])
		require.NotEmpty(t, row[8], "hosts")
		require.NotEmpty(t, row[9], "first seen")
		require.NotEmpty(t, row[11], "hourly max")
		require.Empty(t, row[12], "labels that disagree")
		require.Contains(t, row[13], `{"`, "examples")
		row[3] = "0"
		if malicious[row[1]] {
			row[3] = "2,5" // a spreadsheet's decimal comma
		}
	}
	rows = append(rows, []string{"99999", "no such cluster", "1", "1", "", "", "", "", "", "", "", "", "", "", rows[1][14]})
	filled, err := os.Create(filepath.Join(dir, "filled.csv"))
	require.NoError(t, err)
	require.NoError(t, csv.NewWriter(filled).WriteAll(rows))
	require.NoError(t, filled.Close())
	labels := with(map[string]string{"INPUT": filled.Name()})
	run(t, "label_from_csv.yaml", labels)
	require.Len(t, lines[annotated](t, labels["OUTPUT"]), len(found))
	require.Len(t, lines[annotated](t, labels["DEAD_LETTERS"]), 1)

	after := with(map[string]string{"INPUT": events})
	run(t, "score_ndjson.yaml", after)
	require.NotZero(t, statuses(t, after["OUTPUT"])["scored"])
	require.Zero(t, statuses(t, after["OUTPUT"])["unscored"])
	for _, d := range lines[annotated](t, after["OUTPUT"]) {
		if d.Deepcase.Status == "scored" {
			want := 0.0
			if malicious[d.Deepcase.Event] {
				want = 2.5
			}
			require.Equal(t, want, *d.Deepcase.Score, d.Deepcase.Event)
		}
	}
}

func statuses(t *testing.T, file string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, d := range lines[annotated](t, file) {
		counts[d.Deepcase.Status]++
	}
	return counts
}
