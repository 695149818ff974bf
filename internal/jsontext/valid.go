package jsontext

import (
	"encoding/binary"
	"math/bits"
)

// Valid is json.Valid in a third of the time: readers spend most of theirs there.
func Valid(text []byte) bool {
	end, ok := value(text, space(text, 0), 0)
	return ok && space(text, end) == len(text)
}

// EachMember is Valid for an object, and calls member for each of its members on the way, with the key as it is written, in quotes. If a text
// is not a valid object, EachMember is false; there may have been calls for its first members.
func EachMember(object []byte, member func(key, value []byte)) bool { return each(object, '{', member) }

// EachElement is EachMember for a list.
func EachElement(list []byte, element func(value []byte)) bool {
	return each(list, '[', func(_, value []byte) { element(value) })
}

func each(text []byte, opening byte, member func(key, value []byte)) bool {
	start := space(text, 0)
	if start == len(text) || text[start] != opening {
		return false
	}
	end, ok := values(text, start, 1, &visitor{member: func(key, value []byte, _ bool) { member(key, value) }})
	return ok && space(text, end) == len(text)
}

// Letters says which bytes a key may begin with.
type Letters [256]bool

// Object is EachMember for the object that a text begins with, whose end it gives. It calls member only for keys that begin with one of the letters
// or have escapes; it says which have escapes.
func Object(text []byte, letters *Letters, member func(key, value []byte, escapes bool)) (end int, ok bool) {
	if len(text) == 0 || text[0] != '{' {
		return 0, false
	}
	return values(text, 0, 1, &visitor{member, letters})
}

// End is the end of the valid value that a text has at i. At the end of the text, a number may continue.
func End(text []byte, i int) (end int, ok bool) { return value(text, i, 0) }

// Space is where the next byte from i on is that is not space.
func Space(text []byte, i int) int { return space(text, i) }

// Trim is a text without space around it.
func Trim(text []byte) []byte {
	end := len(text)
	for end > 0 && text[end-1] <= ' ' && (text[end-1] == ' ' || text[end-1] == '\t' || text[end-1] == '\r' || text[end-1] == '\n') {
		end--
	}
	return text[space(text[:end], 0):end]
}

// visitor gets the members of one object or list.
type visitor struct {
	member  func(key, value []byte, escapes bool)
	letters *Letters // nil for any
}

// space is where the next byte from i on is that is not space.
func space(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// value is the end of the value that begins at i, within depth other ones.
func value(b []byte, i, depth int) (end int, ok bool) {
	if i >= len(b) {
		return i, false
	}
	switch b[i] {
	case '"':
		end, _, ok = quoted(b, i+1)
		return end, ok
	case '{', '[':
		if depth == MaxDepth {
			return i, false
		}
		return values(b, i, depth+1, nil)
	case 't':
		return literal(b, i, "true")
	case 'f':
		return literal(b, i, "false")
	case 'n':
		return literal(b, i, "null")
	}
	return number(b, i)
}

// values is the end of an object or a list. It calls the visitor, if there is one, for each of its members. Those of a list have no key.
func values(b []byte, i, depth int, to *visitor) (end int, ok bool) {
	closing := b[i] + 2 // in ASCII
	if i = space(b, i+1); i < len(b) && b[i] == closing {
		return i + 1, true
	}
	for {
		keyStart, keyEnd := i, i
		escapes := 0
		if closing == '}' {
			if i >= len(b) || b[i] != '"' {
				return i, false
			}
			if i, escapes, ok = quoted(b, i+1); !ok {
				return i, false
			}
			keyEnd = i
			if i = space(b, i); i >= len(b) || b[i] != ':' {
				return i, false
			}
			i = space(b, i+1)
		}
		start := i
		if i < len(b) && b[i] == '"' {
			i, _, ok = quoted(b, i+1)
		} else {
			i, ok = value(b, i, depth)
		}
		if !ok {
			return i, false
		}
		if to != nil && (to.letters == nil || escapes > 0 || to.letters[b[keyStart+1]]) {
			to.member(b[keyStart:keyEnd], b[start:i], escapes > 0)
		}
		i = space(b, i)
		switch {
		case i >= len(b):
			return i, false
		case b[i] == closing:
			return i + 1, true
		case b[i] != ',':
			return i, false
		}
		i = space(b, i+1)
	}
}

// quoted is the end of a string whose content begins at i, and how many escapes it has.
func quoted(b []byte, i int) (end, escapes int, ok bool) {
	for {
		for ; i <= len(b)-8; i += 8 { // eight bytes at a time, up to a quote, a backslash or a control character
			if stop := stops(binary.LittleEndian.Uint64(b[i:])); stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
		}
		if i >= len(b) {
			return i, escapes, false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escapes, true
		case c < ' ':
			return i, escapes, false
		case c != '\\':
			i++
			continue
		}
		escapes++
		if i+1 >= len(b) {
			return i, escapes, false
		}
		switch b[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
		case 'u':
			if i+6 > len(b) {
				return i, escapes, false
			}
			for _, c := range b[i+2 : i+6] {
				if !digit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
					return i, escapes, false
				}
			}
			i += 6
		default:
			return i, escapes, false
		}
	}
}

// stops has the high bit of the first byte of x that a string does not have without an escape: a quote, a backslash or a control character. Later
// bytes may be marked, too.
func stops(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	low := x ^ ones*2 // of all bytes, a quote and the control characters become those below 0x21
	slash := x ^ ones*'\\'
	return ((low-ones*0x21)&^low | (slash-ones)&^slash) & highs
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func literal(b []byte, i int, want string) (end int, ok bool) {
	end = i + len(want)
	return end, end <= len(b) && string(b[i:end]) == want
}

// number is the end of a number.
func number(b []byte, i int) (end int, ok bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	start := i
	switch i = digits(b, i); {
	case i == start:
		return i, false
	case b[start] == '0':
		i = start + 1
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = digits(b, start); i == start {
			return i, false
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = digits(b, start); i == start {
			return i, false
		}
	}
	return i, true
}

// digits is the end of the digits that begin at i.
func digits(b []byte, i int) int {
	for i < len(b) && digit(b[i]) {
		i++
	}
	return i
}
