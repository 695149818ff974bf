package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Options say how to write a file.
type Options struct {
	// Temporary is the path of the file to write first, in the same folder. Only one writer may use it at a time: a file that is there, which
	// a killed writer left, is removed.
	Temporary string
	// Perm is the permissions of the file, less the umask. 0 is 0o666.
	Perm fs.FileMode
	// New refuses to replace a file: if there is one already, the error is fs.ErrExist.
	New bool
}

// WriteFile puts content at path, atomically and durably: a reader sees the old file or the new one, also after a crash, which may leave the
// temporary file behind. If it fails, nothing changes. A link at path is replaced, not followed.
func WriteFile(path string, o Options, content []byte) error {
	return Write(path, o, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// Write is WriteFile for content that write gives piece by piece.
func Write(path string, o Options, write func(w io.Writer) error) error {
	if err := os.Remove(o.Temporary); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a crash, or a link to somebody's file
		return err
	}
	if o.Perm == 0 {
		o.Perm = 0o666
	}
	f, err := os.OpenFile(o.Temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, o.Perm)
	if err != nil {
		return err
	}
	defer os.Remove(o.Temporary) // it is gone after a rename
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	place := os.Rename
	if o.New {
		place = os.Link
	}
	if err := place(o.Temporary, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}
