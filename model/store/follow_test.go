package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/bundle"
)

// followed is a Follower with what it told.
type followed struct {
	*Follower
	refuse error // of take
	looks  []Look
}

func follow(dir string) *followed {
	f := &followed{}
	f.Follower = NewFollower(dir, func(*Loaded) error { return f.refuse }, func(l Look) { f.looks = append(f.looks, l) })
	return f
}

// one is the only thing that the next look tells.
func (f *followed) one(t *testing.T) Look {
	t.Helper()
	f.looks = nil
	f.Look()
	require.Len(t, f.looks, 1)
	return f.looks[0]
}

func (f *followed) nothing(t *testing.T) {
	t.Helper()
	f.looks = nil
	f.Look()
	require.Empty(t, f.looks)
}

func TestFollowerWaitsForTheFirstVersion(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	f := follow(dir)
	look := f.one(t)
	require.True(t, look.Empty)
	require.ErrorIs(t, look.Err, os.ErrNotExist)
	require.NoError(t, f.Err(), "it is no failure")
	f.nothing(t)
	s, err := Open(dir, true)
	require.NoError(t, err)
	f.nothing(t)
	version := publish(t, s, 1)
	look = f.one(t)
	require.Equal(t, version, look.Loaded.Version)
	require.Equal(t, 1, look.Loaded.Model.Samples)
	require.Equal(t, version, f.Version())
	f.nothing(t)
}

func TestFollowerKeepsTheVersionInUse(t *testing.T) {
	s := open(t)
	f := follow(s.dir)
	good := publish(t, s, 1)
	f.one(t)
	for name, damage := range map[string]func() error{
		"version":   func() error { return os.Truncate(s.path(versionsDir, publish(t, s, 2), "weights.safetensors"), 9) },
		"pointer":   func() error { return os.WriteFile(s.path(currentFile), nil, 0o666) },
		"nothing":   func() error { return os.Remove(s.path(currentFile)) },
		"directory": func() error { return os.Rename(s.dir, s.dir+".away") },
		"refused":   func() error { publish(t, s, 2); f.refuse = errors.New("no engine"); return nil },
	} {
		require.NoError(t, damage(), name)
		look := f.one(t)
		require.Error(t, look.Err, name)
		require.False(t, look.Empty, name)
		require.False(t, look.Again, name)
		require.Equal(t, look.Err, f.Err(), name)
		require.True(t, f.one(t).Again, name)
		require.Equal(t, good, f.Version(), name)
		if name == "directory" {
			require.NoError(t, os.Rename(s.dir+".away", s.dir))
		}
		f.refuse = nil
		good = publish(t, s, 3)
		require.Equal(t, good, f.one(t).Loaded.Version, name)
		require.NoError(t, f.Err(), name)
	}
}

func TestFollowerTriesARefusedVersionAgain(t *testing.T) {
	s := open(t)
	version := publish(t, s, 1)
	f := follow(s.dir)
	f.refuse = errors.New("no engine")
	require.EqualError(t, f.one(t).Err, "version "+version+": no engine")
	require.Empty(t, f.Version())
	f.refuse = nil
	require.Equal(t, version, f.one(t).Loaded.Version)
}

func TestFollowLooksAtEachTick(t *testing.T) {
	s := open(t)
	synctest.Test(t, func(t *testing.T) {
		f := NewFollower(s.dir, func(*Loaded) error { return nil }, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ticks := make(chan time.Time)
		done := make(chan struct{})
		go func() {
			f.Follow(ctx, ticks)
			close(done)
		}()
		version, err := s.publish(numbered(1), bundle.Lineage{})
		require.NoError(t, err)
		ticks <- time.Time{}
		synctest.Wait()
		require.Equal(t, version, f.Version())
		cancel()
		<-done
	})
}
