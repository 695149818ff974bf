package decisions

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"connect-deepcase/internal/disk"
)

// Each gives all decisions that can be read, in their order, also those that compactions moved to the archive. It tells of the lines that
// cannot be read. What is appended meanwhile may be left out. If a newer program wrote a line, errors.Is(err, ErrNewerFormat).
func (j *Journal) Each(use func(d Decision) error) (damaged Damage, err error) {
	journal, err := j.lines(journalFile, parseLine) // before the archive: what moves there meanwhile is then in both, and not in none
	if err != nil {
		return damaged, err
	}
	defer journal.close()
	if err := journal.finished(); err != nil {
		return damaged, err
	}
	archive, err := j.lines(archiveFile, parseLine)
	if err != nil {
		return damaged, err
	}
	defer archive.close()
	err = merge(archive, journal, func(l *lines) error {
		if l.err != nil {
			damaged.add(l.name, l.offset, l.err)
			return nil //nolint:nilerr // the damage is told, and the other decisions go on
		}
		return use(l.decision)
	})
	return damaged, err
}

// EachAfter is Each for the decisions after a number. If they are all at the end of the journal, it reads no more than that.
func (j *Journal) EachAfter(number uint64, use func(d Decision) error) (damaged Damage, err error) {
	recent, err := j.tail(number)
	if err != nil {
		return damaged, err
	}
	for _, d := range recent {
		if err := use(d); err != nil {
			return damaged, err
		}
	}
	if recent != nil {
		return damaged, nil
	}
	return j.Each(func(d Decision) error {
		if d.Number <= number {
			return nil
		}
		return use(d)
	})
}

// maxTail is how much of the end of a journal is looked at.
const maxTail = 1 << 20

// tail gives the decisions after a number if the end of the journal, as it was read last, has each of them, and nothing that is damaged; else nil.
func (j *Journal) tail(number uint64) (found []Decision, err error) {
	j.changing.Lock()
	known, end := j.file, j.place.bytes
	j.changing.Unlock()
	f, info, err := disk.Open(j.path(journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	defer f.Close()
	if known == nil || !os.SameFile(known, info) {
		return nil, nil
	}
	text := make([]byte, min(end, maxTail))
	if _, err := f.ReadAt(text, end-int64(len(text))); err != nil {
		return nil, fmt.Errorf("decisions: %s: %w", f.Name(), err)
	}
	for next := uint64(0); len(text) > 0; { // from the last line to the first
		at := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
		var d Decision
		if _, err := parseLine(text[at:], &d); err != nil || next != 0 && d.Number != next-1 {
			return nil, nil // the line begins before the text, or Each tells of it
		}
		if next = d.Number; next <= number {
			return []Decision{}, nil
		}
		if found = append(found, d); next == number+1 {
			slices.Reverse(found)
			return found, nil
		}
		text = text[:at]
	}
	return nil, nil
}

// lines are those of a journal or an archive, one after the other.
type lines struct {
	name  string
	file  *os.File // nil if it is missing
	in    *bufio.Reader
	parse func(line []byte, d *Decision) (int, error)

	// The line that was read last.
	text     []byte // with its newline; nil if it is too long
	offset   int64
	size     int64
	decision Decision
	err      error  // why it cannot be read
	number   uint64 // of the last line that can be read
	done     bool   // there are no more lines
}

// lines opens a file of the directory; if it is missing, it has no lines.
func (j *Journal) lines(name string, parse func(line []byte, d *Decision) (int, error)) (*lines, error) {
	f, _, err := disk.Open(j.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return noLines(), nil
	} else if err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	return &lines{name: f.Name(), file: f, in: bufio.NewReaderSize(f, 1<<16), parse: parse}, nil
}

// finished leaves out what a writer has not finished.
func (l *lines) finished() error {
	if l.file == nil {
		return nil
	}
	reached, err := fold(l.file, place{}, 0, &Damage{}, func([]Decision) {})
	if err == nil {
		_, err = l.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("decisions: %s: %w", l.name, err)
	}
	l.in.Reset(io.LimitReader(l.file, reached.bytes))
	return nil
}

func noLines() *lines { return &lines{in: bufio.NewReader(bytes.NewReader(nil))} }

func (l *lines) close() {
	if l.file != nil {
		_ = l.file.Close() // it was only read
	}
}

// next goes on to the next line.
func (l *lines) next() error {
	text, size, err := readLine(l.in)
	if errors.Is(err, io.EOF) {
		l.done = true
		return nil
	} else if err != nil {
		return fmt.Errorf("decisions: %s: %w", l.name, err)
	}
	l.text, l.offset, l.size = text, l.offset+l.size, size
	if _, l.err = l.parse(text, &l.decision); l.err == nil && l.decision.Number <= l.number {
		l.err = outOfOrder(l.decision.Number, l.number)
	}
	switch {
	case errors.Is(l.err, ErrNewerFormat):
		return fmt.Errorf("decisions: %s: line at byte %d: %w", l.name, l.offset, l.err)
	case l.err == nil:
		l.number = l.decision.Number
	}
	return nil
}

// merge uses the lines of two files in the order of their numbers. A line that cannot be read comes after the one before it. A line that is in
// both, because a compaction was killed before it was done, comes once.
func merge(a, b *lines, use func(*lines) error) error {
	if err := errors.Join(a.next(), b.next()); err != nil {
		return err
	}
	for !a.done || !b.done {
		l := a
		if a.done || !b.done && b.number < a.number {
			l = b
		}
		if again := !a.done && !b.done && a.text != nil && bytes.Equal(a.text, b.text); !again {
			if err := use(l); err != nil {
				return err
			}
		}
		if err := l.next(); err != nil {
			return err
		}
	}
	return nil
}
