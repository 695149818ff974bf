// Package leef reads events in IBM's Log Event Extended Format, versions 1 and 2.
package leef

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"connect-deepcase/internal/excerpt"
)

// Event has the parts of an event. The syslog header before it is not parsed.
type Event struct {
	Syslog                                string // with its spaces
	Version, Vendor, Product, Release, ID string
	// Attributes has the values of each key. A key should come once; if it comes again with another value, both are here.
	Attributes map[string][]string
}

var (
	start = regexp.MustCompile(`(?:^|[\s:>\]\x{FEFF}])(LEEF: ?([0-9]+(?:\.[0-9]+)?)\|)`)
	hex   = regexp.MustCompile(`^(?:0?[xX])([0-9a-fA-F]{1,4})$`)
	// blanks is the start of another attribute after a space.
	blanks = regexp.MustCompile(` [A-Za-z][A-Za-z0-9_.]*=`)
)

// tab is what separates attributes if nothing else is said; rsyslog writes it as #011.
const tab, escapedTab = "\t", "#011"

// Parse parses a line. The error says what is wrong with it.
func Parse(line string) (Event, error) {
	at := start.FindStringSubmatchIndex(line)
	if at == nil {
		return Event{}, fmt.Errorf(`no LEEF: want LEEF:1.0|vendor|product|version|id|key=value …, after a syslog header or at the start; have %s`, excerpt.Quote(line))
	}
	e := Event{Syslog: strings.TrimPrefix(line[:at[2]], "\uFEFF"), Version: line[at[4]:at[5]]}
	rest := strings.TrimRight(line[at[3]:], "\r\n\x00")
	fields := []*string{&e.Vendor, &e.Product, &e.Release, &e.ID}
	for i, field := range fields {
		value, after, found := strings.Cut(rest, "|")
		if !found && i < len(fields)-1 {
			return Event{}, fmt.Errorf("the LEEF header ends after %d of its 5 fields: want version|vendor|product|version|id|; have %s", i+2, excerpt.Quote(line[at[2]:]))
		}
		*field, rest = strings.TrimSpace(value), after
	}
	delimiter := tab
	if !strings.HasPrefix(e.Version, "1") {
		if written, after, found := strings.Cut(rest, "|"); found {
			if d, ok := separator(written); ok {
				delimiter, rest = d, after
			}
		}
	}
	var err error
	e.Attributes, err = attributes(rest, delimiter)
	return e, err
}

// separator reads the field of version 2 that says what separates attributes: a character, or its code in hexadecimal digits. Some products
// leave the field out; then ok is false.
func separator(written string) (string, bool) {
	if m := hex.FindStringSubmatch(written); m != nil {
		code, err := strconv.ParseUint(m[1], 16, 16)
		return string(rune(code)), err == nil && code != 0 && utf8.ValidRune(rune(code))
	}
	if written == "" {
		return tab, true
	}
	return written, utf8.RuneCountInString(written) == 1
}

func attributes(text, delimiter string) (map[string][]string, error) {
	if delimiter == tab && !strings.Contains(text, tab) {
		if strings.Contains(text, escapedTab) {
			delimiter = escapedTab
		} else if blanks.MatchString(text) {
			return nil, fmt.Errorf("the LEEF attributes %s have no tab between them: want key=value, a tab, key=value (did a relay replace tabs?)", excerpt.Quote(text))
		}
	}
	values := map[string][]string{}
	for written := range strings.SplitSeq(text, delimiter) {
		if written = strings.TrimSpace(written); written == "" {
			continue
		}
		name, value, found := strings.Cut(written, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !found || name == "" || strings.ContainsAny(name, " |") {
			return nil, fmt.Errorf("the LEEF attribute %s: want key=value, separated by %q", excerpt.Quote(written), delimiter)
		}
		if !slices.Contains(values[name], value) {
			values[name] = append(values[name], value)
		}
	}
	return values, nil
}
