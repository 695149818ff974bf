// Package spool keeps events on disk until a model is learnt from them. What Append has taken survives a crash of the process and of the
// machine.
package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"connect-deepcase/internal/disk"
)

// Record is an event as it is spooled.
type Record struct {
	Machine  string          `json:"machine,omitempty"`
	Event    string          `json:"event"`
	Seconds  int64           `json:"s,omitempty"` // since 1970
	Nanos    int64           `json:"n,omitempty"`
	ID       string          `json:"id,omitempty"`
	Score    *float64        `json:"score,omitempty"`
	Context  []string        `json:"context,omitempty"` // where the event came with one, "" for NO_EVENT
	Document json.RawMessage `json:"document,omitempty"`
}

// Time is when the event happened.
func (r *Record) Time() time.Time { return time.Unix(r.Seconds, r.Nanos).UTC() }

// Spool is a directory of segments, each a file of records in JSON, a line each, in the order of arrival. Its methods may be called from
// several goroutines at once.
type Spool struct {
	dir  string
	most int // records to keep, approximately
	lock *flock.Flock

	mu       sync.Mutex
	segments []segment // oldest first; the last one is written to
	open     *os.File  // the last segment, nil before the first Append
	records  int
	found    int   // number of the last segment that was there when the spool was opened
	stuck    error // of the last trim
}

type segment struct {
	number  int
	records int
	bytes   int64
}

// ErrLocked says that another process uses the directory.
var ErrLocked = errors.New("another process uses it")

// Open opens the spool in a directory, which is made where missing, for this process alone. When it holds more than most records, the
// oldest go, a segment (most/16) at a time.
func Open(dir string, most int) (s *Spool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("spool %s: %w", dir, err)
		}
	}()
	if most < 1 {
		return nil, fmt.Errorf("keeping %d records, need at least 1", most)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s = &Spool{dir: dir, most: most, lock: flock.New(filepath.Join(dir, "lock"))}
	if locked, err := s.lock.TryLock(); err != nil {
		return nil, err
	} else if !locked {
		return nil, ErrLocked
	}
	if err := s.scan(); err != nil {
		return nil, errors.Join(err, s.lock.Unlock())
	}
	return s, nil
}

// scan counts what is there and cuts off what a crash left of a record.
func (s *Spool) scan() error {
	names, err := filepath.Glob(filepath.Join(s.dir, "events-*.ndjson"))
	if err != nil {
		return err
	}
	for _, name := range names {
		var g segment
		if _, err := fmt.Sscanf(filepath.Base(name), "events-%d.ndjson", &g.number); err != nil {
			continue // not ours
		}
		file, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		err = g.count(file)
		if err == nil {
			err = file.Truncate(g.bytes)
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
		s.segments = append(s.segments, g)
		s.records += g.records
	}
	slices.SortFunc(s.segments, func(a, b segment) int { return a.number - b.number })
	if n := len(s.segments); n > 0 {
		s.found = s.segments[n-1].number
	}
	return nil
}

// count finds the whole lines of a segment.
func (g *segment) count(file io.Reader) error {
	buffer := make([]byte, 1<<20)
	for at := int64(0); ; {
		n, err := file.Read(buffer)
		if last := bytes.LastIndexByte(buffer[:n], '\n'); last >= 0 {
			g.records += bytes.Count(buffer[:n], []byte{'\n'})
			g.bytes = at + int64(last) + 1
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (s *Spool) path(number int) string {
	return filepath.Join(s.dir, fmt.Sprintf("events-%08d.ndjson", number))
}

// Append takes records: all of them, safely on disk when it returns, or none.
func (s *Spool) Append(records []Record) error {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for i := range records {
		if err := encoder.Encode(&records[i]); err != nil {
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
	if s.open == nil || s.segments[len(s.segments)-1].records >= max(1, s.most/16) {
		if err := s.rotate(); err != nil {
			return err
		}
	}
	last := &s.segments[len(s.segments)-1]
	_, err := s.open.Write(lines)
	if err == nil {
		err = s.open.Sync()
	}
	if err != nil {
		// Whatever came of it, the next record starts in a new segment, and this one ends where it was whole.
		err = errors.Join(err, s.open.Truncate(last.bytes), s.open.Close())
		s.open = nil
		if last.bytes == 0 { // a disk that is full for long must not be filled with empty files
			if e := os.Remove(s.path(last.number)); e == nil {
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
	s.trim()
	return nil
}

// rotate starts a new segment.
func (s *Spool) rotate() error {
	number := 1
	if len(s.segments) > 0 {
		number = s.segments[len(s.segments)-1].number + 1
	}
	file, err := os.OpenFile(s.path(number), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	if err := disk.SyncDir(s.dir); err != nil {
		return errors.Join(err, file.Close(), os.Remove(s.path(number)))
	}
	if s.open != nil {
		err = s.open.Close()
	}
	s.open, s.segments = file, append(s.segments, segment{number: number})
	return err
}

// trim drops the oldest segments as long as enough is left. One that cannot be removed stays for the next time, and those after it: what
// was written is safe, and a spool that is too large is no reason to write it again.
func (s *Spool) trim() {
	for len(s.segments) > 1 && s.records-s.segments[0].records >= s.most {
		if err := os.Remove(s.path(s.segments[0].number)); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.stuck = err
			return
		}
		s.records -= s.segments[0].records
		s.segments = s.segments[1:]
	}
	s.stuck = nil
}

// Stuck says why the oldest records could not be dropped when more than enough were there, nil where they could.
func (s *Spool) Stuck() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stuck == nil {
		return nil
	}
	return fmt.Errorf("spool %s: %w", s.dir, s.stuck)
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
	defer func() {
		if len(s.segments) == 0 { // numbers start anew
			s.found = 0
		}
	}()
	// The oldest first: what a crash leaves is then what came last.
	for len(s.segments) > 0 {
		if e := os.Remove(s.path(s.segments[0].number)); e != nil && !errors.Is(e, os.ErrNotExist) {
			return errors.Join(err, e)
		}
		s.records -= s.segments[0].records
		s.segments = s.segments[1:]
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
