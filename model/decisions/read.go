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
	var together []Decision
	reached = from
	err = parseAhead(f, from, func(p *parsed) error {
		if p.err == nil && p.decision.Number <= last {
			p.err = outOfOrder(p.decision.Number, last)
		}
		switch {
		case errors.Is(p.err, ErrNewerFormat):
			return fmt.Errorf("line at byte %d: %w", p.begin, p.err)
		case p.err != nil:
			damaged.add(f.Name(), p.begin, p.err)
		default:
			last = p.decision.Number
			if together = append(together, p.decision); p.more > 0 {
				return nil
			}
		}
		add(together)
		together, reached = together[:0], p.end
		return nil
	})
	return reached, err
}

// parsed is a line as parseShort reads it, and where it lies.
type parsed struct {
	decision Decision
	more     int
	err      error
	begin    int64
	end      place
}

// parseAhead gives use the whole lines of r, which begins at a place of a file, until one of them is an error. A goroutine reads and parses those
// that come next, so that two processors share the work.
func parseAhead(r io.Reader, at place, use func(*parsed) error) error {
	var failed error // of reading; good once ready is closed
	ready, used, stop := make(chan []parsed, 2), make(chan []parsed, 4), make(chan struct{})
	go func() {
		defer close(ready)
		in := bufio.NewReaderSize(r, 1<<16)
		for failed == nil {
			var some []parsed
			select {
			case some = <-used:
			default:
			}
			if some, failed = parseSome(in, &at, some[:0]); len(some) == 0 {
				continue
			}
			select {
			case ready <- some:
			case <-stop:
				return
			}
		}
	}()
	defer func() {
		close(stop)
		for range ready { // until the goroutine has ended, and reads no more
		}
	}()
	for some := range ready {
		for i := range some {
			if err := use(&some[i]); err != nil {
				return err
			}
		}
		used <- some
	}
	if errors.Is(failed, io.EOF) {
		return nil
	}
	return failed
}

// atOnce is how many lines are handed over at a time: enough for some milliseconds of work, since waking the other processor may take a fraction of
// one, and the two would otherwise work by turns.
const atOnce = 4096

// parseSome reads up to atOnce lines.
func parseSome(in *bufio.Reader, at *place, some []parsed) ([]parsed, error) {
	for len(some) < atOnce {
		line, size, err := readLine(in)
		if err != nil {
			return some, err
		}
		p := parsed{begin: at.bytes}
		p.more, p.err = parseShort(line, &p.decision)
		at.pass(line, size)
		p.end = *at
		some = append(some, p)
	}
	return some, nil
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
