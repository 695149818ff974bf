package template

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isPath says whether a word is a path, or the part of a URL after its scheme.
func isPath(w string) bool {
	n := 0
	for i := range len(w) {
		if w[i] == '/' || w[i] == '\\' {
			n++
		}
	}
	return n > 1 || n == 1 && w[0] == '/' && len(w) > 1
}

// isValue says whether a word is a value whatever other messages say: it has a digit, or is an e-mail address, or no text.
func isValue(w string) bool {
	ascii := true
	for i := range len(w) {
		c := w[i]
		if c >= '0' && c <= '9' || c == '@' && i > 0 && i < len(w)-1 {
			return true
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return !ascii && (!isText(w) || strings.ContainsFunc(w, unicode.IsDigit))
}

// isText says whether a word is UTF-8 without control characters, of which ASCII has none in words.
func isText(w string) bool {
	i := 0
	for i < len(w) && w[i] < utf8.RuneSelf {
		i++
	}
	w = w[i:]
	return utf8.ValidString(w) && !strings.ContainsFunc(w, unicode.IsControl)
}

// isDotted says whether a word is a name of three or more parts, such as that of a host, a package or a class: "web-1.corp.example". What goes
// wrong says a lot: "java.io.IOException" is a word like others.
func isDotted(w string) bool {
	dots := 0
	for i := 1; i < len(w)-1; i++ {
		if w[i] == '.' && w[i-1] != '.' && w[i+1] != '.' {
			dots++
		}
	}
	return dots > 1 && !strings.HasSuffix(w, "Exception") && !strings.HasSuffix(w, "Error")
}

// hasPort says whether a word is a host or a file, with a number behind it: "example.org:443", "main.go:12".
func hasPort(w, rest string) bool {
	return len(rest) > 1 && rest[0] == ':' && rest[1] >= '0' && rest[1] <= '9' && strings.IndexByte(w[1:], '.') >= 0
}

// isKey says whether a word is the name of a value: "a0=1". The end of base64, "YWJjZA==", is not.
func isKey(w, rest string) bool {
	return len(rest) > 0 && rest[0] == '=' && (len(rest) == 1 || rest[1] != '=') &&
		(w[0]|0x20 >= 'a' && w[0]|0x20 <= 'z' || w[0] == '_') && len(w) <= maxWord && isText(w)
}

// maxGroups is more than a MAC or IPv6 address has bytes.
const maxGroups = 64

// hexGroups gives the length of a MAC or IPv6 address at the start of s, or 0.
func hexGroups(s string) int {
	if c := s[0] | 0x20; (c < 'a' || c > 'f') && (c < '0' || c > ':') {
		return 0
	}
	s = s[:min(len(s), maxGroups)]
	n, colons, digits, double := 0, 0, false, false
	for ; n < len(s); n++ {
		c := s[n]
		if c == ':' {
			colons++
			double = double || n > 0 && s[n-1] == ':'
		} else if c >= '0' && c <= '9' {
			digits = true
		} else if c |= 0x20; c < 'a' || c > 'f' {
			break
		}
	}
	if n > 0 && s[n-1] == ':' && !double { // the colon after the address
		n--
		colons--
	}
	if n < len(s) && kinds[s[n]] == inWord && s[n] != '%' && s[n] != '/' && s[n] != '.' {
		return 0
	}
	if (colons >= 3 || colons == 2 && double) && (digits || colons >= 4) {
		return n
	}
	return 0
}

// afterValue says whether buf ends with a value and a space.
func afterValue(buf []byte, start int) bool {
	n := len(buf)
	return n-2 >= start && buf[n-1] == ' ' && buf[n-2] == wild
}

func isUnit(w string) bool {
	switch w {
	case "B", "K", "M", "G", "KB", "MB", "GB", "TB", "kB", "KiB", "MiB", "GiB", "byte", "bytes",
		"ns", "us", "ms", "s", "sec", "secs", "second", "seconds", "min", "mins", "minutes", "hours", "days",
		"AM", "PM", "UTC", "GMT", "CET", "CEST", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT":
		return true
	}
	return false
}

func isCalendar(w []byte) bool {
	switch string(w) {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun",
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec":
		return true
	}
	return false
}
