package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// documents cuts JSON into documents that follow each other, are elements of an array, or are elements of an array in an object. Commas
// between documents do not matter. A document that spans lines becomes one line.
//
// Text that is not JSON is one piece up to the next line that begins with {. Reading continues there.
type documents struct {
	*text
	max       int
	envelopes []string // keys of objects around an array
	around    []wrapper

	scan    scan
	scanned int    // bytes of buf that scan has read, of the document that buf begins with
	skipped *piece // the beginning of a document that is too long
	broken  *piece // something that is no JSON, in buf
}

// wrapper is an array or an object around documents.
type wrapper struct {
	bracket byte
	line    int
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
		c, err := d.significant()
		if err != nil {
			return d.atEnd(err)
		}
		inside := d.inside()
		switch {
		case c == ']' && inside == '[', c == '}' && inside == '{':
			d.take(1)
			d.around = d.around[:len(d.around)-1]
		case inside == '{':
			d.around = d.around[:len(d.around)-1]
			d.breaks(1, errors.New("goes on after the array: want a }"))
		case c == ']' || c == '}':
			d.breaks(1, fmt.Errorf("a %q without a %q", c, c-2))
		case c == '[' && len(d.around) == maxDepth:
			d.breaks(1, fmt.Errorf("more than %d arrays in each other", maxDepth))
		case c == '[':
			d.around = append(d.around, wrapper{'[', d.line})
			d.take(1)
		case strings.IndexByte(`{"-0123456789tfn`, c) < 0:
			d.breaks(1, fmt.Errorf("is not JSON: has a %q where a document begins", c))
		default:
			n, err := d.envelope()
			if err != nil {
				return d.atEnd(err)
			}
			if n > 0 {
				d.around = append(d.around, wrapper{'{', d.line}, wrapper{'[', d.line})
				d.take(n)
				continue
			}
			d.scan = scan{open: d.scan.open[:0]}
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
		d.around = nil
		return piece{line: d.line, last: true, err: fmt.Errorf("ends in the middle: want an end for the %q of line %d", first.bracket, first.line)}, nil
	}
	return d.ended(err)
}

// envelope is the number of bytes from the start of an object to the first document of its array, 0 if buf does not begin with such an object.
func (d *documents) envelope() (int, error) {
	for {
		n, whole := envelope(d.buf[:min(len(d.buf), probe)], d.envelopes)
		if whole || len(d.buf) >= probe {
			return n, nil
		}
		if err := d.fill(); err == io.EOF {
			return 0, nil
		} else if err != nil {
			return 0, err
		}
	}
}

// envelope reads {"key":[. If whole is false, more text has to come before it can tell.
func envelope(b []byte, keys []string) (n int, whole bool) {
	at := 0
	expect := func(s string) (here, more bool) {
		for at < len(b) && strings.IndexByte(" \t\r\n", b[at]) >= 0 {
			at++
		}
		if len(b)-at < len(s) {
			return false, s[:len(b)-at] == string(b[at:])
		}
		if string(b[at:at+len(s)]) != s {
			return false, false
		}
		at += len(s)
		return true, false
	}
	if here, more := expect("{"); !here {
		return 0, !more
	}
	undecided := false
	for start, i := at, 0; i < len(keys); i++ {
		at = start
		name, _ := json.Marshal(keys[i]) // a string can always be
		all, more := true, false
		for _, part := range []string{string(name), ":", "["} {
			if all, more = expect(part); !all {
				break
			}
		}
		if all {
			return at, true
		}
		undecided = undecided || more
	}
	return 0, !undecided
}

// document reads the document at the start of buf. If it sets d.broken, there is none.
func (d *documents) document() (piece, error) {
	for {
		n, done, wrong := d.scan.feed(d.buf[d.scanned:])
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
			if err != io.EOF || len(d.scan.open) > 0 || d.scan.quoted { // else it ends with a number
				return d.cut(err)
			}
		}
		if p := d.skipped; p != nil {
			d.take(d.scanned)
			d.scanned, d.skipped = 0, nil
			return *p, nil
		}
		p := piece{line: d.line}
		if p.content, p.err = oneLine(d.buf[:d.scanned:d.scanned]); p.err != nil && d.buf[0] != '{' {
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
func oneLine(document []byte) ([]byte, error) {
	if !utf8.Valid(document) {
		return document, errUTF8
	}
	if bytes.IndexByte(document, '\n') < 0 && json.Valid(document) {
		return document, nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, document); err != nil {
		return document, fmt.Errorf("is not JSON: %w", err)
	}
	return b.Bytes(), nil
}
