package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"connect-deepcase/internal/jsontext"
)

// documents cuts JSON into documents that follow each other, are elements of an array, or are elements of an array in an object. Commas
// between documents do not matter. A document that spans lines becomes one line.
//
// Text that is not JSON is one piece up to the next line that begins with {. Reading continues there.
type documents struct {
	*text
	max       int
	envelopes jsontext.Envelopes
	around    []wrapper

	scan    jsontext.Scan
	scanned int    // bytes of buf that scan has read, of the document that buf begins with
	skipped *piece // the beginning of a document that is too long
	broken  *piece // something that is no JSON, in buf
	leaving bool   // what is behind the array of an envelope is being left out
}

// wrapper is an array or an object around documents.
type wrapper struct {
	bracket byte
	line    int
	more    bool // an object that may have more than the array
}

func (d *documents) next() (piece, error) {
	for {
		if d.broken != nil {
			return d.resync()
		}
		if d.scanned > 0 || d.skipped != nil {
			if p, err := d.document(); err != nil || d.broken == nil {
				return p, err
			}
			continue
		}
		if d.leaving {
			if err := d.leave(); err != nil {
				return d.atEnd(err)
			}
			continue
		}
		c, err := d.significant()
		if err != nil {
			return d.atEnd(err)
		}
		inside := d.inside()
		switch {
		case c == ']' && inside == '[', c == '}' && inside == '{':
			d.take(1)
			d.around = d.around[:len(d.around)-1]
		case inside == '{' && d.around[len(d.around)-1].more:
			d.leaving = true
			d.scan.Enter()
		case inside == '{':
			d.around = d.around[:len(d.around)-1]
			d.breaks(1, errors.New("goes on after the array: want a }"))
		case c == ']' || c == '}':
			d.breaks(1, fmt.Errorf("a %q without a %q", c, c-2))
		case c == '[' && len(d.around) == jsontext.MaxDepth:
			d.breaks(1, fmt.Errorf("more than %d arrays in each other", jsontext.MaxDepth))
		case c == '[':
			d.around = append(d.around, wrapper{bracket: '[', line: d.line})
			d.take(1)
		case strings.IndexByte(`{"-0123456789tfn`, c) < 0:
			d.breaks(1, fmt.Errorf("is not JSON: has a %q where a document begins", c))
		default:
			e, err := d.envelope()
			if err != nil {
				return d.atEnd(err)
			}
			if e.Start > 0 && len(d.around)+e.Objects >= jsontext.MaxDepth {
				d.breaks(1, fmt.Errorf("more than %d objects around documents", jsontext.MaxDepth))
				continue
			}
			if e.Start > 0 {
				for range e.Objects {
					d.around = append(d.around, wrapper{'{', d.line, e.More})
				}
				d.around = append(d.around, wrapper{bracket: '[', line: d.line})
				d.take(e.Start)
				continue
			}
			d.scan.Reset()
			if p, err := d.document(); err != nil || d.broken == nil {
				return p, err
			}
		}
	}
}

// inside is the bracket of the innermost array or object around the documents, 0 if there is none.
func (d *documents) inside() byte {
	if len(d.around) == 0 {
		return 0
	}
	return d.around[len(d.around)-1].bracket
}

// significant skips what is between documents and gives the next byte.
func (d *documents) significant() (byte, error) {
	for {
		rest := bytes.TrimLeft(d.buf, " \t\r\n,")
		d.take(len(d.buf) - len(rest))
		if len(rest) > 0 {
			return rest[0], nil
		}
		if err := d.fill(); err != nil {
			return 0, err
		}
	}
}

// atEnd gives the last piece if the text ends too early.
func (d *documents) atEnd(err error) (piece, error) {
	if err == io.EOF && len(d.around) > 0 {
		first := d.around[0]
		d.around, d.leaving = nil, false
		return piece{line: d.line, last: true, err: fmt.Errorf("ends in the middle: want an end for the %q of line %d", first.bracket, first.line)}, nil
	}
	return d.ended(err)
}

// envelope is the object around an array that buf begins with, if it does.
func (d *documents) envelope() (jsontext.Envelope, error) {
	for {
		e, whole := d.envelopes.Match(d.buf[:min(len(d.buf), probe)])
		if whole || len(d.buf) >= probe {
			return e, nil
		}
		if err := d.fill(); err == io.EOF {
			return jsontext.Envelope{}, nil
		} else if err != nil {
			return jsontext.Envelope{}, err
		}
	}
}

// leave drops the rest of the innermost object around documents. If it is not JSON, it sets d.broken.
func (d *documents) leave() error {
	for {
		n, done, wrong := d.scan.Feed(d.buf)
		if wrong != nil {
			d.leaving, d.around = false, nil
			d.breaks(n, fmt.Errorf("is not JSON: has %w", wrong))
			return nil
		}
		d.take(n)
		if done {
			d.leaving, d.around = false, d.around[:len(d.around)-1]
			return nil
		}
		if err := d.fill(); err != nil {
			return err
		}
	}
}

// document reads the document at the start of buf. If it sets d.broken, there is none.
func (d *documents) document() (piece, error) {
	for {
		n, done, wrong := d.scan.Feed(d.buf[d.scanned:])
		d.scanned += n
		if wrong != nil {
			d.breaks(d.scanned, fmt.Errorf("is not JSON: has %w", wrong))
			return piece{}, nil
		}
		if d.scanned > d.max || d.skipped != nil {
			d.skip()
		}
		if !done {
			err := d.fill()
			if err == nil {
				continue
			}
			if err != io.EOF || d.scan.Open() { // else it ends with a number
				return d.cut(err)
			}
		}
		if p := d.skipped; p != nil {
			d.take(d.scanned)
			d.scanned, d.skipped = 0, nil
			return *p, nil
		}
		p := piece{line: d.line}
		if p.content, p.err = d.oneLine(d.buf[:d.scanned:d.scanned]); p.err != nil && d.buf[0] != '{' {
			d.breaks(d.scanned, p.err)
			return piece{}, nil
		}
		d.take(d.scanned)
		d.scanned = 0
		return p, nil
	}
}

// skip drops what was scanned of a document that is too long, except for its last byte: resync may need it.
func (d *documents) skip() {
	if d.skipped == nil {
		d.skipped = &piece{content: bytes.Clone(d.buf[:min(excerpt, d.max)]), line: d.line, err: errTooLong(d.max)}
	}
	d.take(d.scanned - 1)
	d.scanned = 1
}

// cut gives a document that the end of the text cuts off.
func (d *documents) cut(err error) (piece, error) {
	if pauses(err) {
		return piece{}, err
	}
	skipped := d.skipped
	d.scanned, d.skipped, d.around = 0, nil, nil
	if err != io.EOF {
		return d.ended(err)
	}
	p := piece{line: d.line, content: d.take(len(d.buf)), err: errors.New("ends in the middle: want the whole document"), last: true}
	if skipped != nil {
		p.content, p.line = skipped.content, skipped.line
	}
	return p, nil
}

// breaks notes that buf[n-1] is not JSON.
func (d *documents) breaks(n int, err error) {
	d.broken = &piece{line: d.line, err: err}
	if d.skipped != nil {
		d.broken.line, d.broken.content, d.skipped = d.skipped.line, d.skipped.content, nil
	}
	d.scanned = n - min(n, 2) // where the { of a line may be what is wrong
}

// resync skips to the next line that begins with {.
func (d *documents) resync() (piece, error) {
	for {
		at := bytes.Index(d.buf[d.scanned:], []byte("\n{"))
		if at >= 0 {
			return d.resynced(d.scanned + at + 1), nil
		}
		if d.scanned = max(0, len(d.buf)-1); d.scanned > d.max {
			d.keep(d.scanned)
			d.scanned = 0
		}
		if err := d.fill(); pauses(err) {
			return piece{}, err
		} else if err != nil { // io.EOF, or one that comes after this piece
			d.around = nil
			return d.resynced(len(d.buf)), nil
		}
	}
}

// keep drops n bytes, and keeps an excerpt of them if there is none yet.
func (d *documents) keep(n int) {
	taken := d.take(n)
	if d.broken.content == nil {
		d.broken.content = bytes.Clone(taken[:min(excerpt, d.max)])
	}
}

func (d *documents) resynced(n int) piece {
	if n > d.max {
		d.keep(n)
		n = 0
	}
	p := *d.broken
	d.broken, d.scanned = nil, 0
	if taken := d.take(n); p.content == nil {
		p.content = bytes.TrimRight(taken, " \t\r\n")
	}
	return p
}

// oneLine checks a document, and joins its lines.
func (t *text) oneLine(document []byte) ([]byte, error) {
	if err := t.encoding.Check(document); err != nil {
		return document, err
	}
	if bytes.IndexByte(document, '\n') < 0 && jsontext.Valid(document) {
		return document, nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, document); err != nil {
		return document, fmt.Errorf("is not JSON: %w", err)
	}
	return b.Bytes(), nil
}
