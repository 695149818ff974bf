package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// openLogged opens a directory whose values are written to the log.
func openLogged(t *testing.T, dir string) *files {
	t.Helper()
	f := open(t, dir)
	if !f.logs {
		t.Skip("there is no log on this file system")
	}
	return f
}

// has checks that a cache has exactly these of the keys.
func has(t *testing.T, f *files, keys []string, want map[string]string) {
	t.Helper()
	for _, key := range keys {
		value, err := f.Get(t.Context(), key)
		if _, ok := want[key]; !ok {
			require.ErrorIs(t, err, service.ErrKeyNotFound, "%q", key)
			continue
		}
		require.NoError(t, err, "%q", key)
		require.Equal(t, want[key], string(value), "%q", key)
	}
}

// Several caches of a directory are one map to whoever uses one of them, also where a file is restored or removed by somebody else, where one is
// killed (it is not closed), and where one writes no log.
func TestIsAMap(t *testing.T) {
	ctx, random := t.Context(), rand.New(rand.NewPCG(7, 7))
	keys := []string{"a", "b", "c", "machine-1%", "A", "not/plain", ""}
	for round := range 3 {
		dir, want := t.TempDir(), map[string]string{}
		caches := []*files{openLogged(t, dir), openLogged(t, dir)}
		for step := range 200 {
			i := random.IntN(len(caches))
			f, key := caches[i], keys[random.IntN(len(keys))]
			value := fmt.Sprint(round, " ", step, strings.Repeat("x", random.IntN(40)))
			if random.IntN(20) == 0 {
				value += strings.Repeat("long", maxLogged/4)
			}
			_, there := want[key]
			switch random.IntN(12) {
			case 0, 1, 2, 3, 4:
				require.NoError(t, f.Set(ctx, key, []byte(value), nil))
				want[key] = value
			case 5:
				err := f.Add(ctx, key, []byte(value), nil)
				if there {
					require.ErrorIs(t, err, service.ErrKeyAlreadyExists)
				} else {
					require.NoError(t, err)
					want[key] = value
				}
			case 6:
				err := f.Delete(ctx, key)
				if there {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, service.ErrKeyNotFound)
				}
				delete(want, key)
			case 7:
				_ = os.Remove(f.path(key))
				delete(want, key)
			case 8:
				require.NoError(t, os.WriteFile(f.path(key)+".new", []byte(value), 0o644))
				require.NoError(t, os.Rename(f.path(key)+".new", f.path(key)))
				want[key] = value
			case 9: // another one begins while the old one is still open
				caches[i] = openLogged(t, dir)
				caches[i].log.most = int64(random.IntN(4000))
			case 10:
				require.NoError(t, f.locked(f.fold))
			case 11:
				require.NoError(t, f.Close(ctx))
				caches[i] = openLogged(t, dir)
			}
			has(t, caches[random.IntN(len(caches))], keys, want)
		}
		for _, f := range caches {
			require.NoError(t, f.Close(ctx))
		}
		// Earlier versions find all in the files.
		require.NoFileExists(t, filepath.Join(dir, logName))
		require.Len(t, entries(t, dir), len(want))
		for key := range want {
			value, err := os.ReadFile(caches[0].path(key))
			require.NoError(t, err)
			require.Equal(t, want[key], string(value))
		}
	}
}

// Directories of earlier versions, which had files only, are used as they are.
func TestOldDirectoriesAreTakenOver(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "deepcase-web-1"), []byte("window"), 0o644))
	f := openLogged(t, dir)
	has(t, f, []string{"deepcase-web-1"}, map[string]string{"deepcase-web-1": "window"})
	require.NoError(t, f.Set(t.Context(), "deepcase-web-1", []byte("next"), nil))
	require.FileExists(t, filepath.Join(dir, logName))
	has(t, f, []string{"deepcase-web-1"}, map[string]string{"deepcase-web-1": "next"})
}

// A log that was cut anywhere, as by a kill or a power failure in the middle of a write, loses what was not there in whole, and nothing else.
func TestTornLog(t *testing.T) {
	dir := t.TempDir()
	f := openLogged(t, dir)
	var ends []int64
	for i := range 3 {
		for _, key := range []string{"a", "b"} {
			require.NoError(t, f.Set(t.Context(), key, fmt.Append(nil, key, i), nil))
		}
		info, err := os.Stat(filepath.Join(dir, logName))
		if i == 0 {
			require.ErrorIs(t, err, fs.ErrNotExist, "new entries are files")
			ends = append(ends, 0)
			continue
		}
		require.NoError(t, err)
		ends = append(ends, info.Size())
	}
	whole, err := os.ReadFile(filepath.Join(dir, logName))
	require.NoError(t, err)
	for size := 0; size <= len(whole); size += 1 + size%2 {
		cut := copyWithLog(t, dir, append(whole[:size:size], make([]byte, size%3)...))
		last := 0
		for last+1 < len(ends) && ends[last+1] <= int64(size) {
			last++
		}
		c := openLogged(t, cut)
		b, err := c.Get(t.Context(), "b")
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("b", last), string(b), size)
		a, err := c.Get(t.Context(), "a")
		require.NoError(t, err)
		require.Contains(t, []string{fmt.Sprint("a", last), fmt.Sprint("a", last+1)}, string(a))
		require.NoFileExists(t, filepath.Join(cut, logName))
	}
}

// copyWithLog copies a directory as a backup does that keeps dates, and gives it another log.
func copyWithLog(t *testing.T, dir string, log []byte) (path string) {
	path = t.TempDir()
	require.NoError(t, os.CopyFS(path, os.DirFS(dir)))
	for _, name := range entries(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.Chtimes(filepath.Join(path, name), time.Time{}, info.ModTime()))
	}
	require.NoError(t, os.WriteFile(filepath.Join(path, logName), log, 0o644))
	return path
}

// A write after one that was killed in the middle, by another process that goes on.
func TestWriteAfterATornOne(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	f, reader := openLogged(t, dir), openLogged(t, dir)
	for _, value := range []string{"0", "1"} {
		require.NoError(t, f.Set(ctx, "a", []byte(value), nil))
	}
	file, err := os.OpenFile(filepath.Join(dir, logName), os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = file.Write(record{"a", []byte("killed"), 1, fileID{}}.append(nil)[:20])
	require.NoError(t, errors.Join(err, file.Close()))
	has(t, reader, []string{"a"}, map[string]string{"a": "1"})
	require.NoError(t, f.Set(ctx, "a", []byte("2"), nil))
	has(t, reader, []string{"a"}, map[string]string{"a": "2"})
	has(t, f, []string{"a"}, map[string]string{"a": "2"})
}

// A byte that is wrong costs the record that has it. All others count, and the log says so, unless it was the last one, which is like a torn write.
func TestDamagedLog(t *testing.T) {
	dir, keys := t.TempDir(), []string{"a", "b", "c"}
	f := openLogged(t, dir)
	for _, value := range []string{"old", "new"} {
		for _, key := range keys {
			require.NoError(t, f.Set(t.Context(), key, []byte(value), nil))
		}
	}
	whole, err := os.ReadFile(filepath.Join(dir, logName))
	require.NoError(t, err)
	const size = recordHead + len("anew")
	require.Len(t, whole, 3*size)
	for at := 0; at < len(whole); at += 4 {
		var log strings.Builder
		mgr := service.MockResources(service.MockResourcesOptUseLogger(service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil)))))
		want := map[string]string{"a": "new", "b": "new", "c": "new"}
		want[keys[at/size]] = "old"
		data := slices.Clone(whole)
		data[at] ^= 0x10
		c, err := newFiles(copyWithLog(t, dir, data), newBounds(0, 0, mgr))
		require.NoError(t, err)
		has(t, c, keys, want)
		require.Equal(t, at < 2*size, strings.Contains(log.String(), "bytes are damaged"), log.String())
	}
}

// If the disk does not confirm a write, the write fails, and nothing that follows relies on it: the values are written to their files first.
func TestADiskThatDoesNotConfirm(t *testing.T) {
	dir, ctx, random := t.TempDir(), t.Context(), rand.New(rand.NewPCG(1, 2))
	f := openLogged(t, dir)
	f.log.flush = func(file *os.File) error {
		if random.IntN(3) == 0 {
			return errors.New("input/output error")
		}
		return file.Sync()
	}
	keys, confirmed, failed := []string{"a", "b", "c"}, map[string]int{}, 0
	for turn := range 200 {
		key := keys[random.IntN(len(keys))]
		err := f.Set(ctx, key, fmt.Append(nil, turn), nil)
		if err != nil {
			require.EqualError(t, err, "input/output error")
			failed++
			require.True(t, f.log.full(time.Now()))
		} else {
			confirmed[key] = turn
		}
		if random.IntN(20) == 0 {
			f2 := openLogged(t, dir)
			f2.log.flush, f = f.log.flush, f2
		}
		for key, turn := range confirmed {
			value, err := f.Get(ctx, key)
			require.NoError(t, err)
			var found int
			_, err = fmt.Sscan(string(value), &found)
			require.NoError(t, err)
			require.GreaterOrEqual(t, found, turn)
		}
	}
	require.Greater(t, failed, 20)
}

// What is damaged on the disk while the process runs is an error, and does not become a file.
func TestALogThatIsDamagedMeanwhile(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	f := openLogged(t, dir)
	for _, value := range []string{"old", "new"} {
		require.NoError(t, f.Set(ctx, "a", []byte(value), nil))
	}
	file, err := os.OpenFile(filepath.Join(dir, logName), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("X"), recordHead+1)
	require.NoError(t, errors.Join(err, file.Close()))
	_, err = f.Get(ctx, "a")
	require.EqualError(t, err, `entry "a": its value in .deepcase_file.log is damaged`)
	require.NoError(t, f.locked(f.fold))
	has(t, f, []string{"a"}, map[string]string{"a": "old"})
}

// Whatever the log is, a start neither fails nor reads what is not a record, and a record is read as it was written.
func FuzzLog(f *testing.F) {
	of := fileID{1_700_000_000_123_456_789, 3}
	one := record{"a", []byte("value"), 5, of}.append(nil)
	f.Add(one)
	f.Add(record{"b", nil, -1, of}.append(one))
	f.Add(append([]byte("dcw1dcw"), one...))
	f.Add(append(one[:len(one)-1:len(one)-1], one...))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o644))
		require.NoError(t, os.Chtimes(filepath.Join(dir, "a"), time.Time{}, time.Unix(0, of.modified)))
		require.NoError(t, os.WriteFile(filepath.Join(dir, logName), data, 0o644))
		want := "old"
		for rest := data; len(rest) > 0; {
			r, n, ok := readRecord(rest)
			if ok {
				require.Equal(t, rest[:n], r.append(nil))
				if r.name == "a" && r.of == of {
					want = string(r.value)
				} else if r.name == "a" {
					want = "old"
				}
			} else {
				n = skip(rest)
			}
			require.True(t, 0 < n && n <= len(rest))
			rest = rest[n:]
		}
		c := open(t, dir)
		has(t, c, []string{"a"}, map[string]string{"a": want})
		require.Equal(t, []string{"a"}, entries(t, dir))
		require.NoFileExists(t, filepath.Join(dir, logName))
	})
}
