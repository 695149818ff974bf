package cache

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Wherever a start is killed while it writes the log's values to their files, the next one has all of them.
func TestHalfAFold(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	f := openLogged(t, dir)
	want := map[string]string{}
	for turn := range 3 {
		for i := range 20 {
			key := fmt.Sprint(i)
			want[key] = fmt.Sprint(key, " ", turn)
			require.NoError(t, f.Set(ctx, key, []byte(want[key]), nil))
		}
	}
	path := filepath.Join(dir, logName)
	require.NoError(t, os.Link(path, path+"-kept"))
	for i := range 20 { // as if it had been killed after each file
		info, err := os.Lstat(filepath.Join(dir, fmt.Sprint(i)))
		require.NoError(t, err)
		r, ok, err := f.log.read(fmt.Sprint(i), info)
		require.True(t, ok && err == nil)
		f.replaceAll([]*set{{name: r.name, value: r.value, written: time.Unix(0, r.written), before: info, folded: true}})
		has(t, f, slices.Collect(maps.Keys(want)), want)
	}
	has(t, openLogged(t, dir), slices.Collect(maps.Keys(want)), want)
}

// The files are never much older than the entries.
func TestALogIsFolded(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	f := openLogged(t, dir)
	now := time.Now()
	f.bounds.now = func() time.Time { return now }
	inFile := func() string {
		data, err := os.ReadFile(filepath.Join(dir, "a"))
		require.NoError(t, err)
		return string(data)
	}
	require.NoError(t, f.Set(ctx, "a", []byte("0"), nil))
	require.NoError(t, f.Set(ctx, "a", []byte("1"), nil))
	require.Equal(t, "0", inFile())
	now = now.Add(maxAge + time.Second)
	require.NoError(t, f.Set(ctx, "a", []byte("2"), nil))
	require.Equal(t, "1", inFile())
	f.log.most = 100
	require.NoError(t, f.Set(ctx, "a", make([]byte, 100), nil))
	require.NoError(t, f.Set(ctx, "a", []byte("4"), nil))
	require.Equal(t, string(make([]byte, 100)), inFile())
	require.NoError(t, f.Close(ctx))
	require.Equal(t, "4", inFile())
}

// A file that fold writes has the date of its value. It is not taken for one that a killed process left.
func TestStartsAndFoldsTogether(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	f := openLogged(t, dir)
	f.bounds.now = func() time.Time { return time.Now().Add(-time.Hour) }
	f.log.most = 1
	var running sync.WaitGroup
	running.Go(func() {
		for i := range 100 {
			assert.NoError(t, f.Set(ctx, "a", fmt.Append(nil, i), nil))
			value, err := f.Get(ctx, "a")
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprint(i), string(value))
		}
	})
	for range 20 {
		open(t, dir)
	}
	running.Wait()
}

func TestALockThatIsNotGivenBack(t *testing.T) {
	dir := t.TempDir()
	a, b := openLogged(t, dir), openLogged(t, dir)
	b.lockWait = time.Millisecond
	require.NoError(t, a.locked(func() error {
		require.EqualError(t, b.Set(t.Context(), "a", nil, nil),
			"directory "+dir+": another process has had its lock for 1ms: look whether one is stopped")
		return nil
	}))
	require.NoError(t, b.Set(t.Context(), "a", nil, nil))
}

// When the power fails, what was removed may be there again: a log whose values are in their files already does no harm.
func TestAnOldLogDoesNotCount(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	f := openLogged(t, dir)
	for _, value := range []string{"1", "2", "3"} {
		require.NoError(t, f.Set(ctx, "a", []byte(value), nil))
		require.NoError(t, f.Set(ctx, "b", []byte(value), nil))
	}
	path := filepath.Join(dir, logName)
	require.NoError(t, os.Link(path, path+"-old"))
	require.NoError(t, f.locked(f.fold))
	require.NoError(t, f.Set(ctx, "a", []byte("4"), nil))
	require.NoError(t, f.locked(f.fold))
	require.NoError(t, f.Delete(ctx, "b"))
	require.NoError(t, f.Add(ctx, "b", []byte("5"), nil))
	require.NoError(t, os.Rename(path+"-old", path))
	has(t, openLogged(t, dir), []string{"a", "b"}, map[string]string{"a": "4", "b": "5"})
	require.NoFileExists(t, path)
}

// The log counts for the age of an entry, and after that its file has the date of the value.
func TestAgeOfLoggedEntries(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	now := time.Now()
	bounds := newBounds(time.Hour, 0, service.MockResources())
	bounds.now = func() time.Time { return now }
	f, err := newFiles(dir, bounds)
	require.NoError(t, err)
	if !f.logs {
		t.Skip("there is no log on this file system")
	}
	require.NoError(t, f.Set(ctx, "silent", nil, nil))
	require.NoError(t, f.Set(ctx, "speaks", nil, nil))
	now = now.Add(50 * time.Minute)
	require.NoError(t, f.Set(ctx, "speaks", []byte("1"), nil))
	now = now.Add(50 * time.Minute)
	require.NoError(t, f.sweep())
	require.Equal(t, []string{"speaks"}, entries(t, dir))
	has(t, f, []string{"silent", "speaks"}, map[string]string{"speaks": "1"})
	require.NoError(t, f.locked(f.fold))
	info, err := os.Stat(filepath.Join(dir, "speaks"))
	require.NoError(t, err)
	assert.True(t, info.ModTime().Equal(now.Add(-50*time.Minute)))
	require.NoError(t, f.Set(ctx, "speaks", []byte("2"), nil))
	now = now.Add(61 * time.Minute)
	has(t, f, []string{"speaks"}, nil)
	require.NoError(t, f.Add(ctx, "speaks", []byte("again"), nil), "as if it were not there")
	has(t, f, []string{"speaks"}, map[string]string{"speaks": "again"})

	seen, err := os.Stat(filepath.Join(dir, "speaks"))
	require.NoError(t, err)
	require.NoError(t, f.Set(ctx, "speaks", []byte("written meanwhile"), nil))
	require.NoError(t, f.drop("speaks", seen.ModTime()))
	has(t, f, []string{"speaks"}, map[string]string{"speaks": "written meanwhile"})
}
