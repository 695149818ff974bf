package sequencer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/jsontext"
	"connect-deepcase/internal/textfile"
)

// jsonLines reads lines that are an object each. The first other line, and all that come after it, are for json.
func (r *reader) jsonLines(in io.Reader) error {
	text := &pieces{in: in, lines: true}
	err := r.inPieces(text, r.takeRows, func(piece []byte, line int) (func(part *reader) error, error) {
		return func(part *reader) error { return part.jsonPiece(piece, line) }, nil
	})
	if other, ok := errors.AsType[*notObjectError](err); ok {
		return r.json(text.unreadText(other.rest), other.before)
	}
	return err
}

// notObjectError says that a line is not an object.
type notObjectError struct {
	rest   []byte // of its piece, from it on
	before int    // lines before it
}

func (n *notObjectError) Error() string { return fmt.Sprintf("line %d: want an object", n.before+1) }

// jsonPiece appends the rows of a piece. The error may be notObjectError.
func (r *reader) jsonPiece(piece []byte, line int) error {
	for ; len(piece) > 0; line++ {
		text, rest := cutLine(piece)
		if len(text) > r.most {
			return r.wrong(line, "", textfile.LongError{Most: r.most})
		}
		if object := jsontext.Trim(text); len(object) > 0 {
			if valid, err := r.jsonLine(object, line); err != nil {
				return err
			} else if !valid {
				return &notObjectError{piece, line - 1}
			}
		}
		piece = rest
	}
	return nil
}

// jsonLine appends the rows of a line, unless it is not a valid object.
func (r *reader) jsonLine(text []byte, line int) (valid bool, err error) {
	if text[0] != '{' {
		return false, nil
	}
	if e, _ := r.envelopes.Match(text); e.Start > 0 {
		if !jsontext.Valid(text) {
			return false, nil
		}
		return true, r.jsonValue(text, line, 0)
	}
	var found jsonFields
	if end, valid := r.paths.FindJSON(text, found[:]); !valid || end < len(text) {
		return false, nil
	}
	return true, r.jsonObject(text, found, line)
}

// maxNested bounds how often a value is read again, level by level.
const maxNested = 32

// jsonValue appends the row of an object, or the rows of what is in an array or an envelope. The value is valid, and begins on a line.
func (r *reader) jsonValue(value []byte, line, depth int) error {
	start := 0
	if e, _ := r.envelopes.Match(value); e.Start > 0 {
		start = e.Start - 1
	} else if value[0] != '[' {
		var found jsonFields
		if _, valid := r.paths.FindJSON(value, found[:]); valid {
			return r.jsonObject(value, found, line)
		}
		return r.wrong(line, "", fmt.Errorf("%s: want an object", excerpt.Quote(string(value))))
	}
	if depth == maxNested {
		return r.wrong(line, "", fmt.Errorf("has more than %d arrays in each other: want an object", maxNested))
	}
	counted := 0 // bytes of value whose lines are counted
	for at := jsontext.Space(value, start+1); value[at] != ']' && !r.full(); {
		end, _ := jsontext.End(value, at)
		line += bytes.Count(value[counted:at], []byte{'\n'})
		counted = at
		if err := r.jsonValue(value[at:end], line, depth+1); err != nil {
			return err
		}
		if at = jsontext.Space(value, end); value[at] == ',' {
			at = jsontext.Space(value, at+1)
		}
	}
	return nil
}

// jsonFields are the values at the columns' paths.
type jsonFields [4]json.RawMessage

// jsonObject appends the row of an object.
func (r *reader) jsonObject(object []byte, found jsonFields, line int) error {
	if path, err := r.jsonRow(object, found); err != nil {
		return r.wrong(line, path, err)
	}
	r.rows++
	return nil
}

// jsonRow appends a row of what is at the columns' paths in an object, or says which field is wrong.
func (r *reader) jsonRow(object []byte, found jsonFields) (path string, err error) {
	var texts [3]string // in the memory of the object: what is kept of them, append copies
	for i := range texts {
		texts[i], err = field.JSONView(found[i])
		if errors.Is(err, field.ErrMissing) {
			return r.columns.list()[i], fmt.Errorf("%w: the object has %s", err, shortList(field.Keys(object)))
		} else if err != nil {
			return r.columns.list()[i], err
		}
	}
	f := fields{timestamp: texts[0], machine: texts[1], event: texts[2]}
	if label := found[3]; label != nil { // an object may have none
		if f.label, f.kind, err = r.jsonLabel(label); err != nil {
			return r.columns.Label, err
		}
		f.labelled = true
	}
	return r.append(&f)
}

// maxLabels is how many labels jsonLabel remembers.
const maxLabels = 1000

// jsonLabel is a label and its text, "" for a boolean. Labels are few: it remembers the first ones.
func (r *reader) jsonLabel(value json.RawMessage) (label float64, kind string, err error) {
	if known, ok := r.labels[string(value)]; ok {
		return known.label, known.kind, nil
	}
	if label, err = field.JSONLabel(value, r.opts.Benign); err != nil {
		return 0, "", err
	}
	kind, _ = field.JSONText(value) // no error but for a boolean
	kind = strings.TrimSpace(kind)
	if len(r.labels) < maxLabels {
		r.labels[string(value)] = jsonLabel{label, kind}
	}
	return label, kind, nil
}

type jsonLabel struct {
	label float64
	kind  string
}
