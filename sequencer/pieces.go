package sequencer

import (
	"bytes"
	"io"
	"slices"

	"connect-deepcase/internal/textfile"
)

// pieceSize is small enough for files of moderate size to keep all cores busy, and for some pieces to fit in the cache of a core.
const pieceSize = 128 << 10

// pieces cuts a text into pieces that begin and end with a record.
type pieces struct {
	in     io.Reader
	lines  bool // each line is a record; otherwise it is csv
	least  int  // bytes to wait for
	most   int  // bytes of a record
	rest   []byte
	err    error    // why nothing comes after rest
	unread [][]byte // pieces that were cut, but whose rows are not wanted
}

// next reads a piece into the memory of a buffer. An error comes after the last whole record.
func (p *pieces) next(buffer []byte) ([]byte, error) {
	text := buffer
	text = append(text, p.rest...)
	for least := p.least; ; least = min(max(least, len(text)), p.most+1) {
		text = p.read(text, least)
		end := len(text)
		switch {
		case p.err == io.EOF:
		case p.lines:
			end = bytes.LastIndexByte(text, '\n') + 1
		default:
			end = recordsEnd(text)
		}
		p.rest = append(p.rest[:0], text[end:]...)
		switch {
		case end > 0:
			return text[:end], nil
		case p.err != nil:
			return text[:0], p.err
		case len(text) > p.most:
			return text[:0], textfile.LongError{Most: p.most}
		}
	}
}

// read reads at least so many more bytes, if there are any.
func (p *pieces) read(text []byte, least int) []byte {
	text = slices.Grow(text, max(least, 4096))
	for until := len(text) + least; len(text) < until && p.err == nil; {
		var n int
		n, p.err = p.in.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
	}
	return text
}

// unreadText is what is not read of the text: the end of the piece that was read last, and all that comes after it.
func (p *pieces) unreadText(last []byte) io.Reader {
	readers := []io.Reader{bytes.NewReader(last)}
	for _, piece := range append(p.unread, p.rest) {
		readers = append(readers, bytes.NewReader(piece))
	}
	return io.MultiReader(append(readers, p)...)
}

// Read reads what comes after the pieces.
func (p *pieces) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	return p.in.Read(b)
}

// recordsEnd is the end of the last whole record of a text: a line end with an even number of quotes before it. If a quote is out of
// place, this may be wrong after the end of its line. It does not matter: reading stops at that line.
func recordsEnd(text []byte) int {
	quotes := bytes.Count(text, []byte{'"'})
	for end := len(text); ; {
		line := bytes.LastIndexByte(text[:end], '\n')
		if line < 0 {
			return 0
		}
		if quotes -= bytes.Count(text[line:end], []byte{'"'}); quotes%2 == 0 {
			return line + 1
		}
		end = line
	}
}
