package bundle

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"connect-deepcase/internal/disk"
)

// stored is what was written to a file, or read from it.
type stored struct {
	File
	crc uint32 // a checksum that is quick to compute again, by the table castagnoli
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// writeFile creates a file. Its content is on the disk when it returns. from may say that it is the content of another file, whose checksum is known
// and must come out.
func writeFile(path string, limit int64, from *stored, encode func(io.Writer) error) (stored, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return stored{}, err
	}
	digest, crc, size := sha256.New(), crc32.New(castagnoli), counter(0)
	out := io.MultiWriter(f, crc, &size)
	if from == nil {
		out = io.MultiWriter(&both{f, digest}, crc, &size)
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	if err = encode(buffered); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if err = errors.Join(err, buffered.Flush()); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil && int64(size) > limit {
		err = fmt.Errorf("%s: %d bytes, at most %d can be read", path, size, limit)
	}
	if from == nil {
		return stored{File{int64(size), hex.EncodeToString(digest.Sum(nil))}, crc.Sum32()}, err
	}
	if err == nil && (int64(size) != from.Size || crc.Sum32() != from.crc) {
		err = fmt.Errorf("%s: not the content that was read before", path)
	}
	return *from, err
}

// both writes to a, and at the same time to b, which does not fail.
type both struct{ a, b io.Writer }

func (w *both) Write(p []byte) (int, error) {
	var other sync.WaitGroup
	other.Go(func() { _, _ = w.b.Write(p) })
	defer other.Wait()
	return w.a.Write(p)
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// largeFile is the size from which a file's checksum is verified before memory is allocated for it: a sparse file is large and takes no space
// on the disk.
const largeFile = 1 << 26

// openFile opens a file of at most limit bytes.
func openFile(path string, limit int64) (*os.File, int64, error) {
	f, info, err := disk.Open(path)
	if errors.Is(err, disk.ErrNotRegular) {
		return nil, 0, &DamagedError{path, disk.ErrNotRegular}
	} else if err != nil {
		return nil, 0, err
	}
	if info.Size() > limit {
		return nil, 0, errors.Join(&DamagedError{path, fmt.Errorf("%d bytes, at most %d are allowed", info.Size(), limit)}, f.Close())
	}
	return f, info.Size(), nil
}

// openListed opens a file of a manifest, and checks its size. If it is large, it checks its content, too.
func openListed(path string, limit int64, want File) (*os.File, error) {
	f, size, err := openFile(path, limit)
	if err != nil {
		return nil, err
	}
	if err := want.checkSize(size); err != nil {
		return nil, errors.Join(&DamagedError{path, err}, f.Close())
	}
	if size <= largeFile {
		return f, nil
	}
	err = want.checkContent(path, f)
	if _, failed := f.Seek(0, io.SeekStart); err == nil && failed != nil {
		err = fmt.Errorf("%s: %w", path, failed)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// checkContent reads a file to its end.
func (f File) checkContent(path string, content io.Reader) error {
	digest := sha256.New()
	if _, err := io.Copy(digest, content); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.checkSum(digest.Sum(nil)); err != nil {
		return &DamagedError{path, err}
	}
	return nil
}

// verifyFile checks the size and the content of a file of a manifest.
func verifyFile(path string, limit int64, want File) error {
	f, size, err := openFile(path, limit)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := want.checkSize(size); err != nil {
		return &DamagedError{path, err}
	}
	return want.checkContent(path, f)
}

// readListed reads a whole file of a manifest.
func readListed(path string, limit int64, want File) ([]byte, error) {
	f, err := openListed(path, limit, want)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content := make([]byte, want.Size)
	if _, err := io.ReadFull(f, content); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	sum := sha256.Sum256(content)
	if err := want.checkSum(sum[:]); err != nil {
		return nil, &DamagedError{path, err}
	}
	return content, nil
}

// readFile reads a whole file that no manifest lists.
func readFile(path string, limit int64) ([]byte, error) {
	f, size, err := openFile(path, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content := make([]byte, size)
	if _, err := io.ReadFull(f, content); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return content, nil
}
