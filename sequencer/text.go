package sequencer

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"connect-deepcase/internal/field"
	"connect-deepcase/internal/textfile"
)

// text reads one machine per line.
func (r *reader) text(in io.Reader) error {
	first := r.rows
	if r.opts.PerFile {
		first = 0
	}
	return r.inPieces(&pieces{in: in, lines: true}, func(l *lane, err error) error {
		lines, err := r.takeLines(l, first, err)
		first += lines
		return err
	}, func(piece []byte, line int) (func(part *reader) error, error) {
		return func(part *reader) error { return part.textLines(piece, line) }, nil
	})
}

// textLines appends the events of a piece, and notes how many there are up to the end of each line.
func (r *reader) textLines(piece []byte, line int) error {
	for ; len(piece) > 0; line++ {
		text, rest := cutLine(piece)
		piece = rest
		column, err := r.textLine(text)
		r.lineEnds = append(r.lineEnds, len(r.table.name))
		if err != nil {
			return r.wrong(line, column, err)
		}
	}
	return nil
}

// textLine appends the events of a line, which has its line end.
func (r *reader) textLine(line []byte) (column string, err error) {
	switch {
	case len(line) > r.most:
		return "", textfile.LongError{Most: r.most}
	case bytes.IndexByte(line, '\r') >= 0 && bytes.IndexByte(bytes.TrimRight(line, "\r\n"), '\r') >= 0:
		return "", errors.New("has a line end of CR alone, so that machines would become one: want LF or CRLF")
	}
	for event := range strings.FieldsSeq(view(line)) {
		id, known := r.table.names.find(event)
		if !known {
			if err := cmp.Or(r.decoded(event), field.Event(event)); err != nil {
				return "event", err
			}
			id = r.table.names.add(event)
		}
		r.table.name = append(r.table.name, id)
	}
	return "", nil
}

// takeLines appends the events of a piece whose first machine has a number, and gives the number of its lines.
func (r *reader) takeLines(l *lane, first int, err error) (lines int, _ error) {
	ends := l.part.lineEnds
	if left := r.opts.Rows - r.rows; r.opts.Rows > 0 && left <= len(ends) {
		ends, err = ends[:left], nil
	}
	if len(ends) == 0 {
		return 0, err
	}
	rows := ends[len(ends)-1]
	r.reserve(rows)
	t, from := r.table, 0
	for i, end := range ends {
		if end == from {
			continue
		}
		machine := t.machines.id(r.prefix + strconv.Itoa(first+i))
		for ; from < end; from++ {
			t.machine = append(t.machine, machine)
			t.time = append(t.time, nanos(time.Unix(r.events, 0)))
			r.events++
		}
	}
	t.name = l.table.names.renumber(t.name, l.table.name[:rows], &t.names, &l.known.names, "")
	if t.labels != nil {
		t.fillLabels(t.Len())
	}
	r.rows += len(ends)
	return len(ends), err
}

// cutLine cuts a text behind its first line end.
func cutLine(text []byte) (line, rest []byte) {
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		return text[:end+1], text[end+1:]
	}
	return text, nil
}
