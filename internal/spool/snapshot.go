package spool

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Snapshot is the content of a spool at one moment: later changes of the spool do not matter. It has one file open at a time.
type Snapshot struct {
	spool    *Spool
	segments []segment
	places   []place // of the rows for Document
}

// place is the place of a record.
type place struct {
	segment int32
	length  int32
	offset  int64
}

// Snapshot takes a snapshot of the spool. The caller must close it.
func (s *Spool) Snapshot() *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshots++
	return &Snapshot{spool: s, segments: slices.Clone(s.segments)}
}

// Len is the number of records.
func (p *Snapshot) Len() int {
	n := 0
	for _, g := range p.segments {
		n += g.records
	}
	return n
}

// Earlier is the number of records that were there when the spool was opened.
func (p *Snapshot) Earlier() int {
	n := 0
	for _, g := range p.segments {
		n += g.earlier
	}
	return n
}

// Each calls f with the records in order of arrival. If f returns true, the record is the next row for Document. Each returns the number of
// damaged records, which it writes to DamagedFile.
func (p *Snapshot) Each(f func(*Record) (row bool, err error)) (damaged int, err error) {
	p.places = p.places[:0]
	var aside damagedFile
	defer func() { err = errors.Join(err, aside.close(p.spool.dir)) }()
	for i, g := range p.segments {
		err := p.lines(g, func(offset int64, line []byte) error {
			r, err := parseLine(line, g.checked)
			if err != nil {
				damaged++
				return aside.add(p.spool.dir, g, offset, line, err)
			}
			row, err := f(&r)
			if row {
				p.places = append(p.places, place{int32(i), int32(len(line)), offset})
			}
			return err
		})
		if err != nil {
			return damaged, err
		}
	}
	return damaged, nil
}

// maxLine is the most bytes of a line that are read. Append writes no longer line: a longer one has lost a line end.
const maxLine = 64 << 20

// lines calls f with the lines of a segment, cut to maxLine. A line is valid until f returns.
func (p *Snapshot) lines(g segment, f func(offset int64, line []byte) error) (err error) {
	file, err := os.Open(p.spool.path(g))
	if err != nil {
		return fmt.Errorf("spool %s: %w", p.spool.dir, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	reader := bufio.NewReaderSize(io.NewSectionReader(file, 0, g.bytes), 1<<20)
	var line []byte
	for start, at := int64(0), int64(0); ; {
		piece, err := reader.ReadSlice('\n')
		at += int64(len(piece))
		line = append(line, piece[:min(len(piece), maxLine-len(line))]...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return nil // lines are whole
		case err != nil:
			return fmt.Errorf("spool %s: %w", p.spool.dir, err)
		}
		if err := f(start, line); err != nil {
			return err
		}
		line, start = line[:0], at
	}
}

// Document is the document of a row that Each has passed on, nil if it has none or can no longer be read.
func (p *Snapshot) Document(row int) json.RawMessage {
	if row < 0 || row >= len(p.places) {
		return nil
	}
	at := p.places[row]
	g := p.segments[at.segment]
	file, err := os.Open(p.spool.path(g))
	if err != nil {
		return nil
	}
	defer file.Close()
	line := make([]byte, at.length)
	if _, err := file.ReadAt(line, at.offset); err != nil {
		return nil
	}
	r, err := parseLine(line, g.checked)
	if err != nil {
		return nil
	}
	return r.Document
}

// Close ends the snapshot. Segments that were dropped meanwhile are then removed from the disk.
func (p *Snapshot) Close() error {
	if err := p.spool.release(); err != nil {
		return fmt.Errorf("spool %s: %w", p.spool.dir, err)
	}
	return nil
}
