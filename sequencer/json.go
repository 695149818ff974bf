package sequencer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// json reads an array of objects, or one object after the other.
func (r *reader) json(in *bufio.Reader) error {
	lines := &lineCounter{in: in}
	d := json.NewDecoder(lines)
	array := false
	if first, err := skipSpace(in, lines); err == nil && first == '[' {
		array = true
		if _, err := d.Token(); err != nil {
			return r.wrong(lines.line(0), "", err)
		}
	}
	for ; !r.full(); r.rows++ {
		if array && !d.More() {
			return r.jsonEnd(d, lines)
		}
		var object json.RawMessage
		if err := d.Decode(&object); err == io.EOF && !array {
			return nil
		} else if err != nil {
			return r.jsonError(d, lines, err)
		}
		if field, err := r.jsonRow(object); err != nil {
			return r.wrong(lines.line(d.InputOffset())-bytes.Count(object, []byte{'\n'}), field, err)
		}
		lines.forget(d.InputOffset())
	}
	return nil
}

// jsonEnd sees that the array ends and nothing comes after it.
func (r *reader) jsonEnd(d *json.Decoder, lines *lineCounter) error {
	if _, err := d.Token(); err != nil {
		return r.jsonError(d, lines, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return r.wrong(lines.line(d.InputOffset()), "", errors.New("goes on after the array: want one array"))
	}
	return nil
}

// jsonError finds the line where the value begins that is not JSON.
func (r *reader) jsonError(d *json.Decoder, lines *lineCounter, err error) error {
	rest, _ := io.ReadAll(d.Buffered())
	value := bytes.TrimLeft(rest, " \t\r\n,")
	line := lines.line(d.InputOffset() + int64(len(rest)-len(value)))
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return r.wrong(line, "", fmt.Errorf("%s is not JSON (%w): want an object", shorten(firstLine(value)), err))
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
func (r *reader) jsonRow(object json.RawMessage) (field string, err error) {
	if object[0] != '{' {
		return "", fmt.Errorf("%s: want an object", shorten(string(object)))
	}
	var f fields
	for _, want := range []struct {
		name  string
		value *string
	}{{r.columns.Timestamp, &f.timestamp}, {r.columns.Machine, &f.machine}, {r.columns.Event, &f.event}, {r.columns.Label, &f.label}} {
		value := FindJSON(object, want.name)
		r.labelled = value != nil // the label comes last; an object need not have one
		if value == nil && want.value != &f.label {
			return want.name, fmt.Errorf("is missing or null: the object has %s", shortList(keys(object)))
		}
		if *want.value, err = JSONText(value); err != nil {
			return want.name, err
		}
	}
	return r.append(f)
}

// JSONText is a string, number or truth value as text; null and a missing value are "".
func JSONText(value json.RawMessage) (string, error) {
	switch {
	case len(value) == 0 || value[0] == 'n':
		return "", nil
	case value[0] == '{' || value[0] == '[':
		return "", fmt.Errorf("%s: want a string or a number; a dot in the column's name leads into an object", shorten(string(value)))
	case value[0] == '"':
		return unquote(value), nil
	}
	return string(value), nil
}

// unquote reads a valid JSON string.
func unquote(value []byte) string {
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	var s string
	_ = json.Unmarshal(value, &s)
	return s
}

// FindJSON gives the value at a path in a valid JSON object, nil where there is none or only null. A key that is the path comes before
// the keys that lead along it.
func FindJSON(object json.RawMessage, path string) (found json.RawMessage) {
	members(object, func(key string, value json.RawMessage) bool {
		switch {
		case value[0] == 'n':
		case key == path:
			found = value
			return false
		case found == nil && value[0] == '{' && len(path) > len(key) && path[len(key)] == '.' && strings.HasPrefix(path, key):
			found = FindJSON(value, path[len(key)+1:])
		}
		return true
	})
	return found
}

func keys(object json.RawMessage) (keys []string) {
	members(object, func(key string, _ json.RawMessage) bool {
		keys = append(keys, key)
		return true
	})
	return keys
}

// members walks over the members of a valid JSON object.
func members(object json.RawMessage, yield func(key string, value json.RawMessage) bool) {
	rest := object[1:]
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n,")
		if rest[0] == '}' {
			return
		}
		end := valueEnd(rest)
		key := unquote(rest[:end])
		rest = bytes.TrimLeft(rest[end:], " \t\r\n:")
		end = valueEnd(rest)
		if !yield(key, rest[:end]) {
			return
		}
		rest = rest[end:]
	}
}

// valueEnd is the length of the valid JSON value that b starts with.
func valueEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth > 0 {
				continue
			}
			n := bytes.IndexAny(b[i:], ",}] \t\r\n") // a number or a literal
			return i + n
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(b)
}

// skipSpace shows the first byte of the value that comes next.
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

// lineCounter knows on which line an offset of what was read lies, if it was not forgotten.
type lineCounter struct {
	in     io.Reader
	read   int64
	before int     // line ends that were forgotten
	ends   []int64 // offsets of the line ends after these
}

func (l *lineCounter) Read(p []byte) (int, error) {
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

// line is the line of an offset, from 1.
func (l *lineCounter) line(offset int64) int {
	n := 0
	for n < len(l.ends) && l.ends[n] < offset {
		n++
	}
	return 1 + l.before + n
}

// forget drops the line ends before an offset.
func (l *lineCounter) forget(offset int64) {
	n := l.line(offset) - 1 - l.before
	l.before += n
	l.ends = l.ends[n:]
}
