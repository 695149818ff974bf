package sequencer

import (
	"bytes"
	"io"
	"slices"

	"connect-deepcase/internal/textfile"
)

// pieces cuts a csv text into pieces that begin and end with a record.
type pieces struct {
	in    io.Reader
	least int // bytes to wait for
	most  int // bytes of a record
	text  []byte
	err   error // why nothing comes after text
}

// next returns a piece, which stays valid. An error comes after the last whole record.
func (p *pieces) next() (string, error) {
	for least := p.least; ; least = min(max(least, len(p.text)), p.most+1) {
		p.read(least)
		end := len(p.text)
		if p.err != io.EOF {
			end = recordsEnd(p.text)
		}
		if end > 0 {
			piece := string(p.text[:end])
			p.text = append(p.text[:0], p.text[end:]...)
			return piece, nil
		}
		if p.err != nil {
			return "", p.err
		}
		if len(p.text) > p.most {
			return "", textfile.LongError{Most: p.most}
		}
	}
}

// read reads at least so many more bytes, if there are any.
func (p *pieces) read(least int) {
	p.text = slices.Grow(p.text, max(least, 4096))
	for until := len(p.text) + least; len(p.text) < until && p.err == nil; {
		var n int
		n, p.err = p.in.Read(p.text[len(p.text):cap(p.text)])
		p.text = p.text[:len(p.text)+n]
	}
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
