package spool_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/spool"
)

// Whatever bits flip, no other event is read than was written, and the undamaged ones still are.
func TestFlippedBitsAreNoticed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 100_000)
	require.NoError(t, s.Append(records(0, 10_000)))
	require.NoError(t, s.Close())
	want := map[string]bool{}
	for _, r := range records(0, 10_000) {
		line, err := json.Marshal(r)
		require.NoError(t, err)
		want[string(line)] = true
	}
	path := segments(t, dir)[0]
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(2, 0))
	for range 300 {
		content[random.IntN(len(content)-1)] ^= 1 << random.IntN(8)
	}
	require.NoError(t, os.WriteFile(path, content, 0o644))
	p := open(t, dir, 100_000).Snapshot()
	defer p.Close()
	good := 0
	damaged, err := p.Each(func(r *spool.Record) (bool, error) {
		line, err := json.Marshal(r)
		require.NoError(t, err)
		require.True(t, want[string(line)], "changed: %s", line)
		good++
		return true, nil
	})
	require.NoError(t, err)
	assert.InDelta(t, 10_000, good+damaged, 10, "a line end that flips joins two records")
	assert.Greater(t, damaged, 250)
	assert.GreaterOrEqual(t, good, 10_000-2*300)
}

// A line is what docs/operations.md says, so that other programs can check it.
func TestLineFormat(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, open(t, dir, 10).Append([]spool.Record{{Machine: "m", Event: "<e>", Seconds: 1}}))
	content, err := os.ReadFile(segments(t, dir)[0])
	require.NoError(t, err)
	assert.Equal(t, `{"machine":"m","event":"<e>","s":1,"crc":"4c84cd84"}`+"\n", string(content))
}

// Segments of versions before have no checksums. They are read, and not appended to.
func TestSegmentsWithoutChecksums(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "events-00000004.ndjson"),
		[]byte("{\"event\":\"e0\",\"document\":{\"i\":0}}\n{\"event\":\"e1\",\"document\":{\"i\":1}}\n"), 0o644))
	s := open(t, dir, 1000)
	require.NoError(t, s.Append(records(2, 4)))
	assert.Equal(t, names(0, 4), events(t, s))
	assert.Equal(t, []string{filepath.Join(dir, "events-00000004.ndjson"), filepath.Join(dir, "events-00000005.crc.ndjson")}, segments(t, dir))
}
