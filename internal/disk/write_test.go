package disk

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func alone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "a temporary file is left")
}

func TestAFailedWriteChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, os.MkdirAll(filepath.Join(path, "full"), 0o777)) // a folder that has something in it is not replaced
	require.Error(t, WriteFile(path, Options{Temporary: filepath.Join(dir, "part")}, []byte("new")))
	require.DirExists(t, filepath.Join(path, "full"))
	alone(t, path)
	require.Error(t, WriteFile(filepath.Join(dir, "in", "file"), Options{Temporary: filepath.Join(dir, "in", "part")}, nil))
}

func TestWriteFileKeepsWhatIsThereIfAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	once := Options{Temporary: path + ".part", New: true}
	require.NoError(t, WriteFile(path, once, []byte("first")))
	require.ErrorIs(t, WriteFile(path, once, []byte("second")), fs.ErrExist)
	require.Equal(t, "first", content(t, path))
	alone(t, path)
}

// However many writers were killed, there is one temporary file, and the next writer removes it.
func TestWriteFileTakesTheTemporaryFileOfAKilledWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path+".part", []byte("half of a longer text"), 0o600))
	require.NoError(t, WriteFile(path, Options{Temporary: path + ".part"}, []byte("new")))
	require.Equal(t, "new", content(t, path))
	alone(t, path)
}
