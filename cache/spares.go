package cache

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"connect-deepcase/internal/disk"
)

const (
	// rest is how long a file that was replaced is not written again: a reader may still have it open. It is longer than the grain of the file
	// system's time, so that a reader sees by the date that a file was written again.
	rest = 100 * time.Millisecond
	// maxSpares and maxSpare are the most files, and the most bytes of one, that are kept for that.
	maxSpares, maxSpare = 4096, 16 << 10
)

// spares are files that were replaced. They are written again instead of new ones: where many files were removed a short while ago, ext4 took about a
// millisecond to create one, and writing an old one again was several times as fast.
type spares struct {
	mu     sync.Mutex
	queue  []spare // the one that rests longest is first
	mode   fs.FileMode
	closed bool
}

type spare struct {
	path  string
	since time.Time
}

// create opens a scratch file to write, a new one or a spare.
func (s *spares) create(dir string, now time.Time) (*os.File, error) {
	for {
		path, mode := s.take(now)
		if path == "" {
			break
		}
		file, err := disk.OpenExisting(path)
		if err != nil { // another process that cleans has removed it, or a directory was in the place of the entry
			if !errors.Is(err, fs.ErrNotExist) {
				_ = os.Remove(path)
			}
			continue
		}
		// Not what somebody has a second name for, such as a backup made of links, and not with another owner or other permissions.
		if info, err := file.Stat(); err == nil && info.Mode() == mode && disk.OnlyMine(info) {
			return file, nil
		}
		_ = file.Close()
		_ = os.Remove(path)
	}
	file, err := os.OpenFile(scratchPath(dir), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err == nil {
		s.mu.Lock()
		s.mode = info.Mode()
		s.mu.Unlock()
	}
	return file, nil
}

// take gives the path of a spare that has rested, and the mode that new files have.
func (s *spares) take(now time.Time) (string, fs.FileMode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 || now.Sub(s.queue[0].since) < rest {
		return "", 0
	}
	path := s.queue[0].path
	s.queue = s.queue[1:]
	return path, s.mode
}

// keep keeps a file that was replaced, if it has so many bytes, or removes it. The disk must have confirmed that it was replaced: else a power
// failure would bring it back as an entry.
func (s *spares) keep(path string, bytes int64, now time.Time) error {
	s.mu.Lock()
	kept := !s.closed && bytes <= maxSpare && len(s.queue) < maxSpares
	if kept {
		s.queue = append(s.queue, spare{path, now})
	}
	s.mu.Unlock()
	if kept {
		return nil
	}
	return removeIfThere(path)
}

// close removes all spares.
func (s *spares) close() error {
	s.mu.Lock()
	queue := s.queue
	s.queue, s.closed = nil, true
	s.mu.Unlock()
	var err error
	for _, old := range queue {
		err = errors.Join(err, removeIfThere(old.path))
	}
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
