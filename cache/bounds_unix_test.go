//go:build unix

package cache

import (
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
