package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"connect-deepcase/model/bundle"
)

// Follower takes over the current version of a model directory, and each version that becomes current later. If a version cannot be read or
// taken over, the previous one stays in use, and the next look tries again. The directory may be created later.
type Follower struct {
	dir  string
	take func(*Loaded) error
	tell func(Look)
	now  func() time.Time

	look    sync.Mutex // one look at a time
	awaited bool       // tell has heard that there is no version yet
	last    *bundle.Version

	mu      sync.Mutex // guards what follows
	version string
	err     error
}

// Look is the result of a look at the directory: a new version, or why there is none.
type Look struct {
	Loaded *Loaded       // the version that was taken over; nil if none was
	Took   time.Duration // to read it and take it over
	// Err says why no version was taken over. Empty means that nothing was published yet.
	Err   error
	Empty bool
	Again bool // Err is the same as that of the previous look that failed
}

// NewFollower follows dir. take puts a version into use; if it returns an error, the previous version stays in use. tell hears of each version
// that was taken over, of each failure, and once that nothing was published yet; it may be nil. Neither may call Look.
func NewFollower(dir string, take func(*Loaded) error, tell func(Look)) *Follower {
	if tell == nil {
		tell = func(Look) {}
	}
	return &Follower{dir: dir, take: take, tell: tell, now: time.Now}
}

// Version names the version in use, "" if there is none yet.
func (f *Follower) Version() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.version
}

// Err says why the current version is not in use. It is nil if it is in use, or if nothing was published yet.
func (f *Follower) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Follow looks at each tick until ctx ends.
func (f *Follower) Follow(ctx context.Context, ticks <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			f.Look()
		}
	}
}

// Look takes over the current version if it is not in use yet.
func (f *Follower) Look() {
	f.look.Lock()
	defer f.look.Unlock()
	started, inUse := f.now(), f.Version()
	loaded, empty, err := f.load(inUse)
	switch {
	case err == nil && loaded == nil:
		f.set(inUse, nil)
	case err == nil:
		f.set(loaded.Version, nil)
		f.tell(Look{Loaded: loaded, Took: f.now().Sub(started)})
	case empty && inUse == "": // that is normal before the first training, or the path is wrong
		if !f.awaited {
			f.awaited = true
			f.tell(Look{Err: err, Empty: true})
		}
	default:
		before := f.Err()
		f.set(inUse, err)
		f.tell(Look{Err: err, Again: before != nil && before.Error() == err.Error()})
	}
}

// load reads and takes over the current version. loaded is nil if that is in use already. empty means that nothing was published yet.
func (f *Follower) load(inUse string) (loaded *Loaded, empty bool, err error) {
	s, err := Open(f.dir, false)
	if err != nil {
		return nil, errors.Is(err, fs.ErrNotExist), err
	}
	name, err := s.Current()
	if err != nil || name == inUse {
		return nil, errors.Is(err, ErrEmpty), err
	}
	if loaded, err = s.readAfter((*Store).Current, f.last); err != nil {
		return nil, false, err
	}
	if err := f.take(loaded); err != nil {
		return nil, false, fmt.Errorf("version %s: %w", loaded.Version, err)
	}
	f.last = loaded.version
	return loaded, false, nil
}

func (f *Follower) set(version string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version, f.err = version, err
}
