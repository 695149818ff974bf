package decisions

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

func TestLabel(t *testing.T) {
	m := &model.Model{Clusters: []model.Cluster{
		{ID: 0, Event: "a", Size: 4, Score: interpreter.NoScore}, {ID: 1, Event: "b", Size: 2, Score: interpreter.NoScore},
		{ID: 2, Event: "c", Size: 2, Score: 7}, {ID: 3, Event: "d", Size: 2, Score: interpreter.NoScore}, {ID: 4, Event: "e", Size: 2, Score: interpreter.NoScore}}}
	rows := &model.Assignment{Clusters: []int32{0, 0, 0, 0, 1, 1, 2, 2, -1, 3, 3, 4, 4}}
	about := func(row int) Subject {
		return Subject{Event: string('a' + max(0, rows.Clusters[row])), Context: []string{string(rune('m' + row))}}
	}
	now := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	label := func(s interpreter.Strategy, decisions ...Decision) ([]float64, int) {
		t.Helper()
		f := NewFold(DefaultHold)
		for _, d := range decisions {
			if d.At.IsZero() {
				d.At = now
			}
			if d.Kind == "" {
				d.Kind = Answer
			}
			if d.Kind != Undo {
				d.Key = d.Subject.Key(d.Scope)
			}
			require.NoError(t, f.Add(d))
		}
		with, n, err := f.Look(now).Label(m, rows, s, func(row int) (Subject, bool) { return about(row), row != 12 })
		require.NoError(t, err)
		var scores []float64
		for i, c := range with.Clusters {
			scores = append(scores, c.Score)
			require.Equal(t, m.Clusters[i].Score == interpreter.NoScore && c.Score != interpreter.NoScore, c.Labels != nil)
		}
		return scores, n
	}
	answer := func(score float64, rows ...int) (all []Decision) {
		for _, row := range rows {
			all = append(all, Decision{Scope: Pattern, Score: score, Subject: about(row)})
		}
		return all
	}
	none := []float64{-1, -1, 7, -1, -1}
	for name, c := range map[string]struct {
		decisions []Decision
		strategy  interpreter.Strategy
		want      []float64
	}{
		"no answers":                      {nil, interpreter.Max, none},
		"an attack, however few":          {answer(3, 0), interpreter.Max, []float64{3, -1, 7, -1, -1}},
		"benign, too few":                 {answer(0, 0), interpreter.Max, none},
		"benign, half":                    {answer(0, 0, 3), interpreter.Max, []float64{0, -1, 7, -1, -1}},
		"both":                            {slices.Concat(answer(0, 0, 1), answer(2, 2), answer(1, 4)), interpreter.Max, []float64{2, 1, 7, -1, -1}},
		"both, and the lowest is too few": {slices.Concat(answer(0, 0), answer(2, 2)), interpreter.Min, none},
		"a cluster that has a score":      {answer(0, 6, 7), interpreter.Max, none},
		"in no cluster":                   {answer(4, 8), interpreter.Max, none},
		"a row that must not count":       {answer(4, 12), interpreter.Max, none},
		"it expires":                      {[]Decision{{Scope: Pattern, Score: 4, Subject: about(0), Until: now.Add(time.Hour)}}, interpreter.Max, none},
		"it is due again":                 {[]Decision{{Scope: Pattern, Subject: about(4), At: now.Add(-13 * time.Hour)}}, interpreter.Max, none},
		"about an event":                  {[]Decision{{Scope: Event, Score: 4, Subject: about(0)}}, interpreter.Max, none},
		"taken back":                      {append(answer(4, 0), Decision{Kind: Undo, Undoes: 1}), interpreter.Max, none},
		"on a machine":                    {[]Decision{{Scope: PatternOnMachine, Score: 4, Subject: about(9)}}, interpreter.Nearest, []float64{-1, -1, 7, 4, -1}},
	} {
		t.Run(name, func(t *testing.T) {
			scores, n := label(c.strategy, c.decisions...)
			require.Equal(t, c.want, scores)
			scored := 0
			for i, score := range scores {
				if score != m.Clusters[i].Score {
					scored++
				}
			}
			require.Equal(t, scored, n)
		})
	}
}
