package desk

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/review"
	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

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
			_, err = a.Publish(t.Context())
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
	require.Len(t, a.serving.model.Clusters, 3)
	require.Zero(t, a.Queue("", review.Query{View: review.Unsure}).Matching, "the new model has a cluster of it")

	_, err = a.Decide(t.Context(), score("ann", 2, shown))
	require.NoError(t, err, "the cluster is found by its contexts")
	_, err = a.Publish(t.Context())
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
	second, err := a.Publish(t.Context())
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

// TestOpenIsCountedAsTheQueueCounts: an answer to a decision has the number of open questions, which is counted without drawing the queue.
func TestOpenIsCountedAsTheQueueCounts(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	same := func(open int) {
		t.Helper()
		require.Equal(t, open, a.Status().Open, "counted, because something has changed")
		require.Equal(t, open, a.Queue("ann", review.Query{}).Counts[review.Open])
		require.Equal(t, open, a.Status().Open, "as the queue says")
	}
	same(2)
	a.see(3, rareSample, model.NoCluster, "", "pc-1", "pc-2")
	same(3)
	_, err := a.Decide(t.Context(), score("ann", 1, a.item("backup")))
	require.NoError(t, err)
	same(2)
	put, err := a.Decide(t.Context(), review.Decide{By: "ann", Action: "snooze", More: 5, Items: []review.Target{{ID: a.item("scan").ID, Rev: a.item("scan").Rev}}})
	require.NoError(t, err)
	same(1)
	_, err = a.Undo(t.Context(), "ann", put.Batch)
	require.NoError(t, err)
	same(2)
	_, err = a.Decide(t.Context(), score("ann", 0, a.item("scan")))
	require.NoError(t, err)
	same(1)
}
