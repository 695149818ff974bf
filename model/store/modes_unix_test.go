//go:build unix

package store

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestModesAreThoseOfTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o002))
	s := open(t)
	publish(t, s, 1)
	require.NoError(t, filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o664)
		if entry.IsDir() {
			want = 0o775
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		return nil
	}))
}
