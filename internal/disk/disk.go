// Package disk reads and writes files so that a crash of the machine loses nothing, and so that a link or a pipe that somebody put in the place
// of a file does no harm.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotRegular says that there is a pipe, folder, device or link instead of a file.
var ErrNotRegular = errors.New("is not a regular file")

// SyncDir flushes a directory: until then a crash may undo that a file was created, renamed or removed in it. Windows cannot flush a
// directory (FlushFileBuffers refuses it, and NTFS keeps a journal of names), so SyncDir does nothing there.
func SyncDir(dir string) error {
	if !syncsDirs {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// MakeDir creates dir and missing folders above it, durably.
func MakeDir(dir string) error {
	err := os.Mkdir(dir, 0o777)
	if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := MakeDir(parent); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o777)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(dir))
}

// Open opens a regular file for reading. It follows links, because mounted directories consist of them (Kubernetes), and never waits for the
// other end of a pipe. Anything but a file is ErrNotRegular.
func Open(path string) (*os.File, fs.FileInfo, error) {
	return open(path, os.O_RDONLY)
}

// OpenOwn opens or creates a file that only this program writes. A link in its place is an error (ErrNotRegular).
func OpenOwn(path string, flag int) (*os.File, error) {
	f, _, err := open(path, flag|os.O_CREATE|noFollow)
	if isLink(err) {
		err = fmt.Errorf("%s: a link %w", path, ErrNotRegular)
	}
	return f, err
}

// OpenExisting opens a file to write it again from its beginning. A link in its place is an error.
func OpenExisting(path string) (*os.File, error) {
	f, _, err := open(path, os.O_WRONLY|noFollow)
	return f, err
}

func open(path string, flag int) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, flag|nonBlock, 0o666)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}
