package desk

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model"
)

func requireConflict(t *testing.T, err error, what string) {
	t.Helper()
	var conflict *review.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Contains(t, conflict.Conflicts[0].What, what)
	require.Empty(t, conflict.Conflicts[0].Rev, "it has to be looked at again")
}

func TestAPageOfAnEarlierStoreAnswersNothing(t *testing.T) {
	r := newRoom(t)
	old := r.desk(t.TempDir())
	old.see(3, rareSample, model.NoCluster, "case-", "pc-1", "pc-2", "pc-3")
	open := old.item("scan")
	oneCase := old.Queue("", review.Query{View: review.Cases}).Items[0]
	store := t.TempDir()
	a := r.desk(store) // the store was lost, and other patterns of the same event came first
	a.see(3, rareSample, model.NoCluster, "case-", "web-1", "pc-1", "pc-2", "pc-3")
	require.Equal(t, open.ID, a.item("scan").ID)
	for _, x := range []review.Item{open, oneCase} {
		_, err := a.Decide(t.Context(), score("ann", 0, x))
		requireConflict(t, err, "asked anew")
	}
	list, _, err := a.Decisions(review.DecisionQuery{})
	require.NoError(t, err)
	require.Empty(t, list)

	open = a.item("scan")
	require.NoError(t, a.db.Close()) // killed
	a = r.desk(store)
	_, err = a.Decide(t.Context(), score("ann", 0, open))
	require.NoError(t, err, "a page stays good after a restart")
	require.Zero(t, a.item("scan").Undecided)
}

func TestRevisionsThatNobodyWasShownAreRefused(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(3, rareSample, model.NoCluster, "", "pc-1")
	x := a.item("scan")
	_, rest, _ := strings.Cut(x.Rev, ".")
	in := score("ann", 0, x)
	in.Items[0].Rev = "999." + rest // it would be newer than every answer of others
	_, err := a.Decide(t.Context(), in)
	requireConflict(t, err, "restored an earlier one")
	for _, rev := range []string{"", "0", "0.1.0", "-1." + rest, " " + x.Rev, x.Rev + " ", x.Rev + ".1", "18446744073709551615." + rest, "0.-1.0.1", "0.1.0.4294967296", "+" + x.Rev} {
		in.Items[0].Rev = rev
		_, err := a.Decide(t.Context(), in)
		require.ErrorIs(t, err, review.ErrInvalid, rev)
	}
}

func TestBatchesThatNobodyMadeAreRefused(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	for _, event := range []string{"backup", "login"} {
		_, err := a.Decide(t.Context(), score("ann", 2, a.item(event)))
		require.NoError(t, err)
	}
	for _, batch := range []string{"", "n", "n0-0", "n1-1,n2-2", "n18446744073709551615-18446744073709551615", "sx@0", "vx@-1", "n1-1,", "x"} {
		_, err := a.Undo(t.Context(), "bob", batch)
		require.ErrorIs(t, err, review.ErrInvalid, batch)
	}
	require.EqualValues(t, 2, *a.item("login").Score)
}

func TestAJournalOfOthersIsCopiedAnew(t *testing.T) {
	r := newRoom(t)
	path := filepath.Join(r.dir, "decisions.ndjson")
	a := r.desk(t.TempDir())
	for _, x := range []float64{1, 2} {
		_, err := a.Decide(t.Context(), score("ann", x, a.item("backup")))
		require.NoError(t, err)
	}
	require.NoError(t, os.Remove(path)) // somebody restores a model directory, and goes on with another page
	b := r.desk(t.TempDir())
	for _, x := range []float64{3, 1, 2} {
		r.now = r.now.Add(time.Second)
		_, err := b.Decide(t.Context(), score("bob", x, b.item("login")))
		require.NoError(t, err)
	}
	require.NoError(t, a.refresh(t.Context(), false))
	list, _, err := a.Decisions(review.DecisionQuery{})
	require.NoError(t, err)
	require.Len(t, list, 3)
	for _, e := range list {
		require.Equal(t, "bob", e.By)
	}
	require.Equal(t, "bob", a.item("login").By)
}

func TestSlowReadersOfTheExportKeepNobodyWaiting(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	_, err := a.Decide(t.Context(), score("ann", 1, a.item("backup")))
	require.NoError(t, err)
	slow, reached := make(chan struct{}), make(chan struct{})
	defer close(slow)
	for range 10 {
		go func() {
			_ = a.EachDecision(review.DecisionQuery{}, func(review.Entry) error {
				reached <- struct{}{}
				<-slow
				return nil
			})
		}()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for range 10 {
		select {
		case <-reached:
		case <-ctx.Done():
			t.Fatal("readers wait for each other")
		}
	}
	_, err = a.Decide(ctx, score("ann", 1, a.item("login")))
	require.NoError(t, err)
}

func TestARemovedStoreRefusesDecisions(t *testing.T) {
	r := newRoom(t)
	store := t.TempDir()
	a := r.desk(store)
	require.NoError(t, os.Remove(filepath.Join(store, "review.db")))
	_, err := a.Decide(t.Context(), score("ann", 1, a.item("backup")))
	require.ErrorContains(t, err, "review.db was removed or replaced")
	a.tick(t.Context())
	require.Contains(t, strings.Join(a.Status().Problems, " "), "Start the process again")
	list, _, err := a.Decisions(review.DecisionQuery{})
	require.NoError(t, err)
	require.Empty(t, list, "nothing was decided")
}

func TestThePageSaysThatAlertsAreNotTakenUp(t *testing.T) {
	r := newRoom(t)
	a := r.desk(t.TempDir())
	a.see(1, rareSample, model.NoCluster, "", "pc-1")
	require.NotContains(t, strings.Join(a.Status().Problems, " "), "not taken up")
	require.NoError(t, a.db.Alerts.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("ALTER TABLE intake RENAME TO gone") // as if the disk were full
		return err
	}))
	require.Error(t, a.board.Add(t.Context(), make([]board.Alert, 1)))
	require.Contains(t, strings.Join(a.Status().Problems, " "), "New alerts are not taken up")
}
