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
		if valid, err := r.jsonLine(object, before+1); err != nil {
			return err
		} else if !valid {
			return r.json(bufio.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(line)), in)), before)
		}
	}
	return nil
}

// jsonLine appends the rows of a line, unless it is not a valid object.
func (r *reader) jsonLine(text []byte, line int) (valid bool, err error) {
	if text[0] != '{' {
		return false, nil
	}
	if e, _ := r.envelopes.Match(text); e.Start == 0 {
		return r.jsonObject(text, line)
	}
	if !jsontext.Valid(text) {
		return false, nil
	}
	return true, r.jsonValue(text, line, 0)
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
		if valid, err := r.jsonObject(value, line); valid {
			return err
		}
		return r.wrong(line, "", fmt.Errorf("%s: want an object", excerpt.Quote(string(value))))
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

// jsonObject appends the row that an object holds, unless it is not a valid object.
func (r *reader) jsonObject(object json.RawMessage, line int) (valid bool, err error) {
	var found [4]json.RawMessage
	if !r.paths.FindJSON(object, found[:]) {
		return false, nil
	}
	if path, err := r.jsonRow(object, found); err != nil {
		return true, r.wrong(line, path, err)
	}
	r.rows++
	return true, nil
}

// jsonRow appends a row of what is at the columns' paths in an object, or says which field is wrong.
func (r *reader) jsonRow(object json.RawMessage, found [4]json.RawMessage) (path string, err error) {
	var texts [3]string // in the memory of the object: what is kept of them, append copies
	for i := range texts {
		texts[i], err = field.JSONView(found[i])
		if errors.Is(err, field.ErrMissing) {
			return r.columns.list()[i], fmt.Errorf("%w: the object has %s", err, shortList(field.Keys(object)))
		} else if err != nil {
			return r.columns.list()[i], err
		}
	}
	f := fields{timestamp: texts[0], machine: texts[1], event: texts[2]}
	if label := found[3]; label != nil { // an object may have none
		if f.label, f.kind, err = r.jsonLabel(label); err != nil {
			return r.columns.Label, err
		}
		f.labelled = true
	}
	return r.append(f)
}

// maxLabels is how many labels jsonLabel remembers.
const maxLabels = 1000

// jsonLabel is a label and its text, "" for a boolean. Labels are few: it remembers the first ones.
func (r *reader) jsonLabel(value json.RawMessage) (label float64, kind string, err error) {
	if known, ok := r.labels[string(value)]; ok {
		return known.label, known.kind, nil
	}
	if label, err = field.JSONLabel(value, r.opts.Benign); err != nil {
		return 0, "", err
	}
	kind, _ = field.JSONText(value) // no error but for a boolean
	kind = strings.TrimSpace(kind)
	if len(r.labels) < maxLabels {
		r.labels[string(value)] = jsonLabel{label, kind}
	}
	return label, kind, nil
}

type jsonLabel struct {
	label float64
	kind  string
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
