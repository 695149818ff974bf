package spool_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/spool"
)

func keep(records int) spool.Limits { return spool.Limits{Records: records, Bytes: 1 << 30} }

func open(t testing.TB, dir string, most int) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir, keep(most))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func record(i int) spool.Record {
	return spool.Record{Machine: "m", Event: fmt.Sprint("e", i), Seconds: int64(i), Nanos: 5, Document: json.RawMessage(fmt.Sprintf(`{"i":%d}`, i))}
}

func records(from, to int) (all []spool.Record) {
	for i := from; i < to; i++ {
		all = append(all, record(i))
	}
	return all
}

// events lists the names of what a spool holds, and checks that each row has its own document.
func events(t *testing.T, s *spool.Spool) (names []string) {
	t.Helper()
	p := s.Snapshot()
	defer func() { assert.NoError(t, p.Close()) }()
	damaged, err := p.Each(func(r *spool.Record) (bool, error) {
		names = append(names, r.Event)
		return true, nil
	})
	require.NoError(t, err)
	assert.Zero(t, damaged)
	for row, name := range names {
		var document struct{ I int }
		require.NoError(t, json.Unmarshal(p.Document(row), &document))
		assert.Equal(t, name, fmt.Sprint("e", document.I))
	}
	assert.Nil(t, p.Document(len(names)))
	assert.Equal(t, len(names), p.Len())
	return names
}

// segments are the paths of a spool's segments.
func segments(t testing.TB, dir string) (paths []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "events-") {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

func names(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint("e", i))
	}
	return all
}

func TestRecordsSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	score := 3.0
	s, err := spool.Open(dir, keep(1000))
	require.NoError(t, err)
	want := spool.Record{Machine: "m", Event: "<&>\n", Seconds: -5, Nanos: 1, ID: "x", Score: &score, Context: []string{"", "a"}}
	require.NoError(t, s.Append([]spool.Record{want}))
	require.NoError(t, s.Close())

	s = open(t, dir, 1000)
	assert.Equal(t, 1, s.Len())
	p := s.Snapshot()
	defer p.Close()
	_, err = p.Each(func(r *spool.Record) (bool, error) {
		assert.Equal(t, want, *r)
		assert.Equal(t, time.Unix(-5, 1).UTC(), r.Time())
		return true, nil
	})
	require.NoError(t, err)
	assert.Nil(t, p.Document(0), "it came without one")
}

func TestEarlierRecords(t *testing.T) {
	dir := t.TempDir()
	earlier := func(s *spool.Spool) int {
		p := s.Snapshot()
		defer p.Close()
		return p.Earlier()
	}
	s, err := spool.Open(dir, keep(16))
	require.NoError(t, err)
	require.NoError(t, s.Append(records(0, 3)))
	assert.Zero(t, earlier(s))
	require.NoError(t, s.Close())
	s = open(t, dir, 16)
	assert.Equal(t, 3, earlier(s))
	require.NoError(t, s.Append(records(3, 5)))
	assert.Equal(t, 3, earlier(s))
	require.NoError(t, s.Append(records(5, 25)))
	assert.Zero(t, earlier(s), "they were dropped")
	require.NoError(t, s.Clear())
	require.NoError(t, s.Append(records(0, 3)))
	assert.Zero(t, earlier(s))
}

// What a crash in the middle of a write leaves is cut off; what was there before, and what comes later, is whole.
func TestTornRecordIsCutOff(t *testing.T) {
	whole, err := json.Marshal(record(2))
	require.NoError(t, err)
	for cut := 1; cut <= len(whole); cut += 7 {
		dir := t.TempDir()
		s, err := spool.Open(dir, keep(1000))
		require.NoError(t, err)
		require.NoError(t, s.Append(records(0, 2)))
		require.NoError(t, s.Close())
		file, err := os.OpenFile(filepath.Join(dir, "events-00000001.crc.ndjson"), os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = file.Write(whole[:cut])
		require.NoError(t, err)
		require.NoError(t, file.Close())

		s = open(t, dir, 1000)
		require.NoError(t, s.Append(records(2, 3)))
		assert.Equal(t, names(0, 3), events(t, s), "cut after %d bytes", cut)
	}
}

func TestOldestGoBeyondMost(t *testing.T) {
	s := open(t, t.TempDir(), 32)
	for i := range 100 {
		require.NoError(t, s.Append(records(i, i+1)))
		held := events(t, s)
		assert.Equal(t, names(i+1-len(held), i+1), held, "the last ones, in order")
		assert.GreaterOrEqual(t, len(held), min(i+1, 32))
		assert.LessOrEqual(t, len(held), 34)
	}
}

// Records are taken when they are on disk, whatever becomes of older ones: an error would make the source send them again.
func TestOldRecordsThatCannotBeDropped(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 16)
	require.NoError(t, s.Append(records(0, 1)))
	oldest := filepath.Join(dir, "events-00000001.crc.ndjson")
	require.NoError(t, os.Remove(oldest))
	require.NoError(t, os.MkdirAll(filepath.Join(oldest, "in the way"), 0o755))
	for i := 1; i < 20; i++ {
		require.NoError(t, s.Append(records(i, i+1)))
		assert.Equal(t, i+1, s.Len())
	}
	assert.ErrorContains(t, s.Stuck(), "spool "+dir+": remove "+oldest)
	require.NoError(t, os.RemoveAll(oldest))
	require.NoError(t, s.Append(records(20, 21)))
	assert.NoError(t, s.Stuck())
	assert.Equal(t, names(5, 21), events(t, s))
}

func TestSnapshotIsOneMoment(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 16)
	require.NoError(t, s.Append(records(0, 4)))
	p := s.Snapshot()
	defer p.Close()
	require.NoError(t, s.Append(records(4, 100)))
	require.NoError(t, s.Append(records(100, 101)))
	require.NoError(t, s.Clear())
	require.NoError(t, s.Append(records(200, 201)))
	var seen []string
	_, err := p.Each(func(r *spool.Record) (bool, error) { seen = append(seen, r.Event); return true, nil })
	require.NoError(t, err)
	assert.Equal(t, names(0, 4), seen)
	assert.JSONEq(t, `{"i":3}`, string(p.Document(3)))
	require.NoError(t, p.Close())
	assert.Equal(t, names(200, 201), events(t, s))
	assert.Len(t, segments(t, dir), 1, "what was dropped is gone when the snapshot is closed")
}

func TestDamagedLinesAreCounted(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "events-00000003.ndjson"),
		[]byte("{\"event\":\"e0\",\"document\":{\"i\":0}}\nrubbish\n{}\n{\"event\":\"e1\",\"document\":{\"i\":1}}\n"), 0o644))
	p := open(t, dir, 10).Snapshot()
	defer p.Close()
	var seen []string
	damaged, err := p.Each(func(r *spool.Record) (bool, error) { seen = append(seen, r.Event); return true, nil })
	require.NoError(t, err)
	assert.Equal(t, 2, damaged)
	assert.Equal(t, names(0, 2), seen)
	assert.JSONEq(t, `{"i":1}`, string(p.Document(1)), "rows are counted without the damaged ones")
}

func TestClear(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1000)
	require.NoError(t, s.Append(records(0, 5)))
	require.NoError(t, s.Clear())
	assert.Zero(t, s.Len())
	require.NoError(t, s.Append(records(5, 7)))
	assert.Equal(t, names(5, 7), events(t, s))
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, 10)
	_, err := spool.Open(dir, keep(10))
	assert.ErrorIs(t, err, spool.ErrLocked)
	assert.EqualError(t, err, "spool "+dir+": another process uses it")
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := spool.Open(dir, keep(0))
	assert.EqualError(t, err, "spool "+dir+": keeping 0 records of 1073741824 bytes, need at least 1 of each")
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err = spool.Open(file, keep(1))
	assert.Error(t, err)
}

func TestParallelAppends(t *testing.T) {
	s := open(t, t.TempDir(), 1000)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { assert.NoError(t, s.Append(records(10*i, 10*i+10))) })
	}
	all.Wait()
	assert.Len(t, events(t, s), 80)
}
