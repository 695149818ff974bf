package desk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/review"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
)

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
	r.now = r.now.Add(defaultRest)
	require.True(t, a.due())
	a.publish(t.Context())
	require.EqualValues(t, 2, r.current().Clusters[clusterOf(t, r.model, "backup")].Score)
	require.Zero(t, a.Status().Unpublished)

	_, err = a.Undo(t.Context(), "bob", done.Batch)
	require.NoError(t, err)
	require.Nil(t, a.item("backup").Score)
	_, err = a.Publish(t.Context())
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
		`action "odd"`:         func(in *review.Decide) { in.Action = "odd" },
		"0 items":              func(in *review.Decide) { in.Items = nil },
		"comes twice":          func(in *review.Decide) { in.Items = append(in.Items, in.Items[0]) },
		"score -1":             func(in *review.Decide) { in.Score = -1 },
		"the reason has":       func(in *review.Decide) { in.Why = string(make([]byte, maxWhy+1)) },
		`scope "odd"`:          func(in *review.Decide) { in.Scope = "odd" },
		`rev "x"`:              func(in *review.Decide) { in.Items[0].Rev = "x" },
		"in the past":          func(in *review.Decide) { in.Expires = "2020-01-01T00:00:00Z" },
		"need a duration":      func(in *review.Decide) { in.Expires = "soon" },
		"reason and an expiry": func(in *review.Decide) { in.Action = "mute" },
		"more 0":               func(in *review.Decide) { in.Action = "snooze" },
		"is no case":           func(in *review.Decide) { in.Action = "close" },
		"its score has no scope": func(in *review.Decide) {
			in.Items[0], in.Scope = review.Target{ID: cluster.ID, Rev: cluster.Rev}, decisions.Event
		},
		"its score does not expire": func(in *review.Decide) {
			in.Items[0], in.Expires = review.Target{ID: cluster.ID, Rev: cluster.Rev}, "1h"
		},
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
