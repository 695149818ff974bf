package decisions

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// damage changes a byte in a line of the journal.
func damage(t *testing.T, dir string, line int) {
	t.Helper()
	path := filepath.Join(dir, journalFile)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := bytes.SplitAfter(content, []byte("\n"))
	lines[line][20] ^= 1
	require.NoError(t, os.WriteFile(path, bytes.Join(lines, nil), 0o644))
	past := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // the clock of the disk may be coarse
	require.NoError(t, os.Chtimes(path, past, past))
}

func TestDamageInTheMiddleLeavesTheOtherLinesInForce(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	appendAll(t, j, answer(sshd, PatternOnMachine, 1))
	appendAll(t, j, answer(sshd, Pattern, 2), answer(sshd, EventOnMachine, 3), answer(sshd, Event, 4))
	appendAll(t, j, answer(subjects[1], PatternOnMachine, 5))
	damage(t, dir, 2)
	for range 2 {
		j, _ = open(t, dir)
		require.Equal(t, 1, j.Damage().Lines)
		require.ErrorContains(t, j.Damage().First, filepath.Join(dir, journalFile)+": line at byte ")
		require.ErrorContains(t, j.Damage().First, ": its checksum is wrong")
		for number := uint64(1); number <= j.fold.last; number++ {
			want := InForce
			if number == 3 {
				want = ""
			}
			require.Equal(t, want, j.fold.Look(j.now()).State(number), number)
		}
		damaged, err := j.Each(func(Decision) error { return nil })
		require.NoError(t, err)
		require.Equal(t, j.Damage(), damaged)
		appendAll(t, j, answer(subjects[2], PatternOnMachine, 6))
	}
	require.Equal(t, uint64(7), j.fold.last)
}

func TestAJournalOfANewerProgramIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	appendAll(t, j, answer(sshd, PatternOnMachine, 1))
	f, err := os.OpenFile(filepath.Join(dir, journalFile), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(sealed(`{"format":2,"number":2,"something":"new"`))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	before, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	other := New(dir, alone(), DefaultHold)
	for _, j := range []*Journal{j, other} {
		for name, run := range map[string]func() error{
			"refresh": j.Refresh,
			"append": func() error {
				_, err := j.Append(context.Background(), func(Look) ([]Decision, error) { return []Decision{answer(sshd, Event, 1)}, nil })
				return err
			},
			"compact": func() error { _, _, err := j.Compact(context.Background(), 0); return err },
			"each":    func() error { _, err := j.Each(func(Decision) error { return nil }); return err },
		} {
			err := run()
			require.ErrorIs(t, err, ErrNewerFormat, name)
			require.ErrorContains(t, err, f.Name()+": line at byte ", name)
			require.ErrorContains(t, err, "format 2, this program knows 1: it was written by a newer program: update this one", name)
		}
		found, _ := look(j, sshd)
		require.NotNil(t, found, "what was read before stays in force")
	}
	after, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestAJournalThatDisappears(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	appendAll(t, j, answer(sshd, PatternOnMachine, 1))
	backup, err := os.ReadFile(filepath.Join(dir, journalFile))
	require.NoError(t, err)
	appendAll(t, j, answer(sshd, PatternOnMachine, 2))
	require.NoError(t, os.Remove(filepath.Join(dir, journalFile)))
	require.ErrorIs(t, j.Refresh(), os.ErrNotExist)
	_, err = j.Append(context.Background(), func(Look) ([]Decision, error) { return []Decision{answer(sshd, Event, 1)}, nil })
	require.ErrorIs(t, err, os.ErrNotExist)
	found, _ := look(j, sshd)
	require.Equal(t, uint64(2), found.Number)
	require.NoError(t, os.WriteFile(filepath.Join(dir, journalFile), backup, 0o644))
	require.NoError(t, j.Refresh())
	found, _ = look(j, sshd)
	require.Equal(t, uint64(1), found.Number, "a backup is what counts")
}

func TestABackupWrittenOverTheJournalIsNoticed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, journalFile)
	j, _ := open(t, dir)
	appendAll(t, j, answer(sshd, PatternOnMachine, 1))
	other := answer(sshd, PatternOnMachine, 7)
	other.Number, other.At = 1, j.now()
	line, err := appendLine(nil, other, 0)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Len(t, line, int(info.Size()))
	require.NoError(t, os.WriteFile(path, line, 0o644))
	past := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, os.Chtimes(path, past, past))
	require.NoError(t, j.Refresh())
	found, _ := look(j, sshd)
	require.Equal(t, 7.0, found.Score)
}

// A region of zeros is what some file systems leave of a file after a power failure.
func TestALineThatIsTooLong(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, journalFile)
	j, _ := open(t, dir)
	appendAll(t, j, answer(sshd, PatternOnMachine, 1))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	next := answer(sshd, Event, 2)
	next.Number, next.At = 2, j.now()
	line, err := appendLine(nil, next, 0)
	require.NoError(t, err)
	for _, size := range []int{1, 30, 2 << 20, maxLine, maxLine + 1, 3 * maxLine} {
		require.NoError(t, os.WriteFile(path, bytes.Join([][]byte{content, make([]byte, size), []byte("\n")}, nil), 0o644))
		j, c := open(t, dir)
		require.Equal(t, 1, j.Damage().Lines, size)
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.Write(line)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.NoError(t, j.Refresh())
		require.Equal(t, uint64(2), j.fold.last, size)
		require.Equal(t, uint64(3), appendAll(t, j, answer(sshd, Event, 3))[0].Number)
		again, _ := open(t, dir)
		require.Equal(t, uint64(3), again.fold.last, size)
		require.Equal(t, 1, again.Damage().Lines)
		c.pass(1000 * time.Hour)
		_, _, err = j.Compact(context.Background(), 0)
		require.NoError(t, err, "nothing is idle")
	}
}

func TestTheAnswerOfAClockThatIsAhead(t *testing.T) {
	j, c := open(t, t.TempDir())
	c.pass(1000 * time.Hour)
	appendAll(t, j, answer(sshd, PatternOnMachine, 0))
	c.pass(-1000 * time.Hour)
	found, before := look(j, sshd)
	require.Nil(t, found, "it would hold for 1,012 hours")
	require.NotNil(t, before)
	appendAll(t, j, answer(sshd, PatternOnMachine, 0))
	found, _ = look(j, sshd)
	require.Equal(t, [2]int{2, 0}, [2]int{int(found.Number), found.Confirmed})
	c.pass(12 * time.Hour)
	found, _ = look(j, sshd)
	require.Nil(t, found)
	c.pass(30 * time.Second)
	appendAll(t, j, answer(sshd, PatternOnMachine, 0))
	c.pass(-30 * time.Second)
	found, _ = look(j, sshd)
	require.Equal(t, [2]int{3, 1}, [2]int{int(found.Number), found.Confirmed}, "clocks are never the same")
}

func TestWritersTakeNoLinks(t *testing.T) {
	dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(victim, nil, 0o644))
	if err := os.Symlink(victim, filepath.Join(dir, journalFile)); err != nil {
		t.Skip("no links here: ", err)
	}
	j, _ := open(t, dir)
	_, err := j.Append(context.Background(), func(Look) ([]Decision, error) { return []Decision{answer(sshd, Event, 1)}, nil })
	require.ErrorContains(t, err, "a link is not a regular file")
	_, _, err = j.Compact(context.Background(), 0)
	require.ErrorContains(t, err, "a link is not a regular file")
}
