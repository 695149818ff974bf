//go:build unix

package disk

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpenTakesFilesOnlyAndNeverWaits(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	require.NoError(t, os.Symlink(file, link))
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, path := range []string{file, link} {
		f, info, err := Open(path)
		require.NoError(t, err)
		require.EqualValues(t, 1, info.Size())
		require.NoError(t, f.Close())
	}
	for _, path := range []string{pipe, dir, os.DevNull} {
		_, _, err := Open(path)
		require.ErrorIs(t, err, ErrNotRegular)
		require.ErrorContains(t, err, path+": is not a regular file")
	}
	_, err := OpenOwn(link, os.O_RDWR)
	require.ErrorIs(t, err, ErrNotRegular)
	_, err = OpenOwn(pipe, os.O_RDWR)
	require.ErrorIs(t, err, ErrNotRegular)
	dangling := filepath.Join(dir, "dangling")
	require.NoError(t, os.Symlink(filepath.Join(dir, "victim"), dangling))
	_, err = OpenOwn(dangling, os.O_RDWR)
	require.ErrorIs(t, err, ErrNotRegular)
	require.NoFileExists(t, filepath.Join(dir, "victim"))
}

func TestWriteFileReplacesLinksAndPipes(t *testing.T) {
	dir := t.TempDir()
	victim, path, temporary := filepath.Join(dir, "victim"), filepath.Join(dir, "file"), filepath.Join(dir, ".tmp-file")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	plant := map[string]func(path string) error{
		"nothing": func(string) error { return nil },
		"link":    func(path string) error { return os.Symlink(victim, path) },
		"pipe":    func(path string) error { return syscall.Mkfifo(path, 0o600) },
	}
	for name, at := range plant {
		for other, inPlace := range plant {
			require.NoError(t, at(temporary), name)
			require.NoError(t, inPlace(path), other)
			require.NoError(t, WriteFile(path, Options{Temporary: temporary}, []byte("new")))
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, "new", string(content))
			content, err = os.ReadFile(victim)
			require.NoError(t, err)
			require.Equal(t, "precious", string(content))
			require.NoFileExists(t, temporary)
			require.NoError(t, os.Remove(path))
		}
	}
}

func TestWriteFileLeavesPermissionsToTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o002))
	path := filepath.Join(t.TempDir(), "file")
	for perm, want := range map[fs.FileMode]fs.FileMode{0: 0o664, 0o644: 0o644, 0o606: 0o604} {
		require.NoError(t, WriteFile(path, Options{Temporary: path + ".part", Perm: perm}, nil))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm())
	}
}
