package files

import (
	"bytes"
	"errors"
	"io"
	"os"

	"connect-deepcase/internal/textfile"
)

// How much of a file is read at once: less of a small one.
const (
	minChunk = 16 << 10
	maxChunk = 256 << 10
)

// excerpt is how many bytes are kept of something too long, so that it can be found.
const excerpt = 1000

// errLater means that there is nothing more without waiting.
var errLater = errors.New("no more for now")

// text is the text of a file.
type text struct {
	in io.Reader
	// encoding is what in was decoded from.
	encoding textfile.Encoding
	buf      []byte // read and not taken yet. What was taken out of it is never written over
	line     int    // on which buf begins
	done     int    // bytes that were taken
	err      error  // why nothing comes after buf
	wait     bool   // whether to wait for more, where the file is a stream
}

// fill reads more. The error is errLater, or the reason that there is no more.
func (t *text) fill() error {
	if t.err != nil {
		return t.err
	}
	if !t.wait {
		return errLater
	}
	if cap(t.buf)-len(t.buf) < minChunk/16 {
		grown := make([]byte, len(t.buf), max(minChunk, min(t.done, maxChunk), 2*len(t.buf)))
		copy(grown, t.buf)
		t.buf = grown
	}
	n, err := t.in.Read(t.buf[len(t.buf):cap(t.buf)])
	t.buf = t.buf[:len(t.buf)+n]
	if pauses(err) {
		return err
	}
	t.err = err
	if n > 0 {
		return nil
	}
	return err
}

// pauses reports whether reading may continue after an error.
func pauses(err error) bool {
	return errors.Is(err, errLater) || errors.Is(err, os.ErrDeadlineExceeded)
}

// take removes the first n bytes from buf and gives them.
func (t *text) take(n int) []byte {
	taken := t.buf[:n:n]
	t.buf = t.buf[n:]
	t.done += n
	t.line += bytes.Count(taken, []byte{'\n'})
	return taken
}

// piece is a piece of a file that makes a message.
type piece struct {
	content []byte
	row     map[string]any // in place of content: a row of csv
	line    int            // on which it begins
	err     error          // what is wrong with it
	last    bool           // nothing after it can be read
}

// splitter cuts a text into pieces. Its error is io.EOF at the end, or errLater.
type splitter interface {
	next() (piece, error)
}

// ended gives the error that the text ended with as a last piece, once.
func (t *text) ended(err error) (piece, error) {
	if err == io.EOF || pauses(err) {
		return piece{}, err
	}
	p := piece{line: t.line, err: err, last: true}
	p.content, t.err = t.take(len(t.buf)), io.EOF
	return p, nil
}
