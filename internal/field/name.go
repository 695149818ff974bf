package field

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"connect-deepcase/internal/excerpt"
)

// MaxName is the most bytes of a machine, an event's name and an id. A longer one is a mistake, such as a whole log line, and windows keep
// names in memory.
const MaxName = 4096

// Event checks the name of an event.
func Event(s string) error {
	if s == "null" {
		return errors.New(`"null": want a name`)
	}
	return name(s)
}

// Machine checks the name of a machine. A placeholder is not a name, or the events of all machines without a name would belong to one machine.
func Machine(s string, not Placeholders) error {
	if not.has(s) {
		return fmt.Errorf("%s stands for an unknown machine: want a name", excerpt.Quote(s))
	}
	return name(s)
}

// ID checks the id of an event, which may be empty. A placeholder is not an id: it becomes "".
func ID(s string) (string, error) {
	if blank(s) || usual.has(s) {
		return "", nil
	}
	return s, name(s)
}

// Named is a text without spaces around it, or "" if it is a placeholder.
func Named(s string) string {
	if usual.has(s) {
		return ""
	}
	return strings.TrimSpace(s)
}

func name(s string) error {
	switch {
	case blank(s):
		return errors.New("is empty: want a name")
	case !utf8.ValidString(s):
		return fmt.Errorf("%s: want UTF-8", excerpt.Quote(s))
	case strings.ContainsRune(s, utf8.RuneError):
		return fmt.Errorf("%s has U+FFFD in place of bytes that were not UTF-8, so that two names may have become one: want UTF-8 at the source", excerpt.Quote(s))
	case len(s) > MaxName:
		return fmt.Errorf("%s has %d bytes: want at most %d", excerpt.Quote(s), len(s), MaxName)
	}
	return nil
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// Placeholders are texts that stand for an unknown machine. Upper and lower case and spaces around them do not count. The zero value has the
// PlaceholderWords.
type Placeholders struct {
	words   map[string]bool
	longest int
}

// PlaceholderWords are what programs write if they do not know a name.
func PlaceholderWords() []string {
	return []string{"-", "--", "?", "null", "(null)", "<null>", "nil", "<nil>", "none", "(none)", "<none>", "n/a", "nan", "unknown", "(unknown)",
		"<unknown>", "undefined", "(undefined)", "not available"}
}

var usual = NewPlaceholders(PlaceholderWords())

// NewPlaceholders makes a set of words, which may be empty.
func NewPlaceholders(words []string) Placeholders {
	p := Placeholders{words: make(map[string]bool, len(words))}
	for _, word := range words {
		word = strings.ToLower(strings.TrimSpace(word))
		p.words[word], p.longest = true, max(p.longest, len(word))
	}
	return p
}

func (p Placeholders) has(s string) bool {
	if p.words == nil {
		p = usual
	}
	s = strings.TrimSpace(s)
	return len(s) <= p.longest && s != "" && p.words[strings.ToLower(s)]
}

// NormalMachine is one spelling for all names that differ only in upper and lower case, or by a dot at the end.
func NormalMachine(s string) string {
	if short := strings.TrimSuffix(s, "."); short != "" {
		s = short
	}
	return strings.ToLower(s)
}
