package desk

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/internal/review/database"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

var (
	loginSample  = model.Sample{Context: []string{"", "scan", "guess"}, Event: "login"}
	backupSample = model.Sample{Context: []string{"cron", "mount", "cron"}, Event: "backup"}
	rareSample   = model.Sample{Context: []string{"backup", "backup", "login"}, Event: "scan"}
	start        = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
)

// little learns a model in which loginSample and backupSample have a cluster each, without scores.
func little(t testing.TB, seed uint64, samples ...model.Sample) *model.Model {
	t.Helper()
	names := []string{"backup", "cron", "guess", "login", "mount", "scan"}
	d := model.Data{Names: names, Samples: contextbuilder.Samples{Length: 3}}
	for range 40 {
		for _, s := range append([]model.Sample{loginSample, backupSample}, samples...) {
			for _, name := range s.Context {
				d.Samples.Contexts = append(d.Samples.Contexts, id(names, name))
			}
			d.Samples.Events = append(d.Samples.Events, id(names, s.Event))
		}
	}
	p := model.DefaultParams()
	p.Length, p.Hidden, p.Timeout = 3, 8, time.Hour
	p.Training.Epochs, p.Training.BatchSize, p.Training.Seed, p.Training.LearningRate = 40, 16, seed, 0.05
	m, err := model.Train(t.Context(), cpu.New(), d, p)
	require.NoError(t, err)
	m, _, err = m.Cluster(t.Context(), cpu.New(), d, interpreter.Max)
	require.NoError(t, err)
	require.Len(t, m.Clusters, 2+len(samples))
	return m
}

func id(names []string, name string) int32 {
	if name == "" {
		return int32(len(names))
	}
	return int32(slices.Index(names, name))
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
}

func (r *room) desk(store string) *analyst {
	db, err := database.Open(store)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { db.Close() })
	b, err := board.Open(r.t.Context(), db, board.Options{Generation: Generation(r.dir), Now: func() time.Time { return r.now }})
	require.NoError(r.t, err)
	d, err := Open(r.t.Context(), Options{Model: r.dir, Board: b, DB: db, Hold: decisions.DefaultHold, Engine: cpu.New(), Now: func() time.Time { return r.now },
		Log: func(format string, arguments ...any) { r.t.Logf(format, arguments...) }})
	require.NoError(r.t, err)
	return &analyst{d, b, db, r}
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
			}
			text, err := json.Marshal(map[string]any{"deepcase": object})
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

func TestAClusterIsScoredPublishedAndTakenBack(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(3, backupSample, model.Unscored, "", "pc-1", "pc-2")
	q := a.Queue("ann", review.Query{})
	require.Equal(t, 2, q.Matching)
	require.Equal(t, "backup", q.Items[0].Event)
	require.Equal(t, map[string]int{review.Open: 2, review.Clusters: 2, review.All: 2}, q.Counts)

	done, err := a.Decide(t.Context(), score("ann", 2, a.item("backup")))
	require.NoError(t, err)
	require.Equal(t, 1, a.Status().Unpublished)
	require.EqualValues(t, 2, *a.item("backup").Score)
	require.Equal(t, 1, a.Queue("ann", review.Query{}).Matching)
	require.EqualValues(t, interpreter.NoScore, r.current().Clusters[clusterOf(t, r.model, "backup")].Score)

	require.False(t, a.due())
	r.now = r.now.Add(DefaultRest)
	require.True(t, a.due())
	a.publish(t.Context())
	require.EqualValues(t, 2, r.current().Clusters[clusterOf(t, r.model, "backup")].Score)
	require.Zero(t, a.Status().Unpublished)

	_, err = a.Undo(t.Context(), "bob", done.Batch)
	require.NoError(t, err)
	require.Nil(t, a.item("backup").Score)
	_, err = a.Publish(t.Context(), "bob")
	require.NoError(t, err)
	require.EqualValues(t, interpreter.NoScore, r.current().Clusters[clusterOf(t, r.model, "backup")].Score)
	_, err = a.Undo(t.Context(), "bob", done.Batch)
	var conflict *review.ConflictError
	require.ErrorAs(t, err, &conflict)

	question, err := a.Question(a.item("backup").ID)
	require.NoError(t, err)
	require.Len(t, question.History, 2)
	require.Equal(t, "bob", question.History[0].By)
}

func TestPatternsAreAnsweredOnce(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(3, rareSample, model.NoCluster, "case-", "pc-1", "pc-2")
	x := a.item("scan")
	require.Equal(t, review.PatternKind, x.Kind)
	require.Equal(t, 2, x.Undecided)
	cases := a.Queue("ann", review.Query{View: review.Cases})
	require.Equal(t, 2, cases.Matching)

	a.see(1, rareSample, model.NoCluster, "case-", "pc-3") // after it was shown
	done, err := a.Decide(t.Context(), score("ann", 0, x))
	require.NoError(t, err)
	require.Equal(t, 1, a.item("scan").Undecided, "an answer covers only what was listed")
	require.Equal(t, 1, a.Queue("ann", review.Query{View: review.Cases}).Matching)

	question, err := a.Question(x.ID)
	require.NoError(t, err)
	require.Len(t, question.Listed, 3)
	answered := 0
	for _, p := range question.Listed {
		if p.Answer != nil && p.Answer.InForce {
			answered++
		}
	}
	require.Equal(t, 2, answered)
	require.Len(t, question.History, 2)

	_, err = a.Undo(t.Context(), "ann", done.Batch)
	require.NoError(t, err)
	require.Equal(t, 3, a.item("scan").Undecided)

	// Benign answers are asked again after some time.
	_, err = a.Decide(t.Context(), score("ann", 0, a.item("scan")))
	require.NoError(t, err)
	require.Zero(t, a.item("scan").Undecided)
	list, more, err := a.Decisions(review.DecisionQuery{Text: "by:ann state:in_force"})
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, list, 3)
}

func TestTwoAnalystsDoNotOverwriteEachOther(t *testing.T) {
	r := newRoom(t)
	a, b := r.desk(t.TempDir()), r.desk(t.TempDir())
	for _, x := range []*analyst{a, b} {
		x.see(3, rareSample, model.NoCluster, "", "pc-1", "pc-2")
	}
	seenA, seenB := []review.Item{a.item("scan"), a.item("login")}, []review.Item{b.item("scan"), b.item("login")}
	_, err := a.Decide(t.Context(), score("ann", 1, seenA[0]))
	require.NoError(t, err)
	_, err = b.Decide(t.Context(), score("bob", 0, seenB...))
	var conflict *review.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Len(t, conflict.Conflicts, 1, "bulk is all or nothing")
	require.Equal(t, "ann", conflict.Conflicts[0].By)
	require.EqualValues(t, 1, *conflict.Conflicts[0].Score)
	require.Nil(t, b.item("login").Score)

	_, err = b.Decide(t.Context(), score("bob", 0, seenB[1]))
	require.NoError(t, err)
	_, err = a.Decide(t.Context(), score("ann", 3, seenA[1]))
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, "bob", conflict.Conflicts[0].By)

	again := seenB[0]
	again.Rev = conflictOf(t, b, "bob", seenB[0]).Rev
	in := score("bob", 2, again)
	_, err = b.Decide(t.Context(), in)
	require.NoError(t, err, "whoever has seen it may decide again")
}

func conflictOf(t *testing.T, a *analyst, by string, x review.Item) review.Conflict {
	t.Helper()
	_, err := a.Decide(t.Context(), score(by, 2, x))
	var conflict *review.ConflictError
	require.ErrorAs(t, err, &conflict)
	return conflict.Conflicts[0]
}

func TestWideAnswersNeedToBeConfirmed(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(3, rareSample, model.NoCluster, "", "pc-1", "pc-2")
	in := score("ann", 0, a.item("scan"))
	in.Scope = decisions.Event
	_, err := a.Decide(t.Context(), in)
	var confirm *review.ConfirmError
	require.ErrorAs(t, err, &confirm)
	require.Equal(t, review.Effect{Recent: 6, Settled: 6, Machines: 2, PerDay: 6, Sentence: "Would have settled 6 alerts of the last 7 days on 2 machines."}, confirm.Effect)
	effect, err := a.Preview(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, confirm.Effect, effect)
	in.Confirm = true
	_, err = a.Decide(t.Context(), in)
	require.NoError(t, err)
	a.see(1, model.Sample{Event: "scan", Context: []string{"cron", "cron", "cron"}}, model.NoCluster, "", "pc-9")
	require.Zero(t, a.item("scan").Undecided)
}

func TestWhatCannotBeDecidedSaysWhy(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(3, rareSample, model.NoCluster, "c-", "pc-1", "pc-2")
	cluster, pattern := a.item("login"), a.item("scan")
	for want, change := range map[string]func(*review.Decide){
		`action "odd"`:              func(in *review.Decide) { in.Action = "odd" },
		"0 items":                   func(in *review.Decide) { in.Items = nil },
		"comes twice":               func(in *review.Decide) { in.Items = append(in.Items, in.Items[0]) },
		"score -1":                  func(in *review.Decide) { in.Score = -1 },
		"the reason has":            func(in *review.Decide) { in.Why = string(make([]byte, maxWhy+1)) },
		`scope "odd"`:               func(in *review.Decide) { in.Scope = "odd" },
		`rev "x"`:                   func(in *review.Decide) { in.Items[0].Rev = "x" },
		"in the past":               func(in *review.Decide) { in.Expires = "2020-01-01T00:00:00Z" },
		"need a duration":           func(in *review.Decide) { in.Expires = "soon" },
		"reason and an expiry":      func(in *review.Decide) { in.Action = "mute" },
		"more 0":                    func(in *review.Decide) { in.Action = "snooze" },
		"is no case":                func(in *review.Decide) { in.Action = "close" },
		"its score has no scope":    func(in *review.Decide) { in.Items[0].ID, in.Scope = cluster.ID, decisions.Event },
		"its score does not expire": func(in *review.Decide) { in.Items[0].ID, in.Expires = cluster.ID, "1h" },
	} {
		in := score("ann", 0, pattern)
		change(&in)
		_, err := a.Decide(t.Context(), in)
		require.ErrorIs(t, err, review.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
	in := score("ann", 0, pattern)
	in.Items[0].ID = "p0000"
	_, err := a.Decide(t.Context(), in)
	require.ErrorIs(t, err, review.ErrNotFound)
	_, err = a.Question("odd")
	require.ErrorIs(t, err, review.ErrNotFound)
}

func TestSnoozeUntilMoreCome(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(3, rareSample, model.NoCluster, "", "pc-1", "pc-2")
	in := score("ann", 0, a.item("scan"))
	in.Action, in.More = "snooze", 4
	done, err := a.Decide(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, 1, a.Queue("", review.Query{View: review.Snoozed}).Matching)
	require.Equal(t, 4, a.item("scan").Snoozed)
	_, err = a.Undo(t.Context(), "ann", done.Batch)
	require.NoError(t, err)
	require.Zero(t, a.Queue("", review.Query{View: review.Snoozed}).Matching)
	in.Items[0].Rev = a.item("scan").Rev
	_, err = a.Decide(t.Context(), in)
	require.NoError(t, err)
	a.see(2, rareSample, model.NoCluster, "", "pc-1", "pc-2")
	require.Zero(t, a.Queue("", review.Query{View: review.Snoozed}).Matching)
	require.Equal(t, 1, a.Queue("", review.Query{View: review.Unsure}).Matching)
}

func TestCasesAreDecidedTogetherAndClosed(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(3, rareSample, model.NoCluster, "c-", "pc-1", "pc-2")
	cases := a.Queue("", review.Query{View: review.Cases}).Items
	require.Len(t, cases, 2)
	view, err := a.Case(cases[0].ID)
	require.NoError(t, err)
	require.Len(t, view.Alerts, 3)
	require.Len(t, view.Patterns, 1)
	require.Len(t, view.Questions, 1)
	done, err := a.Decide(t.Context(), score("ann", 0, cases[0]))
	require.NoError(t, err)
	require.Equal(t, 1, a.Queue("", review.Query{View: review.Cases}).Matching)
	require.Equal(t, 1, a.item("scan").Undecided)
	_, err = a.Undo(t.Context(), "ann", done.Batch)
	require.NoError(t, err)
	require.Equal(t, 2, a.Queue("", review.Query{View: review.Cases}).Matching)
	require.Equal(t, 2, a.item("scan").Undecided)
}

func TestARestartKnowsWhatWaits(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint("lost ", lost), func(t *testing.T) {
			r := newRoom(t)
			r.now = time.Now() // the versions of the directory have its times
			dir := t.TempDir()
			a := r.desk(dir)
			_, err := a.Decide(t.Context(), score("ann", 2, a.item("backup"), a.item("login")))
			require.NoError(t, err)
			require.NoError(t, a.db.Close())
			if lost {
				dir = t.TempDir()
			}
			a = r.desk(dir)
			require.Equal(t, 2, a.Status().Unpublished)
			_, err = a.Publish(t.Context(), "ann")
			require.NoError(t, err)
			for _, c := range r.current().Clusters {
				require.EqualValues(t, 2, c.Score)
			}
			require.NoError(t, a.db.Close())
			require.Zero(t, r.desk(t.TempDir()).Status().Unpublished)
		})
	}
}

func TestATrainingMeanwhile(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(3, rareSample, model.NoCluster, "", "pc-1", "pc-2")
	shown, waits := a.item("backup"), a.item("login")
	_, err := a.Decide(t.Context(), score("ann", 3, waits))
	require.NoError(t, err)
	r.publish(little(t, 2, rareSample))
	require.NoError(t, a.refresh(t.Context(), false))
	require.Equal(t, 3, len(a.serving.model.Clusters))
	require.Zero(t, a.Queue("", review.Query{View: review.Unsure}).Matching, "the new model has a cluster of it")

	_, err = a.Decide(t.Context(), score("ann", 2, shown))
	require.NoError(t, err, "the cluster is found by its contexts")
	_, err = a.Publish(t.Context(), "ann")
	require.NoError(t, err)
	m := r.current()
	require.EqualValues(t, 2, m.Clusters[clusterOf(t, m, "backup")].Score)
	require.EqualValues(t, 3, m.Clusters[clusterOf(t, m, "login")].Score)
	require.EqualValues(t, interpreter.NoScore, m.Clusters[clusterOf(t, m, "scan")].Score)
}

func TestVersionsAreComparedAndRolledBack(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(20, backupSample, model.Unscored, "", "pc-1")
	a.see(20, rareSample, model.NoCluster, "", "pc-1", "pc-2")
	first := a.Status().Version
	_, err := a.Decide(t.Context(), score("ann", 2, a.item("backup")))
	require.NoError(t, err)
	_, err = a.Rollback(t.Context(), "ann", first, first)
	require.ErrorIs(t, err, review.ErrInvalid, "a score waits")
	second, err := a.Publish(t.Context(), "ann")
	require.NoError(t, err)
	require.NotEqual(t, first, second)

	m, err := a.Models(t.Context(), first, second)
	require.NoError(t, err)
	require.Len(t, m.Versions, 2)
	require.True(t, m.Versions[0].Current)
	require.Equal(t, []string{"ann"}, m.Versions[0].By)
	require.Equal(t, 1, m.Compared.RescoredN)
	require.EqualValues(t, 2, *m.Compared.Rescored[0].New)
	require.Zero(t, m.Compared.AppearedN+m.Compared.VanishedN)
	require.Equal(t, 60, m.Compared.Tried)
	require.Equal(t, 20, m.Compared.Changed)
	require.Equal(t, []review.VerdictChange{{Event: "backup", Old: "unscored", New: "scored 2", Alerts: 20}}, m.Compared.Verdicts)

	var conflict *review.ConflictError
	_, err = a.Rollback(t.Context(), "ann", first, first)
	require.ErrorAs(t, err, &conflict)
	_, err = a.Rollback(t.Context(), "ann", "20200101T000000Z-aaaa", second)
	require.ErrorIs(t, err, review.ErrNotFound)
	back, err := a.Rollback(t.Context(), "ann", first, second)
	require.NoError(t, err)
	require.Equal(t, first, back)
	require.Nil(t, a.item("backup").Score)
	require.Zero(t, a.Status().Unpublished, "what was rolled back is not published again")

	third := r.publish(little(t, 2, rareSample))
	require.NoError(t, a.refresh(t.Context(), false))
	m, err = a.Models(t.Context(), first, third)
	require.NoError(t, err)
	require.Equal(t, 1, m.Compared.AppearedN)
	require.Equal(t, "scan", m.Compared.Appeared[0].Event)
	require.Zero(t, m.Compared.VanishedN)
	require.Equal(t, 40, m.Compared.Changed)
}

func TestOverview(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(20, backupSample, model.Unscored, "", "pc-1")
	a.see(20, rareSample, model.NoCluster, "c-", "pc-1", "pc-2")
	a.see(6, model.Sample{Event: "odd", Context: []string{"", "", "scan"}}, model.UnknownEvent, "", "pc-3")
	o, err := a.Overview()
	require.NoError(t, err)
	require.Equal(t, 2, o.Clusters)
	require.Zero(t, o.Scored)
	require.InDelta(t, 66, o.PerDay, 1)
	require.Equal(t, "scan", o.Wait[0].Event)
	require.Equal(t, 40, o.Wait[0].Wait)
	require.Equal(t, 1, o.Unknowns)
	require.Equal(t, "odd", o.Unknown[0].Event)
	require.Equal(t, []review.Count{{Name: "new", N: 2}}, o.CasesByKind)
	require.Equal(t, 1.0, o.Audit.MissRate)
	require.Contains(t, o.Retrain.Sentence, "Too few alerts")
	sum := 0
	for _, q := range o.Quarters {
		sum += q[review.NoCluster]
	}
	require.Equal(t, 40, sum)
}
