package sequencer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"connect-deepcase/internal/field"
	"connect-deepcase/internal/jsontext"
	"connect-deepcase/internal/textfile"
)

// Format is a kind of input file.
type Format string

// The formats. Their names are the extensions of files.
const (
	CSV    Format = "csv"    // a header and rows
	Text   Format = "txt"    // one line per machine: its events, separated by spaces
	JSON   Format = "json"   // objects in arrays, or one after the other, also in an object around an array, such as {"Records": […]}
	NDJSON Format = "ndjson" // one object per line
)

var extensions = map[string]Format{".csv": CSV, ".txt": Text, ".text": Text, ".json": JSON, ".ndjson": NDJSON, ".jsonl": NDJSON}

// FormatOf returns the format that the name of a file says. The file may be compressed (.gz, .zst, .bz2).
func FormatOf(path string) (Format, error) {
	format, ok := extensions[strings.ToLower(filepath.Ext(textfile.TrimExtension(path)))]
	if !ok {
		return "", fmt.Errorf(
			"%s: format unknown: want a name that ends in .csv, .txt, .json or .ndjson, also with .gz, .zst or .bz2, or the format itself", path)
	}
	return format, nil
}

// ReadOptions say how to read files.
type ReadOptions struct {
	Format  Format  // "" for what the name of the file says
	Columns Columns // an empty name is the default: timestamp, machine, event, label
	Benign  string  // the label text that is 0; any other text is 1. If it is "", labels are numbers, true or false
	Rows    int     // if > 0: the most rows (txt: lines) to read from all files together
	Time    string  // the format of times, as docs/events.md has them; "" for auto
	// Placeholders are texts that stand for an unknown machine; nil for the usual ones, such as "-" and "unknown".
	Placeholders []string
	// NormalizeMachine makes machines the same if their names differ in case, or by a dot at the end. It has no effect on txt.
	NormalizeMachine bool
	Encoding         string                  // of the files, such as "utf-16" or "windows-1252"; "" is UTF-8
	MaxBytes         int                     // most bytes of a line, csv record or JSON object; a longer one is an error. 0 means 64 MiB
	PerFile          bool                    // each file has its own machines, named "file/machine"
	Progress         func(done, total int64) // bytes read of all files; total is 0 if unknown; may be nil
}

// Read appends the rows of files, which may be compressed (gzip, zstd, bzip2). An error in a file is a *RowError; the rows before it stay in
// the table.
//
// Text has no machine names and no times: the machine is the number of its line, from 0, and each event is one second after the one before.
// Both continue from file to file. An empty label is NoLabel.
func (t *Table) Read(opts ReadOptions, paths ...string) error {
	r, err := newReader(t, opts)
	if err != nil {
		return err
	}
	bases := map[string]int{}
	for _, path := range paths {
		bases[machinePrefix(path)]++
		if info, err := os.Stat(path); err == nil {
			r.total += info.Size()
		}
	}
	for _, path := range paths {
		prefix := machinePrefix(path)
		if bases[prefix] > 1 {
			prefix = filepath.ToSlash(path) + "/"
		}
		if err := r.file(path, prefix); err != nil {
			return err
		}
	}
	return nil
}

// ReadStream appends the rows of one stream. name is used in errors, for the format if opts has none, and with PerFile for machines.
func (t *Table) ReadStream(in io.Reader, name string, opts ReadOptions) error {
	r, err := newReader(t, opts)
	if err != nil {
		return err
	}
	return r.stream(in, name, machinePrefix(name))
}

// RowError says where in the input something is wrong, and what.
type RowError struct {
	File  string
	Line  int    // from 1; 0 for the whole file
	Field string // the column; "" for the whole line
	Err   error
}

func (e *RowError) Error() string {
	at := e.File
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Field != "" {
		at += ": " + e.Field
	}
	return at + ": " + e.Err.Error()
}

func (e *RowError) Unwrap() error { return e.Err }

// reader reads files, one after the other, into a table.
type reader struct {
	table       *Table
	opts        ReadOptions
	columns     Columns
	rows        int   // read so far, of all files
	events      int64 // in text files so far
	done, total int64 // bytes
	taken       int64 // bytes of text, which is longer than a compressed file
	piece       int   // bytes of a file that are read at once
	workers     int   // most pieces that are read and not in the table yet
	most        int   // bytes of a record

	encoding     textfile.Encoding
	paths        *field.Paths         // of the columns in JSON
	labels       map[string]jsonLabel // by value in JSON
	envelopes    jsontext.Envelopes
	time         field.TimeFormat
	placeholders field.Placeholders

	name       string // of the file that is read
	prefix     string // of its machines
	labelled   bool   // whether the rows of a csv file have labels
	firstLabel int    // the first row of a piece that has a label, if there is one
	lineEnds   []int  // rows up to the end of each line of a piece of a text file
}

func newReader(t *Table, opts ReadOptions) (r *reader, err error) {
	r = &reader{table: t, opts: opts, columns: opts.Columns.orDefault(), piece: pieceSize, workers: piecesAtOnce(),
		most: cmp.Or(opts.MaxBytes, textfile.MaxRecord), labels: map[string]jsonLabel{}}
	r.paths = field.NewPaths(r.columns.list()...)
	if r.envelopes, err = jsontext.ParseEnvelopes(jsontext.DefaultEnvelopes()); err != nil {
		return nil, err
	}
	if r.encoding, err = textfile.ParseEncoding(opts.Encoding); err != nil {
		return nil, fmt.Errorf("encoding %w", err)
	}
	if r.time, err = field.ParseTimeFormat(opts.Time); err != nil {
		return nil, fmt.Errorf("time format %w", err)
	}
	if opts.Placeholders != nil {
		r.placeholders = field.NewPlaceholders(opts.Placeholders)
	}
	return r, nil
}

// piecesAtOnce is one more than there are cores, if there are several: while a piece is appended to the table, another one waits for its core.
func piecesAtOnce() int {
	if cores := runtime.GOMAXPROCS(0); cores > 1 {
		return cores + 1
	}
	return 1
}

func machinePrefix(path string) string {
	base := textfile.TrimExtension(filepath.Base(path))
	if _, ok := extensions[strings.ToLower(filepath.Ext(base))]; ok {
		base = base[:len(base)-len(filepath.Ext(base))]
	}
	return base + "/"
}

func (r *reader) file(path, prefix string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return r.stream(f, path, prefix)
}

func (r *reader) stream(in io.Reader, name, prefix string) error {
	format := r.opts.Format
	if format == "" {
		var err error
		if format, err = FormatOf(name); err != nil {
			return err
		}
	}
	r.name, r.prefix = name, ""
	if r.opts.PerFile {
		r.prefix = prefix
	}
	text, err := r.encoding.NewReader(&counter{in, r})
	if err != nil {
		return r.wrong(0, "", err)
	}
	switch format {
	case CSV:
		return r.csv(text)
	case Text:
		return r.text(text)
	case JSON, NDJSON:
		return r.jsonLines(text)
	}
	return fmt.Errorf("format %q: want csv, txt, json or ndjson", format)
}

// counter reports progress.
type counter struct {
	in io.Reader
	r  *reader
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.r.done += int64(n)
	if c.r.opts.Progress != nil && n > 0 {
		c.r.opts.Progress(c.r.done, c.r.total)
	}
	return n, err
}

// full reports whether all wanted rows were read.
func (r *reader) full() bool { return r.opts.Rows > 0 && r.rows >= r.opts.Rows }

func (r *reader) wrong(line int, field string, err error) error {
	return &RowError{r.name, line, field, cmp.Or(plain(err), err)}
}

// plain rewords an error for the user who wrote the file; nil if the error is good as it is.
func plain(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("ends in the middle: want the whole file")
	}
	return nil
}
