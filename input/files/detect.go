package files

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"connect-deepcase/internal/jsontext"
	"connect-deepcase/internal/textfile"
)

const (
	formatAuto   = "auto"
	formatLines  = "lines"
	formatNDJSON = "ndjson"
	formatJSON   = "json"
	formatCSV    = "csv"
	formatZeek   = "zeek"
)

// probe is the most bytes that are read ahead to detect the format.
const probe = 64 << 10

// reading says how files are read.
type reading struct {
	format    string
	encoding  textfile.Encoding
	comma     byte
	envelopes jsontext.Envelopes
	max       int
}

// splitter chooses the splitter of a file by its name and the beginning of its text. An error means that more text has to come first.
func (r reading) splitter(t *text, name string) (splitter, error) {
	format := r.format
	extension := strings.ToLower(filepath.Ext(textfile.TrimExtension(name)))
	if format == formatAuto && extension == ".csv" {
		format = formatCSV
	}
	if format == formatAuto || format == formatNDJSON {
		whole, err := r.isDocument(t)
		switch {
		case err != nil:
			return nil, err
		case whole && format == formatNDJSON:
			return &refused{t, fmt.Errorf("is JSON, but not one document per line: want %s: %s or %s", fieldFormat, formatAuto, formatJSON)}, nil
		case whole:
			format = formatJSON
		case format == formatAuto && bytes.HasPrefix(t.buf, []byte(zeekMark)): // isDocument has read the first line
			format = formatZeek
		}
	}
	switch format {
	case formatCSV:
		return &rows{text: t, max: r.max, comma: r.comma}, nil
	case formatJSON:
		return &documents{text: t, max: r.max, envelopes: r.envelopes}, nil
	case formatZeek:
		return newZeek(&lines{text: t, max: r.max}), nil
	}
	return &lines{text: t, max: r.max}, nil
}

// isDocument reports whether a text begins with JSON that is not one document per line: an array, an object around one, a document that
// continues on the next line, or several documents on one line.
func (r reading) isDocument(t *text) (bool, error) {
	for {
		rest := bytes.TrimLeft(t.buf, " \t\r\n")
		line, _, whole := bytes.Cut(rest, []byte{'\n'})
		if !whole && len(t.buf) < probe {
			err := t.fill()
			if err == nil {
				continue
			}
			if pauses(err) {
				return false, err
			}
		}
		switch {
		case bytes.HasPrefix(line, []byte{'['}):
			inside := bytes.TrimLeft(line[1:], " \t\r")
			return len(inside) == 0 || strings.IndexByte("{[]", inside[0]) >= 0, nil
		case !bytes.HasPrefix(line, []byte{'{'}):
			return false, nil
		}
		if e, _ := r.envelopes.Match(rest); e.Start > 0 {
			return true, nil
		}
		var s jsontext.Scan
		n, done, err := s.Feed(line)
		switch {
		case err != nil:
			return false, nil
		case !done:
			return whole, nil // else a long line, or the only one, cut
		}
		behind := bytes.TrimLeft(line[n:], " \t\r,")
		return bytes.HasPrefix(behind, []byte{'{'}) || bytes.HasPrefix(bytes.TrimLeft(line[n:], " \t\r"), []byte{','}), nil
	}
}

// refused is the splitter of a text that cannot be read: its only piece is the reason.
type refused struct {
	*text
	reason error
}

func (r *refused) next() (piece, error) {
	if r.reason == nil {
		return piece{}, io.EOF
	}
	content, _, _ := bytes.Cut(bytes.TrimLeft(r.buf[:min(len(r.buf), excerpt)], " \t\r\n"), []byte{'\n'})
	p := piece{content: content, line: r.line, err: r.reason, last: true}
	r.reason = nil
	return p, nil
}
