//go:build unix

package store

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/disk"
	"connect-deepcase/model"
	"connect-deepcase/model/bundle"
)

// Others may write a model directory that a group shares: what they plant there is neither written through nor waited for.
func TestPlantedLinksAreNotWrittenThrough(t *testing.T) {
	s := open(t)
	first := publish(t, s, 1)
	publish(t, s, 2)
	victim := filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	require.NoError(t, os.Symlink(victim, s.path(scratch+currentFile)))
	_, err := s.Rollback(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, 1, number(t, s))
	info, err := os.Lstat(s.path(currentFile))
	require.NoError(t, err)
	require.True(t, info.Mode().IsRegular())

	require.NoError(t, os.Remove(s.path(currentFile)))
	require.NoError(t, os.Symlink(victim, s.path(currentFile)))
	publish(t, s, 3)
	require.Equal(t, 3, number(t, s))
	content, err := os.ReadFile(victim)
	require.NoError(t, err)
	require.Equal(t, "precious", string(content))

	made := filepath.Join(t.TempDir(), "made")
	require.NoError(t, os.Remove(s.path(lockFile)))
	require.NoError(t, os.Symlink(made, s.path(lockFile)))
	_, err = s.Publish(t.Context(), numbered(4))
	require.ErrorIs(t, err, disk.ErrNotRegular)
	require.ErrorContains(t, err, "LOCK: a link is not a regular file")
	require.NoFileExists(t, made)
}

func TestPipesAreNotWaitedFor(t *testing.T) {
	s := open(t)
	first, second := publish(t, s, 1), publish(t, s, 2)
	pipe := func(parts ...string) {
		path := s.path(parts...)
		require.NoError(t, os.RemoveAll(path))
		require.NoError(t, syscall.Mkfifo(path, 0o666))
	}
	pipe(currentFile)
	_, err := s.Current()
	require.True(t, isDamage(err))
	versions, err := s.Versions()
	require.NoError(t, err)
	require.Len(t, versions, 2)
	for _, file := range []string{"weights.safetensors", "manifest.json"} {
		pipe(versionsDir, second, file)
		_, err = s.Load(second)
		var damaged *bundle.DamagedError
		require.ErrorAs(t, err, &damaged)
	}
	_, err = s.Rollback(t.Context(), first)
	require.NoError(t, err, "it repairs CURRENT")
	require.Equal(t, 1, number(t, s))
	pipe(lockFile)
	_, err = s.Publish(t.Context(), numbered(4))
	require.ErrorIs(t, err, disk.ErrNotRegular)
}

// A model directory may be a link, and its files may be links that a mount is made of, as in Kubernetes.
func TestMountsAreMadeOfLinks(t *testing.T) {
	s := open(t)
	version := publish(t, s, 1)
	dir := filepath.Join(t.TempDir(), "mount")
	require.NoError(t, os.Mkdir(dir, 0o777))
	require.NoError(t, os.Symlink(s.dir, filepath.Join(dir, "..data")))
	for _, name := range []string{currentFile, versionsDir} {
		require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}
	require.NoError(t, os.Symlink(dir, dir+"-link"))
	for _, dir := range []string{dir, dir + "-link"} {
		mounted, err := Open(dir, false)
		require.NoError(t, err)
		loaded, err := mounted.Read((*Store).Current)
		require.NoError(t, err)
		require.Equal(t, version, loaded.Version)
	}
	linked, err := Open(dir+"-link", false)
	require.NoError(t, err)
	publish(t, linked, 2) // a volume that is one, and no read-only map
	require.Equal(t, 2, number(t, linked))
}

// Who gave up waiting leaves the directory alone, also if LOCK was removed meanwhile.
func TestWhoGaveUpCreatesNoLockFile(t *testing.T) {
	s := open(t)
	publish(t, s, 1)
	require.NoError(t, os.Remove(s.path(lockFile)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.lockFile(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, s.path(lockFile))
}

// Somebody restores a backup or removes empty files while a writer works: the next writer waits all the same.
func TestAReplacedLockFileLetsNobodyIn(t *testing.T) {
	s := open(t)
	publish(t, s, 1)
	second := make(chan error, 1)
	_, err := s.Update(t.Context(), func(_ string, current *model.Model) (*model.Model, error) {
		require.NoError(t, os.Remove(s.path(lockFile)))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := s.Publish(ctx, numbered(8))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		go func() {
			_, err := s.Update(t.Context(), func(_ string, m *model.Model) (*model.Model, error) { return m.WithScores(map[int]float64{0: 7}) })
			second <- err
		}()
		return current.WithScores(map[int]float64{1: 9})
	})
	require.NoError(t, err)
	require.NoError(t, <-second)
	loaded, err := s.Read((*Store).Current)
	require.NoError(t, err)
	require.Equal(t, 7.0, loaded.Model.Clusters[0].Score)
	require.Equal(t, 9.0, loaded.Model.Clusters[1].Score, "the first one's work is not lost")
}
