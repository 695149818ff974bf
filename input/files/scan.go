package files

import (
	"errors"
	"fmt"
)

// maxDepth is how deep values may be in each other; encoding/json's bound.
const maxDepth = 10_000

// scan finds the end of a JSON value, and what cannot be in one early: it is not a whole check.
type scan struct {
	open    []byte // brackets that are open
	last    byte   // the last byte that is not space; " for a string. 0: none
	quoted  bool   // inside a string
	escaped bool   // after a \ in it
}

// feed reads on in a value. It ends with b[:n] if done; with an error, b[n-1] cannot be in it. A number, true, false or null that b ends with
// may go on.
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
