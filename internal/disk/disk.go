// Package disk makes what was written outlast a crash of the machine.
package disk

import (
	"errors"
	"os"
)

// SyncDir flushes a directory: until then a file that was made, renamed or removed in it may be back after a crash.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
