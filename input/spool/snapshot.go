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

// Snapshot is what a spool held at one moment; what is appended or dropped later does not matter to it.
type Snapshot struct {
	segments []segment
	found    int // as the spool's
	files    []*os.File
	places   []place // of the rows for Document
}

// place is where a record is.
type place struct {
	file   int32
	length int32
	offset int64
}

// Snapshot opens what is there now. The caller closes it.
func (s *Spool) Snapshot() (*Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &Snapshot{segments: slices.Clone(s.segments), found: s.found}
	for _, g := range p.segments {
		file, err := os.Open(s.path(g.number))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("spool %s: %w", s.dir, err), p.Close())
		}
		p.files = append(p.files, file)
	}
	return p, nil
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
		if g.number <= p.found {
			n += g.records
		}
	}
	return n
}

// Each reads the records in order of arrival; f's answer says whether a record is the next row for Document. It returns how many
// records could not be read.
func (p *Snapshot) Each(f func(*Record) (row bool, err error)) (damaged int, err error) {
	p.places = p.places[:0]
	for i, file := range p.files {
		reader := bufio.NewReaderSize(io.NewSectionReader(file, 0, p.segments[i].bytes), 1<<20)
		for offset := int64(0); ; {
			line, err := reader.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return damaged, err
			}
			var r Record
			if json.Unmarshal(line, &r) != nil || r.Event == "" {
				damaged++
			} else if row, err := f(&r); err != nil {
				return damaged, err
			} else if row {
				p.places = append(p.places, place{int32(i), int32(len(line)), offset})
			}
			offset += int64(len(line))
		}
	}
	return damaged, nil
}

// Document is the document of a row that Each has passed on, nil where it has none.
func (p *Snapshot) Document(row int) json.RawMessage {
	if row < 0 || row >= len(p.places) {
		return nil
	}
	at := p.places[row]
	line := make([]byte, at.length)
	if _, err := p.files[at.file].ReadAt(line, at.offset); err != nil {
		return nil
	}
	var r Record
	if json.Unmarshal(line, &r) != nil {
		return nil
	}
	return r.Document
}

// Close closes the snapshot's files.
func (p *Snapshot) Close() error {
	var errs []error
	for _, file := range p.files {
		errs = append(errs, file.Close())
	}
	p.files = nil
	return errors.Join(errs...)
}
