package board

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/database"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

var (
	target = annotation.Target{"deepcase"}
	start  = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
)

// document is an alert as deepcase_predict and deepcase_case write it.
type document struct {
	At         time.Time
	Machine    string
	Event      string
	Context    []string
	Attention  []float64
	Status     string
	Score      *float64
	Cluster    *int
	Case, Kind string
	Techniques []string
}

func (d document) bytes() []byte {
	context := make([]*string, len(d.Context))
	for i, name := range d.Context {
		if name != "" {
			context[i] = &name
		}
	}
	object := map[string]any{
		"machine": d.Machine, "event": d.Event, "context": context, "status": d.Status, "model": "v1", "send": d.Case != "",
		"pattern": decisions.Subject{Event: d.Event, Context: d.Context, Machine: d.Machine}.Keys()[0].String(), "confidence": 0.5,
	}
	if d.Attention != nil {
		object["attention"] = d.Attention
	}
	if d.Score != nil {
		object["score"] = *d.Score
	}
	if d.Cluster != nil {
		object["cluster"] = *d.Cluster
	}
	if d.Case != "" {
		object["case"], object["case_kind"] = d.Case, d.Kind
	}
	rule := map[string]any{"mitre": map[string]any{"id": d.Techniques}}
	out, err := json.Marshal(map[string]any{"timestamp": d.At, "message": "a message of " + d.Machine, "rule": rule, "deepcase": object})
	if err != nil {
		panic(err)
	}
	return out
}

func (d document) alert(t testing.TB) Alert {
	t.Helper()
	a, err := Read(target, d.bytes(), d.At)
	require.NoError(t, err)
	return a
}

func open(t testing.TB, dir string, o Options) *Board {
	t.Helper()
	db, err := database.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	if o.Generation == nil {
		o.Generation = func(version string) string { return "g-" + version }
	}
	b, err := Open(t.Context(), db, o)
	require.NoError(t, err)
	return b
}

func invented(r *rand.Rand, n int) []document {
	events := []string{"login", "logout", "scan", "download", "reboot"}
	statuses := []model.Status{model.Scored, model.Scored, model.Unscored, model.LowConfidence, model.NoCluster, model.UnknownEvent, model.Disputed, model.NoModel, model.Answered}
	all := make([]document, n)
	for i := range all {
		context, attention := make([]string, 4), make([]float64, 4)
		for j := range context {
			context[j] = events[r.IntN(len(events))]
			if r.IntN(4) == 0 {
				context[j] = ""
			}
		}
		attention[r.IntN(4)], attention[r.IntN(4)] = 0.4, 0.5
		status := statuses[r.IntN(len(statuses))]
		d := document{At: start.Add(time.Duration(r.IntN(8*24*3600)) * time.Second), Machine: fmt.Sprintf("pc-%d", r.IntN(12)), Event: events[r.IntN(len(events))], Context: context,
			Attention: attention, Status: status.String()}
		if status.HasScore() {
			score := float64(r.IntN(3))
			d.Score = &score
		}
		if status == model.Scored || status == model.Unscored {
			cluster := r.IntN(20)
			d.Cluster, d.Event = &cluster, events[cluster%len(events)]
		}
		if r.IntN(3) == 0 {
			d.Case, d.Kind = fmt.Sprintf("case-%s-%d", d.Machine, r.IntN(5)), "new"
		}
		if r.IntN(2) == 0 {
			d.Techniques = []string{fmt.Sprintf("T%04d", r.IntN(20)), "T1110.001"}
		}
		all[i] = d
	}
	return all
}

// picture is all that a view shows, to compare boards.
func picture(b *Board) map[string]any {
	out := map[string]any{}
	b.View(func(v View) {
		questions, cases := map[string]Question{}, map[string]Case{}
		patterns := map[string]any{}
		for id, q := range v.Questions() {
			c := *q
			c.Changed, c.bodies, c.Patterns = 0, nil, nil
			questions[id] = c
			for k, p := range q.Patterns {
				patterns[id+k.String()] = *p
			}
		}
		for id, c := range v.Cases() {
			x := *c
			cases[id] = x
		}
		hours := map[int64]Hour{}
		for n, h := range v.Hours() {
			hours[n] = *h
		}
		out = map[string]any{"questions": questions, "patterns": patterns, "cases": cases, "hours": hours, "totals": v.Totals(), "samples": v.Samples()}
	})
	return out
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	require.NoError(t, err)
	return string(out)
}

func TestARestartForgetsNothing(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprint("clean ", clean), func(t *testing.T) { testRestart(t, clean) })
	}
}

func testRestart(t *testing.T, clean bool) {
	dir := filepath.Join(t.TempDir(), "store")
	db, err := database.Open(dir)
	require.NoError(t, err)
	o := Options{Generation: func(string) string { return "g" }}
	b, err := Open(t.Context(), db, o)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		var alerts []Alert
		for _, d := range invented(r, 150) {
			alerts = append(alerts, d.alert(t))
		}
		require.NoError(t, b.Add(t.Context(), alerts))
	}
	want := picture(b)
	if clean {
		require.NoError(t, b.Close(t.Context()))
	}
	require.NoError(t, db.Close())
	for what, got := range picture(open(t, dir, o)) {
		require.JSONEq(t, asJSON(t, want[what]), asJSON(t, got), what)
	}
}

// What is counted is what a simple program counts.
func TestCountsAreTheSameAsOfASimpleProgram(t *testing.T) {
	b := open(t, t.TempDir(), Options{})
	r := rand.New(rand.NewPCG(3, 4))
	outcomes := map[review.Outcome]int{}
	clusters, cases, patterns := map[string]int{}, map[string]int{}, map[string]int{}
	inCase := map[string][]document{}
	for range 10 {
		var alerts []Alert
		for _, d := range invented(r, 200) {
			a := d.alert(t)
			alerts = append(alerts, a)
			outcomes[review.OutcomeOf(a.Settled, a.Score)]++
			switch a.Status {
			case model.Scored, model.Unscored:
				clusters[fmt.Sprintf("%s %d", a.Event, a.Cluster)]++
			case model.LowConfidence, model.NoCluster, model.UnknownEvent, model.Disputed:
				patterns[a.Pattern.String()]++
			}
			if a.Case != "" {
				cases[a.Case]++
				inCase[a.Case] = append(inCase[a.Case], d)
			}
		}
		require.NoError(t, b.Add(t.Context(), alerts))
	}
	b.View(func(v View) {
		got := map[review.Outcome]int{}
		for _, h := range v.Hours() {
			for o, n := range h.Outcomes {
				if n > 0 {
					got[review.Outcome(o)] += n
				}
			}
		}
		require.Equal(t, outcomes, got)
		gotClusters, gotPatterns, gotCases := map[string]int{}, map[string]int{}, map[string]int{}
		for _, q := range v.Questions() {
			if q.Kind == review.ClusterKind {
				gotClusters[fmt.Sprintf("%s %d", q.Event, q.Cluster)] += q.Alerts
				require.Contains(t, v.OfEvent(q.Event), q)
			}
			sum := 0
			for k, p := range q.Patterns {
				gotPatterns[k.String()] += p.Alerts
				sum += p.Alerts
				require.Equal(t, q, v.ByPattern(k))
				require.Equal(t, p.Keys, decisions.Subject{Event: q.Event, Context: p.Context, Machine: p.Machine}.Keys())
			}
			if q.Kind == review.PatternKind {
				require.Equal(t, q.Alerts, sum)
			}
			require.LessOrEqual(t, len(q.Slots), maxDocuments)
		}
		for _, c := range v.Cases() {
			gotCases[c.Name] = c.Alerts
		}
		require.Equal(t, clusters, gotClusters)
		require.Equal(t, patterns, gotPatterns)
		require.Equal(t, cases, gotCases)
	})
	for name, all := range inCase {
		slices.SortStableFunc(all, func(a, b document) int { return a.At.Compare(b.At) })
		got, left, err := b.CaseAlerts(t.Context(), caseID(name))
		require.NoError(t, err)
		require.Zero(t, left)
		require.Len(t, got, len(all))
		for i, a := range got {
			require.Equal(t, all[i].At, a.At)
			require.Equal(t, all[i].Status, a.Status)
			require.True(t, a.In)
		}
	}
}

func TestTheNewestDocumentOfEachMachineIsKept(t *testing.T) {
	b := open(t, t.TempDir(), Options{})
	cluster := 3
	var alerts []Alert
	for i := range 40 {
		alerts = append(alerts, document{At: start.Add(time.Duration(i) * time.Minute), Machine: fmt.Sprintf("pc-%d", i%10), Event: "login", Context: []string{"", "scan"}, Status: "unscored", Cluster: &cluster}.alert(t))
	}
	require.NoError(t, b.Add(t.Context(), alerts[:20]))
	require.NoError(t, b.Add(t.Context(), alerts[20:]))
	clear(alerts) // they are the caller's
	documents, err := b.Documents(t.Context(), ClusterID("g-v1", 3))
	require.NoError(t, err)
	require.Len(t, documents, maxDocuments)
	machines := map[string]bool{}
	for _, d := range documents {
		machines[d.Machine] = true
		require.True(t, json.Valid(d.Body))
	}
	require.Len(t, machines, maxDocuments)
	require.Equal(t, start.Add(39*time.Minute), documents[0].At)
}

func TestAlertsFromAnotherTimeDoNoHarm(t *testing.T) {
	now := start
	b := open(t, t.TempDir(), Options{Now: func() time.Time { return now }, Keep: 24 * time.Hour})
	at := func(at time.Time) Alert {
		return document{At: at, Machine: "pc-1", Event: "login", Context: []string{"scan"}, Attention: []float64{1}, Status: "no_cluster"}.alert(t)
	}
	require.NoError(t, b.Add(t.Context(), []Alert{at(now.Add(-time.Hour)), at(now.Add(1000 * time.Hour)), at(now.Add(-25 * time.Hour))}))
	b.View(func(v View) {
		require.Equal(t, Totals{Alerts: 2, Ahead: 1, Old: 1, First: now.Add(-time.Hour), Last: now, Store: v.Totals().Store}, v.Totals())
		for _, q := range v.Questions() {
			require.Equal(t, 2, q.Bins.Since(now, 2))
		}
	})
	now = now.Add(48 * time.Hour)
	other := at(now)
	other.Event = "logout"
	require.NoError(t, b.Add(t.Context(), []Alert{other}))
	require.NoError(t, b.Close(t.Context()))
	b.View(func(v View) {
		require.Len(t, v.Questions(), 1, "what is older than keep is forgotten")

	})
}

func TestPatternsThatLookAlikeAreOneQuestion(t *testing.T) {
	b := open(t, t.TempDir(), Options{})
	at := func(machine, status string, attention []float64, context ...string) Alert {
		return document{At: start, Machine: machine, Event: "login", Context: context, Attention: attention, Status: status}.alert(t)
	}
	alerts := []Alert{
		at("pc-1", "no_cluster", []float64{0, 1}, "scan", "logout"),
		at("pc-2", "no_cluster", []float64{0.1, 0.9}, "scan", "logout"),
		at("pc-3", "low_confidence", []float64{0.1, 0.9}, "reboot", "logout"), // 0.1 + 0.1: near the first
		at("pc-1", "no_cluster", []float64{0.5, 0.5}, "scan", "logout"),       // the same pattern as the first
		at("pc-4", "no_cluster", []float64{0.9, 0.1}, "scan", "logout"),       // the same events, of another model
		at("pc-5", "unknown_event", nil, "scan", "logout"),
		at("pc-5", "unknown_event", nil, "reboot", "logout"),
		at("pc-5", "disputed", nil, "logout", "scan"), // a pattern stays in its group
		at("pc-6", "disputed", nil, "logout", "scan"),
		at("pc-7", "disputed", nil, "scan", "logout"),
	}
	require.NoError(t, b.Add(t.Context(), alerts))
	var sizes [][2]int
	b.View(func(v View) {
		for _, q := range v.OfEvent("login") {
			sizes = append(sizes, [2]int{q.Alerts, len(q.Patterns)})
		}
	})
	require.Equal(t, [][2]int{{7, 6}, {3, 2}}, sizes)
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                               "deepcase: no annotation of deepcase_predict",
		`not json`:                         "document: not JSON: invalid character",
		`{"deepcase":{"status":"scored"}}`: "no event with its context",
		`{"deepcase":{"status":"odd","event":"a","context":[]}}`:                                            `deepcase.status`,
		`{"deepcase":{"status":"scored","event":"a","context":[],"cluster":1}}`:                             "deepcase.score is missing",
		`{"deepcase":{"status":"scored","event":"a","context":[],"score":1}}`:                               "deepcase.cluster is missing",
		`{"deepcase":{"status":"unscored","event":"a","context":[],"cluster":-2}}`:                          "deepcase.cluster is missing or negative",
		`{"deepcase":{"status":"unscored","event":"a","context":[],"cluster":"x"}}`:                         "deepcase.cluster is a JSON string",
		`{"deepcase":{"status":"no_cluster","event":"a","context":["b"],"attention":[1,2]}}`:                "attention has 2 numbers",
		`{"deepcase":{"status":"no_cluster","event":"a","context":["b"],"case":"x","case_kind":"odd"}}`:     "case_kind",
		`{"deepcase":{"status":"answered","event":"a","context":["b"],"score":0,"answer":{"verdict":"?"}}}`: "deepcase.answer.verdict",
	} {
		_, err := Read(target, []byte(text), start)
		require.ErrorContains(t, err, want, text)
	}
	_, err := Read(target, []byte(`{"deepcase":{"status":"no_cluster","event":"a","context":["b"]}}`), time.Time{})
	require.ErrorContains(t, err, "no time")
	a, err := Read(annotation.Target{"a", "b"}, []byte(`{"a.b":{"machine":"m","status":"answered","score":2,"event":"a","context":[null],"answer":{"verdict":"no_cluster"}}}`), start)
	require.NoError(t, err)
	require.Equal(t, model.NoCluster, a.Status)
	require.Equal(t, review.Alarm, review.OutcomeOf(a.Settled, a.Score))
	require.True(t, math.IsNaN(a.Confidence))
	require.Equal(t, decisions.Subject{Event: "a", Context: []string{""}, Machine: "m"}.Keys()[0], a.Pattern)
}
