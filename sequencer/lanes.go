package sequencer

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"connect-deepcase/internal/field"
	"connect-deepcase/internal/textfile"
)

// lane reads one piece of a file after the other. What it needs for that it keeps for the next one: memory from the system is slow.
type lane struct {
	part   reader
	table  *Table // rows of the piece, and the names of all pieces so far
	known  renumbering
	labels map[string]jsonLabel
	paths  *field.Paths
	text   []byte // the piece
	done   chan error
}

// maxLaneNames is how many names a lane keeps.
const maxLaneNames = 1 << 16

// start reads a piece with at most so many rows.
func (l *lane) start(r *reader, rows int, work func(part *reader) error) {
	if l.table == nil || len(l.table.machines.texts)+len(l.table.names.texts)+len(l.table.kinds.texts) > maxLaneNames {
		l.table, l.known = &Table{}, renumbering{}
	}
	l.table.clear(rows)
	ends := l.part.lineEnds[:0]
	l.part = *r
	l.part.table, l.part.labels, l.part.paths, l.part.lineEnds = l.table, l.labels, l.paths, ends
	l.part.prefix, l.part.opts.Rows = "", 0 // they come into play when the rows are taken
	go func() { l.done <- work(&l.part) }()
}

// inPieces reads several pieces of a text at once, and takes their rows in order. prepare gives the work for a piece that begins on a line, nil for
// none.
func (r *reader) inPieces(text *pieces, take func(*lane, error) error, prepare func(piece []byte, line int) (func(part *reader) error, error)) error {
	text.least, text.most = r.piece, r.most
	atOnce := r.workers
	if r.opts.Rows > 0 { // read no further than needed: more may never come
		text.least, atOnce = 1, 1
	}
	var running, free []*lane
	takeOldest := func() error {
		l := running[0]
		running, free = running[1:], append(free, l)
		err := <-l.done
		r.taken += int64(len(l.text))
		err = take(l, err)
		if err != nil {
			for _, l := range running {
				text.unread = append(text.unread, l.text)
			}
		}
		return err
	}
	var broken error
	for line := 1; !r.full(); {
		if len(running) == atOnce {
			if err := takeOldest(); err != nil {
				return err
			}
			continue
		}
		if len(free) == 0 {
			free = append(free, &lane{labels: map[string]jsonLabel{}, paths: field.NewPaths(r.columns.list()...), done: make(chan error, 1)})
		}
		l := free[len(free)-1]
		var err error
		if l.text, err = text.next(l.text[:0]); err != nil {
			broken = r.brokenText(text, line, err)
			break
		}
		lines := bytes.Count(l.text, []byte{'\n'})
		work, err := prepare(l.text, line)
		if err != nil {
			return err
		}
		line += lines
		if work != nil {
			l.start(r, lines+1, work)
			running, free = append(running, l), free[:len(free)-1]
		}
	}
	for len(running) > 0 {
		if err := takeOldest(); err != nil {
			return err
		}
	}
	return broken
}

// brokenText is why a text ends at a line, nil if it is whole.
func (r *reader) brokenText(text *pieces, line int, err error) error {
	switch {
	case err == io.EOF:
		return nil
	case !text.lines && !errors.As(err, new(textfile.LongError)):
		line = 0
	}
	return r.wrong(line, "", err)
}

// takeRows appends the rows of a piece, up to the one that err is about.
func (r *reader) takeRows(l *lane, err error) error {
	rows := l.table.Len()
	if left := r.opts.Rows - r.rows; r.opts.Rows > 0 && left <= rows {
		rows, err = left, nil
	}
	if rows <= l.part.firstLabel { // the rows with a label are not wanted
		l.table.labels, l.table.kind = nil, nil
	}
	r.reserve(rows)
	r.table.appendRows(l.table, &l.known, rows, r.prefix)
	r.rows += rows
	return err
}

// reserve makes room for more rows. From what is read so far it guesses how many come: to grow again and again costs time and memory.
func (r *reader) reserve(rows int) {
	if rows <= cap(r.table.time)-len(r.table.time) {
		return
	}
	guess := 0
	if r.taken > 0 && r.taken < r.total { // a compressed text is longer than its file
		guess = int(float64(r.table.Len()+rows) * float64(r.total-r.taken) / float64(r.taken) * 1.05)
	}
	t := r.table
	t.time, t.machine, t.name = slices.Grow(t.time, rows+guess), slices.Grow(t.machine, rows+guess), slices.Grow(t.name, rows+guess)
}
