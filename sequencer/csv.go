package sequencer

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// csv reads a header and rows.
func (r *reader) csv(in io.Reader) error {
	rows := csv.NewReader(in)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err == io.EOF {
		return r.wrong(0, "", fmt.Errorf("is empty: want a header with %q, %q and %q", r.columns.Timestamp, r.columns.Machine, r.columns.Event))
	}
	if err != nil {
		return r.csvError(err, 0)
	}
	columns, err := r.csvColumns(header)
	if err != nil {
		return r.wrong(1, "", err)
	}
	for width := len(header); !r.full(); r.rows++ {
		row, err := rows.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return r.csvError(err, width)
		}
		f := fields{timestamp: row[columns.timestamp], machine: row[columns.machine], event: row[columns.event]}
		if r.labelled {
			f.label = row[columns.label]
		}
		if field, err := r.append(f); err != nil {
			line, _ := rows.FieldPos(columns.of(field, r.columns))
			return r.wrong(line, field, err)
		}
	}
	return nil
}

// csvColumns are the places of the fields in a row.
type csvColumns struct{ timestamp, machine, event, label int }

func (c csvColumns) of(field string, names Columns) int {
	switch field {
	case names.Timestamp:
		return c.timestamp
	case names.Machine:
		return c.machine
	case names.Event:
		return c.event
	}
	return c.label
}

// csvColumns finds the columns in the header and sets r.labelled.
func (r *reader) csvColumns(header []string) (c csvColumns, err error) {
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	find := func(name string) int {
		at := slices.Index(header, name)
		if at < 0 {
			err = fmt.Errorf("column %q is missing: the header has %s", name, shortList(header))
		} else if slices.Contains(header[at+1:], name) {
			err = fmt.Errorf("column %q comes twice: want one", name)
		}
		return at
	}
	r.labelled = r.columns.needsLabel() || slices.Contains(header, r.columns.Label)
	if r.labelled {
		c.label = find(r.columns.Label)
	}
	c.event, c.machine, c.timestamp = find(r.columns.Event), find(r.columns.Machine), find(r.columns.Timestamp)
	return c, err
}

// csvError says which line is not csv, and why.
func (r *reader) csvError(err error, width int) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return r.wrong(0, "", err)
	}
	switch parse.Err {
	case csv.ErrFieldCount:
		return r.wrong(parse.Line, "", fmt.Errorf("has not the header's number of columns: want %d", width))
	case csv.ErrBareQuote:
		return r.wrong(parse.Line, "", errors.New(`a " inside a value: want the value in quotes and each " in it twice`))
	case csv.ErrQuote:
		return r.wrong(parse.StartLine, "", errors.New(`a quoted value does not end, or goes on after its ": want each " in it twice`))
	}
	return r.wrong(parse.Line, "", parse.Err)
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
		quoted = append(quoted, shorten(name))
	}
	if len(quoted) == 0 {
		return "none"
	}
	return strings.Join(quoted, ", ")
}
