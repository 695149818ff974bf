package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWritable(t *testing.T) {
	s := open(t)
	require.NoError(t, Writable(s.dir))
	publish(t, s, 1)
	require.NoError(t, Writable(s.dir))
	entries, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	require.Len(t, entries, 3, "a probe is left")
	require.Len(t, names(t, s), 1)
	require.NoError(t, os.RemoveAll(s.path(versionsDir)))
	require.NoError(t, os.WriteFile(s.path(versionsDir), nil, 0o666))
	require.ErrorContains(t, Writable(s.dir), s.path(versionsDir))
}

func TestWritableMakesNothing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Writable(filepath.Join(dir, "a", "b")))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}
