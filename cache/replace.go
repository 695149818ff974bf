package cache

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"connect-deepcase/internal/disk"
)

// replace puts a value in the place of an entry, which before describes, or makes a new one (before is nil). It returns when the disk has confirmed
// it. Those who write at the same time wait for the disk together.
func (f *files) replace(path string, before fs.FileInfo, value []byte) error {
	temporary, err := f.prepare(value)
	if err != nil {
		return err
	}
	swapped := false
	if before != nil && before.Mode().IsRegular() { // in place of anything else, a rename does the right thing
		err = disk.Swap(temporary, path)
		swapped = err == nil
	}
	if !swapped { // there is no file yet, or not any more, or the file system cannot swap
		if err = os.Rename(temporary, path); err != nil {
			return errors.Join(err, removeIfThere(temporary))
		}
	}
	err = f.dirs.do(f.dir, func(dirs []string) error { return disk.SyncDir(dirs[0]) })
	switch {
	case !swapped:
		return err
	case err != nil: // the old file may still be the entry on disk: it must not be written again
		return errors.Join(err, removeIfThere(temporary))
	}
	return f.spares.keep(temporary, before.Size(), f.bounds.now())
}

// prepare writes a value to a scratch file and flushes it.
func (f *files) prepare(value []byte) (path string, err error) {
	file, err := f.spares.create(f.dir, f.bounds.now())
	if err != nil {
		return "", err
	}
	_, err = file.Write(value)
	if err == nil {
		err = file.Truncate(int64(len(value)))
	}
	if err == nil {
		err = f.flush(file)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, removeIfThere(file.Name()))
	}
	return file.Name(), nil
}

// few is how many files are flushed one by one, so that a few small writes do not wait for what others write to the file system.
const few = 8

// flush waits until the disk has the file.
func (f *files) flush(file *os.File) error {
	if f.whole == nil {
		return file.Sync()
	}
	return f.syncs.do(file, func(files []*os.File) error {
		if len(files) > few {
			return disk.SyncAll(f.whole)
		}
		errs := make([]error, len(files))
		var running sync.WaitGroup
		for i, file := range files {
			running.Go(func() { errs[i] = file.Sync() })
		}
		running.Wait()
		return errors.Join(errs...)
	})
}
