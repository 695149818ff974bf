package sequencer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/jsontext"
	"connect-deepcase/internal/textfile"
)

// jsonLines reads lines that are an object each. The first other line, and all that come after it, are for json.
func (r *reader) jsonLines(in *bufio.Reader) error {
	for before := 0; !r.full(); before++ {
		line, err := textfile.ReadLine(in, r.most)
		if err != nil && err != io.EOF {
			return r.wrong(before+1, "", err)
		}
		if len(line) == 0 {
			return nil
		}
		object := bytes.Trim(line, " \t\r\n")
		if len(object) == 0 {
			continue
		}
		if object[0] != '{' || !jsontext.Valid(object) {
			return r.json(bufio.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(line)), in)), before)
		}
		if err := r.jsonValue(object, before+1, 0); err != nil {
			return err
		}
	}
	return nil
}

// json reads objects in arrays, or one after the other, behind some lines. It reads the elements of an array at the beginning one by one; a later
// array, or an object around one, is a record.
func (r *reader) json(in *bufio.Reader, before int) error {
	lines := &lineCounter{in: in, most: int64(r.most), before: before}
	d := json.NewDecoder(lines)
	array := false
	if first, err := skipSpace(in, lines); err == nil && first == '[' {
		array = true
		if _, err := d.Token(); err != nil {
			return r.wrong(lines.line(0), "", err)
		}
	}
	for !r.full() {
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
		if err := r.jsonValue(value, lines.line(d.InputOffset())-bytes.Count(value, []byte{'\n'}), 0); err != nil {
			return err
		}
		lines.forget(d.InputOffset())
	}
	return nil
}

// maxNested bounds how often a value is read again, level by level.
const maxNested = 32

// jsonValue appends the row of an object, or the rows of what is in an array or an envelope. The value is valid, and begins on a line.
func (r *reader) jsonValue(value json.RawMessage, line, depth int) error {
	start := 0
	if e, _ := r.envelopes.Match(value); e.Start > 0 {
		start = e.Start - 1
	} else if value[0] != '[' {
		field, err := r.jsonRow(value)
		if err != nil {
			return r.wrong(line, field, err)
		}
		r.rows++
		return nil
	}
	if depth == maxNested {
		return r.wrong(line, "", fmt.Errorf("has more than %d arrays in each other: want an object", maxNested))
	}
	d := json.NewDecoder(bytes.NewReader(value[start:]))
	_, _ = d.Token() // the bracket
	counted := 0     // bytes of value whose lines are counted
	for d.More() && !r.full() {
		var element json.RawMessage
		if err := d.Decode(&element); err != nil {
			return r.wrong(line, "", err)
		}
		begin := start + int(d.InputOffset()) - len(element)
		line += bytes.Count(value[counted:begin], []byte{'\n'})
		counted = begin
		if err := r.jsonValue(element, line, depth+1); err != nil {
			return err
		}
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

// jsonRow appends the row that an object holds, or says which field is wrong.
func (r *reader) jsonRow(object json.RawMessage) (path string, err error) {
	if object[0] != '{' {
		return "", fmt.Errorf("%s: want an object", excerpt.Quote(string(object)))
	}
	var f fields
	paths := []string{r.columns.Timestamp, r.columns.Machine, r.columns.Event, r.columns.Label}
	var found [4]json.RawMessage
	field.FindEachJSON(object, paths, found[:])
	for i, to := range []*string{&f.timestamp, &f.machine, &f.event} {
		*to, err = field.JSONText(found[i])
		if errors.Is(err, field.ErrMissing) {
			return paths[i], fmt.Errorf("%w: the object has %s", err, shortList(field.Keys(object)))
		} else if err != nil {
			return paths[i], err
		}
	}
	label := found[3] // an object may have none
	if f.labelled = label != nil; f.labelled {
		if f.label, err = field.JSONLabel(label, r.opts.Benign); err != nil {
			return r.columns.Label, err
		}
		f.kind, _ = field.JSONText(label) // no error: it is a text, a number or a boolean
		f.kind = strings.TrimSpace(f.kind)
	}
	return r.append(f)
}

// skipSpace returns the first byte of the next value without reading it.
func skipSpace(in *bufio.Reader, lines *lineCounter) (byte, error) {
	for {
		b, err := in.Peek(1)
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(b[0])) {
			return b[0], nil
		}
		if b[0] == '\n' {
			lines.before++
		}
		_, _ = in.Discard(1)
	}
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
