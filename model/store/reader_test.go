package store

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A reader that is slower than the writers: its version is gone before it was read.
func TestReadStartsAgainWhereTheVersionIsGone(t *testing.T) {
	s := open(t, Retain(1))
	first := publish(t, s, 1)
	asked := 0
	loaded, err := s.Read(func(s *Store) (string, error) {
		name, err := s.Current()
		if asked++; asked <= 3 { // two publications later it is gone
			publish(t, s, 10+asked)
			publish(t, s, 20+asked)
			publish(t, s, 30+asked)
			require.NoDirExists(t, s.path(versionsDir, name))
		}
		return name, err
	})
	require.NoError(t, err)
	require.Equal(t, 4, asked)
	require.Equal(t, 33, loaded.Model.Samples)
	require.Greater(t, loaded.Version, first)

	require.NoError(t, os.RemoveAll(s.path(versionsDir, loaded.Version)))
	asked = 0
	_, err = s.Read(func(s *Store) (string, error) { asked++; return s.Current() })
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "version "+loaded.Version+": ")
	require.Equal(t, 2, asked, "it stays gone")
	require.NoError(t, os.Remove(s.path(currentFile)))
	_, err = s.Read((*Store).Current)
	require.ErrorIs(t, err, ErrEmpty)
}

// Versions that go while they are listed are not reported as damaged.
func TestVersionsAreListedAgainWhereSomeAreGone(t *testing.T) {
	s := open(t, Retain(1))
	publish(t, s, 1)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				if _, err := s.Publish(t.Context(), numbered(i)); !assert.NoError(t, err) {
					return
				}
			}
		}
	}()
	for range 200 {
		versions, err := s.Versions()
		require.NoError(t, err)
		for _, v := range versions {
			require.NoError(t, v.Err)
		}
	}
	close(stop)
	<-done
}

// A clock that was ahead once leaves names that are ahead; the ages come from the manifests.
func TestAgesAreRightAfterAClockThatWasAhead(t *testing.T) {
	s := open(t)
	ahead, now := time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return ahead }
	publish(t, s, 1)
	s.now = func() time.Time { return now }
	trained := publish(t, s, 2)
	require.Equal(t, "20991231T235959Z-0001", trained)
	loaded, err := s.Read((*Store).Current)
	require.NoError(t, err)
	require.Equal(t, now, loaded.Created)
	require.Equal(t, now, loaded.Trained)
	require.True(t, Ahead(trained, now))
	require.False(t, Ahead(trained, ahead))

	later := now.Add(24 * time.Hour)
	s.now = func() time.Time { return later }
	last := score(t, s, 7)
	require.Equal(t, "20991231T235959Z-0002", last)
	loaded, err = s.Read((*Store).Current)
	require.NoError(t, err)
	require.Equal(t, later, loaded.Created)
	require.Equal(t, now, loaded.Trained, "scores are no training")
	require.NoError(t, os.RemoveAll(s.path(versionsDir, trained)))
	again := score(t, s, 8)
	loaded, err = s.Read((*Store).Current)
	require.NoError(t, err)
	require.Equal(t, now, loaded.Trained, "it outlives the version of the training")
	require.Equal(t, again, loaded.Version)
}

// Versions of programs that did not write the time of the training down.
func TestTrainedOfOlderVersions(t *testing.T) {
	s := open(t)
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return at }
	trained := publish(t, s, 1)
	s.now = func() time.Time { return at.Add(time.Hour) }
	scored := score(t, s, 7)
	manifest, err := s.manifest(scored)
	require.NoError(t, err)
	manifest.Trained = time.Time{}
	require.Equal(t, at, s.trained(manifest))
	require.NoError(t, os.RemoveAll(s.path(versionsDir, trained)))
	require.Equal(t, at, s.trained(manifest), "by its name")
	manifest.SameClusters[0] = "20991231T235959Z-0000"
	require.Equal(t, at.Add(time.Hour), s.trained(manifest), "the name is ahead")
	manifest.SameClusters = nil
	require.Equal(t, at.Add(time.Hour), s.trained(manifest))
}

func TestReadKeepsTheModel(t *testing.T) {
	s := open(t)
	version := publish(t, s, 1)
	loaded, err := s.Read((*Store).Current)
	require.NoError(t, err)
	require.Equal(t, version, loaded.Version)
	require.Equal(t, numbered(1), loaded.Model)
}
