package decisions

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func alone() func(context.Context, func() error) error {
	var mu sync.Mutex
	return func(_ context.Context, write func() error) error {
		mu.Lock()
		defer mu.Unlock()
		return write()
	}
}

func open(t testing.TB, dir string) (*Journal, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	j := New(dir, alone(), DefaultHold)
	j.now = c.now
	require.NoError(t, j.Refresh())
	return j, c
}

var sshd = Subject{Event: "sshd: failed password", Context: []string{"", "sshd: invalid user", "cron: session"}, Machine: "web-1"}

func answer(s Subject, scope Scope, score float64) Decision {
	return Decision{Kind: Answer, Scope: scope, Key: s.Key(scope), Subject: s, Score: score, By: "ann", Reason: "known scanner"}
}

func appendAll(t testing.TB, j *Journal, decisions ...Decision) []Decision {
	t.Helper()
	written, err := j.Append(context.Background(), func(Look) ([]Decision, error) { return decisions, nil })
	require.NoError(t, err)
	return written
}

func look(j *Journal, s Subject) (found, before *Found) {
	j.Read(func(l Look) { found, before = l.answer(s.Keys()) })
	return found, before
}

func TestAnAnswerHoldsInEveryProcess(t *testing.T) {
	dir := t.TempDir()
	one, _ := open(t, dir)
	other, _ := open(t, dir)
	appendAll(t, one, answer(sshd, PatternOnMachine, 3))
	found, _ := look(other, sshd)
	require.Nil(t, found, "not read yet")
	require.NoError(t, other.Refresh())
	for _, j := range []*Journal{one, other} {
		found, _ := look(j, sshd)
		require.Equal(t, &Found{Number: 1, Kind: Answer, Scope: PatternOnMachine, Score: 3, By: "ann", At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, found)
	}
	shuffled := sshd
	shuffled.Context = []string{"cron: session", "", "sshd: invalid user"}
	found, _ = look(one, shuffled)
	require.NotNil(t, found, "the order of a context does not matter")
	for _, another := range []Subject{
		{Event: "sshd: failed password", Context: sshd.Context, Machine: "web-2"},
		{Event: "sshd: accepted", Context: sshd.Context, Machine: "web-1"},
		{Event: "sshd: failed password", Context: []string{"", "", "cron: session"}, Machine: "web-1"},
	} {
		found, _ = look(one, another)
		require.Nil(t, found, another)
	}
}

func TestTheNarrowestScopeWins(t *testing.T) {
	j, _ := open(t, t.TempDir())
	for i, scope := range []Scope{Event, EventOnMachine, Pattern, PatternOnMachine} {
		appendAll(t, j, answer(sshd, scope, float64(i+1)))
		found, _ := look(j, sshd)
		require.Equal(t, scope, found.Scope)
		require.Equal(t, float64(i+1), found.Score)
	}
	appendAll(t, j, answer(sshd, Event, 9))
	found, _ := look(j, sshd)
	require.Equal(t, 4.0, found.Score)
	appendAll(t, j, answer(sshd, PatternOnMachine, 2))
	found, _ = look(j, sshd)
	require.Equal(t, 2.0, found.Score, "the newest of a scope")
}

func TestABenignAnswerIsAskedAgain(t *testing.T) {
	j, c := open(t, t.TempDir())
	for _, hold := range []time.Duration{12 * time.Hour, 48 * time.Hour, 192 * time.Hour, 768 * time.Hour, 2160 * time.Hour, 2160 * time.Hour} {
		appendAll(t, j, answer(sshd, PatternOnMachine, 0))
		appendAll(t, j, answer(sshd, PatternOnMachine, 0)) // delivered again: no confirmation
		c.pass(hold - 1)
		found, _ := look(j, sshd)
		require.NotNil(t, found, hold)
		c.pass(1)
		found, before := look(j, sshd)
		require.Nil(t, found, hold)
		require.NotNil(t, before)
	}
	appendAll(t, j, answer(sshd, PatternOnMachine, 2))
	c.pass(10000 * time.Hour)
	found, _ := look(j, sshd)
	require.NotNil(t, found, "an attack stays one")
	appendAll(t, j, answer(sshd, PatternOnMachine, 0))
	c.pass(12 * time.Hour)
	found, _ = look(j, sshd)
	require.Nil(t, found, "benign again: the hold begins anew")
}

func TestUndo(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	appendAll(t, j, answer(sshd, PatternOnMachine, 0))
	second := appendAll(t, j, answer(sshd, PatternOnMachine, 3))
	appendAll(t, j, Decision{Kind: Undo, Undoes: second[0].Number, By: "bob"})
	again, _ := open(t, dir)
	for _, j := range []*Journal{j, again} {
		found, _ := look(j, sshd)
		require.Equal(t, uint64(1), found.Number)
	}
	appendAll(t, j, Decision{Kind: Undo, Undoes: 1, By: "bob"})
	found, before := look(j, sshd)
	require.Nil(t, found)
	require.Nil(t, before)
}

func TestWhatIsAppendedTogetherCountsTogether(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	appendAll(t, j, answer(sshd, Event, 1))
	web2 := sshd
	web2.Machine = "web-2"
	appendAll(t, j, answer(sshd, PatternOnMachine, 2), answer(web2, PatternOnMachine, 2), answer(sshd, Pattern, 2))
	whole, err := os.ReadFile(filepath.Join(dir, journalFile))
	require.NoError(t, err)
	first := 1 + indexByte(whole, '\n')
	for size := range whole {
		if size%16 != 0 && whole[size] != '\n' && whole[max(0, size-1)] != '\n' {
			continue
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, journalFile), whole[:size], 0o644))
		j, _ := open(t, dir)
		found, _ := look(j, web2)
		if size < first {
			require.Nil(t, found, size)
		} else {
			require.Equal(t, Event, found.Scope, size)
		}
		written := appendAll(t, j, answer(web2, Pattern, 4))
		again, _ := open(t, dir)
		found, _ = look(again, web2)
		require.Equal(t, written[0].Number, found.Number, size)
		require.Zero(t, again.Damage().Lines, size)
	}
}

func indexByte(b []byte, c byte) int {
	for i := range b {
		if b[i] == c {
			return i
		}
	}
	return -1
}
