package files

import (
	"errors"
	"fmt"
)

// maxDepth is how deep values may be nested: the bound of encoding/json.
const maxDepth = 10_000

// scan finds the end of a JSON value. It stops early at what cannot be JSON, but does not check everything.
type scan struct {
	open    []byte // brackets that are open
	last    byte   // the last byte that is not space; " for a string. 0: none
	quoted  bool   // inside a string
	escaped bool   // after a \ in it
}

// feed scans more of a value. If done, the value ends with b[:n]. An error is about b[n-1]. A number, true, false or null at the end of b may
// continue.
func (s *scan) feed(b []byte) (n int, done bool, err error) {
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
			if len(s.open) == maxDepth {
				return i + 1, false, fmt.Errorf("more than %d values in each other", maxDepth)
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
