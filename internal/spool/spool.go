// Package spool keeps events on disk until a model is learnt from them. Events that Append has taken survive a crash of the process or of the
// machine.
package spool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gofrs/flock"

	"connect-deepcase/internal/disk"
)

// Spool is a directory of segments, each a file with one record per line, in the order of arrival. Its methods may be called from several
// goroutines at once.
type Spool struct {
	dir    string
	limits Limits
	lock   *flock.Flock

	mu        sync.Mutex
	segments  []segment // oldest first; the last one is written to
	open      *os.File  // the last segment, nil until something is appended to it
	records   int
	bytes     int64
	snapshots int       // that are open
	dropped   []segment // their files go when no snapshot is open any more
	crowded   int       // records that were dropped because of Limits.Bytes, though there were no more than Limits.Records
	stuck     error     // of the last trim
}

// Limits say how much a spool keeps.
type Limits struct {
	Records int   // the newest records that are always kept, unless they take more than Bytes
	Bytes   int64 // of all segments
}

// parts is about how many segments a full spool has.
const parts = 16

// ErrLocked says that another process uses the directory.
var ErrLocked = errors.New("another process uses it")

// Open opens the spool in a directory for this process alone, and creates the directory if it does not exist. If the spool holds more than its
// limits, the oldest records are dropped, a sixteenth of the limits at a time.
func Open(dir string, limits Limits) (s *Spool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("spool %s: %w", dir, err)
		}
	}()
	if limits.Records < 1 || limits.Bytes < 1 {
		return nil, fmt.Errorf("keeping %d records of %d bytes, need at least 1 of each", limits.Records, limits.Bytes)
	}
	if err := disk.MakeDir(dir); err != nil {
		return nil, err
	}
	lock := filepath.Join(dir, "lock")
	if file, err := disk.OpenOwn(lock, os.O_RDONLY); err != nil { // a pipe, say, which would be waited for
		return nil, err
	} else if err := file.Close(); err != nil {
		return nil, err
	}
	s = &Spool{dir: dir, limits: limits, lock: flock.New(lock, flock.SetFlag(os.O_RDONLY))}
	if locked, err := s.lock.TryLock(); err != nil {
		return nil, err
	} else if !locked {
		return nil, ErrLocked
	}
	if err := s.scan(); err != nil {
		return nil, errors.Join(err, s.lock.Unlock())
	}
	s.trim()
	return s, nil
}

// scan finds the segments.
func (s *Spool) scan() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		g, ok := parseSegment(entry.Name())
		if !ok {
			continue
		}
		if err := g.scan(s.dir); err != nil {
			return err
		}
		s.segments = append(s.segments, g)
		s.records += g.records
		s.bytes += g.bytes
	}
	slices.SortStableFunc(s.segments, func(a, b segment) int { return cmp.Compare(a.number, b.number) })
	return nil
}

// Append appends all records or none. They are safe on disk when it returns.
func (s *Spool) Append(records []Record) error {
	var lines bytes.Buffer
	for i := range records {
		if err := appendLine(&lines, &records[i]); err != nil {
			return fmt.Errorf("spool %s: %w", s.dir, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(lines.Bytes(), len(records)); err != nil {
		return fmt.Errorf("spool %s: %w", s.dir, err)
	}
	return nil
}

func (s *Spool) write(lines []byte, records int) error {
	if len(lines) == 0 {
		return nil
	}
	if err := s.ready(); err != nil {
		return err
	}
	last := &s.segments[len(s.segments)-1]
	_, err := s.open.Write(lines)
	if err == nil {
		err = s.open.Sync()
	}
	if err != nil {
		// Whatever was written, the segment ends after its last complete record.
		err = errors.Join(err, s.open.Truncate(last.bytes), s.open.Close())
		s.open = nil
		if last.bytes == 0 { // a disk that is full for long must not be filled with empty files
			if e := os.Remove(s.path(*last)); e == nil {
				s.segments = s.segments[:len(s.segments)-1]
			} else {
				err = errors.Join(err, e)
			}
		}
		return err
	}
	last.records += records
	last.bytes += int64(len(lines))
	s.records += records
	s.bytes += int64(len(lines))
	s.trim()
	return nil
}

// ready opens the last segment for writing, or a new one if that is full or of an older version.
func (s *Spool) ready() error {
	if n := len(s.segments); n > 0 {
		last := s.segments[n-1]
		if last.checked && last.records < max(1, s.limits.Records/parts) && last.bytes < max(1, s.limits.Bytes/parts) {
			if s.open != nil {
				return nil
			}
			file, err := os.OpenFile(s.path(last), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			if err := file.Truncate(last.bytes); err != nil { // a write that failed may have left something
				return errors.Join(err, file.Close())
			}
			s.open = file
			return nil
		}
	}
	return s.rotate()
}

// rotate starts a new segment.
func (s *Spool) rotate() error {
	next := segment{number: 1, checked: true}
	if n := len(s.segments); n > 0 {
		next.number = s.segments[n-1].number + 1
	}
	if n := len(s.dropped); n > 0 { // after Clear their files may still be there
		next.number = max(next.number, s.dropped[n-1].number+1)
	}
	file, err := os.OpenFile(s.path(next), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	if err := disk.SyncDir(s.dir); err != nil {
		return errors.Join(err, file.Close(), os.Remove(s.path(next)))
	}
	if s.open != nil {
		err = s.open.Close()
	}
	s.open, s.segments = file, append(s.segments, next)
	return err
}

func (s *Spool) path(g segment) string { return filepath.Join(s.dir, g.name()) }

// trim drops the oldest segments beyond the limits. If one cannot be removed, it and those after it stay until the next time. That is no error
// of Append: what was written is safe, and must not be written again.
func (s *Spool) trim() {
	for len(s.segments) > 1 {
		oldest := s.segments[0]
		enough := s.records-oldest.records >= s.limits.Records
		if !enough && s.bytes <= s.limits.Bytes {
			break
		}
		if s.stuck = s.drop(); s.stuck != nil {
			return
		}
		if !enough {
			s.crowded += oldest.records
		}
	}
	s.stuck = nil
}

// drop forgets the oldest segment.
func (s *Spool) drop() error {
	oldest := s.segments[0]
	if s.snapshots > 0 {
		s.dropped = append(s.dropped, oldest)
	} else if err := os.Remove(s.path(oldest)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	s.records -= oldest.records
	s.bytes -= oldest.bytes
	s.segments = s.segments[1:]
	return nil
}

// release is called when a snapshot is closed.
func (s *Spool) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snapshots--; s.snapshots > 0 {
		return nil
	}
	var errs []error
	for _, g := range s.dropped {
		if err := os.Remove(s.path(g)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	s.dropped = nil
	return errors.Join(errs...)
}

// Stuck is the reason that records beyond the limits could not be dropped, nil if they could.
func (s *Spool) Stuck() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stuck == nil {
		return nil
	}
	return fmt.Errorf("spool %s: %w", s.dir, s.stuck)
}

// Crowded is the number of records that were dropped only because of Limits.Bytes since the spool was opened.
func (s *Spool) Crowded() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crowded
}

// Len is the number of records kept.
func (s *Spool) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records
}

// Clear forgets all records.
func (s *Spool) Clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.open != nil {
		err = s.open.Close()
		s.open = nil
	}
	// The oldest go first, so that a crash leaves the newest.
	for len(s.segments) > 0 {
		if e := s.drop(); e != nil {
			return errors.Join(err, e)
		}
	}
	return errors.Join(err, disk.SyncDir(s.dir))
}

// Close ends the use of the directory. It may be called again.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.open != nil {
		err = s.open.Close()
		s.open = nil
	}
	return errors.Join(err, s.lock.Unlock())
}
