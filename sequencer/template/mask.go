package template

import (
	"strings"
	"unicode/utf8"
)

// Marks in shapes and patterns. Messages have no such bytes in their shapes otherwise: control characters become spaces.
const (
	wild     = 0x01 // stands for a value
	kept     = 0x02 // before a word that is never a value
	scopeEnd = 0x04 // after the scope, which stands before the shape
)

// Bounds of what a message can make of memory: the rest of a longer shape is cut off, and a longer word is a value.
const (
	maxShape = 1024
	maxWord  = 128
)

// Kinds of bytes.
const (
	inWord    = iota
	space     // and control characters
	delimiter // stands between words, and is part of the shape
)

var kinds = func() (k [256]uint8) {
	for b := 0; b <= ' '; b++ {
		k[b] = space
	}
	k[0x7f] = space
	for _, b := range []byte("()[]{}<>\"'`=,;:|+") {
		k[b] = delimiter
	}
	return k
}()

// Traits of bytes, as bits.
const (
	endsWord = 1 << iota
	digit
	slash // also a backslash
	at
	high // not ASCII
)

var traits = func() (t [256]uint8) {
	for b := range t {
		switch {
		case kinds[b] != inWord:
			t[b] = endsWord
		case b >= '0' && b <= '9':
			t[b] = digit
		case b == '/' || b == '\\':
			t[b] = slash
		case b == '@':
			t[b] = at
		case b >= utf8.RuneSelf:
			t[b] = high
		}
	}
	return t
}()

// endsPath are the bytes, other than spaces, that end a path or a URL.
var endsPath = [256]bool{'"': true, '\'': true, '>': true, ')': true, ']': true, '}': true, ',': true, ';': true, '|': true}

// masker makes shapes. The words in keep are never values.
type masker struct {
	keep  map[string]bool
	first [256]bool // first bytes of the words in keep
}

func newMasker(keep []string) masker {
	m := masker{keep: map[string]bool{}}
	for _, w := range keep {
		if w != "" {
			m.keep[w] = true
			m.first[w[0]] = true
		}
	}
	return m
}

// mask appends the shape of a message to buf: its words, delimiters, and single spaces, with wild for values. Of a message of many lines
// only the first that is not empty counts. A scope stands before the shape.
func (m *masker) mask(buf []byte, scope, s string) []byte {
	if scope != "" {
		buf = append(append(buf, cleanScope(scope)...), scopeEnd)
	}
	s = s[skipSpaces(s, 0):]
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		s = s[:i]
	}
	start := len(buf)
	for i := 0; i < len(s) && len(buf)-start < maxShape; {
		c := s[i]
		if kinds[c] == space {
			if len(buf) > start && buf[len(buf)-1] != ' ' {
				buf = append(buf, ' ')
			}
			i++
			continue
		}
		if c == '<' && strings.HasPrefix(s[i:], Wildcard) {
			buf = value(buf, start)
			i += len(Wildcard)
			continue
		}
		if n := hexGroups(s[i:]); n > 0 && (i == 0 || kinds[s[i-1]] != inWord || s[i-1] >= utf8.RuneSelf) {
			buf = value(buf, start)
			i += n
			continue
		}
		if kinds[c] == delimiter {
			n := 1
			switch {
			case c == '{' && isObject(s[i:]):
				buf, n = object(buf, s[i:], 1, start+maxShape)
			case c == '[' && isArray(s[i:]):
				buf, n = array(buf, s[i:], start+maxShape)
			default:
				buf = append(buf, c)
			}
			i += n
			continue
		}
		buf, i = m.word(buf, start, s, i)
	}
	for len(buf) > start && buf[len(buf)-1] == ' ' {
		buf = buf[:len(buf)-1]
	}
	return buf
}

// word appends the word at s[i:], or wild if it is a value, and gives the place behind it.
func (m *masker) word(buf []byte, start int, s string, i int) ([]byte, int) {
	end, has := wordEnd(s, i)
	if has&high != 0 || end < len(s) && s[end] >= utf8.RuneSelf {
		if mixed := mixedEnd(s, i, end); mixed > end {
			return value(buf, start), mixed
		}
	}
	word, rest := s[i:end], s[end:]
	if isKey(word, rest) {
		return append(buf, word...), end
	}
	if len(word) > maxWord && has&slash == 0 {
		return value(buf, start), end
	}
	// The full stop of a sentence is no part of its last word.
	n := len(word)
	for n > 0 && (word[n-1] == '.' || word[n-1] == '!' || word[n-1] == '?') {
		n--
	}
	switch {
	case n == 0:
	case m.first[word[0]] && m.keep[word[:n]]:
		buf = append(append(buf, kept), word[:n]...)
	case has&slash != 0 && isPath(word[:n]):
		for end < len(s) && kinds[s[end]] != space && !endsPath[s[end]] {
			end++
		}
		return value(buf, start), commandEnd(s, i, end)
	case has&(digit|at|high) != 0 && isValue(word[:n]) || n == len(word) && hasPort(word, rest):
		buf = value(buf, start)
	case n <= 7 && afterValue(buf, start) && isUnit(word[:n]):
		buf = buf[:len(buf)-1] // the space before the unit
	default:
		buf = append(buf, word[:n]...)
	}
	return append(buf, word[n:]...), end
}

// cleanScope is a scope as it stands in shapes: UTF-8 without control characters, and cut off where a word would be a value.
func cleanScope(scope string) string {
	clean := true
	for i := 0; i < len(scope) && clean; i++ {
		clean = scope[i] > ' ' && scope[i] < 0x7f
	}
	if clean && len(scope) <= maxWord {
		return scope
	}
	if len(scope) > maxWord {
		n := maxWord
		for n > maxWord-utf8.UTFMax && !utf8.RuneStart(scope[n]) {
			n--
		}
		scope = scope[:n]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(scope, "?"))
}

// value appends a wildcard. What belongs to it is not left before it: another value, if only separators are between them and no space
// ("10.0.0.1:80"), or if it is the third in a list; the names of day and month in a date.
func value(buf []byte, start int) []byte {
	for {
		i := withoutSeparators(buf, start)
		if i > start && buf[i-1] == wild {
			j := withoutSeparators(buf[:i-1], start)
			if buf[len(buf)-1] != ' ' || j > start && buf[j-1] == wild {
				return buf[:i]
			}
		}
		if i-3 >= start && isCalendar(buf[i-3:i]) && (i-3 == start || kinds[buf[i-4]] != inWord) {
			buf = buf[:i-3]
			continue
		}
		break
	}
	return append(buf, wild)
}

// withoutSeparators gives the length of buf without the separators of lists at its end.
func withoutSeparators(buf []byte, start int) int {
	i := len(buf)
	for i > start && (buf[i-1] == ' ' || buf[i-1] == ':' || buf[i-1] == ',' || buf[i-1] == ';' || buf[i-1] == '|') {
		i--
	}
	return i
}

// afterScope is the place in a shape where the scope ends.
func afterScope(shape string) int { return strings.IndexByte(shape, scopeEnd) + 1 }

// canonical makes one of patterns that differ only in how many values are in a list, or in whether a value is followed by another, or by
// nothing, in parentheses.
func canonical(pattern string) string {
	start := afterScope(pattern)
	buf := append(make([]byte, 0, len(pattern)), pattern[:start]...)
	for i := start; i < len(pattern); i++ {
		c := pattern[i]
		if c == wild {
			if n := withoutSeparators(buf, start); n > start && buf[n-1] == wild {
				buf = buf[:n]
				continue
			}
		}
		buf = append(buf, c)
		if c == ')' {
			j := len(buf) - 1
			if j > start && buf[j-1] == wild {
				j--
			}
			if j > start+2 && buf[j-1] == '(' && buf[j-2] == ' ' && buf[j-3] == wild {
				buf = buf[:j-2]
			}
		}
	}
	return string(buf)
}
