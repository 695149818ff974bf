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

// locked runs write while no other writer runs, in this process or another. If ctx ends before its turn, write does not run. If a process ends,
// the kernel releases its lock.
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
	go func() { // polling the lock instead of waiting for it would starve beside a busy writer
		release, err := s.lock(ctx)
		taken <- lock{release, err}
	}()
	select {
	case l := <-taken:
		if l.err != nil {
			return fmt.Errorf("model directory: locking %s: %w", path, l.err)
		}
		defer l.release()
	case <-ctx.Done():
		go func() { // waiting for a lock cannot be interrupted
			if l := <-taken; l.err == nil {
				l.release()
			}
		}()
		return fmt.Errorf("model directory: waiting for the writer that holds %s: %w", path, ctx.Err())
	}
	return write()
}

// lock locks LOCK, and then the directory itself. If somebody replaces LOCK while a writer holds it, by restoring a backup or removing empty
// files, the next writer would lock another file.
func (s *Store) lock(ctx context.Context) (release func(), err error) {
	file, err := s.lockFile(ctx)
	if err != nil {
		return nil, err
	}
	dir := flock.New(s.dir, flock.SetFlag(os.O_RDONLY))
	// Windows and some file systems (NFS) cannot lock a directory, or want it open for writing. LOCK alone is enough if nobody replaces it.
	if failed := (*fs.PathError)(nil); errors.As(dir.Lock(), &failed) && !errors.Is(failed, syscall.EISDIR) {
		return nil, errors.Join(failed, file.Close())
	}
	return func() {
		_ = dir.Close()
		_ = file.Close()
	}, nil
}

// lockFile locks LOCK, and makes sure that the locked file still is LOCK afterwards. Who no longer waits creates no other one.
func (s *Store) lockFile(ctx context.Context) (*flock.Flock, error) {
	path := s.path(lockFile)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
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
