// Package disk makes what was written outlast a crash of the machine.
package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// SyncDir flushes a directory: until then a file that was made, renamed or removed in it may be back after a crash.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// MakeDir makes dir and what is missing above it, durably.
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
