package sequencer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unsafe"

	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/textfile"
)

// csv reads a header and rows.
func (r *reader) csv(in io.Reader) error {
	var columns *csvColumns
	err := r.inPieces(&pieces{in: in}, r.takeRows, func(piece []byte, line int) (work func(part *reader) error, err error) {
		rows := textfile.NewRecords(view(piece), line, ',')
		if columns == nil {
			if columns, err = r.csvHeader(rows); columns == nil || err != nil {
				return nil, err
			}
		}
		return func(part *reader) error { return part.csvRows(rows, columns) }, nil
	})
	if columns == nil && err == nil && !r.full() {
		return r.wrong(0, "", fmt.Errorf("is empty: want a header with %q, %q and %q", r.columns.Timestamp, r.columns.Machine, r.columns.Event))
	}
	return err
}

// view is a piece as a text, which is valid as long as the piece.
func view(piece []byte) string { return unsafe.String(unsafe.SliceData(piece), len(piece)) }

// csvRows appends the rows of a piece.
func (r *reader) csvRows(rows *textfile.Records, columns *csvColumns) error {
	f := fields{labelled: r.labelled}
	for {
		row, wrong := rows.Next()
		switch {
		case wrong != nil:
			return r.wrong(wrong.Line, "", wrong.Err)
		case row == nil:
			return nil
		}
		if err := columns.header.Width(row); err != nil {
			return r.wrong(rows.LineOf(0), "", err)
		}
		f.timestamp, f.machine, f.event = row[columns.timestamp], row[columns.machine], row[columns.event]
		if f.labelled {
			f.kind = strings.TrimSpace(row[columns.label])
			var err error
			if f.label, err = field.Label(row[columns.label], r.opts.Benign); err != nil {
				return r.wrong(rows.LineOf(columns.label), r.columns.Label, err)
			}
		}
		if column, err := r.append(&f); err != nil {
			return r.wrong(rows.LineOf(columns.of(column, r.columns)), column, err)
		}
	}
}

// csvColumns are the places of the fields in a row.
type csvColumns struct {
	header                           textfile.Header
	timestamp, machine, event, label int
}

func (c *csvColumns) of(column string, names Columns) int {
	switch column {
	case names.Timestamp:
		return c.timestamp
	case names.Machine:
		return c.machine
	}
	return c.event
}

// csvHeader reads the header and sets r.labelled; nil if there is no record. It keeps nothing of the text.
func (r *reader) csvHeader(rows *textfile.Records) (*csvColumns, error) {
	header, wrong := rows.Next()
	if wrong != nil {
		return nil, r.wrong(wrong.Line, "", wrong.Err)
	}
	if header == nil {
		return nil, nil
	}
	c, err := r.csvColumns(header)
	if err != nil {
		return nil, r.wrong(1, "", err)
	}
	return &c, nil
}

// csvColumns finds the columns in the header and sets r.labelled.
func (r *reader) csvColumns(header []string) (c csvColumns, err error) {
	if slices.ContainsFunc(header, func(name string) bool { return strings.Contains(name, "\r") }) {
		return c, errors.New("has line ends of CR alone: want LF or CRLF")
	}
	c.header = textfile.NewHeader(header)
	for i, name := range c.header {
		c.header[i] = strings.Clone(name)
	}
	find := func(name string) int {
		at, wrong := c.header.Column(name)
		if at < 0 {
			wrong = fmt.Errorf("column %q is missing: the header has %s", name, shortList(c.header))
		}
		err = cmp.Or(wrong, err) // of several, the last one
		return at
	}
	r.labelled = r.columns.needsLabel() || slices.Contains(c.header, r.columns.Label)
	if r.labelled {
		c.label = find(r.columns.Label)
	}
	c.event, c.machine, c.timestamp = find(r.columns.Event), find(r.columns.Machine), find(r.columns.Timestamp)
	return c, err
}

// shortList names a few of many.
func shortList(names []string) string {
	const most = 12
	quoted := make([]string, 0, most+1)
	for i, name := range names {
		if i == most {
			quoted = append(quoted, fmt.Sprintf("and %d more", len(names)-most))
			break
		}
		quoted = append(quoted, excerpt.Quote(name))
	}
	if len(quoted) == 0 {
		return "none"
	}
	return strings.Join(quoted, ", ")
}
