package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSwap(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	require.NoError(t, os.WriteFile(a, []byte("a"), 0o600))
	require.NoError(t, os.WriteFile(b, []byte("b"), 0o600))
	err := Swap(a, b)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system cannot swap files")
	}
	require.NoError(t, err)
	for path, want := range map[string]string{a: "b", b: "a"} {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, want, string(content))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.True(t, OnlyMine(info))
	}
	require.ErrorIs(t, Swap(a, filepath.Join(dir, "missing")), fs.ErrNotExist)
	require.NoError(t, os.Link(a, filepath.Join(dir, "second")))
	info, err := os.Stat(a)
	require.NoError(t, err)
	require.False(t, OnlyMine(info), "it has two names")
	if folder, err := os.Open(dir); CanSyncAll(dir) {
		require.NoError(t, err)
		require.NoError(t, SyncAll(folder))
		require.NoError(t, folder.Close())
	}
}
