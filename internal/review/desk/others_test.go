package desk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// label scores a cluster as deepcase_label does: the journal and a version, with no other writer in between.
func (r *room) label(event string, score float64) {
	s, err := store.Open(r.dir, false, store.Retain(1))
	require.NoError(r.t, err)
	_, err = s.Update(r.t.Context(), func(version string, current *model.Model) (*model.Model, error) {
		c := clusterOf(r.t, current, event)
		if _, err := s.Decisions(decisions.DefaultHold).AppendLocked(func(decisions.Look) ([]decisions.Decision, error) {
			return []decisions.Decision{decisions.Decision{Score: score, By: "labeller"}.OfCluster(version, current.Clusters[c])}, nil
		}); err != nil {
			return nil, err
		}
		return current.WithScores(map[int]float64{c: score})
	})
	require.NoError(r.t, err)
}

func TestANewerScoreOfAnotherWriterIsNotOverwritten(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		r := newRoom(t)
		dir := t.TempDir()
		a := r.desk(dir)
		_, err := a.Decide(t.Context(), score("ann", 3, a.item("backup"), a.item("login")))
		require.NoError(t, err)
		r.label("backup", 1)
		if restarted {
			require.NoError(t, a.db.Close())
			a = r.desk(dir)
		}
		_, err = a.Publish(t.Context())
		require.NoError(t, err)
		m := r.current()
		require.EqualValues(t, 1, m.Clusters[clusterOf(t, m, "backup")].Score, "restarted: %v", restarted)
		require.EqualValues(t, 3, m.Clusters[clusterOf(t, m, "login")].Score, "restarted: %v", restarted)
		require.Zero(t, a.Status().Unpublished)
		require.EqualValues(t, 1, *a.item("backup").Score)
		require.Equal(t, "labeller", a.item("backup").By)
	}
}

func TestAScoreOfTheModelBeforeDoesNotOverwriteOneOfTheNewModel(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	_, err := a.Decide(t.Context(), score("ann", 3, a.item("backup"), a.item("login")))
	require.NoError(t, err)
	r.publish(little(t, 2, rareSample))
	r.label("backup", 1)
	_, err = a.Publish(t.Context())
	require.NoError(t, err)
	m := r.current()
	require.EqualValues(t, 1, m.Clusters[clusterOf(t, m, "backup")].Score)
	require.EqualValues(t, 3, m.Clusters[clusterOf(t, m, "login")].Score)
}

// Between the moment that a decision of another process is read and the moment that it is shown, a page shows what was before it.
func TestWhatIsReadAndNotShownYetIsAConflict(t *testing.T) {
	r := newRoom(t)
	a, b := r.desk(t.TempDir()), r.desk(t.TempDir())
	for _, x := range []*analyst{a, b} {
		x.see(3, rareSample, model.NoCluster, "", "pc-1", "pc-2")
	}
	for _, event := range []string{"scan", "login"} {
		a.item(event)
		_, err := b.Decide(t.Context(), score("bob", 0, b.item(event)))
		require.NoError(t, err)
		require.NoError(t, a.journal.Refresh())
		require.Equal(t, "bob", conflictOf(t, a, "ann", a.item(event)).By)
	}
}

func TestAProblemThatIsOverIsNotShown(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	_, err := a.Decide(t.Context(), score("ann", 3, a.item("backup")))
	require.NoError(t, err)
	problems := func() string { return strings.Join(a.Status().Problems, " ") }
	journal := filepath.Join(r.dir, "decisions.ndjson")
	require.NoError(t, os.Rename(journal, journal+".away"))
	a.tick(t.Context())
	require.Contains(t, problems(), "the journal is gone")
	require.NoError(t, os.Rename(journal+".away", journal))
	a.tick(t.Context())
	require.NotContains(t, problems(), "the journal is gone")

	// One that has another cause stays until that is over.
	r.now = r.now.Add(defaultRest)
	closed, end := context.WithCancel(t.Context())
	end()
	a.publish(closed)
	require.Contains(t, problems(), "not published yet")
	a.tick(t.Context())
	require.Contains(t, problems(), "not published yet")
	r.now = r.now.Add(defaultRest)
	a.tick(t.Context())
	require.NotContains(t, problems(), "not published yet")
}

func TestARolledBackScoreIsNotPublished(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	first := a.Status().Version
	_, err := a.Decide(t.Context(), score("ann", 3, a.item("backup")))
	require.NoError(t, err)
	state := func() string {
		list, _, err := a.Decisions(review.DecisionQuery{})
		require.NoError(t, err)
		return list[0].State
	}
	require.Equal(t, "to_publish", state())
	second, err := a.Publish(t.Context())
	require.NoError(t, err)
	require.Equal(t, "published", state())
	_, err = a.Rollback(t.Context(), "ann", first, second)
	require.NoError(t, err)
	require.Equal(t, "replaced", state())
}

func TestWhatANewModelDisputesIsAsked(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(5, rareSample, model.NoCluster, "", "pc-1")
	a.board.View(func(v board.View) {
		for _, q := range v.OfEvent("scan") {
			for k, p := range q.Patterns {
				p.Version = "20200101T000000Z-aaaa"
				a.explains[k] = model.Verdict{Status: model.Disputed, Cluster: 0}
				require.Equal(t, model.Disputed, a.settle(p).Status)
				a.explains[k] = model.Verdict{Status: model.Unscored, Cluster: 0}
				require.False(t, a.settle(p).Status.Unsure())
			}
		}
	})
}

func TestAMuteOfACaseNamesItsMachine(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(3, backupSample, model.Unscored, "c-", "pc-1")
	cases := a.Queue("", review.Query{View: review.Cases}).Items
	require.Len(t, cases, 1)
	in := score("ann", 5, cases[0])
	in.Action, in.Scope, in.Why, in.Expires, in.Confirm = "mute", decisions.EventOnMachine, "noise", "24h", true
	_, err := a.Decide(t.Context(), in)
	require.NoError(t, err)
	list, _, err := a.Decisions(review.DecisionQuery{})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, decisions.Subject{Event: "backup", Machine: "pc-1"}, list[0].Subject)
	require.Zero(t, list[0].Score, "a mute has none")
	require.WithinDuration(t, r.now.Add(24*time.Hour), list[0].Until, 0)
}

func TestRemovedVersionsAreStillKnownByTheirClusters(t *testing.T) {
	r := newRoom(t)
	dir := t.TempDir()
	a := r.desk(dir)
	first := a.Status().Version
	_, err := a.Decide(t.Context(), score("ann", 3, a.item("backup")))
	require.NoError(t, err)
	for _, x := range []float64{1, 2, 1} {
		r.label("login", x)
	}
	require.NoDirExists(t, filepath.Join(r.dir, "versions", first))
	require.NoError(t, a.db.Close())
	a = r.desk(dir)
	require.Equal(t, "ann", a.item("backup").By)
	require.EqualValues(t, 3, *a.item("backup").Score)
	_, err = a.Publish(t.Context())
	require.NoError(t, err)
	m := r.current()
	require.EqualValues(t, 3, m.Clusters[clusterOf(t, m, "backup")].Score)
	require.EqualValues(t, 1, m.Clusters[clusterOf(t, m, "login")].Score)
}

// TestAnAnswerCoversNoMoreThanIsListed: a question of very many patterns lists some of them, and asks for the rest afterwards.
func TestAnAnswerCoversNoMoreThanIsListed(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	const all = shownPatterns + 50
	machines := make([]string, all)
	for i := range machines {
		machines[i] = fmt.Sprintf("pc-%d", i)
	}
	a.see(1, rareSample, model.NoCluster, "", machines...)
	for _, want := range []int{shownPatterns, all - shownPatterns} {
		x := a.item("scan")
		question, err := a.Question(x.ID)
		require.NoError(t, err)
		shown := map[string]bool{}
		for _, p := range question.Listed {
			if p.Answer == nil {
				shown[p.Key.String()] = true
			}
		}
		require.Len(t, shown, want)
		a.see(1, rareSample, model.NoCluster, "", machines[all-1], machines[0]) // what comes meanwhile changes the order in which they are shown
		done, err := a.Decide(t.Context(), score("ann", 0, x))
		require.NoError(t, err)
		entries, _, err := a.Decisions(review.DecisionQuery{Limit: 1000})
		require.NoError(t, err)
		answered := 0
		for _, e := range entries {
			if e.Batch != "" && shown[e.Key.String()] {
				answered++
			}
		}
		require.Equal(t, want, answered, "%s answers what was listed", done.Batch)
	}
	require.Zero(t, a.item("scan").Undecided)
}
