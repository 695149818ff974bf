// Package cef reads events in ArcSight's Common Event Format.
package cef

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"connect-deepcase/internal/excerpt"
)

// Event has the parts of an event. The syslog header before it is not parsed.
type Event struct {
	Syslog                                                string // with its spaces
	Version, Vendor, Product, Release, ID, Name, Severity string
	// Extension has the values of each key. A key should come once; if it comes again with another value, both are here.
	Extension map[string][]string
}

var start = regexp.MustCompile(`(?:^|[\s:>\]\x{FEFF}])(CEF: ?([0-9]+(?:\.[0-9]+)?)\|)`)

// headers are the fields between the version and the extension.
const headers = 6

// Parse parses a line. The error says what is wrong with it.
func Parse(line string) (Event, error) {
	at := start.FindStringSubmatchIndex(line)
	if at == nil {
		return Event{}, fmt.Errorf(`no CEF: want CEF:0|vendor|product|version|id|name|severity|key=value …, after a syslog header or at the start; have %s`, excerpt.Quote(line))
	}
	e := Event{Syslog: strings.TrimPrefix(line[:at[2]], "\uFEFF"), Version: line[at[4]:at[5]]}
	rest := strings.TrimRight(line[at[3]:], "\r\n\x00 ")
	for i, field := range []*string{&e.Vendor, &e.Product, &e.Release, &e.ID, &e.Name, &e.Severity} {
		value, after, found := cutBar(rest)
		if !found && i < headers-1 {
			return Event{}, fmt.Errorf("the CEF header ends after %d of its 7 fields: want version|vendor|product|version|id|name|severity|; have %s", i+2, excerpt.Quote(line[at[2]:]))
		}
		*field, rest = unescape(strings.TrimSpace(value), `\|`), after
	}
	var err error
	e.Extension, err = extension(rest)
	return e, err
}

// cutBar cuts a text at the first bar that is not escaped.
func cutBar(text string) (before, after string, found bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '|':
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// extension reads key=value, separated by spaces. Values may hold spaces, so that only the next key ends a value.
func extension(text string) (map[string][]string, error) {
	values := map[string][]string{}
	if text = strings.TrimSpace(text); text == "" {
		return values, nil
	}
	begin, equals := nextKey(text, 0)
	if begin != 0 {
		return nil, fmt.Errorf(`the CEF extension starts with %s: want key=value (a bar in the header is written \|)`, excerpt.Quote(text))
	}
	for begin >= 0 {
		next, nextEquals := nextKey(text, equals+1)
		end := next
		if next < 0 {
			end = len(text)
		}
		key, value := text[begin:equals], unescape(strings.TrimSpace(text[equals+1:end]), `\=|nr`)
		if !slices.Contains(values[key], value) {
			values[key] = append(values[key], value)
		}
		begin, equals = next, nextEquals
	}
	return values, nil
}

// nextKey finds the next key: a word without a backslash, after a space or at the start, up to an equals sign. begin is -1 if there is none.
func nextKey(text string, from int) (begin, equals int) {
	for equals = from; equals < len(text); equals++ {
		if text[equals] != '=' {
			continue
		}
		begin = equals
		for begin > from && isKey(text[begin-1]) {
			begin--
		}
		if begin < equals && (begin == 0 || strings.IndexByte(" \t\n\f\r", text[begin-1]) >= 0) {
			return begin, equals
		}
	}
	return -1, -1
}

func isKey(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '.' || b == '-' || b == '[' || b == ']'
}

// unescape resolves a backslash before these characters. Before others it is itself: many products do not escape it.
func unescape(text, escaped string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) || !strings.Contains(escaped, text[i+1:i+2]) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch text[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String()
}
