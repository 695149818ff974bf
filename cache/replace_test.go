package cache

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// machines is how many windows a batch of the tests writes, and parallel how many at a time, as deepcase_sequence does with other caches.
const machines, parallel = 500, 128

// setAll writes an entry for each machine and gives the errors, and calls done for each that is confirmed.
func setAll(c service.Cache, value []byte, done func(key string)) error {
	errs := make([]error, machines)
	var running sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i := range machines {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			key := fmt.Sprint("machine-", i)
			if errs[i] = c.Set(context.Background(), key, value, nil); errs[i] == nil {
				done(key)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// setTogether is setAll as deepcase_sequence does it with this cache.
func setTogether(c service.Cache, value []byte, done func(key string)) error {
	keys, values := make([]string, machines), make([][]byte, machines)
	for i := range keys {
		keys[i], values[i] = fmt.Sprint("machine-", i), value
	}
	if errs := c.(*files).SetAll(keys, values); errs != nil {
		return errors.Join(errs...)
	}
	for _, key := range keys {
		done(key)
	}
	return nil
}

// confirmForEver writes batches, and prints the key and the number of each entry that is confirmed.
func confirmForEver(dir string) error {
	c, err := newFiles(dir, newBounds(0, 10<<30, service.MockResources()))
	if err != nil {
		return err
	}
	c.log.most = killedLog
	for turn := 1; ; turn++ {
		write := setAll
		if turn%2 == 0 {
			write = setTogether
		}
		err := write(c, checked(turn), func(key string) { fmt.Printf("%s %d\n", key, turn) }) // one write each, unbuffered
		if err != nil {
			return err
		}
	}
}

// checked is a value of about 300 bytes, other sizes for other turns, with its checksum in front and then the turn.
func checked(turn int) []byte {
	value := make([]byte, 12+turn*37%600)
	binary.LittleEndian.PutUint64(value[4:], uint64(turn))
	for i := 12; i < len(value); i++ {
		value[i] = byte(turn)
	}
	binary.LittleEndian.PutUint32(value, crc32.ChecksumIEEE(value[4:]))
	return value
}

func turnOf(t *testing.T, value []byte) int {
	t.Helper()
	require.GreaterOrEqual(t, len(value), 12)
	require.Equal(t, crc32.ChecksumIEEE(value[4:]), binary.LittleEndian.Uint32(value), "a mixture")
	return int(binary.LittleEndian.Uint64(value[4:]))
}

// What a killed process had confirmed is there, or something later. Meanwhile readers see whole values only, which never get older.
func TestNothingConfirmedIsLostByAKill(t *testing.T) {
	dir := t.TempDir()
	reader := open(t, dir)
	for range killsOr(3) {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), confirmsTo+"="+dir)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		confirmed, lines := map[string]int{}, bufio.NewScanner(out)
		highest, seen, last := 0, map[string]int{}, 8+rand.IntN(8)
		for lines.Scan() { // what was in the pipe when the process was killed is read, too
			key, number, ok := strings.Cut(lines.Text(), " ")
			var turn int
			_, err := fmt.Sscan(number, &turn)
			require.True(t, ok && err == nil, lines.Text())
			confirmed[key] = turn
			highest = max(highest, turn)
			if turn%4 == 0 {
				value, err := reader.Get(t.Context(), key)
				require.NoError(t, err)
				require.GreaterOrEqual(t, turnOf(t, value), max(turn, seen[key]))
				seen[key] = turnOf(t, value)
			}
			if turn >= last && len(confirmed) == machines {
				_ = child.Process.Kill()
			}
		}
		require.ErrorContains(t, child.Wait(), "killed", "a write had failed before")
		require.GreaterOrEqual(t, highest, last)
		c := open(t, dir)
		require.Len(t, confirmed, machines)
		for key, turn := range confirmed {
			value, err := c.Get(t.Context(), key)
			require.NoError(t, err)
			require.GreaterOrEqual(t, turnOf(t, value), turn, key)
		}
	}
}

// Several processes (here: caches) write and read the same entries, and files are written again as soon as that is allowed.
func TestReadersSeeWholeValues(t *testing.T) {
	dir := t.TempDir()
	var running sync.WaitGroup
	until := time.Now().Add(time.Second)
	var turns atomic.Int64
	for range 2 {
		c := open(t, dir)
		c.log.most = 5000
		for key := range 3 {
			require.NoError(t, c.Set(t.Context(), fmt.Sprint(key), checked(0), nil))
			running.Go(func() {
				for time.Now().Before(until) {
					assert.NoError(t, c.Set(t.Context(), fmt.Sprint(key), checked(int(turns.Add(1))), nil))
				}
			})
			running.Go(func() {
				for time.Now().Before(until) {
					value, err := c.Get(t.Context(), fmt.Sprint(key))
					if !assert.NoError(t, err) || !assert.Equal(t, crc32.ChecksumIEEE(value[4:]), binary.LittleEndian.Uint32(value)) {
						return
					}
				}
			})
		}
	}
	running.Wait()
}

// A file that was replaced is written again after its rest, unless somebody has another use for it.
func TestSpares(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	f := open(t, dir)
	f.logs = false // as on other file systems
	now := time.Now()
	f.bounds.now = func() time.Time { return now }
	require.NoError(t, f.Set(ctx, "a", []byte("first"), nil))
	require.NoError(t, f.Set(ctx, "a", []byte("second"), nil))
	spares := func() int { return len(names(t, dir)) - 1 }
	if spares() == 0 {
		t.Skip("this system cannot swap files")
	}
	first, err := os.Stat(filepath.Join(dir, names(t, dir)[0]))
	require.NoError(t, err)
	require.NoError(t, f.Set(ctx, "a", []byte("third, and longer"), nil))
	require.Equal(t, 2, spares(), "the spare rests")

	now = now.Add(rest)
	require.NoError(t, f.Set(ctx, "a", []byte("4"), nil))
	require.Equal(t, 2, spares())
	entry, err := os.Stat(filepath.Join(dir, "a"))
	require.NoError(t, err)
	require.True(t, os.SameFile(first, entry))
	value, err := f.Get(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, "4", string(value))

	for name, use := range map[string]func(path string) error{
		"second name": func(path string) error { return os.Link(path, filepath.Join(dir, "backup")) },
		"permissions": func(path string) error { return os.Chmod(path, 0o600) },
		"link":        func(path string) error { return errors.Join(os.Remove(path), os.Symlink("a", path)) },
		"directory":   func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"removed":     os.Remove,
	} {
		now = now.Add(rest)
		for _, file := range names(t, dir) {
			if strings.HasPrefix(file, scratch) {
				require.NoError(t, use(filepath.Join(dir, file)), name)
				break
			}
		}
		kept, _ := os.ReadFile(filepath.Join(dir, "backup"))
		require.NoError(t, f.Set(ctx, "a", []byte(name), nil), name)
		require.NoError(t, f.Set(ctx, "a", []byte(name), nil), name)
		still, _ := os.ReadFile(filepath.Join(dir, "backup"))
		require.Equal(t, kept, still, name)
		_ = os.Remove(filepath.Join(dir, "backup"))
		info, err := os.Lstat(filepath.Join(dir, "a"))
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o644), info.Mode(), name)
		value, err := f.Get(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, name, string(value))
	}
	require.NoError(t, f.Close(ctx))
	require.Equal(t, []string{"a"}, names(t, dir))
	require.NoError(t, f.Set(ctx, "a", make([]byte, maxSpare+1), nil), "after Close, nothing is kept")
	require.Equal(t, []string{"a"}, names(t, dir))
}

func TestLargeFilesAreNotKept(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	f.logs = false
	require.NoError(t, f.Set(t.Context(), "a", make([]byte, maxSpare+1), nil))
	require.NoError(t, f.Set(t.Context(), "a", nil, nil))
	require.Equal(t, []string{"a"}, names(t, dir))
}

// While work is done, those who come gather for the next round: work begins after each of them came, and all have its error.
func TestGather(t *testing.T) {
	var g gather[int]
	begun, proceed := make(chan []int), make(chan error)
	work := func(items []int) error {
		begun <- items
		return <-proceed
	}
	errs := make(chan error, 10)
	go func() { errs <- g.do(0, work) }()
	require.Equal(t, []int{0}, <-begun)
	for i := range 9 {
		go func() { errs <- g.do(i+1, work) }()
	}
	require.Eventually(t, func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.next != nil && len(g.next.items) == 9
	}, 2*time.Minute, time.Millisecond)
	proceed <- nil
	require.NoError(t, <-errs)
	require.ElementsMatch(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, <-begun)
	proceed <- fs.ErrInvalid
	for range 9 {
		require.ErrorIs(t, <-errs, fs.ErrInvalid)
	}
}

// Batches of 500 windows, on the disk that has the folder for temporary files: beside writing the files themselves, as it is where there is no log, and
// beside what the disk takes for the bytes of a batch alone.
func BenchmarkBatches(b *testing.B) {
	value := make([]byte, 300)
	for name, logs := range map[string]bool{"log": true, "files": false} {
		b.Run(name, func(b *testing.B) {
			c, err := newFiles(b.TempDir(), newBounds(0, 10<<30, service.MockResources()))
			require.NoError(b, err)
			if logs && !c.logs {
				b.Skip("there is no log on this file system")
			}
			c.logs = logs
			require.NoError(b, setAll(c, value, func(string) {}))
			for b.Loop() {
				require.NoError(b, setAll(c, value, func(string) {}))
			}
			b.ReportMetric(float64(b.N*machines)/b.Elapsed().Seconds(), "windows/s")
		})
	}
	b.Run("one flush", func(b *testing.B) {
		file, err := os.Create(filepath.Join(b.TempDir(), "a"))
		require.NoError(b, err)
		batch := make([]byte, machines*(recordHead+len("machine-499")+len(value)))
		for b.Loop() {
			_, err := file.Write(batch)
			require.NoError(b, errors.Join(err, file.Sync()))
		}
		b.ReportMetric(float64(b.N*machines)/b.Elapsed().Seconds(), "windows/s")
	})
}
