package sequencer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/textfile"
)

// decode is json with the decoder of the standard library, which says what is wrong. If the text begins inside an array, that begins with open.
func (r *reader) decode(in io.Reader, before int, open string) error {
	lines := &lineCounter{in: io.MultiReader(strings.NewReader(open), in), most: int64(r.most), before: before}
	d := json.NewDecoder(lines)
	array := open != ""
	if array {
		_, _ = d.Token()
	}
	for skip := len(open) > 1; !r.full(); skip = false {
		if array && !d.More() {
			if _, err := d.Token(); err != nil {
				return r.jsonError(d, lines, err)
			}
			array = false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err == io.EOF && !array {
			return nil
		} else if err != nil {
			return r.jsonError(d, lines, err)
		}
		if skip {
			continue
		}
		if err := r.jsonValue(value, lines.line(d.InputOffset())-bytes.Count(value, []byte{'\n'}), 0); err != nil {
			return err
		}
		lines.forget(d.InputOffset())
	}
	return nil
}

// jsonError finds the line on which the broken value begins.
func (r *reader) jsonError(d *json.Decoder, lines *lineCounter, err error) error {
	rest, _ := io.ReadAll(d.Buffered())
	value := bytes.TrimLeft(rest, " \t\r\n,")
	line := lines.line(d.InputOffset() + int64(len(rest)-len(value)))
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return r.wrong(line, "", fmt.Errorf("%s is not JSON (%w): want an object", excerpt.Quote(firstLine(value)), err))
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return r.wrong(line, "", err)
}

func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(b[:min(len(b), 200)], []byte{'\n'})
	return string(line)
}

// lineCounter knows the line of each offset since the last call of forget.
type lineCounter struct {
	in     io.Reader
	read   int64
	used   int64   // by earlier values
	most   int64   // bytes of a value
	before int     // forgotten line ends
	ends   []int64 // offsets of later line ends
}

func (l *lineCounter) Read(p []byte) (int, error) {
	if l.read-l.used > l.most {
		return 0, textfile.LongError{Most: int(l.most)}
	}
	n, err := l.in.Read(p)
	for from := 0; ; {
		i := bytes.IndexByte(p[from:n], '\n')
		if i < 0 {
			break
		}
		l.ends = append(l.ends, l.read+int64(from+i))
		from += i + 1
	}
	l.read += int64(n)
	return n, err
}

// line returns the line of an offset, counted from 1.
func (l *lineCounter) line(offset int64) int {
	n := 0
	for n < len(l.ends) && l.ends[n] < offset {
		n++
	}
	return 1 + l.before + n
}

// forget drops line ends before an offset.
func (l *lineCounter) forget(offset int64) {
	l.used = offset
	n := l.line(offset) - 1 - l.before
	l.before += n
	l.ends = l.ends[n:]
}
