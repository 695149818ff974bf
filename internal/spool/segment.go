package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// segment is a file of records.
type segment struct {
	number  int
	checked bool // its records have checksums; those of older versions have none
	records int
	earlier int // records that were there when the spool was opened
	bytes   int64
}

const segmentPrefix = "events-"

func (g segment) suffix() string {
	if g.checked {
		return ".crc.ndjson"
	}
	return ".ndjson"
}

func (g segment) name() string { return fmt.Sprintf("%s%08d%s", segmentPrefix, g.number, g.suffix()) }

// parseSegment parses the name of a file. ok is false if it does not name a segment.
func parseSegment(name string) (g segment, ok bool) {
	for _, g.checked = range []bool{true, false} {
		digits, found := strings.CutSuffix(strings.TrimPrefix(name, segmentPrefix), g.suffix())
		if !found {
			continue
		}
		var err error
		if g.number, err = strconv.Atoi(digits); err == nil && g.name() == name {
			return g, true
		}
	}
	return segment{}, false
}

// scan counts the records of a segment in dir, and cuts off a record that a crash left incomplete.
func (g *segment) scan(dir string) (err error) {
	path := filepath.Join(dir, g.name())
	if info, err := os.Lstat(path); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := g.count(file); err != nil {
		return err
	}
	g.earlier = g.records
	return file.Truncate(g.bytes)
}

// count counts the complete lines of a segment.
func (g *segment) count(file io.Reader) error {
	buffer := make([]byte, 1<<20)
	for at := int64(0); ; {
		n, err := file.Read(buffer)
		if last := bytes.LastIndexByte(buffer[:n], '\n'); last >= 0 {
			g.records += bytes.Count(buffer[:n], []byte{'\n'})
			g.bytes = at + int64(last) + 1
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
