package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAFileIsSavedWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "p.csv"), filepath.Join(dir, "link.csv")
	require.NoError(t, os.WriteFile(path, []byte("before"), 0o640))
	require.NoError(t, os.Symlink("p.csv", link))
	content := func() string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(text)
	}
	half := func(w io.Writer) error {
		_, _ = w.Write(make([]byte, 1<<17))
		return errors.New("disk full")
	}
	assert.ErrorContains(t, saveFile(t.Context(), path, half), "disk full")
	assert.Equal(t, "before", content())

	interrupted, interrupt := context.WithCancel(t.Context())
	whole := func(w io.Writer) error {
		interrupt()
		_, err := io.WriteString(w, "after")
		return err
	}
	assert.ErrorIs(t, saveFile(interrupted, path, whole), context.Canceled)
	assert.Equal(t, "before", content())

	require.NoError(t, saveFile(t.Context(), link, whole))
	assert.Equal(t, "after", content())
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeSymlink, "a link stays a link")
	info, err = os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode().Perm())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2, "nothing is left behind")
}

func TestADeviceIsWrittenTo(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	write := func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }
	assert.ErrorContains(t, saveFile(t.Context(), "/dev/full", write), "no space left")
	assert.NoError(t, saveFile(t.Context(), os.DevNull, write))
	info, err := os.Stat("/dev/full")
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeDevice, "it is still a device")
}
