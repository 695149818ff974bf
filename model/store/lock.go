package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/gofrs/flock"

	"connect-deepcase/internal/disk"
)

// locked runs write while no other writer does, in this process or another, unless ctx ends before its turn. The kernel lets go of the
// lock of a process that ends.
func (s *Store) locked(ctx context.Context, write func() error) error {
	path := s.path(lockFile)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("model directory: locking %s: %w", path, err)
	}
	type lock struct {
		release func()
		err     error
	}
	taken := make(chan lock, 1)
	go func() { // asking now and then in place of waiting would starve beside a busy writer
		release, err := s.lock()
		taken <- lock{release, err}
	}()
	select {
	case l := <-taken:
		if l.err != nil {
			return fmt.Errorf("model directory: locking %s: %w", path, l.err)
		}
		defer l.release()
	case <-ctx.Done():
		go func() { // the wait itself cannot be ended
			if l := <-taken; l.err == nil {
				l.release()
			}
		}()
		return fmt.Errorf("model directory: waiting for the writer that holds %s: %w", path, ctx.Err())
	}
	return write()
}

// lock takes LOCK, and then the directory itself: somebody may replace LOCK while a writer holds it, by restoring a backup or removing empty
// files, and the next writer would lock another file.
func (s *Store) lock() (release func(), err error) {
	file, err := s.lockFile()
	if err != nil {
		return nil, err
	}
	dir := flock.New(s.dir, flock.SetFlag(os.O_RDONLY))
	// Some file systems (NFS) and Windows cannot lock a directory, or want it open for writing; LOCK alone does where nobody replaces it.
	if failed := (*fs.PathError)(nil); errors.As(dir.Lock(), &failed) && !errors.Is(failed, syscall.EISDIR) {
		return nil, errors.Join(failed, file.Close())
	}
	return func() {
		_ = dir.Close()
		_ = file.Close()
	}, nil
}

// lockFile locks the file that is LOCK once it is locked.
func (s *Store) lockFile() (*flock.Flock, error) {
	path := s.path(lockFile)
	for {
		f, err := disk.OpenOwn(path, os.O_RDONLY)
		if err != nil {
			return nil, err
		}
		lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
		err = lock.Lock()
		opened, statErr := f.Stat()
		_ = f.Close()
		if err == nil && statErr == nil {
			if now, err := os.Lstat(path); err == nil && os.SameFile(opened, now) {
				return lock, nil
			}
		}
		_ = lock.Close()
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		if statErr != nil {
			return nil, statErr
		}
	}
}
