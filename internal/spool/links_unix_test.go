//go:build unix

package spool_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/disk"
	"connect-deepcase/internal/spool"
)

// What somebody plants in a folder that a group shares is neither written through nor waited for.
func TestRejectedEventsAreNotWrittenThroughALink(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	for name, plant := range map[string]func(path string) error{
		"link": func(path string) error { return os.Symlink(victim, path) },
		"pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		dir := t.TempDir()
		s := open(t, dir, 10)
		require.NoError(t, plant(filepath.Join(dir, spool.RejectedFile)))
		err := s.Reject([]spool.Rejected{{Text: "evil"}})
		if name == "link" {
			assert.ErrorIs(t, err, disk.ErrNotRegular, name)
		} else {
			assert.Error(t, err, name)
		}
	}
	content, err := os.ReadFile(victim)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(content))
}

func TestALockThatIsNoFileIsNotWaitedFor(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	for name, plant := range map[string]func(path string) error{
		"link": func(path string) error { return os.Symlink(victim, path) },
		"pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		dir := t.TempDir()
		require.NoError(t, plant(filepath.Join(dir, "lock")))
		_, err := spool.Open(dir, keep(10))
		assert.ErrorIs(t, err, disk.ErrNotRegular, name)
	}
	assert.NoFileExists(t, victim)
}
