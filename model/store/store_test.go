package store

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/bundle"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// numbered is a small model that tells by its number of samples which one it is.
func numbered(number int) *model.Model {
	p := model.DefaultParams()
	p.Length, p.Hidden = 2, 3
	w, err := contextbuilder.Init(contextbuilder.Config{Events: 4, Length: 2, Hidden: 3, Layers: 1}, uint64(number))
	if err != nil {
		panic(err)
	}
	return &model.Model{Params: p, Names: []string{"a", "b", "c"}, Weights: w, Samples: number,
		Clusters:      []model.Cluster{{ID: 0, Event: "b", Size: number, Score: interpreter.NoScore}, {ID: 1, Event: "c", Size: 5, Score: 3}},
		Vectors:       &interpreter.Vectors{Offsets: []int32{0, 1, 3}, IDs: []int32{0, 1, 3}, Values: []int32{10_000, 4_000, 6_000}},
		VectorCluster: []int32{0, 1}}
}

func open(t testing.TB, options ...Option) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "models", "web"), true, options...)
	require.NoError(t, err)
	return s
}

func publish(t testing.TB, s *Store, number int) string {
	t.Helper()
	version, err := s.Publish(t.Context(), numbered(number))
	require.NoError(t, err)
	return version
}

// number says which model is current.
func number(t testing.TB, s *Store) int {
	t.Helper()
	current, err := s.Current()
	require.NoError(t, err)
	m, err := s.Load(current)
	require.NoError(t, err)
	return m.Samples
}

func names(t testing.TB, s *Store) []string {
	t.Helper()
	found, err := s.names()
	require.NoError(t, err)
	return found
}

func TestOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	_, err := Open(dir, false)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotErrorIs(t, err, ErrEmpty)
	s, err := Open(dir, true)
	require.NoError(t, err)
	_, err = Open(dir, false)
	require.NoError(t, err)
	_, err = Open(dir, true)
	require.NoError(t, err)
	_, err = s.Current()
	require.ErrorIs(t, err, ErrEmpty)
	require.ErrorContains(t, err, dir)
	versions, err := s.Versions()
	require.NoError(t, err)
	require.Empty(t, versions)

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	for _, create := range []bool{false, true} {
		_, err = Open(file, create)
		require.ErrorContains(t, err, file+" is not a directory")
		_, err = Open(filepath.Join(file, "in"), create)
		require.ErrorContains(t, err, "not a directory")
		_, err = Open("", create)
		require.Error(t, err)
	}
}

func TestPublish(t *testing.T) {
	s := open(t)
	first := publish(t, s, 1)
	second := publish(t, s, 2)
	require.Less(t, first, second)
	require.Equal(t, 2, number(t, s))
	m, err := s.Load(first)
	require.NoError(t, err)
	require.Equal(t, numbered(1), m)
	versions, err := s.Versions()
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), versions[0].Created, time.Minute)
	require.Equal(t, []Version{
		{Name: first, Created: versions[0].Created, Events: 4, Samples: 1, Clusters: 2, Scored: 1},
		{Name: second, Created: versions[1].Created, Current: true, Events: 4, Samples: 2, Clusters: 2, Scored: 1},
	}, versions)
	entries, err := os.ReadDir(s.path(versionsDir))
	require.NoError(t, err)
	require.Len(t, entries, 2, "a temporary folder is left")
}

func TestPublishRefusesABadModelAndLeavesNothingBehind(t *testing.T) {
	s := open(t)
	version := publish(t, s, 1)
	bad := numbered(2)
	bad.Clusters[0].Examples = []json.RawMessage{json.RawMessage("{")} // noticed only while it is written
	_, err := s.Publish(t.Context(), bad)
	require.Error(t, err)
	_, err = s.Publish(t.Context(), nil)
	require.Error(t, err)
	require.Equal(t, 1, number(t, s))
	entries, err := os.ReadDir(s.path(versionsDir))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, version, entries[0].Name())
}

func TestUpdate(t *testing.T) {
	s := open(t)
	_, err := s.Update(t.Context(), func(_ string, _ *model.Model) (*model.Model, error) {
		t.Error("there is nothing to change")
		return nil, nil
	})
	require.ErrorIs(t, err, ErrEmpty)
	first := publish(t, s, 1)
	version, err := s.Update(t.Context(), func(name string, current *model.Model) (*model.Model, error) {
		require.Equal(t, first, name)
		name, err := s.Current() // reading is allowed meanwhile
		require.NoError(t, err)
		require.Equal(t, first, name)
		require.Equal(t, 1, current.Samples)
		return current.WithScores(map[int]float64{0: 7})
	})
	require.NoError(t, err)
	m, err := s.Load(version)
	require.NoError(t, err)
	require.Equal(t, 7.0, m.Clusters[0].Score)

	same, err := s.Update(t.Context(), func(_ string, current *model.Model) (*model.Model, error) { return current, nil })
	require.NoError(t, err)
	require.Equal(t, version, same)
	require.Equal(t, []string{first, version}, names(t, s), "nothing is published if nothing changes")

	failed := errors.New("no idea")
	_, err = s.Update(t.Context(), func(_ string, _ *model.Model) (*model.Model, error) { return nil, failed })
	require.Equal(t, failed, err)
	_, err = s.Update(t.Context(), func(_ string, _ *model.Model) (*model.Model, error) { return nil, nil })
	require.ErrorContains(t, err, "no model")
	require.Panics(t, func() {
		_, _ = s.Update(t.Context(), func(_ string, _ *model.Model) (*model.Model, error) { panic("in change") })
	})
	current, err := s.Current()
	require.NoError(t, err)
	require.Equal(t, version, current)
	publish(t, s, 3) // the lock is free
}

func TestWaitForAnotherWriterEndsWithItsContext(t *testing.T) {
	s := open(t)
	first, second := publish(t, s, 1), publish(t, s, 2)
	writes := map[string]func(ctx context.Context) error{
		"publish": func(ctx context.Context) error { _, err := s.Publish(ctx, numbered(3)); return err },
		"update": func(ctx context.Context) error {
			_, err := s.Update(ctx, func(string, *model.Model) (*model.Model, error) { return numbered(3), nil })
			return err
		},
		"rollback": func(ctx context.Context) error { _, err := s.Rollback(ctx, first); return err },
	}
	other := flock.New(s.path(lockFile))
	require.NoError(t, other.Lock())
	for name, write := range writes {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := write(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		require.ErrorContains(t, err, "waiting for the writer that holds "+s.path(lockFile))
	}
	require.NoError(t, other.Close())
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, write := range writes {
		require.ErrorIs(t, write(over), context.Canceled, name)
	}
	require.Equal(t, 2, number(t, s))
	require.Equal(t, []string{first, second}, names(t, s))
	for name, write := range writes {
		require.NoError(t, write(t.Context()), "whoever gave up does not keep the lock: %s", name)
	}
}

func TestVersionNamesDoNotLeadOutOfTheDirectory(t *testing.T) {
	s := open(t)
	version := publish(t, s, 1)
	for _, name := range []string{"", ".", "..", "../versions/" + version, version + "/", "/etc", "20261323T141500Z-3f2a", ".tmp-" + version} {
		_, err := s.Load(name)
		require.ErrorContains(t, err, "is not the name of a version", name)
		if name != "" {
			_, err = s.Rollback(t.Context(), name)
			require.ErrorContains(t, err, "is not the name of a version", name)
		}
	}
}

func TestDamagedDirectory(t *testing.T) {
	current := func(s *Store) error { _, err := s.Current(); return err }
	load := func(s *Store) error {
		name, err := s.Current()
		if err == nil {
			_, err = s.Load(name)
		}
		return err
	}
	for name, c := range map[string]struct {
		damage func(s *Store, version string) error
		read   func(s *Store) error
		want   string
	}{
		"CURRENT is empty": {func(s *Store, _ string) error { return os.Truncate(s.path(currentFile), 0) }, current, `CURRENT: "" is not the name`},
		"CURRENT names what cannot be a version": {
			func(s *Store, _ string) error { return os.WriteFile(s.path(currentFile), []byte("../../etc\n"), 0o666) },
			current, `CURRENT: "../../etc" is not the name of a version`},
		"CURRENT cannot be read": { // whoever runs this test may read any file, but nobody reads a folder
			func(s *Store, _ string) error {
				return errors.Join(os.Remove(s.path(currentFile)), os.Mkdir(s.path(currentFile), 0o777))
			}, current, "CURRENT: is not a regular file"},
		"CURRENT names a missing version": {
			func(s *Store, version string) error { return os.RemoveAll(s.path(versionsDir, version)) }, load, "manifest.json: no such file"},
		"version is half-written": {
			func(s *Store, version string) error { return os.Remove(s.path(versionsDir, version, "manifest.json")) }, load, "manifest.json: no such file"},
		"file is missing": {
			func(s *Store, version string) error { return os.Remove(s.path(versionsDir, version, "clusters.json")) }, load, "clusters.json: no such file"},
		"file is truncated": {
			func(s *Store, version string) error {
				return os.Truncate(s.path(versionsDir, version, "weights.safetensors"), 100)
			}, load, "weights.safetensors: 100 bytes"},
		"wrong checksum": {
			func(s *Store, version string) error {
				path := s.path(versionsDir, version, "clusters.json")
				content, err := os.ReadFile(path)
				return errors.Join(err, os.WriteFile(path, []byte(strings.Replace(string(content), `"score":3`, `"score":4`, 1)), 0o666))
			}, load, "clusters.json: sha256 is"},
		"newer format": {
			func(s *Store, version string) error {
				return os.WriteFile(s.path(versionsDir, version, "manifest.json"), []byte(`{"format":3}`), 0o666)
			}, load, "newer format: 3, this program understands 1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			good, bad := publish(t, s, 1), publish(t, s, 2)
			require.NoError(t, c.damage(s, bad))
			err := c.read(s)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, s.dir)
			require.NotErrorIs(t, err, ErrEmpty)
			if info, err := os.Stat(s.path(currentFile)); err == nil && info.IsDir() {
				return
			}
			versions, err := s.Versions()
			require.NoError(t, err)
			require.Len(t, versions, 2)
			require.Equal(t, current(s) == nil, versions[1].Current)
			_, err = s.Rollback(t.Context(), good)
			require.NoError(t, err)
			require.Equal(t, 1, number(t, s))
		})
	}
}

func TestVersionsTellsWhichCannotBeRead(t *testing.T) {
	s := open(t)
	one, two, three, four := publish(t, s, 1), publish(t, s, 2), publish(t, s, 3), publish(t, s, 4)
	require.NoError(t, os.Truncate(s.path(versionsDir, one, "weights.safetensors"), 9))
	require.NoError(t, os.WriteFile(s.path(versionsDir, two, "manifest.json"), []byte(`{"format":3}`), 0o666))
	require.NoError(t, os.RemoveAll(s.path(versionsDir, four)))
	require.NoError(t, os.Mkdir(s.path(versionsDir, "lost+found"), 0o777))
	versions, err := s.Versions()
	require.NoError(t, err)
	require.Len(t, versions, 4)
	require.ErrorContains(t, versions[0].Err, one)
	require.ErrorIs(t, versions[1].Err, bundle.ErrNewerFormat)
	require.NoError(t, versions[2].Err)
	require.Equal(t, three, versions[2].Name)
	require.ErrorIs(t, versions[3].Err, os.ErrNotExist)
	require.True(t, versions[3].Current)
}

func TestPublishRepairs(t *testing.T) {
	s := open(t)
	publish(t, s, 1)
	require.NoError(t, os.WriteFile(s.path(currentFile), []byte("garbage"), 0o666))
	publish(t, s, 2)
	require.Equal(t, 2, number(t, s))
}

func TestLeftoversGoWithTheNextPublish(t *testing.T) {
	s := open(t)
	first := publish(t, s, 1)
	left := s.path(versionsDir, scratch+"20200101T000000Z-0000")
	require.NoError(t, os.MkdirAll(left, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(left, "weights.safetensors"), []byte("half"), 0o666))
	require.NoError(t, os.WriteFile(s.path(scratch+currentFile), []byte("2026"), 0o666))
	require.Equal(t, []string{first}, names(t, s))
	publish(t, s, 2)
	require.NoDirExists(t, left)
	require.NoFileExists(t, s.path(scratch+currentFile))
}

func TestNames(t *testing.T) {
	at := time.Date(2026, 11, 23, 14, 15, 0, 500_000_000, time.FixedZone("", 3600))
	for _, c := range []struct{ last, want string }{
		{"", "20261123T131500Z-8000"},
		{"20261123T131459Z-ffff", "20261123T131500Z-8000"},
		{"20261123T131500Z-8000", "20261123T131500Z-8001"}, // within the same part of a second
		{"20261231T235959Z-ffff", "20270101T000000Z-0000"}, // the clock went back
	} {
		name, err := nextName(c.last, at)
		require.NoError(t, err)
		require.Equal(t, c.want, name)
	}
	_, err := nextName("", time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC))
	require.ErrorContains(t, err, "is not the name of a version")
	_, err = nextName("99991231T235959Z-ffff", at)
	require.Error(t, err)
}

func TestVersionsAscendWhateverTheClockSays(t *testing.T) {
	s := open(t)
	last := ""
	for _, second := range []int64{50, 50, 10, 0, 51} {
		s.now = func() time.Time { return time.Unix(second, 0) }
		version := publish(t, s, int(second))
		require.Greater(t, version, last)
		last = version
	}
	require.Equal(t, last, formatName(time.Unix(51, 0), 0))
}
