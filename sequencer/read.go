package sequencer

import (
	"io"
	"time"
)

// Format is a kind of input file.
type Format string

const (
	CSV    Format = "csv"    // a header and rows
	Text   Format = "txt"    // a machine a line: its events, separated by spaces
	JSON   Format = "json"   // an array of objects, or one object after the other
	NDJSON Format = "ndjson" // an object a line
)

// FormatOf tells the format by the file's name, .gz or not.
func FormatOf(path string) (Format, error) { panic("stub") }

// Columns name the fields of csv and JSON input. In JSON a dot leads into nested objects: rule.description.
type Columns struct{ Timestamp, Machine, Event, Label string }

// DefaultColumns are timestamp, machine, event and label.
func DefaultColumns() Columns { panic("stub") }

// ParseColumns reads renamings such as "timestamp=time,machine=host,event=name,label=event_label"; what is not renamed keeps
// its name.
func ParseColumns(s string) (Columns, error) { panic("stub") }

// ReadOptions say how to read files.
type ReadOptions struct {
	Format   Format                  // "" tells by name
	Columns  Columns                 // an empty one has its default name
	Benign   string                  // if set: a label of this text is 0, of any other 1. Otherwise labels are numbers
	Rows     int                     // if > 0: read only so many rows (txt: lines) of all files together
	PerFile  bool                    // each file has machines of its own, named "file/machine"
	Progress func(done, total int64) // bytes read of all files; total is 0 where unknown; may be nil
}

// Read appends the rows of files, gzipped or not. What is wrong in a file is a *RowError.
func (t *Table) Read(opts ReadOptions, paths ...string) error { panic("stub") }

// ReadStream appends the rows of one stream; name is for errors and, under PerFile, for machines.
func (t *Table) ReadStream(r io.Reader, name string, opts ReadOptions) error { panic("stub") }

// RowError says what is wrong where in the input.
type RowError struct {
	File  string
	Line  int    // from 1; 0 where the whole file is meant
	Field string // the column; "" where the whole line is meant
	Err   error
}

func (e *RowError) Error() string { panic("stub") }
func (e *RowError) Unwrap() error { return e.Err }

// ParseTime reads a timestamp: a number of seconds, millis, micros or nanos since 1970 (told by its size, with or without a
// fraction or exponent), or RFC 3339 and its relatives: a space for the T, no seconds, a comma before the fraction, a zone
// like +0000 or none (UTC).
func ParseTime(s string) (time.Time, error) { panic("stub") }
