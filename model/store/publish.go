package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"connect-deepcase/internal/disk"
	"connect-deepcase/model"
	"connect-deepcase/model/bundle"
)

// Publish writes m as a new version and makes it current, atomically. A reader sees all of it or nothing, and a crash at any point leaves the
// old version current. When ctx ends, the wait for other writers ends; what comes after it is not interrupted.
func (s *Store) Publish(ctx context.Context, m *model.Model) (version string, err error) {
	err = s.locked(ctx, func() error {
		version, err = s.publish(m, bundle.Lineage{})
		return err
	})
	return version, err
}

// Update publishes what change makes of the current model, with no other writer in between, and returns the new version. If change returns
// the model that it was given, nothing is published, and Update returns the current version. An error of change publishes nothing and is
// returned as it is. change must not write to the same directory: it would wait for itself. ctx ends the wait for other writers.
//
// The store keeps the version in memory, so that the next Update need not read it, and writes only what change made new: a store that is kept
// open publishes scores several times faster.
func (s *Store) Update(ctx context.Context, change func(version string, current *model.Model) (*model.Model, error)) (version string, err error) {
	err = s.locked(ctx, func() error {
		name, err := s.Current()
		if err != nil {
			return err
		}
		last := s.last.Load()
		if dir := s.path(versionsDir, name); last == nil || last.Dir != dir || !last.InFolder() {
			if last, err = bundle.ReadAfter(dir, last); err != nil {
				return err
			}
			s.last.Store(last)
		}
		before, manifest := last.Model, last.Manifest
		m, err := change(name, before)
		if err != nil {
			return err
		}
		if m == before {
			version = name
			return nil
		}
		var lineage bundle.Lineage
		if m != nil && m.Weights == before.Weights && m.SameClusters(before) == nil { // not trained again
			lineage.SameClusters, lineage.Trained = slices.Concat(manifest.SameClusters, []string{name}), s.trained(manifest)
		}
		version, err = s.publish(m, lineage)
		return err
	})
	return version, err
}

// Stage is Publish for a network without clusters, which would answer unknown_event to everything. If the current version has clusters, it stays
// current, and the new one waits to be clustered (PendingNetwork).
func (s *Store) Stage(ctx context.Context, m *model.Model) (version string, current bool, err error) {
	err = s.locked(ctx, func() error {
		name, err := s.Current()
		if current = errors.Is(err, ErrEmpty) || err == nil && s.clusterless(name); current {
			version, err = s.publish(m, bundle.Lineage{})
			return err
		}
		version, err = s.write(m, bundle.Lineage{Previous: name})
		return err
	})
	if err != nil {
		return "", false, err
	}
	return version, current, nil
}

// publish writes a version and makes it current. lineage may name the versions that have its clusters. The lock must be held.
func (s *Store) publish(m *model.Model, lineage bundle.Lineage) (string, error) {
	lineage.Previous, _ = s.Current() // "" if there is none, or if CURRENT is damaged
	version, err := s.write(m, lineage)
	if err != nil {
		return "", err
	}
	if err := s.setCurrent(version); err != nil {
		return "", err
	}
	return version, nil
}

// Rollback makes another version current, after it has checked that it can be read. "" means the version that was current before the current
// one, and has clusters. When ctx ends, the wait for other writers ends.
func (s *Store) Rollback(ctx context.Context, version string) (string, error) {
	err := s.locked(ctx, func() (err error) {
		if version == "" {
			current, err := s.Current()
			if err != nil {
				return err
			}
			if version, err = s.clusteredBefore(current); err != nil {
				return err
			}
			if version == "" {
				return fmt.Errorf("%s: there is no version before the current one, %s", s.dir, current)
			}
		}
		if _, err := s.Load(version); err != nil {
			return fmt.Errorf("version %s cannot be read, so the current one stays: %w", version, err)
		}
		return s.setCurrent(version)
	})
	if err != nil {
		return "", err
	}
	return version, nil
}

// before is the version that was current when the given one was published, or "". If it was removed, or if an earlier program wrote the given
// one, which did not write that down, it is the previous version by name.
func (s *Store) before(version string) (string, error) {
	names, err := s.names()
	if err != nil {
		return "", err
	}
	at, _ := slices.BinarySearch(names, version)
	earlier := names[:at]
	if manifest, err := s.manifest(version); err == nil && slices.Contains(earlier, manifest.Previous) {
		return manifest.Previous, nil
	}
	if at == 0 {
		return "", nil
	}
	return earlier[at-1], nil
}

// clusteredBefore passes over networks without clusters, which would answer unknown_event to everything.
func (s *Store) clusteredBefore(version string) (string, error) {
	before, err := s.before(version)
	for err == nil && before != "" && s.clusterless(before) {
		before, err = s.before(before)
	}
	return before, err
}

func (s *Store) clusterless(version string) bool {
	manifest, err := s.manifest(version)
	return err == nil && manifest.Counts.Clusters == 0
}

// Writable says why nothing can be published in a directory, such as no permission or a read-only file system. If the directory is missing, it
// must be possible to create it. Writable leaves nothing behind.
func Writable(dir string) error {
	for _, dir := range []string{dir, filepath.Join(dir, versionsDir)} {
		for {
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
				break
			}
			dir = filepath.Dir(dir)
		}
		probe, err := os.CreateTemp(dir, scratch)
		if err != nil {
			return fmt.Errorf("model directory: %w", err)
		}
		if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) { // another process may have cleaned up
			return fmt.Errorf("model directory: %w", err)
		}
	}
	return nil
}

// write writes a version and does not make it current. The lock must be held.
func (s *Store) write(m *model.Model, lineage bundle.Lineage) (string, error) {
	if err := disk.MakeDir(s.path(versionsDir)); err != nil {
		return "", err
	}
	names, err := s.names()
	if err != nil {
		return "", err
	}
	last := ""
	if len(names) > 0 {
		last = names[len(names)-1]
	}
	now := s.now()
	if lineage.Trained.IsZero() {
		lineage.Trained = now.UTC()
	}
	name, err := nextName(last, now)
	if err != nil {
		return "", err
	}
	temporary := s.path(versionsDir, scratch+name)
	if err := os.RemoveAll(temporary); err != nil {
		return "", err
	}
	leftovers, err := s.leftovers()
	if err != nil {
		return "", err
	}
	var cleaning errgroup.Group
	for _, path := range leftovers {
		cleaning.Go(func() error { return os.RemoveAll(path) })
	}
	written, err := bundle.Write(temporary, m, lineage, now, s.last.Load())
	if err = errors.Join(err, cleaning.Wait()); err != nil {
		return "", errors.Join(err, os.RemoveAll(temporary))
	}
	written.Dir = s.path(versionsDir, name)
	if err := os.Rename(temporary, written.Dir); err != nil {
		return "", err
	}
	if s.last.Load() != nil { // this store updates
		s.last.Store(written)
	}
	if err := disk.SyncDir(s.path(versionsDir)); err != nil {
		return "", err
	}
	return name, nil
}

// setCurrent replaces CURRENT. The lock must be held: nobody else may use the temporary name.
func (s *Store) setCurrent(version string) error {
	return disk.WriteFile(s.path(currentFile), disk.Options{Temporary: s.path(scratch + currentFile)}, []byte(version+"\n"))
}

// leftovers are the paths of what killed writers left behind, and of old versions if not all are to be kept. The lock must be held.
func (s *Store) leftovers() ([]string, error) {
	if err := s.expire(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.path(versionsDir))
	if err != nil {
		return nil, err
	}
	left := []string{s.path(scratch + currentFile)}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), scratch) {
			left = append(left, s.path(versionsDir, e.Name()))
		}
	}
	return left, nil
}

// expire renames versions that need not be kept to scratch names. That is atomic, so that no version is ever there in part.
func (s *Store) expire() error {
	names, err := s.names()
	if s.retain == 0 || err != nil || len(names) <= s.retain {
		return err
	}
	current, err := s.Current()
	if err != nil {
		return nil // it is not known which version must not be removed
	}
	manifests := make(map[string]*bundle.Manifest, len(names)) // of those that can be read
	manifest := func(name string) (*bundle.Manifest, error) {
		if known, there := manifests[name]; there {
			return known, nil
		}
		m, err := s.manifest(name)
		if err == nil {
			manifests[name] = m
		}
		return m, err
	}
	builder, _ := s.pendingNetwork(names, manifest) // "" if it cannot be told
	clusterings := map[string]bool{}
	for i, name := range slices.Backward(names) {
		clustering, clusters := name, true // as of a version that cannot be read
		if manifest, err := manifest(name); err == nil {
			clusters = manifest.Counts.Clusters > 0
			if len(manifest.SameClusters) > 0 {
				clustering = manifest.SameClusters[0]
			}
		}
		newest := clusters && !clusterings[clustering]
		if clusters {
			clusterings[clustering] = true
		}
		if i >= len(names)-s.retain || newest && len(clusterings) <= s.retain || name == current || name == builder {
			continue
		}
		if err := os.Rename(s.path(versionsDir, name), s.path(versionsDir, scratch+name)); err != nil {
			return err
		}
	}
	return nil
}
