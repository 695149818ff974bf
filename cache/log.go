package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"connect-deepcase/internal/disk"
)

const (
	// logName is the file of the log. No name of an entry begins with a dot, and earlier versions leave this file alone.
	logName = ".deepcase_file.log"
	// maxLog is how many bytes the log has at most, less what is written at the same time, and maxAge how old its first record is at most: after
	// that, its values are written to their files. So the files are never much older than the entries.
	maxLog, maxAge = 32 << 20, time.Minute
)

// logFile has the newest values of entries, which are not in their files yet: to write many at once, the disk has to confirm one file only. All
// processes that use the directory append to the same log, each while it has the directory's lock. Nobody changes what is in it: when the values are
// in their files, the log is removed, and the next write begins another one. So anyone can read it at any time.
type logFile struct {
	path  string
	most  int64                // bytes after which it is folded: maxLog, except in tests
	flush func(*os.File) error // (*os.File).Sync, except in tests

	mu     sync.RWMutex
	file   *os.File // what was read last, or nil. As long as it is open, no other file can be taken for it
	info   fs.FileInfo
	end    int64 // what was read has so many bytes; there may be more
	size   int64 // how many bytes there were when that was looked up
	first  int64 // when the first record was written, in Unix nanoseconds
	last   map[string]place
	named  bool // the disk has confirmed that the file is there
	failed bool // a write failed: what is on the disk is not certain
}

// place is where the last record of a name is in the log.
type place struct {
	start   int64
	size    int
	written int64
	of      fileID
}

func newLog(dir string) *logFile {
	return &logFile{path: filepath.Join(dir, logName), most: maxLog, flush: (*os.File).Sync}
}

// catchUp reads what was written since the last call, by whomever.
func (l *logFile) catchUp() error {
	l.mu.RLock()
	_, done, err := l.look()
	l.mu.RUnlock()
	if done || err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, done, err := l.look() // again: what was seen without the lock may be older than what another goroutine has read meanwhile
	if done || err != nil {
		return err
	}
	if l.file != nil && (now == nil || !os.SameFile(l.info, now)) {
		l.forget()
	}
	if now == nil {
		return nil
	}
	if l.file == nil {
		file, info, err := disk.Open(l.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		l.file, l.info, l.last = file, info, map[string]place{}
	}
	_, _, err = l.readOn(false)
	return err
}

// look looks at the file, which may not be there (nil), and says whether all of it was read. The caller has the lock.
func (l *logFile) look() (now fs.FileInfo, done bool, err error) {
	now, err = os.Lstat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, l.file == nil, nil
	} else if err != nil {
		return nil, false, err
	}
	return now, l.file != nil && l.end == now.Size() && os.SameFile(l.info, now), nil
}

// forget closes the log, for the next call to open another one. The caller has the lock.
func (l *logFile) forget() {
	if l.file != nil {
		_ = l.file.Close() // it was only read
	}
	l.file, l.info, l.end, l.size, l.first, l.last, l.named, l.failed = nil, nil, 0, 0, 0, nil, false, false
}

// readOn reads records up to the end, or to something else, which may be a record that is being written. If nobody is writing, salvage reads on
// after that: it says how many bytes are no record, and whether there are records after them. The caller has the lock.
func (l *logFile) readOn(salvage bool) (skipped int64, between bool, err error) {
	info, err := l.file.Stat()
	if err != nil {
		return 0, false, err
	}
	l.size = info.Size()
	buf := make([]byte, min(l.size-l.end, 16*maxRecord))
	for l.end < l.size {
		data := buf[:min(l.size-l.end, int64(len(buf)))]
		if _, err := l.file.ReadAt(data, l.end); err != nil {
			return skipped, between, err
		}
		isEnd := l.end+int64(len(data)) == l.size
		for len(data) > 0 && (isEnd || len(data) >= maxRecord) {
			r, n, ok := readRecord(data)
			switch {
			case ok:
				l.note(r, l.end+int64(n))
				between = skipped > 0
			case salvage:
				n = skip(data)
				skipped += int64(n)
			default:
				return 0, false, nil
			}
			l.end += int64(n)
			data = data[n:]
		}
	}
	return skipped, between, nil
}

// note notes a record that ends there.
func (l *logFile) note(r record, end int64) {
	if l.first == 0 {
		l.first = r.written
	}
	size := recordHead + len(r.name) + len(r.value)
	l.last[r.name] = place{end - int64(size), size, r.written, r.of}
}

// full says whether the values should be written to their files before the next one is appended. The caller has the directory's lock: so what is no
// record is none that is being written.
func (l *logFile) full(now time.Time) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.file == nil {
		return false
	}
	age := now.Sub(time.Unix(0, l.first))
	return l.failed || l.end < l.size || l.size >= l.most || l.first != 0 && (age >= maxAge || age < 0) || !disk.OnlyMine(l.info)
}

// counting is where the value of a name is, if there is one that counts for this file.
func (l *logFile) counting(name string, info fs.FileInfo) (place, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.find(name, info)
}

func (l *logFile) find(name string, info fs.FileInfo) (place, bool) {
	at, ok := l.last[name]
	return at, ok && info.Mode().IsRegular() && at.of == idOf(info)
}

// read reads the record that counts for this file, if there is one.
func (l *logFile) read(name string, info fs.FileInfo) (r record, ok bool, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	at, ok := l.find(name, info)
	if !ok {
		return r, false, nil
	}
	data := make([]byte, at.size)
	if _, err := l.file.ReadAt(data, at.start); err != nil {
		return r, false, err
	}
	if r, _, ok = readRecord(data); !ok || r.name != name { // it was there before
		return r, false, fmt.Errorf("entry %q: %w", name, errDamaged)
	}
	return r, true, nil
}

var errDamaged = errors.New("its value in " + logName + " is damaged")

// append writes records to the log, and returns when they are on disk. The caller has the directory's lock and has caught up.
func (l *logFile) append(records []byte) error {
	l.mu.RLock()
	isNew, named, end := l.file == nil, l.named, l.end
	l.mu.RUnlock()
	err := l.write(records, isNew, end)
	if err == nil && !named {
		err = disk.SyncDir(filepath.Dir(l.path))
	}
	err = errors.Join(err, l.catchUp())
	l.mu.Lock()
	l.failed, l.named = l.failed || err != nil, err == nil && l.file != nil
	l.mu.Unlock()
	return err
}

// write writes records where the log ends. Only who has the directory's lock creates or removes it.
func (l *logFile) write(records []byte, isNew bool, end int64) (err error) {
	var file *os.File
	if isNew {
		file, err = os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	} else {
		file, err = disk.OpenExisting(l.path)
	}
	if err != nil {
		return err
	}
	_, err = file.WriteAt(records, end)
	if err == nil {
		err = l.flush(file)
	}
	return errors.Join(err, file.Close())
}

// names are those that have a value in the log.
func (l *logFile) names() []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Collect(maps.Keys(l.last))
}

// salvage reads on after something that is no record: the rest of a write that was killed, most often. The caller has the directory's lock.
func (l *logFile) salvage() (skipped int64, between bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return 0, false, nil
	}
	return l.readOn(true)
}

// remove removes the log, whose values are in their files. The caller has the directory's lock.
func (l *logFile) remove() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	l.forget()
	return os.Remove(l.path)
}

// close closes the log.
func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget()
}
