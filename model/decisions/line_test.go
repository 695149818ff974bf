package decisions

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sealed ends a line with its checksum.
func sealed(content string) string {
	return fmt.Sprintf(`%s,"crc32c":"%08x"}`, content, crc32.Checksum([]byte(content), table)) + "\n"
}

// examples are decisions of each kind, with everything that a line can hold.
func examples() []Decision {
	at, old := time.Date(2026, 3, 2, 9, 14, 7, 123_456_000, time.UTC), 2.0
	odd := Subject{Event: `"C:\temp" <ä> & 1`, Context: []string{"", "a\u2028b", "\x01"}, Machine: "web\t1"}
	all := []Decision{
		answer(sshd, PatternOnMachine, 0), answer(odd, Pattern, 0.5), answer(sshd, EventOnMachine, 1e21), answer(sshd, Event, 3),
		{Kind: Mute, Scope: Event, Key: sshd.Key(Event), Subject: Subject{Event: sshd.Event}, By: "bö\"b", Reason: "maintenance", Until: at.Add(time.Hour)},
		{Kind: Cluster, Cluster: 17, Version: "20261123T141500Z-3f2a", Score: 3, Old: &old, Subject: Subject{Event: "sshd"}, By: "ann"},
		{Kind: Cluster, Version: "20261123T141500Z-3f2a", Score: -1},
		{Kind: Undo, Undoes: 2, By: "bob", Reason: "by mistake"},
	}
	for i := range all {
		all[i].Number, all[i].At = uint64(i+1), at.Add(time.Duration(i)*time.Hour)
	}
	return all
}

func TestLinesKeepDecisions(t *testing.T) {
	for i, d := range examples() {
		line, err := appendLine(nil, d, i)
		require.NoError(t, err)
		var read Decision
		more, err := parseLine(line, &read)
		require.NoError(t, err)
		require.Equal(t, d, read)
		require.Equal(t, i, more)
		requireSame(t, line)
	}
	line, err := appendLine(nil, examples()[0], 2)
	require.NoError(t, err)
	_, quick := quickly(line, new(Decision))
	require.True(t, quick, "a line as most are")
}

// requireSame requires that both readers of a line say the same.
func requireSame(t *testing.T, line []byte) {
	t.Helper()
	var quick, whole Decision
	quickMore, ok := quickly(line, &quick)
	if !ok {
		return
	}
	more, err := parseLine(line, &whole)
	require.NoError(t, err, "%s", line)
	whole.Subject, whole.Old = Subject{}, nil // which a fold does not need
	if whole.Kind != Mute {
		whole.Reason = ""
	}
	require.Equal(t, whole, quick)
	require.Equal(t, more, quickMore)
}

func TestWrongLines(t *testing.T) {
	const start = `{"format":1,"number":1,"at":"2026-03-02T09:00:00Z","kind":`
	for _, c := range []struct{ line, want string }{
		{"\n", "no checksum at its end"},
		{start + `"undo","undoes":1}` + "\n", "no checksum at its end"},
		{strings.Replace(sealed(start+`"undo","undoes":1`), "undo", "Undo", 1), "its checksum is wrong"},
		{sealed(`{"format":1,"number":1,"kind":"undo","undoes":1`), "no time"},
		{sealed(start + `"undo"`), "undo: need the number of a decision"},
		{sealed(start + `"answer","key":"00112233445566778899aabbccddeeff","scope":"event"`), "no score"},
		{sealed(start + `"answer","key":"00112233445566778899aabbccddeeff","scope":"event","score":"3"`), "cannot unmarshal string"},
		{sealed(start + `"answer","key":"0011","scope":"event","score":3`), `pattern "0011": need 32 hexadecimal digits`},
		{sealed(start + `"answer","scope":"event","score":3`), "answer: need a pattern"},
		{sealed(`{"format":0,"number":1`), "format 0: need 1"},
		{sealed(`{"format":2,"number":1`), "format 2, this program knows 1: it was written by a newer program: update this one"},
		{sealed(`[`), "invalid character"},
	} {
		_, err := parseLine([]byte(c.line), new(Decision))
		require.ErrorContains(t, err, c.want, c.line)
		_, ok := quickly([]byte(c.line), new(Decision))
		require.False(t, ok)
	}
	d := examples()[0]
	d.Subject.Context = []string{strings.Repeat("x", maxLine)}
	_, err := appendLine(nil, d, 0)
	require.ErrorContains(t, err, "need at most 8388587")
	d = examples()[0]
	d.Until = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)
	_, err = appendLine(nil, d, 0)
	require.ErrorContains(t, err, "year")
}

func FuzzLine(f *testing.F) {
	for i, d := range examples() {
		line, err := appendLine(nil, d, i)
		require.NoError(f, err)
		f.Add(strings.TrimSuffix(string(line), "\n"), false)
		f.Add(string(line[:len(line)-checksumSize-1]), true)
	}
	f.Add(`{"format":1,"number":1,"at":"2026-03-02T09:00:00Z","kind":"answer","key":"00112233445566778899aabbccddeeff","scope":"event","score":3,"context":[null,"a"]`, true)
	f.Fuzz(func(t *testing.T, text string, seal bool) {
		if seal { // to get past the checksum
			text = strings.TrimSuffix(sealed(text), "\n")
		}
		requireSame(t, []byte(text))
		var d, read Decision
		more, err := parseLine([]byte(text), &d)
		if err != nil {
			return
		}
		again, err := appendLine(nil, d, more)
		require.NoError(t, err)
		_, err = parseLine(again, &read)
		require.NoError(t, err)
		read.At, d.At, read.Until, d.Until = read.At.UTC(), d.At.UTC(), read.Until.UTC(), d.Until.UTC()
		require.Equal(t, d, read)
	})
}

// FuzzJournal opens a journal of any content and appends to it: nothing panics, and what could be read before still can. Lines that begin with +
// get a checksum.
func FuzzJournal(f *testing.F) {
	var whole, open []byte
	for i, d := range examples() {
		line, err := appendLine(nil, d, []int{0, 2, 1, 0, 1, 0, 0, 0}[i])
		require.NoError(f, err)
		whole = append(whole, line...)
		open = append(append(append(open, '+'), line[:len(line)-checksumSize-1]...), '\n')
	}
	f.Add(whole)
	f.Add(open)
	f.Add(open[:len(open)-1])
	f.Add(whole[:len(whole)-30])
	f.Add([]byte(strings.Replace(string(whole), "ann", "eve", 2)))
	f.Add([]byte("\n\n" + string(open[:200]) + "\n" + string(open[200:])))
	f.Add([]byte(`+{"format":2,"number":1` + "\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		var sealing []byte
		for line := range bytes.SplitAfterSeq(content, []byte("\n")) {
			if text, end := bytes.CutSuffix(line, []byte("\n")); end && bytes.HasPrefix(text, []byte("+")) {
				line = []byte(sealed(string(text[1:])))
			}
			sealing = append(sealing, line...)
		}
		content = sealing
		dir := t.TempDir()
		path := filepath.Join(dir, journalFile)
		require.NoError(t, os.WriteFile(path, content, 0o644))
		j := New(dir, alone(), DefaultHold)
		failed := j.Refresh()
		before := numbers(t, j)
		_, err := j.Append(t.Context(), func(Look) ([]Decision, error) { return []Decision{answer(sshd, Event, 1)}, nil })
		if failed != nil {
			require.ErrorIs(t, failed, ErrNewerFormat)
			require.ErrorIs(t, err, ErrNewerFormat)
			untouched, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, content, untouched)
			return
		}
		require.NoError(t, err)
		after := numbers(t, j)
		require.Equal(t, before, after[:len(after)-1])
		again := New(dir, alone(), DefaultHold)
		require.NoError(t, again.Refresh())
		require.Equal(t, j.fold.last, again.fold.last)
		require.Equal(t, j.fold.entries, again.fold.entries)
		require.Equal(t, j.Damage().Lines, again.Damage().Lines)
	})
}

// numbers are those of all decisions.
func numbers(t *testing.T, j *Journal) []uint64 {
	t.Helper()
	all := []uint64{}
	if _, err := j.Each(func(d Decision) error {
		all = append(all, d.Number)
		return nil
	}); err != nil {
		require.ErrorIs(t, err, ErrNewerFormat)
	}
	return all
}
