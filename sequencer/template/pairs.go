package template

import "strings"

// maxCommand is how far the end of a command line is looked for.
const maxCommand = 4096

// commandEnd gives the end of a value that begins with a path, at s[at:end], in a list of pairs with semicolons between them, as sudo writes it:
// "USER=root ; COMMAND=/usr/bin/apt install x". It is a command line up to a semicolon that has a pair behind it, or the end. Elsewhere the value
// ends with the path.
func commandEnd(s string, at, end int) int {
	if at == 0 || s[at-1] != '=' || end == len(s) || kinds[s[end]] != space {
		return end
	}
	before := at - 1
	for before > 0 && kinds[s[before-1]] == inWord {
		before--
	}
	before = len(strings.TrimRight(s[:before], " \t"))
	listed := before > 0 && s[before-1] == ';'
	for i := end; i < min(len(s), end+maxCommand); i++ {
		if s[i] != ';' {
			continue
		}
		word := skipSpaces(s, i+1)
		if stop := runEnd(s, word); stop > word && isKey(s[word:stop], s[stop:]) {
			return len(strings.TrimRight(s[:i], " \t"))
		}
	}
	if listed {
		return len(s)
	}
	return end
}

// oneValue makes one value of several words between an equals sign and the next pair: "name=John Smith age=<*>" is "name=<*> age=<*>". Some are
// text, as in "user=<*> logged in from ip=<*>": what is of this shape only is never called so.
func oneValue(pattern string) string {
	first := strings.IndexByte(pattern, '=')
	if first < 0 {
		return pattern
	}
	buf := append(make([]byte, 0, len(pattern)), pattern[:first]...)
	for rest := pattern[first:]; ; {
		next := nextPair(rest)
		if next < 0 {
			return string(append(buf, rest...))
		}
		value := rest[1:next]
		if strings.IndexByte(value, ' ') > 0 && isReplaceable(value) && strings.IndexFunc(value, isDelimiter) < 0 {
			buf = append(buf, '=', wild)
		} else {
			buf = append(buf, rest[:next]...)
		}
		equals := next + strings.IndexByte(rest[next:], '=')
		buf = append(buf, rest[next:equals]...)
		rest = rest[equals:]
	}
}

func isDelimiter(r rune) bool { return r < 0x80 && kinds[r] == delimiter }

// nextPair gives the place of the space before the next pair, or -1.
func nextPair(s string) int {
	equals := 1
	for {
		n := strings.IndexByte(s[equals:], '=')
		if n < 0 {
			return -1
		}
		equals += n
		word := equals
		for kinds[s[word-1]] == inWord {
			word--
		}
		if s[word-1] == ' ' && word < equals && isKey(s[word:equals], s[equals:]) {
			return word - 1
		}
		equals++
	}
}
