package disk

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Swap exchanges two files atomically. Where that is impossible, the error is errors.ErrUnsupported; if one is missing, it is fs.ErrNotExist.
func Swap(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		return errors.ErrUnsupported
	} else if err != nil {
		return &os.LinkError{Op: "swap", Old: a, New: b, Err: err}
	}
	return nil
}

// CanSyncAll says whether SyncAll is as good as Sync of each file: the file system must be one that flushes its disk then, and the kernel one
// that reports what it could not write (since 5.8).
func CanSyncAll(dir string) bool {
	var system unix.Statfs_t
	var kernel unix.Utsname
	if unix.Statfs(dir, &system) != nil || unix.Uname(&kernel) != nil {
		return false
	}
	numbers := bytes.SplitN(kernel.Release[:], []byte("."), 3)
	if len(numbers) < 3 {
		return false
	}
	major, err1 := strconv.Atoi(string(numbers[0]))
	minor, err2 := strconv.Atoi(string(numbers[1]))
	if err1 != nil || err2 != nil || major < 5 || major == 5 && minor < 8 {
		return false
	}
	return system.Type == unix.EXT4_SUPER_MAGIC || system.Type == unix.XFS_SUPER_MAGIC
}

// SyncAll flushes all files of the file system that has the open directory. It reports what could not be written since the directory was opened.
func SyncAll(dir *os.File) error {
	for {
		err := unix.Syncfs(int(dir.Fd()))
		if err == nil {
			return nil
		} else if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("syncfs", err)
		}
	}
}
