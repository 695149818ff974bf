package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
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
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, WriteFile(path, Options{}, []byte("before")))
	full := errors.New("disk full")
	err := write(path, Options{}, func(w io.Writer) error {
		_, _ = w.Write(make([]byte, 1<<17))
		return full
	})
	require.ErrorIs(t, err, full)
	require.Equal(t, "before", content(t, path))
	alone(t, path)
	require.Error(t, WriteFile(filepath.Join(path, "in", "a", "file"), Options{}, nil))
}

func TestWriteFileKeepsWhatIsThereIfAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, WriteFile(path, Options{New: true}, []byte("first")))
	require.ErrorIs(t, WriteFile(path, Options{New: true}, []byte("second")), fs.ErrExist)
	require.Equal(t, "first", content(t, path))
	alone(t, path)
}

func TestWriteFileGivesTheMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, WriteFile(path, Options{Mode: 0o646}, nil))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o646), info.Mode().Perm())
}

// Two processes that save one file do not write into each other's temporary file.
func TestWritersOfOnePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			text := strings.Repeat(fmt.Sprint(i), 1<<17)
			if err := WriteFile(path, Options{}, []byte(text)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	text := content(t, path)
	require.Equal(t, strings.Repeat(text[:1], 1<<17), text)
	alone(t, path)
}
