package sequencer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"connect-deepcase/internal/textfile"
)

// maxColumns bounds the fields of a record: a line of commas takes sixteen times its bytes in memory.
const maxColumns = 10_000

func tooManyColumns(line int) *RowError {
	return &RowError{Line: line, Err: fmt.Errorf("more than %d columns: want fewer", maxColumns)}
}

// Records reads the records of a csv text as encoding/csv does (RFC 4180; blank lines are left out, CRLF is LF), but without an
// allocation for a record that has no quotes.
type Records struct {
	rest   string
	comma  byte
	line   int      // on which rest begins
	plain  bool     // rest has no quotes
	fields []string // of the last record
	lines  []int    // on which these begin; for a record without quotes only the first
}

// NewRecords reads a text that begins on a line; comma is what stands between fields.
func NewRecords(text string, line int, comma byte) *Records {
	return &Records{rest: text, comma: comma, line: line, plain: strings.IndexByte(text, '"') < 0}
}

// Next gives the fields of the next record, which the call after it overwrites; nil at the end.
func (c *Records) Next() ([]string, *RowError) {
	for c.rest != "" {
		start := c.line
		line := c.cutLine()
		if line == "" {
			continue
		}
		c.fields, c.lines = c.fields[:0], append(c.lines[:0], start)
		if !c.plain && strings.IndexByte(line, '"') >= 0 {
			return c.fields, c.quotedRecord(line, start)
		}
		for {
			if len(c.fields) == maxColumns {
				return c.fields, tooManyColumns(start)
			}
			end := strings.IndexByte(line, c.comma)
			if end < 0 {
				c.fields = append(c.fields, line)
				return c.fields, nil
			}
			c.fields = append(c.fields, line[:end])
			line = line[end+1:]
		}
	}
	return nil, nil
}

// lineOf is the line on which a field of the last record begins.
func (c *Records) lineOf(field int) int { return c.lines[min(field, len(c.lines)-1)] }

func (c *Records) cutLine() string {
	line, rest, _ := strings.Cut(c.rest, "\n")
	c.rest = rest
	c.line++
	return strings.TrimSuffix(line, "\r")
}

func (c *Records) quotedRecord(line string, start int) *RowError {
	c.lines = c.lines[:0]
	for more := true; more; {
		if len(c.fields) == maxColumns {
			return tooManyColumns(start)
		}
		c.lines = append(c.lines, c.line-1)
		var field string
		if strings.HasPrefix(line, `"`) {
			var ok bool
			if field, line, more, ok = c.quotedField(line[1:]); !ok {
				return &RowError{Line: start, Err: errors.New(`a quoted value does not end, or goes on after its ": want each " in it twice`)}
			}
		} else if field, line, more = strings.Cut(line, string(c.comma)); strings.Contains(field, `"`) {
			return &RowError{Line: c.line - 1, Err: errors.New(`a " inside a value: want the value in quotes and each " in it twice`)}
		}
		c.fields = append(c.fields, field)
	}
	return nil
}

// quotedField reads a field from after its first quote on, over as many lines as it has. more tells whether the rest of the last one
// holds another field.
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

// pieces cuts a csv text into pieces that begin and end with a record.
type pieces struct {
	in    io.Reader
	least int // bytes to wait for
	most  int // bytes of a record
	text  []byte
	err   error // why nothing comes after text
}

// next gives a piece, which no other piece overwrites; an error comes after the last whole record.
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

// read reads at least so many bytes more, while there are any.
func (p *pieces) read(least int) {
	p.text = slices.Grow(p.text, max(least, 4096))
	for until := len(p.text) + least; len(p.text) < until && p.err == nil; {
		var n int
		n, p.err = p.in.Read(p.text[len(p.text):cap(p.text)])
		p.text = p.text[:len(p.text)+n]
	}
}

// recordsEnd is where the last whole record of a text ends: after a line end with an even number of quotes before it. Where a quote is
// out of place this may be wrong, but not before the end of that line, and there the reading ends.
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
