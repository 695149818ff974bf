package sequencer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/textfile"
)

// pieceSize is small enough for files of moderate size to keep all cores busy.
const pieceSize = 128 << 10

// csv reads a header and rows. It reads several pieces of the text at once and appends them in order.
func (r *reader) csv(in io.Reader) error {
	text := &pieces{in: in, least: r.piece, most: r.most}
	atOnce := r.workers
	if r.opts.Rows > 0 { // read no further than needed: more may never come
		text.least, atOnce = 1, 1
	}
	var columns *csvColumns
	var running []chan csvPart
	var broken error
	for line := 1; !r.full(); {
		piece, err := text.next()
		if err != nil {
			if err != io.EOF {
				broken = r.wrong(0, "", err)
				if errors.As(err, new(textfile.LongError)) {
					broken = r.wrong(line, "", err)
				}
			}
			break
		}
		rows, lines := textfile.NewRecords(piece, line, ','), strings.Count(piece, "\n")
		line += lines
		if columns == nil {
			if columns, err = r.csvHeader(rows); err != nil {
				return err
			}
			if columns == nil {
				continue // blank lines
			}
		}
		done, part := make(chan csvPart, 1), r.part(lines+1)
		running = append(running, done)
		go func() { done <- csvPart{part.table, part.csvRows(rows, *columns)} }()
		if len(running) == atOnce {
			if err := r.takePart(<-running[0]); err != nil {
				return err
			}
			running = running[1:]
		}
	}
	for _, part := range running {
		if err := r.takePart(<-part); err != nil {
			return err
		}
	}
	if columns == nil && broken == nil && !r.full() {
		return r.wrong(0, "", fmt.Errorf("is empty: want a header with %q, %q and %q", r.columns.Timestamp, r.columns.Machine, r.columns.Event))
	}
	return broken
}

// csvPart is the result of reading a piece: its rows, up to the one that err is about.
type csvPart struct {
	table *Table
	err   error
}

// part returns a reader for a piece with at most so many rows.
func (r *reader) part(rows int) *reader {
	part := *r
	part.prefix = "" // takePart adds it, once per machine
	part.table = &Table{machine: make([]uint32, 0, rows), name: make([]uint32, 0, rows), time: make([]int64, 0, rows)}
	return &part
}

func (r *reader) takePart(p csvPart) error {
	rows, err := p.table.Len(), p.err
	if left := r.opts.Rows - r.rows; r.opts.Rows > 0 && left <= rows {
		rows, err = left, nil
	}
	r.table.appendRows(p.table, rows, r.prefix)
	r.rows += rows
	return err
}

// csvRows appends the rows of a piece.
func (r *reader) csvRows(rows *textfile.Records, columns csvColumns) error {
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
		f := fields{timestamp: row[columns.timestamp], machine: row[columns.machine], event: row[columns.event], labelled: r.labelled}
		if f.labelled {
			f.kind = strings.TrimSpace(row[columns.label])
			var err error
			if f.label, err = field.Label(row[columns.label], r.opts.Benign); err != nil {
				return r.wrong(rows.LineOf(columns.label), r.columns.Label, err)
			}
		}
		if column, err := r.append(f); err != nil {
			return r.wrong(rows.LineOf(columns.of(column, r.columns)), column, err)
		}
	}
}

// csvColumns are the places of the fields in a row.
type csvColumns struct {
	header                           textfile.Header
	timestamp, machine, event, label int
}

func (c csvColumns) of(column string, names Columns) int {
	switch column {
	case names.Timestamp:
		return c.timestamp
	case names.Machine:
		return c.machine
	}
	return c.event
}

// csvHeader reads the header and sets r.labelled; nil if there is no record.
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
