package spool_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/spool"
)

func TestRejectedMessagesAreKept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 10)
	require.NoError(t, s.Reject([]spool.Rejected{
		spool.NewRejected([]byte("text"), errors.New("first")), spool.NewRejected([]byte{0xff, 0}, errors.New("second")),
	}))
	content, err := os.ReadFile(filepath.Join(dir, "rejected.ndjson"))
	require.NoError(t, err)
	assert.Equal(t, "{\"error\":\"first\",\"text\":\"text\"}\n{\"error\":\"second\",\"content\":\"/wA=\"}\n", string(content))
	assert.Empty(t, events(t, s))
}

// Of a large message the beginning is kept, and its size.
func TestRejectedMessagesAreCut(t *testing.T) {
	text := spool.NewRejected([]byte(strings.Repeat("x", 65535)+"é and more"), errors.New("why"))
	assert.Equal(t, spool.Rejected{Error: "why", Text: strings.Repeat("x", 65535), Bytes: 65546}, text)
	binary := spool.NewRejected([]byte(strings.Repeat("\xff", 100_000)), errors.New("why"))
	assert.Len(t, binary.Content, 65536)
	assert.Equal(t, 100_000, binary.Bytes)
}

// However large a flood, and however many come at once: two files of at most 32 MiB, which hold the last ones.
func TestRejectedFilesAreBounded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 10)
	content := []byte(strings.Repeat("\xff", 1<<20))
	for range 3 {
		var messages []spool.Rejected
		for range 500 {
			messages = append(messages, spool.NewRejected(content, errors.New("flood")))
		}
		require.NoError(t, s.Reject(messages))
	}
	require.NoError(t, s.Reject([]spool.Rejected{{Error: "the last one"}}))
	total := int64(0)
	for _, name := range []string{spool.RejectedFile, "rejected.1.ndjson"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.LessOrEqual(t, info.Size(), int64(32<<20), name)
		total += info.Size()
	}
	assert.Greater(t, total, int64(32<<20))
	last, err := os.ReadFile(filepath.Join(dir, spool.RejectedFile))
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(string(last), "{\"error\":\"the last one\"}\n"))
}

// What is damaged is told with its place and content, once for each reading.
func TestDamagedRecordsAreSetAside(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1000)
	require.NoError(t, s.Append(records(0, 5)))
	path := segments(t, dir)[0]
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	damaged := strings.Replace(string(content), `"e3"`, `"e7"`, 1)
	require.NoError(t, os.WriteFile(path, []byte(damaged), 0o644))
	for range 2 {
		p := s.Snapshot()
		var seen []string
		n, err := p.Each(func(r *spool.Record) (bool, error) { seen = append(seen, r.Event); return true, nil })
		require.NoError(t, err)
		require.NoError(t, p.Close())
		assert.Equal(t, 1, n)
		assert.Equal(t, []string{"e0", "e1", "e2", "e4"}, seen)
		var told struct {
			Segment, Error, Text string
			Offset               int
		}
		aside, err := os.ReadFile(filepath.Join(dir, spool.DamagedFile))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(aside, &told), "one line: %s", aside)
		assert.Equal(t, "events-00000001.crc.ndjson", told.Segment)
		assert.Equal(t, "its checksum is wrong", told.Error)
		assert.Equal(t, strings.SplitAfter(damaged, "\n")[3], told.Text)
		assert.Equal(t, strings.Index(damaged, told.Text), told.Offset)
	}
}
