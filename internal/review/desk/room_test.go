package desk

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/modeltest"
	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/internal/review/database"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

var (
	loginSample  = model.Sample{Context: []string{"", "scan", "guess"}, Event: "login"}
	backupSample = model.Sample{Context: []string{"cron", "mount", "cron"}, Event: "backup"}
	rareSample   = model.Sample{Context: []string{"backup", "backup", "login"}, Event: "scan"}
	start        = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
)

// little learns a model in which loginSample, backupSample and others have a cluster each, without scores.
func little(t testing.TB, seed uint64, samples ...model.Sample) *model.Model {
	t.Helper()
	return modeltest.Learn(t, seed, []string{"backup", "cron", "guess", "login", "mount", "scan"}, append([]model.Sample{loginSample, backupSample}, samples...)...)
}

func clusterOf(t testing.TB, m *model.Model, event string) int {
	t.Helper()
	i := slices.IndexFunc(m.Clusters, func(c model.Cluster) bool { return c.Event == event })
	require.GreaterOrEqual(t, i, 0)
	return i
}

// room is a model directory with desks on it.
type room struct {
	t     testing.TB
	dir   string
	model *model.Model
	now   time.Time
}

func newRoom(t testing.TB) *room {
	r := &room{t: t, dir: t.TempDir(), model: little(t, 1), now: start.Add(24 * time.Hour)}
	r.publish(r.model)
	return r
}

func (r *room) publish(m *model.Model) string {
	s, err := store.Open(r.dir, true)
	require.NoError(r.t, err)
	version, err := s.Publish(r.t.Context(), m)
	require.NoError(r.t, err)
	return version
}

func (r *room) current() *model.Model {
	s, err := store.Open(r.dir, false)
	require.NoError(r.t, err)
	version, err := s.Current()
	require.NoError(r.t, err)
	m, err := s.Load(version)
	require.NoError(r.t, err)
	return m
}

// analyst is a desk with a board of its own.
type analyst struct {
	*Desk
	board *board.Board
	db    *database.DB
	room  *room
	names []string // techniques that the documents of see name
}

func (r *room) desk(store string) *analyst {
	db, err := database.Open(store)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = db.Close() }) // some tests have closed it
	b, err := board.Open(r.t.Context(), db, board.Options{Generation: Generation(r.dir), Now: func() time.Time { return r.now }})
	require.NoError(r.t, err)
	d, err := Open(r.t.Context(), Options{Model: r.dir, Board: b, DB: db, Hold: decisions.DefaultHold, Engine: cpu.New(), Now: func() time.Time { return r.now },
		Log: func(format string, arguments ...any) { r.t.Logf(format, arguments...) }})
	require.NoError(r.t, err)
	return &analyst{d, b, db, r, nil}
}

// see gives a desk alerts of a sample: n on each machine.
func (a *analyst) see(n int, s model.Sample, status model.Status, inCase string, machines ...string) {
	a.room.t.Helper()
	var alerts []board.Alert
	version := a.Status().Version
	for i := range n {
		for _, machine := range machines {
			object := map[string]any{"machine": machine, "event": s.Event, "context": s.Context, "status": status.String(), "model": version}
			context := make([]*string, len(s.Context))
			for j, name := range s.Context {
				if name != "" {
					context[j] = &name
				}
			}
			object["context"] = context
			if status == model.Scored || status == model.Unscored {
				object["cluster"] = clusterOf(a.room.t, a.room.model, s.Event)
			}
			if status == model.Scored {
				object["score"] = *a.item(s.Event).Score
			} else if status != model.Unscored {
				object["attention"] = []float64{0.2, 0.7, 0}
			}
			if inCase != "" {
				object["case"], object["case_kind"] = inCase+machine, "new"
				if status == model.Unscored {
					object["case_kind"] = "unscored"
				}
			}
			text, err := json.Marshal(map[string]any{"deepcase": object, "rule": map[string]any{"mitre": map[string]any{"id": a.names}}})
			require.NoError(a.room.t, err)
			alert, err := board.Read(annotation.Target{"deepcase"}, text, start.Add(time.Duration(i)*time.Minute))
			require.NoError(a.room.t, err)
			alerts = append(alerts, alert)
		}
	}
	require.NoError(a.room.t, a.board.Add(a.room.t.Context(), alerts))
}

// item is the first item of an event, in any view.
func (a *analyst) item(event string) review.Item {
	a.room.t.Helper()
	for _, x := range a.Queue("", review.Query{View: review.All, Limit: 1000}).Items {
		if x.Event == event && x.Kind != review.CaseKind {
			return x
		}
	}
	a.room.t.Fatalf("no item of %s", event)
	return review.Item{}
}

func score(by string, x float64, items ...review.Item) review.Decide {
	in := review.Decide{By: by, Action: "score", Score: x}
	for _, i := range items {
		in.Items = append(in.Items, review.Target{ID: i.ID, Rev: i.Rev})
	}
	return in
}
