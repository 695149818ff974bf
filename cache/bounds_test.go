package cache

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A flood of entries stays within the bytes, those go that were written longest ago, and the log says it once; also after a restart.
func TestEntriesStayWithinTheirBytes(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	var log strings.Builder
	mgr := service.MockResources(service.MockResourcesOptUseLogger(service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil)))))
	const bound = 100 * 4096
	f, err := newFiles(dir, newBounds(0, bound, mgr))
	require.NoError(t, err)
	require.NoError(t, f.Set(ctx, "silent", []byte("x"), nil))
	then := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "silent"), then, then))
	for i := range 500 {
		require.NoError(t, f.Set(ctx, fmt.Sprint("forged", i), []byte("x"), nil))
		require.NoError(t, f.Set(ctx, "speaks", make([]byte, 5000), nil))
		require.LessOrEqual(t, len(entries(t, dir)), 100)
	}
	_, err = f.Get(ctx, "speaks")
	require.NoError(t, err)
	_, err = f.Get(ctx, "forged499")
	require.NoError(t, err)
	_, err = f.Get(ctx, "silent")
	require.ErrorIs(t, err, service.ErrKeyNotFound)
	assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	assert.Contains(t, log.String(), "more than max_bytes (409600): those written longest ago are removed")
	var bytes int64
	for _, name := range entries(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		bytes += onDisk(info.Size())
	}
	assert.Equal(t, bytes, f.bounds.bytes.Load(), "what is counted is what is there")

	_, err = newFiles(dir, newBounds(0, 10*4096, mgr))
	require.NoError(t, err)
	assert.LessOrEqual(t, len(entries(t, dir)), 9)
}

// Neither a value nor a file that somebody put there fills the memory.
func TestAnEntryHasABound(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	f, err := newFiles(dir, newBounds(0, 0, service.MockResources()))
	require.NoError(t, err)
	require.ErrorContains(t, f.Set(ctx, "a", make([]byte, maxEntry+1), nil), "need at most 67108864")
	require.NoError(t, f.Set(ctx, "b", []byte("x"), nil))
	require.NoError(t, os.Truncate(filepath.Join(dir, "b"), 1<<40))
	_, err = f.Get(ctx, "b")
	require.ErrorContains(t, err, "has 1099511627776 bytes, need at most 67108864")
}

// What was not written for the TTL is gone at once, and its file with the next look.
func TestEntriesExpire(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	f, err := newFiles(dir, newBounds(time.Hour, 0, service.MockResources()))
	require.NoError(t, err)
	for _, key := range []string{"old", "older", "new"} {
		require.NoError(t, f.Set(ctx, key, []byte("x"), nil))
		if key != "new" {
			then := time.Now().Add(-61 * time.Minute)
			require.NoError(t, os.Chtimes(filepath.Join(dir, key), then, then))
		}
	}
	_, err = f.Get(ctx, "old")
	require.ErrorIs(t, err, service.ErrKeyNotFound)
	require.NoError(t, f.Add(ctx, "old", []byte("again"), nil), "as if it were not there")
	value, err := f.Get(ctx, "old")
	require.NoError(t, err)
	assert.Equal(t, "again", string(value))
	assert.Len(t, entries(t, dir), 3)
	f.bounds.now = func() time.Time { return time.Now().Add(10 * time.Minute) } // an eighth of the TTL later
	require.NoError(t, f.Set(ctx, "new", []byte("x"), nil))
	assert.Equal(t, []string{"new", "old"}, entries(t, dir))
}

// An entry that is written while it is removed for its age stays.
func TestEntriesThatAreWrittenMeanwhileStay(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	f := open(t, dir)
	require.NoError(t, f.Set(ctx, "a", []byte("new"), nil))
	require.NoError(t, f.drop("a", time.Now().Add(-time.Hour)))
	value, err := f.Get(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, "new", string(value))
	assert.Equal(t, []string{"a"}, entries(t, dir))
	require.NoError(t, f.drop("never there", time.Now()))
}

func TestManyWritersOfAFullDirectory(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	f, err := newFiles(dir, newBounds(time.Hour, 20*4096, service.MockResources()))
	require.NoError(t, err)
	var running sync.WaitGroup
	for w := range 8 {
		running.Go(func() {
			for i := range 60 {
				assert.NoError(t, f.Set(ctx, fmt.Sprint(w, "-", i), []byte("x"), nil))
			}
		})
	}
	running.Wait()
	assert.LessOrEqual(t, len(entries(t, dir)), 28, "one more for each writer")
}
