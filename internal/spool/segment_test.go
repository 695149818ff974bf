package spool_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/spool"
)

// A name that looks like a pattern names a directory like any other, and no other.
func TestDirectoriesNamedLikePatterns(t *testing.T) {
	for _, name := range []string{"spool[1]", "spool*", "spool?", "[", `a\b`, "%d", "{a,b}"} {
		above := t.TempDir()
		neighbour := filepath.Join(above, "spool1", "events-00000001.ndjson")
		require.NoError(t, os.Mkdir(filepath.Dir(neighbour), 0o755))
		require.NoError(t, os.WriteFile(neighbour, []byte("{\"event\":\"x\"}\n{\"in the middle of a wr"), 0o644))
		for i := range 3 {
			s, err := spool.Open(filepath.Join(above, name), keep(1000))
			require.NoError(t, err, name)
			require.NoError(t, s.Append(records(i, i+1)), name)
			assert.Equal(t, names(0, i+1), events(t, s), name)
			require.NoError(t, s.Close())
		}
		content, err := os.ReadFile(neighbour)
		require.NoError(t, err)
		assert.Equal(t, "{\"event\":\"x\"}\n{\"in the middle of a wr", string(content), "another process writes it")
	}
}

// Restarts go on with the segment that is there.
func TestRestartsDoNotPileUpSegments(t *testing.T) {
	dir := t.TempDir()
	for i := range 50 {
		s, err := spool.Open(dir, keep(1000))
		require.NoError(t, err)
		require.NoError(t, s.Append(records(i, i+1)))
		require.NoError(t, s.Close())
	}
	assert.Len(t, segments(t, dir), 1)
	assert.Equal(t, names(0, 50), events(t, open(t, dir, 1000)))
}

// Segments take at most so many bytes together; records that had to go for that are counted.
func TestBytesAreBounded(t *testing.T) {
	dir := t.TempDir()
	s, err := spool.Open(dir, spool.Limits{Records: 1000, Bytes: 3200})
	require.NoError(t, err)
	defer s.Close()
	for i := range 70 {
		require.NoError(t, s.Append(records(i, i+1)))
		size := int64(0)
		for _, path := range segments(t, dir) {
			info, err := os.Stat(path)
			require.NoError(t, err)
			size += info.Size()
		}
		assert.LessOrEqual(t, size, int64(3200))
		held := events(t, s)
		assert.Equal(t, names(i+1-len(held), i+1), held, "the last ones, in order")
		assert.Equal(t, i+1-len(held), s.Crowded())
	}
	assert.Greater(t, s.Len(), 15)
	require.NoError(t, s.Close())
	s, err = spool.Open(dir, spool.Limits{Records: 5, Bytes: 3200})
	require.NoError(t, err)
	assert.Less(t, s.Len(), 10, "a lower limit holds from the start")
	assert.Zero(t, s.Crowded())
}

// What is in the place of a segment and is no file is an error, and not waited for.
func TestSegmentThatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events-00000001.crc.ndjson")
	require.NoError(t, os.Mkdir(path, 0o755))
	_, err := spool.Open(dir, keep(10))
	assert.EqualError(t, err, fmt.Sprintf("spool %s: %s is not a regular file", dir, path))
}

// Whatever a crash or a person left in segments, old and new: they open, new records are whole and last, and every row has a document
// that can be asked for.
func FuzzSegment(f *testing.F) {
	f.Add([]byte("{\"event\":\"a\",\"document\":{\"i\":0}}\nrubbish\n{\"event\":\"b\""), []byte("{}\n"))
	f.Add([]byte("\x00\x00\x00"), []byte("{\"event\":\"\\ud800\",\"s\":9223372036854775807,\"n\":-9223372036854775808}\n"))
	f.Add([]byte("{\"event\":\"a\",\"score\":1e999}\n"), []byte("{\"event\":\"a\",\"context\":[null]}\n"))
	f.Add([]byte("\n"), []byte(`{"machine":"m","event":"<e>","s":1,"crc":"4c84cd84"}`+"\n{\"event\":\"a\",\"crc\":\""))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "events-00000001.ndjson"), one, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "events-00000007.crc.ndjson"), two, 0o644))
		s, err := spool.Open(dir, keep(1000))
		require.NoError(t, err)
		require.NoError(t, s.Append(records(0, 3)))
		p := s.Snapshot()
		n := 0
		var last []string
		damaged, err := p.Each(func(r *spool.Record) (bool, error) {
			require.NotEmpty(t, r.Event)
			_ = r.Time()
			n++
			last = append(last, r.Event)
			return true, nil
		})
		require.NoError(t, err)
		require.Equal(t, s.Len(), n+damaged)
		require.Equal(t, names(0, 3), last[len(last)-3:])
		for i := range n {
			_ = p.Document(i)
		}
		require.NoError(t, p.Close())
		require.NoError(t, s.Close())
		s, err = spool.Open(dir, keep(1000))
		require.NoError(t, err)
		require.Equal(t, n+damaged, s.Len())
		require.NoError(t, s.Close())
	})
}
