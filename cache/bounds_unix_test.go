//go:build unix

package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A pipe in the place of an entry is an error, not a wait.
func TestAPipeIsNoEntry(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "a"), 0o600))
	_, err := f.Get(t.Context(), "a")
	require.ErrorContains(t, err, "is not a regular file")
}

// Only the owner may write entries, whatever else the umask allows.
func TestModeOfAnEntry(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o002))
	dir := t.TempDir()
	f := open(t, dir)
	require.NoError(t, f.Set(t.Context(), "set", nil, nil))
	require.NoError(t, f.Set(t.Context(), "set", nil, nil)) // to the log, where there is one
	require.NoError(t, f.Add(t.Context(), "added", nil, nil))
	for _, name := range names(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o644), info.Mode().Perm())
	}
}

const growsLittle = "DEEPCASE_FILE_GROWS_LITTLE"

// A log that cannot grow any more, as on a full disk: what cannot be written is an error, the rest of it is no record, and nothing confirmed is lost.
func TestALogThatCannotGrow(t *testing.T) {
	if os.Getenv(growsLittle) == "" { // in a process of its own: the limit is that of all its files
		child := exec.Command(os.Args[0], "-test.run", "^TestALogThatCannotGrow$")
		child.Env = append(os.Environ(), growsLittle+"=1")
		out, err := child.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	dir, ctx := t.TempDir(), t.Context()
	f := openLogged(t, dir)
	for _, key := range []string{"a", "b"} {
		require.NoError(t, f.Set(ctx, key, nil, nil))
	}
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	limit.Cur = 1000
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	failed := 0
	confirmed := map[string]string{"a": "", "b": ""}
	for turn := range 60 {
		for _, key := range []string{"a", "b"} {
			value := fmt.Sprint(key, turn)
			err := f.Set(ctx, key, []byte(value), nil)
			if errors.Is(err, syscall.EFBIG) {
				failed++
				has(t, openLogged(t, dir), []string{key}, confirmed)
				continue
			}
			require.NoError(t, err)
			confirmed[key] = value
		}
		has(t, f, []string{"a", "b"}, confirmed)
	}
	require.Greater(t, failed, 2)
}
