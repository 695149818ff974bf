package textfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// RecordError says on which line of a csv text something is wrong.
type RecordError struct {
	Line int // from 1
	Err  error
}

func (e *RecordError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

func (e *RecordError) Unwrap() error { return e.Err }

// MaxColumns is the most fields of a record: a line of commas takes sixteen times its bytes in memory.
const MaxColumns = 10_000

func tooManyColumns(line int) *RecordError {
	return &RecordError{Line: line, Err: fmt.Errorf("more than %d columns: want fewer", MaxColumns)}
}

// Records reads the records of a csv text as encoding/csv does (RFC 4180; blank lines are skipped, CRLF is LF), but without an allocation for a
// record without quotes.
type Records struct {
	rest   string
	comma  byte
	line   int      // on which rest begins
	plain  bool     // rest has no quotes
	fields []string // of the last record
	lines  []int    // on which these begin; for a record without quotes only the first
}

// NewRecords reads a text. line is the number of its first line, and comma the ASCII character between fields.
func NewRecords(text string, line int, comma byte) *Records {
	return &Records{rest: text, comma: comma, line: line, plain: strings.IndexByte(text, '"') < 0}
}

// Next gives the fields of the next record, nil at the end. The next call overwrites them.
func (c *Records) Next() ([]string, *RecordError) {
	for c.rest != "" {
		start := c.line
		c.fields, c.lines = c.fields[:0], append(c.lines[:0], start)
		if c.plain || !c.quoted() {
			if c.plainRecord(); len(c.fields) == 1 && c.fields[0] == "" {
				continue // a blank line
			}
			if len(c.fields) > MaxColumns {
				return c.fields, tooManyColumns(start)
			}
			return c.fields, nil
		}
		return c.fields, c.quotedRecord(c.cutLine(), start)
	}
	return nil, nil
}

// quoted reports whether the next line has a quote.
func (c *Records) quoted() bool {
	line, _, _ := strings.Cut(c.rest, "\n")
	return strings.IndexByte(line, '"') >= 0
}

// plainRecord takes the fields of the next line, which has no quotes: at most some more than MaxColumns. It looks at eight bytes at once: most
// fields are too short for a search of each comma to be fast.
func (c *Records) plainRecord() {
	const ones = 0x0101010101010101
	rest, fields, from := c.rest, c.fields, 0
	c.line++
	for i := 0; i < len(rest) && len(fields) <= MaxColumns; i += 8 {
		word := firstEight(rest[i:])
		for ends := zeros(word^ones*uint64(c.comma)) | zeros(word^ones*'\n'); ends != 0; ends &= ends - 1 {
			at := i + bits.TrailingZeros64(ends)/8
			fields = append(fields, rest[from:at])
			from = at + 1
			if rest[at] == '\n' {
				c.endRecord(fields, from)
				return
			}
		}
	}
	c.endRecord(append(fields, rest[from:]), len(rest))
}

// endRecord sets the fields of a record, and where the next one begins.
func (c *Records) endRecord(fields []string, next int) {
	last := &fields[len(fields)-1]
	*last = strings.TrimSuffix(*last, "\r")
	c.fields, c.rest = fields, c.rest[next:]
}

// firstEight has the first eight bytes of s, the first one lowest. If there are fewer, the others are 255, which ends no field.
func firstEight(s string) uint64 {
	if len(s) >= 8 {
		return binary.LittleEndian.Uint64([]byte(s))
	}
	b := [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
	copy(b[:], s)
	return binary.LittleEndian.Uint64(b[:])
}

// zeros has the high bit of each byte of x that is 0.
func zeros(x uint64) uint64 {
	const sevens = 0x7f7f7f7f7f7f7f7f
	return ^((x&sevens + sevens) | x | sevens)
}

// LineOf is the line on which a field of the last record begins.
func (c *Records) LineOf(field int) int { return c.lines[min(field, len(c.lines)-1)] }

func (c *Records) cutLine() string {
	line, rest, _ := strings.Cut(c.rest, "\n")
	c.rest = rest
	c.line++
	return strings.TrimSuffix(line, "\r")
}

func (c *Records) quotedRecord(line string, start int) *RecordError {
	c.lines = c.lines[:0]
	for more := true; more; {
		if len(c.fields) == MaxColumns {
			return tooManyColumns(start)
		}
		c.lines = append(c.lines, c.line-1)
		var field string
		if strings.HasPrefix(line, `"`) {
			var ok bool
			if field, line, more, ok = c.quotedField(line[1:]); !ok {
				return &RecordError{Line: start, Err: errors.New(`a quoted value does not end, or goes on after its ": want each " in it twice`)}
			}
		} else if field, line, more = strings.Cut(line, string(c.comma)); strings.Contains(field, `"`) {
			return &RecordError{Line: c.line - 1, Err: errors.New(`a " inside a value: want the value in quotes and each " in it twice`)}
		}
		c.fields = append(c.fields, field)
	}
	return nil
}

// quotedField reads a field after its opening quote, across lines. more reports whether the rest of its last line has another field.
func (c *Records) quotedField(line string) (field, rest string, more, ok bool) {
	var before []byte
	for {
		end := strings.IndexByte(line, '"')
		if end < 0 {
			if c.rest == "" {
				return "", "", false, false
			}
			before = append(append(before, line...), '\n')
			line = c.cutLine()
			continue
		}
		part := line[:end]
		line = line[end+1:]
		switch {
		case line != "" && line[0] == '"':
			before = append(append(before, part...), '"')
			line = line[1:]
			continue
		case line != "" && line[0] != c.comma:
			return "", "", false, false
		case before != nil:
			part = string(append(before, part...))
		}
		if line == "" {
			return part, "", false, true
		}
		return part, line[1:], true, true
	}
}
