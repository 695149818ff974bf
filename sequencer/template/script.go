package template

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Classes of letters. Text of one class is no part of a word of another: "耗时300ms" is two words.
const (
	spaced   = iota // of scripts with spaces between words, and digits
	unspaced        // of scripts without, and Hangul, whose words have numbers in them
	mark            // punctuation and symbols outside of ASCII
)

// firstUnspaced is the first byte of the first letter, in UTF-8, that is not of class spaced: that of Thai.
const firstUnspaced = 0xe0

// wordEnd gives the place behind the word at s[i:], a text of bytes of the kind inWord that are of one class, and what its bytes are.
func wordEnd(s string, i int) (end int, has uint8) {
	for end = i; end < len(s); end++ {
		t := traits[s[end]]
		if t&(endsWord|high) != 0 {
			break
		}
		has |= t
	}
	if end == len(s) || traits[s[end]]&endsWord != 0 {
		return end, has
	}
	has |= high
	class, size := classOf(s[i:])
	for end = i + size; end < len(s) && traits[s[end]]&endsWord == 0; end += size {
		next := spaced
		size = 1
		if s[end] >= firstUnspaced {
			next, size = classOf(s[end:])
		}
		if next != class && (s[end] < utf8.RuneSelf || utf8.RuneStart(s[end])) {
			break
		}
		has |= traits[s[end]]
	}
	return end, has
}

func classOf(s string) (class, size int) {
	if s[0] < firstUnspaced {
		return spaced, 1
	}
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError || unicode.IsDigit(r):
		return spaced, size
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
		return unspaced, size
	case unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.IsSpace(r):
		return mark, size
	}
	return spaced, size
}

// mixedEnd gives the end of a path or an address with letters of several classes, of which s[i:end] is the first word, or else end.
func mixedEnd(s string, i, end int) int {
	if end == len(s) || kinds[s[end]] != inWord || i > 0 && kinds[s[i-1]] == inWord && lastClass(s[:i]) != mark {
		return end // one class, or not the first word
	}
	run := end
	for run < len(s) && kinds[s[run]] == inWord {
		if class, _ := classOf(s[run:]); class == mark {
			break
		}
		run, _ = wordEnd(s, run)
	}
	if run > end && isMixedValue(s[i:run]) {
		return run
	}
	return end
}

func lastClass(s string) int {
	_, size := utf8.DecodeLastRuneInString(s)
	class, _ := classOf(s[len(s)-size:])
	return class
}

// isMixedValue says whether text with letters of several classes is a path or an address.
func isMixedValue(s string) bool {
	if isPath(s) {
		return true
	}
	at := strings.IndexByte(s, '@')
	return at > 0 && at < len(s)-1 && (s[at-1] >= utf8.RuneSelf || s[at+1] >= utf8.RuneSelf)
}

// runEnd gives the place behind all bytes of the kind inWord at s[i:].
func runEnd(s string, i int) int {
	for i < len(s) && kinds[s[i]] == inWord {
		i++
	}
	return i
}
