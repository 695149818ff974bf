package decisions

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// beginning is that of a line before its number.
var beginning = `{"format":` + strconv.Itoa(format) + `,"number":`

// quickly reads of a line what a fold needs, in a tenth of the time that parseLine takes, if the line is as appendLine writes it. It accepts
// only what parseLine accepts; ok is false if it cannot tell. The rest of the decision is left out: the subject, the old score, and the reason if
// it is not that of a mute.
func quickly(line []byte, d *Decision) (more int, ok bool) {
	*d = Decision{}
	content, err := checked(line)
	if err != nil || !utf8.Valid(content) || hasControls(content) {
		return 0, false
	}
	s := scanner{content, bytes.IndexByte(content, '\\') >= 0, true}
	s.must(beginning)
	d.Number = s.digits()
	if s.next(`,"more":`) {
		more = int(s.digits())
	}
	s.must(`,"at":"`)
	s.check(d.At.UnmarshalText(s.text()) == nil && !d.At.IsZero())
	s.must(`,"kind":"`)
	d.Kind = known(s.text(), []Kind{Answer, Mute, Cluster, Undo})
	if s.next(`,"by":"`) {
		d.By = string(s.text())
	}
	if s.next(`,"key":"`) {
		s.check(readHex(d.Key[:], s.text()))
	}
	if s.next(`,"scope":"`) {
		d.Scope = known(s.text(), Scopes)
	}
	if s.next(`,"score":`) {
		d.Score = s.number()
	} else {
		s.check(d.Kind == Mute || d.Kind == Undo)
	}
	if s.next(`,"until":"`) {
		s.check(d.Until.UnmarshalText(s.text()) == nil)
	}
	if s.next(`,"undoes":`) {
		d.Undoes = s.digits()
	}
	if s.next(`,"cluster":`) {
		d.Cluster = int(s.digits())
	}
	if s.next(`,"version":"`) {
		d.Version = string(s.text())
	}
	if s.next(`,"old":`) {
		s.number()
	}
	if s.next(`,"reason":"`) {
		reason := s.text()
		if s.check(len(reason) <= maxText); d.Kind == Mute {
			d.Reason = string(reason)
		}
	}
	for _, name := range []string{`,"event":"`, `,"machine":"`} {
		if s.next(name) {
			s.skip()
		}
	}
	if s.next(`,"context":[`) {
		s.names()
	}
	return more, s.ok && len(s.rest) == 0 && d.Validate() == nil
}

func known[T ~string](text []byte, all []T) T {
	for _, one := range all {
		if string(text) == string(one) {
			return one
		}
	}
	return ""
}

// scanner reads JSON from its beginning on, as far as it is plain. Once it is not ok, nothing that it gives counts.
type scanner struct {
	rest    []byte
	escapes bool // there may be some
	ok      bool
}

func (s *scanner) check(ok bool) { s.ok = s.ok && ok }

// next tells whether this is what comes next, and passes it.
func (s *scanner) next(what string) bool {
	if len(s.rest) < len(what) || string(s.rest[:len(what)]) != what {
		return false
	}
	s.rest = s.rest[len(what):]
	return true
}

func (s *scanner) must(what string) { s.check(s.next(what)) }

// digits reads a number without sign and fraction. More digits than fit into any uint64 are not plain.
func (s *scanner) digits() (x uint64) {
	n := 0
	for ; n < len(s.rest) && isDigit(s.rest[n]); n++ {
		x = 10*x + uint64(s.rest[n]-'0')
	}
	s.check(n == 1 || n > 1 && n < 19 && s.rest[0] != '0')
	s.rest = s.rest[n:]
	return x
}

// number reads a number without sign and exponent.
func (s *scanner) number() float64 {
	all := s.rest
	whole := s.digits()
	if !s.next(".") {
		return float64(whole)
	}
	n := 0
	for n < len(s.rest) && isDigit(s.rest[n]) {
		n++
	}
	s.rest = s.rest[n:]
	x, err := strconv.ParseFloat(string(all[:len(all)-len(s.rest)]), 64)
	s.check(n > 0 && err == nil)
	return x
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// text reads the rest of a string without escapes.
func (s *scanner) text() []byte {
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 || s.escapes && bytes.IndexByte(s.rest[:end], '\\') >= 0 {
		s.ok = false
		return nil
	}
	text := s.rest[:end]
	s.rest = s.rest[end+1:]
	return text
}

// skip passes the rest of a string, with escapes of one letter.
func (s *scanner) skip() {
	for s.ok {
		end := bytes.IndexByte(s.rest, '"')
		escape := -1
		if s.escapes {
			escape = bytes.IndexByte(s.rest[:max(end, 0)], '\\')
		}
		switch {
		case end < 0:
			s.ok = false
		case escape < 0:
			s.rest = s.rest[end+1:]
			return
		default:
			s.check(strings.IndexByte(`"\/bfnrt`, s.rest[escape+1]) >= 0)
			s.rest = s.rest[escape+2:]
		}
	}
}

// hasControls tells whether a text has bytes below 0x20, which JSON allows between its parts only.
func hasControls(text []byte) bool {
	for ; len(text) >= 8; text = text[8:] { // of 8 bytes, those that are lower get their highest bit
		if x := binary.LittleEndian.Uint64(text); (x-0x20*0x0101010101010101)&^x&0x8080808080808080 != 0 {
			return true
		}
	}
	return slices.ContainsFunc(text, func(c byte) bool { return c < 0x20 })
}

// names passes the rest of an array of strings and nulls.
func (s *scanner) names() {
	for s.ok {
		if s.next(`"`) {
			s.skip()
		} else {
			s.must("null")
		}
		if s.next("]") {
			return
		}
		s.must(",")
	}
}
