// Package store keeps the versions of a model in a directory that many processes read and write (docs/model-format.md).
//
// [Open] opens the directory. [Store.Publish] writes a new version and makes it current. [Store.PublishInheriting] does so for a model whose
// clusters inherit the scores of the current one, and [Store.Update] for changes of the current model, such as scores. [Store.Read] loads a
// version, [Store.Versions] lists them, and [Store.Rollback] makes an earlier one current. A [Follower] takes over each new version while a
// program runs.
//
// Guarantees: a reader sees all of a version or nothing of it. Writers, of any process, never lose each other's versions. After a crash at any
// point, the version that was current still is, or the new one. Damage is found when a version is read (bundle.DamagedError), and damage of
// one version does not stop others from being read or published.
package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"connect-deepcase/internal/disk"
	"connect-deepcase/model"
	"connect-deepcase/model/bundle"
)

// ErrEmpty says that nothing was published yet.
var ErrEmpty = errors.New("no model was published yet")

// What a model directory holds. Names in versions/ that start with a dot are what a writer is still working on.
const (
	currentFile = "CURRENT"
	lockFile    = "LOCK"
	versionsDir = "versions"
	scratch     = ".tmp-"
)

// Store is a model directory. Its methods may be called from several goroutines at once.
type Store struct {
	dir    string
	retain int                            // versions to keep, 0 for all
	now    func() time.Time               // gives versions their names and dates
	last   atomic.Pointer[bundle.Version] // that Update read or wrote last; nil before
}

// Version describes one published version.
type Version struct {
	Name     string
	Created  time.Time
	Current  bool
	Events   int // distinct events, NO_EVENT included
	Samples  int
	Clusters int
	Scored   int // clusters with a score
	// Err says why the version cannot be read. nil means that its manifest and the sizes of its files are right; only Load reads the files.
	Err error
}

// Option is a setting of a Store.
type Option func(*Store)

// Retain has each publish first remove old versions. The newest n stay, and so do the current one and the newest version of each of the n
// newest clusterings, so that scores, which make a new version each time, do not push out earlier trainings. The version that was replaced
// stays until the next publish, for those who still read it. 0, the default, keeps all.
func Retain(n int) Option { return func(s *Store) { s.retain = max(n, 0) } }

// Open opens a model directory. If it is missing, it is created, or the error is os.ErrNotExist if create is false.
func Open(dir string, create bool, options ...Option) (*Store, error) {
	s := &Store{dir: dir, now: time.Now}
	for _, option := range options {
		option(s)
	}
	if create {
		if err := disk.MakeDir(dir); err != nil {
			return nil, fmt.Errorf("model directory: %w", err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("model directory: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("model directory: %s is not a directory", dir)
	}
	return s, nil
}

// Current is the name of the current version. It reads one small file. If nothing was published yet, errors.Is(err, ErrEmpty); if CURRENT
// names no version, err is a *bundle.DamagedError.
func (s *Store) Current() (string, error) {
	path := s.path(currentFile)
	f, _, err := disk.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s: %w", s.dir, ErrEmpty)
	case errors.Is(err, disk.ErrNotRegular):
		return "", s.damagedCurrent(disk.ErrNotRegular)
	case err != nil:
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, 256))
	if err != nil {
		return "", err
	}
	name := strings.TrimSuffix(string(content), "\n")
	if _, _, err := parseName(name); err != nil {
		return "", s.damagedCurrent(err)
	}
	return name, nil
}

func (s *Store) damagedCurrent(err error) error {
	return &bundle.DamagedError{Path: s.path(currentFile),
		Err: fmt.Errorf("%w (CURRENT is damaged: name one of %s to repair it, with `deepcase rollback --to`)", err, s.path(versionsDir))}
}

func isDamage(err error) bool {
	var damaged *bundle.DamagedError
	return errors.As(err, &damaged)
}

// Load reads and checks a whole version. If there is no such version, errors.Is(err, os.ErrNotExist). If a newer program wrote it,
// errors.Is(err, bundle.ErrNewerFormat). If it is damaged, err is a *bundle.DamagedError.
func (s *Store) Load(version string) (*model.Model, error) {
	if _, _, err := parseName(version); err != nil { // it could lead out of the directory
		return nil, err
	}
	m, _, err := bundle.Read(s.path(versionsDir, version))
	return m, err
}

// Loaded is a version with its model.
type Loaded struct {
	Version string
	Model   *model.Model
	Created time.Time // when it was published, by the writer's clock; its name may be later (Ahead)
	Trained time.Time // when its clusters were learnt; scores that were given since made newer versions
	version *bundle.Version
}

// maxReads is how often a reader starts again.
const maxReads = 20

// Read loads the version that which names, such as (*Store).Current. If a writer removes that version before it is read, Read asks which again
// and starts over.
func (s *Store) Read(which func(*Store) (string, error)) (*Loaded, error) {
	return s.readAfter(which, nil)
}

// readAfter is Read. What the version shares with the one before, which may be nil, is in memory once.
func (s *Store) readAfter(which func(*Store) (string, error), before *bundle.Version) (*Loaded, error) {
	version, err := which(s)
	if err != nil {
		return nil, err
	}
	for range maxReads {
		v, failed := bundle.ReadAfter(s.path(versionsDir, version), before)
		if failed == nil {
			return &Loaded{version, v.Model, v.Manifest.Created, s.trained(v.Manifest), v}, nil
		}
		err = fmt.Errorf("version %s: %w", version, failed)
		next, failed := which(s)
		if failed != nil {
			return nil, failed
		}
		if next == version {
			return nil, err
		}
		version = next
	}
	return nil, err
}

// trained is when the clusters of a version were learnt. Earlier programs did not write that down, but named the first version that has them.
func (s *Store) trained(m *bundle.Manifest) time.Time {
	switch {
	case !m.Trained.IsZero():
		return m.Trained
	case len(m.SameClusters) == 0:
		return m.Created
	}
	first := m.SameClusters[0]
	if manifest, err := s.manifest(first); err == nil {
		return manifest.Created
	}
	if named, err := CreatedAt(first); err == nil && named.Before(m.Created) { // it may be ahead
		return named
	}
	return m.Created
}

// Clustering names the version that the clusters of a version come from: both have the same clusters, except for scores. It is the version
// itself if it was trained, cannot be read, or was written by an earlier program, which did not write that down.
func (s *Store) Clustering(version string) string {
	if same := s.sameClusters(version); len(same) > 0 {
		return same[0]
	}
	return version
}

// SameClusters tells whether two versions are known to have the same clusters, except for scores. The version seen may have been removed.
func (s *Store) SameClusters(version, seen string) bool {
	return version == seen || slices.Contains(s.sameClusters(version), seen)
}

func (s *Store) sameClusters(version string) []string {
	manifest, err := s.manifest(version)
	if err != nil {
		return nil
	}
	return manifest.SameClusters
}

func (s *Store) manifest(version string) (*bundle.Manifest, error) {
	if _, _, err := parseName(version); err != nil { // it could lead out of the directory
		return nil, err
	}
	return bundle.ReadManifest(s.path(versionsDir, version))
}

// PendingNetwork names the version whose network is to be clustered: the newest version if it has no clusters yet (Stage), or else the current
// one. Versions that only changed scores do not count.
func (s *Store) PendingNetwork() (string, error) {
	names, err := s.names()
	if err != nil {
		return "", err
	}
	return s.pendingNetwork(names, s.manifest)
}

func (s *Store) pendingNetwork(names []string, manifest func(string) (*bundle.Manifest, error)) (string, error) {
	for _, name := range slices.Backward(names) {
		manifest, err := manifest(name)
		if mayRecover(err) {
			return "", err
		} else if err != nil || len(manifest.SameClusters) > 0 {
			continue
		}
		if manifest.Counts.Clusters == 0 {
			return name, nil
		}
		break
	}
	return s.Current()
}

// Versions lists all versions, oldest first, including the current one if it is missing. If CURRENT is damaged, none is current, so that there is
// still a list to choose from.
func (s *Store) Versions() ([]Version, error) {
	for range maxReads {
		versions, changed, err := s.versions()
		if err != nil || !changed {
			return versions, err
		}
	}
	return nil, fmt.Errorf("%s: the versions change faster than they can be listed", s.dir)
}

// versions is Versions. changed tells whether writers have removed some of them meanwhile.
func (s *Store) versions() (list []Version, changed bool, err error) {
	names, err := s.names()
	if err != nil {
		return nil, false, err
	}
	current, err := s.Current()
	if err != nil && !errors.Is(err, ErrEmpty) && !isDamage(err) {
		return nil, false, err
	}
	if at, there := slices.BinarySearch(names, current); err == nil && !there {
		names = slices.Insert(names, at, current)
	}
	versions := make([]Version, len(names))
	for i, name := range names {
		versions[i] = Version{Name: name, Current: name == current}
		manifest, err := s.manifest(name)
		if err != nil {
			versions[i].Err = err
			_, gone := os.Lstat(s.path(versionsDir, name))
			now, _ := s.Current()
			changed = changed || errors.Is(gone, fs.ErrNotExist) && (name != current || name != now)
			continue
		}
		c := manifest.Counts
		versions[i].Created, versions[i].Events, versions[i].Samples = manifest.Created, c.Events, c.Samples
		versions[i].Clusters, versions[i].Scored = c.Clusters, c.Scored
	}
	return versions, changed, nil
}

// names are the names of all versions, oldest first.
func (s *Store) names() ([]string, error) {
	entries, err := os.ReadDir(s.path(versionsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries { // sorted
		if _, _, err := parseName(e.Name()); err == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}
