package cache

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "connect-deepcase/input/search"
	_ "connect-deepcase/processor"
)

// writesTo has the test binary write to a directory until it is killed.
const writesTo = "DEEPCASE_FILE_WRITES_TO"

// confirmsTo is the same for a process that says what it has written.
const confirmsTo = "DEEPCASE_FILE_CONFIRMS_TO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writesTo); dir != "" {
		fmt.Println(writeForEver(dir))
		os.Exit(1)
	}
	if dir := os.Getenv(confirmsTo); dir != "" {
		fmt.Println(confirmForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func open(t *testing.T, dir string) *files {
	t.Helper()
	f, err := newFiles(dir, newBounds(0, 0, service.MockResources()))
	require.NoError(t, err)
	return f
}

// names are those of the files in a directory.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// entries are the names of the files in a directory that are entries.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	return slices.DeleteFunc(names(t, dir), func(name string) bool { return strings.HasPrefix(name, ".") })
}

// odd are keys that no file can be named after, or that would name another one.
var odd = []string{
	"", ".", "..", "../x", "a/b", "/", ".hidden", scratch + "x", "=", "a\x00b", "a\nb", "a b", "é", "ключ", "\xff", `a\b`, "c:d",
	strings.Repeat("x", 201), strings.Repeat("x", 100_000), "=" + strings.Repeat("0", 64),
}

func TestEntries(t *testing.T) {
	dir, ctx := filepath.Join(t.TempDir(), "made", "here"), t.Context()
	c := open(t, dir)
	keys := append([]string{"a", "A", "a.b", "deepcase-web-1%", "deepcase-a%2Fb+c", strings.Repeat("x", 200)}, odd...)
	for i, key := range keys {
		_, err := c.Get(ctx, key)
		require.ErrorIs(t, err, service.ErrKeyNotFound, "%q", key)
		require.ErrorIs(t, c.Delete(ctx, key), service.ErrKeyNotFound)
		require.NoError(t, c.Add(ctx, key, fmt.Append(nil, i), nil))
		require.ErrorIs(t, c.Add(ctx, key, []byte("added twice"), nil), service.ErrKeyAlreadyExists)
	}
	require.NoError(t, c.Close(ctx))
	c = open(t, dir) // as after a restart
	for i, key := range keys {
		value, err := c.Get(ctx, key)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(value), "%q", key)
		ttl := time.Nanosecond
		require.NoError(t, c.Set(ctx, key, nil, &ttl))
		value, err = c.Get(ctx, key)
		require.NoError(t, err, "entries do not expire")
		require.Empty(t, value)
		require.NoError(t, c.Set(ctx, key, fmt.Append(nil, i, "again"), nil))
	}
	require.Len(t, entries(t, dir), len(keys), "one file an entry, and nothing else")
	for i, key := range keys {
		value, err := c.Get(ctx, key)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i, "again"), string(value), "%q", key)
		require.NoError(t, c.Delete(ctx, key))
		_, err = c.Get(ctx, key)
		require.ErrorIs(t, err, service.ErrKeyNotFound)
	}
	require.NoError(t, c.Close(ctx))
	require.Empty(t, names(t, dir))
	require.Equal(t, []string{"here"}, names(t, filepath.Dir(dir)), "nothing was written beside the directory")
}

// The files are named for ever as they are now, and plain keys as Benthos' own cache "file" names them.
func TestNamesOfFiles(t *testing.T) {
	f := &files{dir: "d"}
	for key, name := range map[string]string{
		"deepcase_search": "deepcase_search", "deepcase-web-1": "deepcase-web-1", "deepcase-a%2Fb+c%": "deepcase-a%2Fb+c%", "~A.b": "~A.b",
		"a/b": "=c14cddc033f64b9dea80ea675cf280a015e672516090a5626781153dc68fea11",
	} {
		assert.Equal(t, filepath.Join("d", name), f.path(key), "%q", key)
	}
	for _, key := range odd {
		assert.Regexp(t, "^d/=[0-9a-f]{64}$", filepath.ToSlash(f.path(key)), "%q", key)
	}
}

// Where upper and lower case are the same, no two keys have one file.
func TestNamesOfFilesThatFold(t *testing.T) {
	f := &files{dir: "d", folds: true}
	seen := map[string]string{}
	for _, key := range []string{"web-1", "WEB-1", "Web-1", "web-1.", "a%2fb", "a%2Fb", "nul", "nul.txt", "NUL", "com1", "com10", "null"} {
		path := strings.TrimRight(strings.ToLower(f.path(key)), ".")
		assert.Empty(t, seen[path], key)
		seen[path] = key
		assert.NotRegexp(t, `^d/(nul|com1)(\.|$)`, path)
	}
	assert.Equal(t, "d/web-1", f.path("web-1"))
	dir := t.TempDir()
	_, err := os.Stat(strings.ToUpper(dir))
	folds, _ := probe(dir)
	assert.Equal(t, err == nil, folds)
	assert.Empty(t, names(t, dir))
}

func TestOneOfManyAdds(t *testing.T) {
	dir := t.TempDir()
	var running sync.WaitGroup
	var added atomic.Int32
	for range 32 {
		c := open(t, dir)
		running.Go(func() {
			err := c.Add(t.Context(), "a", []byte("value"), nil)
			if err == nil {
				added.Add(1)
			} else {
				assert.ErrorIs(t, err, service.ErrKeyAlreadyExists)
			}
		})
	}
	running.Wait()
	assert.EqualValues(t, 1, added.Load())
	assert.Equal(t, []string{"a"}, names(t, dir))
}

func TestStartRemovesWhatKilledWritersLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[a]*")
	require.NoError(t, os.Mkdir(dir, 0o755))
	for name, age := range map[string]time.Duration{scratch + "old": 2 * time.Minute, scratch + "new": 0, "entry": time.Hour} {
		path, then := filepath.Join(dir, name), time.Now().Add(-age)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.NoError(t, os.Chtimes(path, then, then))
	}
	open(t, dir)
	assert.Equal(t, []string{scratch + "new", "entry"}, names(t, dir))
}

// A write that fails leaves the old value and nothing else.
func TestWriteThatFails(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	c := open(t, dir)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "a"), 0o755)) // no file can take its place
	require.Error(t, c.Set(ctx, "a", []byte("value"), nil))
	_, err := c.Get(ctx, "a")
	require.Error(t, err)
	require.NotErrorIs(t, err, service.ErrKeyNotFound, "what cannot be read is not what is not there")
	assert.Equal(t, []string{"a"}, names(t, dir))
	require.NoError(t, os.RemoveAll(dir))
	require.Error(t, c.Set(ctx, "b", []byte("value"), nil))
	assert.NoDirExists(t, dir, "a file system that is away is not replaced by a folder")
}

func TestConfigsThatAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for dir, message := range map[string]string{
		"":   "field 'directory' is empty",
		file: "field 'directory': open " + file + ": not a directory",
	} {
		_, err := newFiles(dir, newBounds(0, 0, service.MockResources()))
		assert.EqualError(t, err, message)
	}
	linter := service.GlobalEnvironment().NewComponentConfigLinter()
	for yaml, lints := range map[string]int{"directory: d": 0, "{}": 1, "directory: d\n  nonsense: 1": 1,
		"directory: d\n  max_bytes: -1": 1, "directory: d\n  ttl: -1s": 1, "directory: d\n  ttl: 72h\n  max_bytes: 0": 0} {
		found, err := linter.LintCacheYAML([]byte("deepcase_file:\n  " + yaml))
		require.NoError(t, err)
		assert.Len(t, found, lints, yaml)
	}
}

func TestExamplesLint(t *testing.T) {
	view, ok := service.GlobalEnvironment().GetCacheConfig("deepcase_file")
	require.True(t, ok)
	data, err := view.TemplateData()
	require.NoError(t, err)
	require.NotEmpty(t, data.Examples)
	for _, example := range data.Examples {
		lints, err := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter().LintYAML([]byte(example.Config))
		require.NoError(t, err)
		assert.Empty(t, lints)
	}
}

// The keys that the killed processes write, each from several goroutines.
const written = 4

// killedLog is the size of the log that they write to their files, so that many of them are killed meanwhile.
const killedLog = 100 << 10

// writeForEver sets entries to values of random sizes, each with its checksum in front.
func writeForEver(dir string) error {
	c, err := newFiles(dir, newBounds(0, 10<<30, service.MockResources()))
	if err != nil {
		return err
	}
	c.log.most = killedLog
	fmt.Println("writing")
	failed := make(chan error)
	for i := range 2 * written {
		go func() {
			for {
				value := bytes.Repeat([]byte{byte(rand.Uint32())}, 4+rand.IntN(2*maxSpare))
				binary.LittleEndian.PutUint32(value, crc32.ChecksumIEEE(value[4:]))
				if err := c.Set(context.Background(), fmt.Sprint(i%written), value, nil); err != nil {
					failed <- err
				}
				fmt.Println("written")
			}
		}()
	}
	return <-failed
}

// killsOr is how many times the tests kill a process: KILLS, if that is set.
func killsOr(few int) int {
	if n, err := strconv.Atoi(os.Getenv("KILLS")); err == nil {
		return n
	}
	return few
}

func TestEntriesAreWholeAfterAKill(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 1))
	found := 0
	for range killsOr(6) {
		children := make([]*exec.Cmd, 2)
		for i := range children {
			children[i] = exec.Command(os.Args[0])
			children[i].Env = append(os.Environ(), writesTo+"="+dir)
			out, err := children[i].StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, children[i].Start())
			lines := bufio.NewScanner(out)
			require.True(t, lines.Scan())
			require.Equal(t, "writing", lines.Text())
			for range random.IntN(20) {
				require.True(t, lines.Scan())
			}
		}
		for _, child := range children {
			require.NoError(t, child.Process.Kill())
			require.ErrorContains(t, child.Wait(), "killed", "a write had failed before")
		}

		c := open(t, dir)
		for i := range written {
			value, err := c.Get(t.Context(), fmt.Sprint(i))
			if errors.Is(err, service.ErrKeyNotFound) {
				continue // killed before the first
			}
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(value), 4)
			require.Equal(t, crc32.ChecksumIEEE(value[4:]), binary.LittleEndian.Uint32(value))
			found++
		}
	}
	require.Greater(t, found, 10, "the processes had written something")
}
