package decisions

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// seen is all that a journal says at several times.
func seen(f *Fold, now time.Time) (all [][3]uint64) {
	for _, at := range []time.Time{now, now.Add(13 * time.Hour), now.Add(1000 * time.Hour)} {
		for _, s := range subjects {
			found, _ := f.Look(at).answer(s.Keys())
			all = append(all, [3]uint64{numberOf(found), numberOf(f.Look(at).mute(s.Keys()))})
			if found != nil {
				all[len(all)-1][2] = uint64(found.Confirmed)
			}
		}
	}
	return all
}

// restored writes a journal of decisions that have numbers and times. Each third was appended with the two after it.
func restored(t *testing.T, all []Decision) (*Journal, *clock) {
	t.Helper()
	dir := t.TempDir()
	var lines []byte
	for i, d := range all {
		var err error
		lines, err = appendLine(lines, d, min(2-i%3, len(all)-1-i))
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, journalFile), lines, 0o640))
	return open(t, dir)
}

func TestACompactionChangesNothingButTheSize(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	movedOfAll := 0
	for range 20 {
		all := random(r, 1+r.IntN(60), subjects)
		j, c := restored(t, all)
		last := all[len(all)-1].At
		c.at = last.Add(time.Duration(r.Int64N(int64(300 * time.Hour))))
		reader := New(j.dir, j.lock, DefaultHold)
		require.NoError(t, reader.Refresh())
		before, history := seen(j.fold, c.at), numbers(t, j)
		for _, keep := range []time.Duration{200 * time.Hour, 50 * time.Hour, 0} {
			lines := numbersIn(t, j)
			moved, kept, err := j.Compact(context.Background(), keep)
			require.NoError(t, err)
			require.Equal(t, len(lines), moved+kept)
			require.Len(t, numbersIn(t, j), kept)
			movedOfAll += moved
			require.Equal(t, before, seen(j.fold, c.at))
			require.NoError(t, reader.Refresh())
			require.Equal(t, before, seen(reader.fold, c.at), "readers notice")
			require.Equal(t, history, numbers(t, j))
			require.Zero(t, reader.Damage().Lines)
		}
		// Undoing what remains comes to the same as undoing it before.
		whole, _ := restored(t, all)
		for _, number := range numbersIn(t, j) {
			if state := j.fold.Look(c.at).State(number); state != "" && state != Undone {
				whole.fold.add(&Decision{Kind: Undo, Undoes: number})
				j.fold.add(&Decision{Kind: Undo, Undoes: number})
				require.Equal(t, seen(whole.fold, c.at), seen(j.fold, c.at))
			}
		}
	}
	require.NotZero(t, movedOfAll)
}

// numbersIn are those of the decisions that are in the journal itself.
func numbersIn(t *testing.T, j *Journal) (all []uint64) {
	t.Helper()
	require.NoError(t, j.eachLine("", func(l *lines) error {
		all = append(all, l.decision.Number)
		return nil
	}))
	return all
}

func TestWhatACompactionMoves(t *testing.T) {
	dir := t.TempDir()
	j, c := open(t, dir)
	mute := answer(sshd, Event, 0)
	mute.Kind, mute.Until = Mute, c.at.Add(time.Hour)
	web2 := subjects[1]
	appendAll(t, j, answer(sshd, PatternOnMachine, 0), answer(web2, PatternOnMachine, 3), mute) // 1 due after 12 h, 2 never, 3 ends after 1 h
	appendAll(t, j, answer(sshd, Pattern, 3))                                                   // 4
	appendAll(t, j, Decision{Kind: Undo, Undoes: 4})                                            // 5
	appendAll(t, j, Decision{Kind: Cluster, Version: "v", Cluster: 1, Score: 2})                // 6
	compact := func(keep time.Duration) []uint64 {
		t.Helper()
		_, _, err := j.Compact(context.Background(), keep)
		require.NoError(t, err)
		require.Equal(t, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9}[:j.fold.last], numbers(t, j), "all are in the history")
		return numbersIn(t, j)
	}
	require.Equal(t, []uint64{1, 2, 3, 4, 5, 6}, compact(time.Hour))
	c.pass(10 * time.Hour)
	require.Equal(t, []uint64{1, 2, 6}, compact(2*time.Hour), "the last one stays: numbers go on")
	require.Equal(t, uint64(7), appendAll(t, j, answer(web2, PatternOnMachine, 0))[0].Number)
	c.pass(11 * time.Hour)
	require.Equal(t, []uint64{2, 7}, compact(2*time.Hour))

	_, err := j.Append(context.Background(), func(Look) ([]Decision, error) { return []Decision{{Kind: Undo, Undoes: 1}}, nil })
	require.ErrorIs(t, err, ErrNoDecision)
	appendAll(t, j, Decision{Kind: Undo, Undoes: 7}) // 8
	found, _ := look(j, web2)
	require.Equal(t, uint64(2), found.Number, "the one before is back")
	info, err := os.Stat(filepath.Join(dir, archiveFile))
	require.NoError(t, err)
	journal, err := os.Stat(filepath.Join(dir, journalFile))
	require.NoError(t, err)
	require.Equal(t, journal.Mode(), info.Mode())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing else is left")
}

// A compaction that is killed after it wrote the archive leaves lines in both files.
func TestACompactionIsKilledHalfway(t *testing.T) {
	dir := t.TempDir()
	j, c := open(t, dir)
	appendAll(t, j, answer(sshd, PatternOnMachine, 0))
	appendAll(t, j, answer(sshd, Event, 3))
	before, err := os.ReadFile(filepath.Join(dir, journalFile))
	require.NoError(t, err)
	c.pass(20 * time.Hour)
	for range 2 {
		moved, _, err := j.Compact(context.Background(), time.Hour)
		require.NoError(t, err)
		require.Equal(t, 1, moved)
		require.NoError(t, os.WriteFile(filepath.Join(dir, journalFile), before, 0o644))
		require.NoError(t, j.Refresh())
		require.Equal(t, []uint64{1, 2}, numbers(t, j))
	}
}

func TestACompactionLeavesDamageWhereItIs(t *testing.T) {
	dir := t.TempDir()
	j, c := open(t, dir)
	appendAll(t, j, answer(sshd, PatternOnMachine, 0))
	appendAll(t, j, answer(sshd, Event, 3))
	appendAll(t, j, answer(sshd, Pattern, 3))
	damage(t, dir, 1)
	c.pass(20 * time.Hour)
	moved, kept, err := j.Compact(context.Background(), time.Hour)
	require.NoError(t, err)
	require.Equal(t, [2]int{1, 2}, [2]int{moved, kept})
	require.Equal(t, 1, j.Damage().Lines)
	require.Equal(t, []uint64{1, 3}, numbers(t, j))
}

func TestEachAfterIsTheEndOfEach(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	subjects := []Subject{sshd, {Event: "a", Machine: "b"}, {Event: "c"}}
	for round := range 6 {
		j, c := restored(t, random(r, 40, subjects))
		c.pass(100 * 24 * time.Hour)
		appendAll(t, j, answer(subjects[round%3], Event, 1), answer(sshd, Pattern, 0))
		switch round {
		case 3:
			_, _, err := j.Compact(t.Context(), time.Hour)
			require.NoError(t, err)
		case 4:
			damage(t, j.dir, 39)
			require.NoError(t, j.Refresh())
		case 5: // another process writes, and has not finished
			text, err := os.ReadFile(j.path(journalFile))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(j.path(journalFile), append(text, text[:200]...), 0o600))
			require.NoError(t, j.Refresh())
		}
		var all []Decision
		_, err := j.Each(func(d Decision) error { all = append(all, d); return nil })
		require.NoError(t, err)
		for after := range all[len(all)-1].Number + 2 {
			want := slices.DeleteFunc(slices.Clone(all), func(d Decision) bool { return d.Number <= after })
			got := []Decision{}
			_, err := j.EachAfter(after, func(d Decision) error { got = append(got, d); return nil })
			require.NoError(t, err)
			require.Equal(t, want, got, "round %d, after %d", round, after)
		}
		recent, err := j.tail(all[len(all)-1].Number - 1)
		require.NoError(t, err)
		require.Len(t, recent, 1, "the rest of the journal is not read")
	}
}
