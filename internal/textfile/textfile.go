// Package textfile reads the text of a file or a stream: it decompresses, decodes, skips a byte order mark, and has the rules for lines and csv
// that the command line and deepcase_files share.
package textfile

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// TrimExtension removes the extension of a compressed file from its name, if it has one.
func TrimExtension(path string) string {
	switch extension := filepath.Ext(path); strings.ToLower(extension) {
	case ".gz", ".zst", ".bz2":
		return path[:len(path)-len(extension)]
	}
	return path
}

const bufferSize = 64 << 10

// maxWindow bounds the memory that a zstd file may ask for: what `zstd --long` uses by default.
const maxWindow = 128 << 20

// NewReader decompresses the input if its first bytes are those of gzip, zstd or bzip2, and skips a byte order mark of UTF-8. UTF-16, xz, zip
// and damaged files are errors that say what is wanted. Errors of the input are passed on.
func NewReader(in io.Reader) (*bufio.Reader, error) {
	text, err := Encoding{}.NewReader(in)
	if wrong, ok := errors.AsType[*EncodingError](err); ok {
		return nil, fmt.Errorf("is %s: want UTF-8", wrong.Is)
	}
	return text, err
}

// NewReader is as the function NewReader, for a text in this encoding: it gives UTF-8, in which Check finds what could not be decoded. A text
// whose beginning shows that it has another encoding is an EncodingError.
func (e Encoding) NewReader(in io.Reader) (*bufio.Reader, error) {
	source := &source{in: in}
	raw := bufio.NewReaderSize(source, bufferSize)
	kind, z, err := decompressor(raw)
	if err != nil {
		return nil, source.explain(kind, err)
	}
	text := raw
	if z != nil {
		text = bufio.NewReaderSize(&inflated{z, kind, source}, bufferSize)
	}
	first, err := text.Peek(3)
	if len(first) == 0 {
		if err == io.EOF {
			err = nil
		}
		return text, err
	}
	if len(first) == 3 { // what else is there without waiting
		first, _ = text.Peek(min(text.Buffered(), sampleSize))
	}
	e, mark, wrong := e.recognise(first)
	if wrong != nil {
		return nil, wrong
	}
	_, _ = text.Discard(mark)
	if d := e.decoder(text); d != nil {
		return bufio.NewReaderSize(d, bufferSize), nil
	}
	return text, nil
}

// decompressor gives the decompressor of the input, nil if it is not compressed.
func decompressor(in *bufio.Reader) (kind string, z io.Reader, err error) {
	magic, _ := in.Peek(2)
	switch string(magic) {
	case "\x28\xb5", "BZ", "\xfd7", "PK": // of other inputs no more is read ahead: a pipe may have no more for now
		magic, _ = in.Peek(6)
	}
	switch has := func(prefix string) bool { return bytes.HasPrefix(magic, []byte(prefix)) }; {
	case has("\x1f\x8b"):
		z, err = gzip.NewReader(in)
		return "gzip", z, err
	case has("\x28\xb5\x2f\xfd"):
		// One goroutine: this one. There is nothing to close.
		z, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		return "zstd", z, err
	case has("BZh") && len(magic) == 6 && magic[4] == 0x31 && magic[5] == 0x41:
		return "bzip2", bzip2.NewReader(in), nil
	case has("\xfd7zXZ\x00"):
		return "xz", nil, errUnreadable
	case has("PK\x03\x04"):
		return "zip", nil, errUnreadable
	}
	return "", nil, nil
}

var errUnreadable = errors.New("want text, gzip, zstd or bzip2")

// source remembers errors of the input, to tell them from damaged content.
type source struct {
	in     io.Reader
	failed error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	if err != nil && err != io.EOF {
		s.failed = err
	}
	return n, err
}

func (s *source) explain(kind string, err error) error {
	switch {
	case err == io.EOF:
		return err
	case s.failed != nil:
		return s.failed
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("ends in the middle: want the whole file")
	case errors.Is(err, errUnreadable):
		return fmt.Errorf("is %s: %w", kind, err)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("needs more than %d bytes of memory to decompress: want it compressed with a smaller window", maxWindow)
	}
	return fmt.Errorf("is damaged %s: want the file as it was compressed", kind)
}

// inflated explains errors of decompression.
type inflated struct {
	z      io.Reader
	kind   string
	source *source
}

func (i *inflated) Read(p []byte) (int, error) {
	n, err := i.z.Read(p)
	if err != nil {
		err = i.source.explain(i.kind, err)
	}
	return n, err
}
