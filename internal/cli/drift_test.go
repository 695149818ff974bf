package cli

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// runDeepcase runs a command and returns what it prints.
func runDeepcase(t *testing.T, arguments ...string) []byte {
	t.Helper()
	var out, notes bytes.Buffer
	app := &ucli.App{Commands: []*ucli.Command{Command()}, Writer: &out, ErrWriter: &notes, ExitErrHandler: func(*ucli.Context, error) {}}
	require.NoError(t, app.RunContext(t.Context(), slices.Concat([]string{"", "deepcase"}, arguments)), notes.String())
	return out.Bytes()
}

// aitHalves writes the alerts of a site of the AIT Alert Data Set as two files: those before a time, and the rest. In each file all alerts of a
// name are attacks if one is: the labels of a cluster agree then, and no verdict is disputed.
func aitHalves(t *testing.T, site string) (first, second string, rows [][]string) {
	t.Helper()
	f, err := os.Open(filepath.Join("../../../shared/data/ait-ads", site+".csv.gz"))
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("the AIT Alert Data Set is not there: ", err)
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	require.NoError(t, err)
	all, err := csv.NewReader(unpacked).ReadAll()
	require.NoError(t, err)
	head, rows := all[0], all[1:]
	const name, label = 1, 6
	seconds := func(row []string) int {
		at, err := strconv.Atoi(row[0])
		require.NoError(t, err)
		return at
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return cmp.Compare(seconds(a), seconds(b)) })
	half := len(rows) / 2
	write := func(file string, rows [][]string) string {
		attack := map[string]string{}
		for _, row := range rows {
			attack[row[name]] = max(attack[row[name]], row[label]) // "-" is benign, and before all names of attacks
		}
		for _, row := range rows {
			row[label] = attack[row[name]]
		}
		path := filepath.Join(t.TempDir(), file)
		out, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, csv.NewWriter(out).WriteAll(slices.Concat([][]string{head}, rows)))
		require.NoError(t, out.Close())
		return path
	}
	return write("first.csv", rows[:half]), write("second.csv", rows[half:]), rows[half:]
}

var aitColumns = []string{"--columns", "timestamp=time,machine=host,event=name,label=event_label", "--benign", "-"}

// prediction is the code that automatic gives each event.
func prediction(t *testing.T, model, events string) (codes []float64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prediction.csv")
	runDeepcase(t, slices.Concat([]string{"automatic", "--csv", events, "--load-interpreter", model, "--save-prediction", path}, aitColumns)...)
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	for _, line := range lines[1:] {
		code, err := strconv.ParseFloat(line[0], 64)
		require.NoError(t, err)
		codes = append(codes, code)
	}
	return codes
}

// classOf is the class of a code of automatic.
func classOf(code float64) string {
	switch {
	case code < 0:
		return "question"
	case code > 0:
		return "alarm"
	}
	return "dismissed"
}

// The two halves of a real site teach two models. What replay and drift say of the second half must follow from what automatic predicts.
func TestTwoModelsOnRealAlerts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	first, second, rows := aitHalves(t, "russellmitchell")
	dir := t.TempDir()
	models := map[string]string{first: filepath.Join(dir, "older"), second: filepath.Join(dir, "newer")}
	for file, model := range models {
		runDeepcase(t, slices.Concat([]string{"automatic", "--csv", file, "--epochs", "1", "--save-builder", model, "--save-interpreter", model,
			"--save-prediction", filepath.Join(dir, "discarded.csv")}, aitColumns)...)
	}
	before, now := prediction(t, models[first], second), prediction(t, models[second], second)
	require.Len(t, before, len(rows))

	want := map[[2]string]int{}
	for i := range rows {
		want[[2]string{classOf(before[i]), classOf(now[i])}]++
	}
	replay := func() (got struct {
		Alerts  int
		Classes []struct {
			Before, Now string
			Alerts      int
		}
		Changed int
		Changes []struct {
			Event       string
			Before, Now struct{ Class, Status string }
			Alerts      int
			Example     struct{ Event string }
		}
	}) {
		t.Helper()
		out := runDeepcase(t, slices.Concat([]string{"replay", "--json", "--model", models[second], "--against", models[first], "--documents", second}, aitColumns)...)
		require.NoError(t, json.Unmarshal(out, &got))
		return got
	}
	got := replay()
	require.Equal(t, len(rows), got.Alerts)
	changed := 0
	for _, c := range got.Classes {
		assert.Equal(t, want[[2]string{c.Before, c.Now}], c.Alerts, "%s → %s", c.Before, c.Now)
		if c.Before != c.Now {
			changed += c.Alerts
		}
	}
	require.NotZero(t, changed, "the halves are alike")
	byChange := map[[2]string]int{}
	for _, c := range got.Changes {
		assert.Equal(t, c.Event, c.Example.Event)
		byChange[[2]string{c.Before.Class, c.Now.Class}] += c.Alerts
	}
	for classes, n := range byChange {
		if classes[0] != classes[1] {
			assert.Equal(t, want[classes], n, classes)
		}
	}

	var drifted struct {
		Alerts  int
		Unknown float64
		Outside struct{ Now, Training float64 }
		Names   []struct{ Name string }
		Days    []struct{ Alerts, Outside int }
		Retrain struct{ Alerts, Alike int }
	}
	require.NoError(t, json.Unmarshal(runDeepcase(t, slices.Concat([]string{"drift", "--json", "--model", models[first], "--documents", second}, aitColumns)...), &drifted))
	unknown, outside, days := 0, 0, map[int]int{}
	for i, code := range before {
		seconds, err := strconv.Atoi(rows[i][0])
		require.NoError(t, err)
		days[seconds/(24*60*60)]++
		if code == -2 {
			unknown++
		}
		if code < 0 {
			outside++
		}
	}
	n := float64(len(rows))
	assert.Equal(t, len(rows), drifted.Alerts)
	assert.InDelta(t, float64(unknown)/n, drifted.Unknown, 1e-12)
	assert.InDelta(t, float64(outside)/n, drifted.Outside.Now, 1e-12)
	assert.Len(t, drifted.Days, len(days))
	sum := 0
	for _, day := range drifted.Days {
		sum += day.Outside
	}
	assert.Equal(t, outside, sum)

	// What is answered is answered under both models: it is a question of neither.
	event := ""
	for _, c := range got.Changes {
		if c.Before.Class == "dismissed" && c.Now.Class == "question" || c.Before.Class == "question" && c.Now.Class == "dismissed" {
			event = c.Event
			break
		}
	}
	require.NotEmpty(t, event, "nothing becomes a question or is one no more")
	st, err := store.Open(models[second], false)
	require.NoError(t, err)
	subject := decisions.Subject{Event: event}
	_, err = st.Decisions(decisions.DefaultHold).Append(context.Background(), func(decisions.Look) ([]decisions.Decision, error) {
		return []decisions.Decision{{Kind: decisions.Answer, By: "ann", Scope: decisions.Event, Key: subject.Key(decisions.Event), Subject: subject}}, nil
	})
	require.NoError(t, err)
	answered := replay()
	for i := range rows {
		if rows[i][1] == event {
			want[[2]string{classOf(before[i]), classOf(now[i])}]--
			want[[2]string{classOf(max(0, before[i])), classOf(max(0, now[i]))}]++
		}
	}
	for _, c := range answered.Classes {
		assert.Equal(t, want[[2]string{c.Before, c.Now}], c.Alerts, "answered: %s → %s", c.Before, c.Now)
	}

	settled := 0
	for i := range rows {
		if rows[i][1] == event && now[i] < 0 {
			settled++
		}
	}
	var afterwards struct {
		Answers struct{ Patterns, Narrow, Settled int }
	}
	require.NoError(t, json.Unmarshal(runDeepcase(t, slices.Concat([]string{"drift", "--json", "--model", models[second], "--documents", second}, aitColumns)...), &afterwards))
	assert.Equal(t, []int{1, 0, settled}, []int{afterwards.Answers.Patterns, afterwards.Answers.Narrow, afterwards.Answers.Settled})
}
