package template

import (
	"slices"
	"strings"
)

// finder finds the pattern that matches a text. A pattern matches if it has as many parts, divided by spaces, and each part is equal to that of
// the text with something, but no word that is kept, in the place of each value.
type finder map[anchor][]string

// anchor is what patterns are looked up by: the part without a value that the fewest others have.
type anchor struct {
	parts, at int
	part      string
}

// maxAnchors is the number of parts, from the first, that are looked up: long patterns need no more memory than others.
const maxAnchors = 16

func anchors(pattern string) []anchor {
	parts := strings.Split(pattern, " ")
	r := []anchor{{len(parts), -1, ""}}
	for i, part := range parts[:min(len(parts), maxAnchors)] {
		if !hasValue(part) {
			r = append(r, anchor{len(parts), i, part})
		}
	}
	return r
}

func newFinder(patterns []string) finder {
	number := map[anchor]int{}
	patterns = slices.DeleteFunc(patterns, func(p string) bool { return !hasValue(p) }) // these match themselves only
	for _, p := range patterns {
		for _, a := range anchors(p) {
			number[a]++
		}
	}
	f := finder{}
	for _, p := range patterns {
		all := anchors(p)
		best := all[0]
		for _, a := range all[1:] {
			if best.at < 0 || number[a] < number[best] {
				best = a
			}
		}
		f[best] = append(f[best], p)
	}
	return f
}

// find gives the pattern that says most, of those that match and are allowed.
func (f finder) find(shape string, allowed func(string) bool) (best string, ok bool) {
	parts := strings.Split(shape, " ")
	most := -1
	try := func(a anchor) {
		for _, p := range f[a] {
			n := len(p) - strings.Count(p, "\x01")
			if (n > most || n == most && p < best) && matches(p, parts) && allowed(p) {
				best, most = p, n
			}
		}
	}
	try(anchor{len(parts), -1, ""})
	for i, p := range parts[:min(len(parts), maxAnchors)] {
		try(anchor{len(parts), i, p})
	}
	return best, most >= 0
}

func matches(pattern string, parts []string) bool {
	for _, part := range parts {
		p, rest, _ := strings.Cut(pattern, " ")
		if !matchPart(p, part) {
			return false
		}
		pattern = rest
	}
	return true
}

// matchPart says whether s is p with something for each of its values.
func matchPart(p, s string) bool {
	literal, p, found := strings.Cut(p, "\x01")
	if !found {
		return literal == s
	}
	if !strings.HasPrefix(s, literal) {
		return false
	}
	s = s[len(literal):]
	for {
		if s == "" {
			return false
		}
		literal, p, found = strings.Cut(p, "\x01")
		if !found {
			n := len(s) - len(literal)
			return n > 0 && s[n:] == literal && isReplaceable(s[:n])
		}
		i := strings.Index(s[1:], literal)
		if i < 0 || !isReplaceable(s[:i+1]) {
			return false
		}
		s = s[i+1+len(literal):]
	}
}

// isReplaceable says whether a value may stand for a piece of a shape: it has no word that is kept, and no scope.
func isReplaceable(s string) bool {
	return strings.IndexByte(s, kept) < 0 && strings.IndexByte(s, scopeEnd) < 0
}

func hasValue(pattern string) bool { return strings.IndexByte(pattern, wild) >= 0 }

func anyPattern(string) bool { return true }
