//go:build !linux

package disk

import (
	"errors"
	"os"
)

// Swap exchanges two files atomically. Only Linux can.
func Swap(string, string) error { return errors.ErrUnsupported }

// CanSyncAll says whether SyncAll is as good as Sync of each file.
func CanSyncAll(string) bool { return false }

// SyncAll flushes all files of the file system that has the open directory. Only Linux can.
func SyncAll(*os.File) error { return errors.ErrUnsupported }
