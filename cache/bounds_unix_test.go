//go:build unix

package cache

import (
	"io/fs"
	"os"
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
	require.NoError(t, f.Add(t.Context(), "added", nil, nil))
	for _, name := range []string{"set", "added"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o644), info.Mode().Perm())
	}
}
