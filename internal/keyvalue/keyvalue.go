// Package keyvalue reads lines of key=value, such as those of FortiGate firewalls.
package keyvalue

import (
	"fmt"
	"slices"
	"strings"

	"connect-deepcase/internal/excerpt"
)

// Parse reads key=value and key="value", separated by spaces or by one other character. In quotes, \" is a quote and \\ a backslash; a backslash
// before anything else is itself, as in paths of Windows. It gives the values of each key: a key should come once, and if it comes again with
// another value, both are there. The error says where the text is not of this form.
func Parse(text string, separator byte) (map[string][]string, error) {
	values := map[string][]string{}
	blank := " \t\r\n\x00"
	for rest := strings.Trim(text, blank); rest != ""; {
		key, after, found := strings.Cut(rest, "=")
		if key = strings.Trim(key, blank); !found || key == "" || strings.ContainsAny(key, "\"' \t"+string(separator)) {
			return nil, fmt.Errorf("%s: want key=value or key=\"value\"", excerpt.Quote(rest))
		}
		var value string
		if strings.HasPrefix(after, `"`) {
			var err error
			if value, rest, err = quoted(after); err != nil {
				return nil, fmt.Errorf("the value of %s: %w", excerpt.Of(key, excerpt.Short), err)
			}
			if rest != "" && rest[0] != separator && !strings.ContainsRune(blank, rune(rest[0])) {
				return nil, fmt.Errorf("the value of %s is followed by %s: want %q", excerpt.Of(key, excerpt.Short), excerpt.Quote(rest), separator)
			}
		} else {
			end := strings.IndexByte(after, separator)
			if end < 0 {
				end = len(after)
			}
			value, rest = strings.Trim(after[:end], blank), after[end:]
		}
		if !slices.Contains(values[key], value) {
			values[key] = append(values[key], value)
		}
		rest = strings.TrimLeft(rest, blank)
		if separator != ' ' {
			rest = strings.TrimLeft(strings.TrimPrefix(rest, string(separator)), blank)
		}
	}
	return values, nil
}

// quoted reads a text in quotes, and gives what comes after it.
func quoted(text string) (value, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:], nil
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
		}
		b.WriteByte(text[i])
	}
	return "", "", fmt.Errorf("%s has no closing quote", excerpt.Quote(text))
}
