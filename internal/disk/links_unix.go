//go:build unix

package disk

import (
	"io/fs"
	"os"
	"syscall"
)

// OnlyMine says whether a file has no other name and belongs to the user of this process.
func OnlyMine(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Nlink == 1 && int(s.Uid) == os.Geteuid()
}
