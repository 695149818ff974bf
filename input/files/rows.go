package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"connect-deepcase/internal/textfile"
)

// rows cuts csv into rows, which are objects with the names of the header. After a row that cannot be read, reading continues on the line
// after its first one.
type rows struct {
	*text
	max     int
	comma   byte
	header  textfile.Header
	started bool
	scanned int  // bytes of buf that are whole lines of the row at its beginning
	open    bool // after an odd number of quotes in these
	long    *lines
}

func (r *rows) next() (piece, error) {
	for {
		if r.long != nil {
			p, err := r.long.next()
			if err == nil {
				r.long, p.last = nil, r.header == nil
			}
			return p, err
		}
		end, err := r.record()
		if err != nil {
			return r.ended(err)
		}
		record := r.buf[:end]
		switch first := bytes.IndexByte(record, '\n') + 1; {
		case end <= r.max+1:
		case first == 0 || first > r.max+1:
			r.restart()
			r.long = &lines{text: r.text, max: r.max}
			continue
		default: // of many lines: its first is to blame
			return r.broken(fmt.Errorf("a quoted value does not end within %d bytes (%s): want a \" after it", r.max, fieldMaxLine)), nil
		}
		records := textfile.NewRecords(string(record), r.line, r.comma)
		fields, wrong := records.Next()
		if wrong != nil {
			return r.broken(wrong.Err), nil
		}
		p := piece{line: r.line}
		record = r.take(end)
		r.restart()
		if fields == nil {
			continue
		}
		if r.header == nil {
			if p.err = r.readHeader(fields); p.err == nil {
				continue
			}
			p.last = true
		} else {
			if p.err = r.header.Width(fields); p.err == nil {
				p.err = r.encoding.Check(record)
			}
			if p.err == nil {
				p.row = r.row(fields)
				return p, nil
			}
		}
		p.content = bytes.TrimRight(record, "\r\n")
		return p, nil
	}
}

// record finds the end of the row at the start of buf, or the end of what is too long for a row.
func (r *rows) record() (end int, err error) {
	for {
		n := bytes.IndexByte(r.buf[r.scanned:], '\n')
		if n >= 0 {
			line := r.buf[r.scanned : r.scanned+n+1]
			r.scanned += len(line)
			if bytes.Count(line, []byte{'"'})%2 == 1 {
				r.open = !r.open
			}
			if !r.open || r.scanned > r.max+1 {
				return r.scanned, nil
			}
			continue
		}
		if len(r.buf) > r.max+1 {
			return len(r.buf), nil
		}
		switch err := r.fill(); {
		case err == nil:
			r.lineEnds()
		case err == io.EOF && len(r.buf) > 0:
			return len(r.buf), nil
		default:
			return 0, err
		}
	}
}

// lineEnds turns CR alone, the line end of old spreadsheets, into LF. The first line end decides.
func (r *rows) lineEnds() {
	if r.started {
		return
	}
	at := bytes.IndexAny(r.buf, "\r\n")
	if at < 0 || at == len(r.buf)-1 && r.buf[at] == '\r' && r.err == nil {
		return
	}
	r.started = true
	if r.buf[at] == '\r' && (at == len(r.buf)-1 || r.buf[at+1] != '\n') {
		crToLF(r.buf)
		r.in = carriageReturns{r.in}
	}
}

type carriageReturns struct{ in io.Reader }

func (c carriageReturns) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	crToLF(p[:n])
	return n, err
}

func crToLF(b []byte) {
	for i, c := range b {
		if c == '\r' {
			b[i] = '\n'
		}
	}
}

func (r *rows) restart() { r.scanned, r.open = 0, false }

// broken gives the first line of a row that cannot be read.
func (r *rows) broken(err error) piece {
	p := piece{line: r.line, err: err, last: r.header == nil}
	n := bytes.IndexByte(r.buf, '\n') + 1
	if n == 0 {
		n = len(r.buf)
	}
	p.content = bytes.TrimRight(r.take(n), "\r\n")
	r.restart()
	return p
}

func (r *rows) readHeader(fields []string) error {
	header := textfile.NewHeader(fields)
	for _, name := range header {
		if err := r.encoding.Check([]byte(name)); err != nil {
			return err
		}
	}
	if err := header.Distinct(); err != nil {
		return err
	}
	if len(header) == 1 {
		for _, other := range []string{";", "\t", "|", ","} {
			if strings.Contains(header[0], other) {
				return fmt.Errorf("has one column, %q: want %s: %q if that divides columns", header[0], fieldDelimiter, other)
			}
		}
	}
	if !slices.ContainsFunc(header, func(name string) bool { return name != "" }) {
		return errors.New("has no names in its header: want one for each column")
	}
	r.header = header
	return nil
}

// row is the message of a row. A column without a name is left out if it is empty, and is otherwise named column_N, counted from 1.
func (r *rows) row(fields []string) map[string]any {
	row := make(map[string]any, len(fields))
	for i, value := range fields {
		switch name := r.header[i]; {
		case name != "":
			row[name] = value
		case value != "":
			row[fmt.Sprintf("column_%d", i+1)] = value
		}
	}
	return row
}
