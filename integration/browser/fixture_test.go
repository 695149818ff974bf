//go:build browser

package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// work is a folder that TestMain removes.
var work string

func TestMain(m *testing.M) {
	var err error
	if work, err = os.MkdirTemp("", "deepcase-browser"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := os.Chmod(work, 0o755); err != nil { // another user runs the program there
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(work)
	os.Exit(code)
}

// skip ends a test that cannot run here, but not where everything must be tested.
func skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// binary is the slim distribution: BINARY, or built here.
var binary = sync.OnceValues(func() (string, error) {
	if b := os.Getenv("BINARY"); b != "" {
		return filepath.Abs(b)
	}
	b := filepath.Join(work, "connect-deepcase")
	command := exec.Command("go", "build", "-tags", "slim", "-o", b, "../../cmd/connect-deepcase")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return b, nil
})

// program is a run of the binary in a folder, with these variables.
func program(folder string, variables []string, arguments ...string) error {
	b, err := binary()
	if err != nil {
		return err
	}
	command := exec.Command(b, arguments...)
	command.Dir, command.Env = folder, append(os.Environ(), variables...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(arguments, " "), err, out)
	}
	return nil
}

func example(name string) string { return config("examples", name) }

func config(parts ...string) string {
	path, err := filepath.Abs(filepath.Join(append([]string{"..", "..", "config"}, parts...)...))
	if err != nil {
		panic(err)
	}
	return path
}

// learn makes a folder with a model of invented alerts, in which some clusters have no score, and with later alerts that it annotated: the steps of
// the quick start, on fewer alerts. The names in them are those of rename.
func learn(name string, rename func(event, machine string) (string, string)) (string, error) {
	folder := filepath.Join(work, name)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	if err := program(folder, nil, "deepcase", "demo", "--days", "5", "--machines", "24", "--split", "--out", "alerts.ndjson"); err != nil {
		return "", err
	}
	for _, file := range []string{"alerts-train.ndjson", "alerts-new.ndjson"} {
		if err := renamed(filepath.Join(folder, file), rename); err != nil {
			return "", err
		}
	}
	err := program(folder, []string{"MODEL=model", "INPUT=alerts-train.ndjson", "ID_FIELD=id", "LABEL_FIELD=none", "CLUSTERS=clusters", "EPOCHS=5"},
		"run", example("train_from_files.yaml"))
	if err != nil {
		return "", err
	}
	clusters, err := filepath.Glob(filepath.Join(folder, "clusters-*.ndjson"))
	if err != nil || len(clusters) != 1 {
		return "", fmt.Errorf("%s: %d files of clusters, need one: %w", folder, len(clusters), err)
	}
	if err := score(clusters[0], filepath.Join(folder, "scores.csv")); err != nil {
		return "", err
	}
	if err := program(folder, []string{"MODEL=model", "INPUT=scores.csv"}, "run", example("label_from_csv.yaml")); err != nil {
		return "", err
	}
	err = program(folder, []string{"MODEL=model", "INPUT=alerts-new.ndjson", "ID_FIELD=id", "OUTPUT=annotated.ndjson"}, "run", example("score_ndjson.yaml"))
	return folder, err
}

// score gives three clusters of four the worst label of their examples.
func score(clusters, csv string) error {
	text, err := os.ReadFile(clusters)
	if err != nil {
		return err
	}
	rows := "cluster,score,model\n"
	for line := range bytes.Lines(text) {
		var c struct {
			Cluster  int
			Model    string
			Examples []struct{ Label int }
		}
		if err := json.Unmarshal(line, &c); err != nil {
			return err
		}
		worst := 0
		for _, e := range c.Examples {
			worst = max(worst, e.Label)
		}
		if c.Cluster%4 != 3 {
			rows += fmt.Sprintf("%d,%d,%s\n", c.Cluster, worst, c.Model)
		}
	}
	return os.WriteFile(csv, []byte(rows), 0o600)
}

func renamed(path string, rename func(event, machine string) (string, string)) error {
	text, err := os.ReadFile(path)
	if err != nil || rename == nil {
		return err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for line := range bytes.Lines(text) {
		var alert map[string]any
		if err := json.Unmarshal(line, &alert); err != nil {
			return err
		}
		event, _ := alert["event"].(string)
		machine, _ := alert["machine"].(string)
		alert["event"], alert["machine"] = rename(event, machine)
		alert["message"] = event + " on " + fmt.Sprint(alert["machine"])
		if err := encoder.Encode(alert); err != nil {
			return err
		}
	}
	return os.WriteFile(path, out.Bytes(), 0o600)
}

var plain = sync.OnceValues(func() (string, error) { return learn("plain", nil) })

// copied is a folder of a test's own: its decisions are not seen by other tests.
func copied(t testing.TB, source func() (string, error)) string {
	t.Helper()
	from, err := source()
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(folder, "model"), os.DirFS(filepath.Join(from, "model"))))
	for _, file := range []string{"annotated.ndjson", "alerts-train.ndjson"} {
		require.NoError(t, os.Link(filepath.Join(from, file), filepath.Join(folder, file)))
	}
	return folder
}

// hostile are names as an attacker would choose them.
var hostile = []string{
	`</script><script>alert(1)</script>`,
	`<img src=x onerror=alert(2)>`,
	`"'><svg onload=alert(3)>`,
	`javascript:alert(4)`,
	"invoice\u202egnp.exe",
	"zero\u200bwidth\u2066isolated\u0007bell",
	strings.Repeat("W", 4000),
	`=HYPERLINK("http://evil.example/","look")`,
	`{{.}} ${7*7} <%= 7*7 %> &amp;&lt;b&gt;`,
	`'; DROP TABLE question; --`,
	`__proto__`,
	`event:"x" machine:y ../../etc/passwd?a=b&c=d#e`,
}

var hostiles = sync.OnceValues(func() (string, error) {
	events, machines := map[string]string{}, map[string]string{}
	name := func(known map[string]string, name, suffix string) string {
		if _, ok := known[name]; !ok && len(known) < len(hostile) {
			known[name] = hostile[len(known)] + suffix
		}
		if h, ok := known[name]; ok {
			return h
		}
		return name
	}
	return learn("hostile", func(event, machine string) (string, string) {
		return name(events, event, ""), name(machines, machine, "")
	})
})
