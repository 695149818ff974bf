package decisions

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// place is how far a file was read.
type place struct {
	bytes int64
	tail  [checksumSize + 1]byte // the last of them, by which a file is known again; zeros if a line is not known
}

// pass goes on by a whole line, which may be nil if it is too long.
func (p *place) pass(line []byte, size int64) {
	p.bytes += size
	p.tail = [len(p.tail)]byte{}
	if len(line) >= len(p.tail) {
		copy(p.tail[:], line[len(line)-len(p.tail):])
	}
}

// at tells whether a file has the same bytes at this place.
func (p *place) at(f io.ReaderAt) bool {
	if p.tail == (place{}).tail {
		return true
	}
	var tail [len(p.tail)]byte
	_, err := f.ReadAt(tail[:], p.bytes-int64(len(tail)))
	return err == nil && tail == p.tail
}

// fold adds the whole lines of a file, which was read up to a place, after the decision number last, and tells how far it came. Decisions
// that were appended together are added once all of them are there: a writer may not have finished them yet, or may have been killed. A damaged
// line among them ends the waiting, so that no others are lost.
func fold(f *os.File, from place, last uint64, damaged *Damage, add func(together []Decision)) (reached place, err error) {
	if _, err := f.Seek(from.bytes, io.SeekStart); err != nil {
		return from, err
	}
	in := bufio.NewReaderSize(f, 1<<16)
	var d Decision
	var together []Decision
	reached, at := from, from
	for {
		line, size, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return reached, nil
		} else if err != nil {
			return reached, err
		}
		more, err := parseShort(line, &d)
		if err == nil && d.Number <= last {
			err = outOfOrder(d.Number, last)
		}
		switch {
		case errors.Is(err, ErrNewerFormat):
			return reached, fmt.Errorf("line at byte %d: %w", at.bytes, err)
		case err != nil:
			damaged.add(f.Name(), at.bytes, err)
			more = 0
		default:
			last = d.Number
			together = append(together, d)
		}
		at.pass(line, size)
		if more > 0 {
			continue
		}
		add(together)
		together, reached = together[:0], at
	}
}

// parseShort reads of a line what a fold needs.
func parseShort(line []byte, d *Decision) (more int, err error) {
	if more, ok := quickly(line, d); ok {
		return more, nil
	}
	return parseLine(line, d)
}

// readLine reads a line, and gives it with its newline and its size; it is nil if it is longer than any decision. One that is not whole is
// io.EOF. The line is good until the next call.
func readLine(in *bufio.Reader) (line []byte, size int64, err error) {
	line, err = in.ReadSlice('\n')
	if size = int64(len(line)); !errors.Is(err, bufio.ErrBufferFull) {
		return line, size, err
	}
	long := slices.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = in.ReadSlice('\n')
		if size += int64(len(line)); size <= maxLine {
			long = append(long, line...)
		}
	}
	if size > maxLine {
		long = nil
	}
	return long, size, err
}
