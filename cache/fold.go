package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
)

// lockWait is how long a write waits for another process that has the directory's lock, which may be writing many files.
const lockWait = time.Minute

// locked runs do while no other process, and no other call of this one, changes the directory. If there is no log, each change stands for itself,
// and nothing is locked.
func (f *files) locked(do func() error) error {
	if !f.logs {
		return do()
	}
	f.changing.Lock()
	defer f.changing.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), f.lockWait)
	defer cancel()
	lock := flock.New(f.dir, flock.SetFlag(os.O_RDONLY))
	if _, err := lock.TryLockContext(ctx, time.Millisecond); errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("directory %s: another process has had its lock for %v: look whether one is stopped", f.dir, f.lockWait)
	} else if err != nil {
		return err
	}
	defer lock.Unlock()
	if err := f.log.catchUp(); err != nil {
		return err
	}
	return do()
}

// foldAtATime is how many values of the log are written to their files together.
const foldAtATime = 1000

// fold writes the values of the log to their files, and removes the log. The caller has the directory's lock. Wherever fold is killed, a file that
// it has written has the value of the log, which no longer counts for it, and for the others it does.
func (f *files) fold() error {
	if err := f.salvage(); err != nil {
		return err
	}
	for names := range slices.Chunk(f.log.names(), foldAtATime) {
		var sets []*set
		for _, name := range names {
			info, err := os.Lstat(filepath.Join(f.dir, name))
			if errors.Is(err, fs.ErrNotExist) {
				continue // it was removed
			} else if err != nil {
				return err
			}
			r, ok, err := f.log.read(name, info)
			switch {
			case errors.Is(err, errDamaged):
				f.bounds.log.Errorf("%v: the value before it counts", err)
			case err != nil:
				return err
			case ok:
				sets = append(sets, &set{name: name, value: r.value, written: time.Unix(0, r.written), before: info, folded: true})
			}
		}
		f.replaceAll(sets)
		for _, s := range sets {
			if s.err != nil {
				return fmt.Errorf("%s: %w", logName, s.err)
			}
		}
	}
	return f.log.remove()
}

// salvage reads what is in the log after something that is no record.
func (f *files) salvage() error {
	skipped, between, err := f.log.salvage()
	if between {
		f.bounds.log.Errorf("%s in %s: %d bytes are damaged: entries that were written in the last minute may have an older value. Look after the disk",
			logName, f.dir, skipped)
	}
	return err
}

// foldOld writes the values of the log to their files, whoever wrote them: at the start, what a killed process left, and at the end, so that the
// files are up to date.
func (f *files) foldOld() error {
	if !f.logs { // there is a log if the directory was copied from a file system that has one
		if err := f.log.catchUp(); err != nil {
			return err
		}
		return f.fold()
	}
	return f.locked(f.fold)
}
