package desk

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// many gives a desk 10,000 open questions of 300 events, each with five patterns.
func many(b *testing.B) *analyst {
	r := newRoom(b)
	a := r.desk(b.TempDir())
	var alerts []board.Alert
	for i := range 10_000 {
		context := []string{fmt.Sprint("event ", i%300), fmt.Sprint("only ", i), fmt.Sprint("event ", i%17)}
		for m := range 5 {
			s := decisions.Subject{Event: fmt.Sprint("event ", i%300), Context: context, Machine: fmt.Sprintf("pc-%d", (i+m)%200)}
			alerts = append(alerts, board.Alert{At: start.Add(time.Duration(i) * time.Second), Machine: s.Machine, Event: s.Event, Context: context, Attention: []float64{0, 0.9, 0},
				Status: model.NoCluster, Settled: model.NoCluster, Cluster: -1, Confidence: 0.9, Version: a.Status().Version, Pattern: s.Key(decisions.PatternOnMachine), Body: []byte("{}")})
		}
	}
	require.NoError(b, a.board.Add(b.Context(), alerts))
	require.Equal(b, 10_002, a.Queue("", review.Query{}).Matching)
	return a
}

// BenchmarkDesk has 10,000 open questions.
func BenchmarkDesk(b *testing.B) {
	a := many(b)
	b.Run("queue", func(b *testing.B) {
		for b.Loop() {
			a.Queue("ann", review.Query{})
		}
	})
	b.Run("search", func(b *testing.B) {
		for b.Loop() {
			a.Queue("ann", review.Query{Text: "machine:pc-17"})
		}
	})
	b.Run("question", func(b *testing.B) {
		x := a.Queue("ann", review.Query{}).Items[50]
		for b.Loop() {
			if _, err := a.Question(x.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("status", func(b *testing.B) {
		for b.Loop() {
			a.Status()
		}
	})
	b.Run("decide", func(b *testing.B) {
		items := a.Queue("ann", review.Query{Limit: 9000}).Items
		for i := 0; b.Loop(); i++ {
			x := items[i%len(items)]
			question, err := a.Question(x.ID)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := a.Decide(b.Context(), score("ann", 1, question.Item)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkJournal has a journal of 200,000 decisions.
func BenchmarkJournal(b *testing.B) {
	r := newRoom(b)
	s, err := store.Open(r.dir, false)
	require.NoError(b, err)
	journal := s.Decisions(decisions.DefaultHold)
	n := 0
	write := func(more int) {
		_, err := journal.Append(b.Context(), func(decisions.Look) (all []decisions.Decision, err error) {
			for range more {
				about := decisions.Subject{Event: fmt.Sprint("event ", n%300), Context: []string{fmt.Sprint("after ", n), "b", "c"}, Machine: fmt.Sprint("pc-", n%5000)}
				all = append(all, decisions.Decision{Kind: decisions.Answer, By: "bob", Scope: decisions.PatternOnMachine, Key: about.Key(decisions.PatternOnMachine), Subject: about})
				n++
			}
			return all, nil
		})
		require.NoError(b, err)
	}
	for range 20 {
		write(10_000)
	}
	r.now = time.Now().Add(48 * time.Hour)
	a := r.desk(b.TempDir())
	b.Run("start without a copy", func(b *testing.B) {
		for b.Loop() {
			r.desk(b.TempDir())
		}
	})
	b.Run("another process writes", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			write(1)
			b.StartTimer()
			require.NoError(b, a.refresh(b.Context(), false))
		}
	})
	b.Run("queue", func(b *testing.B) {
		for b.Loop() {
			a.Queue("ann", review.Query{})
		}
	})
	b.Run("find no decision", func(b *testing.B) {
		for b.Loop() {
			list, _, err := a.Decisions(review.DecisionQuery{Text: "by:nobody"})
			require.NoError(b, err)
			require.Empty(b, list)
		}
	})
}
