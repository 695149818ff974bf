package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/disk"
)

func (f *files) Get(_ context.Context, key string) ([]byte, error) {
	value, err := f.get(key, false)
	if err == nil && value == nil {
		return nil, service.ErrKeyNotFound
	}
	return value, err
}

// get gives the value of an entry, nil if there is none. caughtUp says that what is in the log was read after the call began.
func (f *files) get(key string, caughtUp bool) ([]byte, error) {
	name := f.name(key)
	for range maxReads {
		value, whole, err := f.read(name, caughtUp)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil
		case err != nil:
			return nil, err
		case whole:
			return value, nil
		}
		caughtUp = false
	}
	return nil, fmt.Errorf("entry %q: %d times, it was written while it was read: look who writes it", key, maxReads)
}

// maxReads is how often an entry is read that is written meanwhile.
const maxReads = 1000

// read reads an entry from the log or from its file. It is not whole if its file was written meanwhile.
func (f *files) read(name string, caughtUp bool) (value []byte, whole bool, err error) {
	if f.logs {
		if !caughtUp {
			if err := f.log.catchUp(); err != nil {
				return nil, false, err
			}
		}
		info, err := os.Lstat(filepath.Join(f.dir, name))
		if err != nil {
			return nil, false, err
		}
		r, ok, err := f.log.read(name, info)
		if ok && f.bounds.expired(time.Unix(0, r.written)) {
			return nil, false, fs.ErrNotExist
		}
		if ok || err != nil {
			return r.value, ok, err
		}
	}
	return f.readFile(name)
}

// readFile reads the file of an entry. It is whole if it was there before and after, with the same date: a file that was replaced is written again.
func (f *files) readFile(name string) (value []byte, whole bool, err error) {
	path := filepath.Join(f.dir, name)
	file, info, err := disk.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	before, err := os.Stat(path)
	if err != nil || !os.SameFile(info, before) {
		return nil, false, err
	}
	if f.bounds.expired(before.ModTime()) {
		return nil, false, fs.ErrNotExist
	}
	if before.Size() > maxEntry { // not what Set wrote: a sparse file that somebody put there, say
		return nil, false, fmt.Errorf("file %s has %d bytes, need at most %d: remove it", path, before.Size(), maxEntry)
	}
	value = make([]byte, before.Size())
	if _, err := io.ReadFull(file, value); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) { // cut off meanwhile
			return nil, false, nil
		}
		return nil, false, err
	}
	after, err := os.Stat(path)
	return value, err == nil && os.SameFile(info, after) && after.ModTime().Equal(before.ModTime()) && after.Size() == before.Size(), err
}
