package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// saveFile writes a file as a whole or not at all: what was there before stays until the new one is complete, also where the disk fills up
// or an interrupt ends ctx. What is no file, such as /dev/stdout, is written to as it is.
func saveFile(ctx context.Context, path string, write func(io.Writer) error) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays a link
	}
	info, err := os.Stat(path)
	regular := err != nil || info.Mode().IsRegular()
	temporary := path
	flags := os.O_WRONLY
	if regular {
		temporary, flags = path+".part", os.O_WRONLY|os.O_CREATE|os.O_EXCL
		if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a run that was killed
			return err
		}
	}
	f, err := os.OpenFile(temporary, flags, 0o666)
	if err != nil {
		return err
	}
	if regular {
		defer func() {
			if err != nil {
				_ = os.Remove(temporary)
			}
		}()
		if info != nil {
			err = f.Chmod(info.Mode().Perm())
		}
	}
	b := bufio.NewWriterSize(f, 1<<16)
	if err == nil {
		err = write(b)
	}
	err = errors.Join(err, b.Flush())
	if regular && err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil && regular {
		if err = ctx.Err(); err != nil {
			return fmt.Errorf("%s is not saved: %w", path, err)
		}
		err = os.Rename(temporary, path)
	}
	return err
}
