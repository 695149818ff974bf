// Package jsontext checks JSON, and finds its values: also in a text that is not whole yet, and by the layout of an object.
package jsontext

import (
	"errors"
	"fmt"
)

// MaxDepth is how deep values may be nested: the bound of encoding/json.
const MaxDepth = 10_000

// Scan finds the end of a JSON value. It stops early at what cannot be JSON, but does not check everything. The zero value is at the beginning
// of a value.
type Scan struct {
	open    []byte // brackets that are open
	last    byte   // the last byte that is not space; " for a string. 0: none
	quoted  bool   // inside a string
	escaped bool   // after a \ in it
}

// Reset goes to the beginning of the next value.
func (s *Scan) Reset() { *s = Scan{open: s.open[:0]} }

// Enter goes into an object, behind a comma.
func (s *Scan) Enter() { *s = Scan{open: append(s.open[:0], '{'), last: ','} }

// Open reports whether the value cannot end here.
func (s *Scan) Open() bool { return len(s.open) > 0 || s.quoted }

// Feed scans more of a value. If done, the value ends with b[:n]. An error is about b[n-1]. A number, true, false or null at the end of b may
// continue.
func (s *Scan) Feed(b []byte) (n int, done bool, err error) {
	for i, c := range b {
		if s.quoted {
			switch {
			case c == '\n':
				return i + 1, false, errors.New("a string with a line end in it: want \\n, or a quote before it")
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				s.quoted = false
				if len(s.open) == 0 {
					return i + 1, true, nil
				}
			}
			continue
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			if len(s.open) == 0 && s.last != 0 {
				return i, true, nil
			}
			continue
		case '"':
			s.quoted = true
		case '{', '[':
			if s.last != 0 && s.last != ':' && s.last != '[' && (s.last != ',' || s.open[len(s.open)-1] != '[') {
				return i + 1, false, fmt.Errorf("a %q after %q", c, s.last)
			}
			if len(s.open) == MaxDepth {
				return i + 1, false, fmt.Errorf("more than %d values in each other", MaxDepth)
			}
			s.open = append(s.open, c)
		case '}', ']':
			if len(s.open) == 0 {
				return i, true, nil
			}
			if last := s.open[len(s.open)-1]; c != last+2 { // in ASCII
				return i + 1, false, fmt.Errorf("a %q for a %q", c, last)
			}
			if s.open = s.open[:len(s.open)-1]; len(s.open) == 0 {
				return i + 1, true, nil
			}
		case ',':
			if len(s.open) == 0 {
				return i, true, nil
			}
		}
		s.last = c
	}
	return len(b), false, nil
}
