package disk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Options say how to write a file. The zero value suits most files.
type Options struct {
	// Temporary is the path of the file to write first, in the same folder. Only one writer may use it at a time, because a file that is
	// there is removed. If Temporary is empty, each writer takes a name of its own (NAME.RANDOM.part).
	Temporary string
	// Mode gives the permissions, whatever the umask is. 0 is 0o666 less the umask.
	Mode fs.FileMode
	// New refuses to replace a file: if there is one already, the error is fs.ErrExist.
	New bool
}

// WriteFile is write for content that is in memory.
func WriteFile(path string, o Options, content []byte) error {
	return write(path, o, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// write puts content at path, atomically and durably: a reader sees the old file or the new one, also after a crash, which may leave
// the temporary file behind. If content fails, nothing changes. A link at path is replaced, not followed.
func write(path string, o Options, content func(io.Writer) error) error {
	f, err := create(path, o.Temporary)
	if err != nil {
		return err
	}
	temporary := f.Name()
	defer os.Remove(temporary) // it is gone after a rename
	if o.Mode != 0 {
		err = f.Chmod(o.Mode)
	}
	if err == nil {
		b := bufio.NewWriterSize(f, 1<<16)
		if err = content(b); err == nil {
			err = b.Flush()
		}
	}
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
	if err := place(temporary, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// create creates the file to write first.
func create(path, temporary string) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if temporary != "" {
		if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a crash, or a link to somebody's file
			return nil, err
		}
		return os.OpenFile(temporary, flags, 0o666)
	}
	for {
		f, err := os.OpenFile(fmt.Sprintf("%s.%08x.part", path, rand.Uint32()), flags, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}
