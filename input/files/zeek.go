package files

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"connect-deepcase/internal/textfile"
)

// zeekMark begins every log that Zeek writes in columns.
const zeekMark = "#separator "

// zeek cuts a log that Zeek wrote in columns into rows, which are objects with the names of its header. The header may come again, with other
// columns: logs that were rotated are joined, and tail continues with the next file.
type zeek struct {
	lines  *lines
	header zeekHeader
}

// zeekHeader is what the lines that begin with # say about the rows below them.
type zeekHeader struct {
	separator string
	set       string // between the elements of a set or a vector
	empty     string // stands for an empty text, set or vector
	unset     string // stands for no value
	path      string // the name of the log
	fields    textfile.Header
	many      []bool // which fields hold sets or vectors
}

// usualZeek holds what Zeek writes unless it is told otherwise.
var usualZeek = zeekHeader{separator: "\t", set: ",", empty: "(empty)", unset: "-"}

func newZeek(l *lines) *zeek { return &zeek{lines: l, header: usualZeek} }

func (z *zeek) next() (piece, error) {
	for {
		p, err := z.lines.next()
		if err != nil || p.err != nil {
			return p, err
		}
		line := string(p.content)
		if line[0] == '#' { // a value that begins with # is written as \x23
			if p.err = z.header.declare(line); p.err != nil {
				return p, nil
			}
			continue
		}
		if p.row, p.err = z.header.row(line); p.err == nil {
			p.content = nil
		}
		return p, nil
	}
}

// declare reads a line of the header. One with another key, such as #open or #close, says nothing about the rows.
func (h *zeekHeader) declare(line string) error {
	if value, found := strings.CutPrefix(line, zeekMark); found {
		*h = usualZeek
		if h.separator = unescapeZeek(value); h.separator == "" {
			*h = usualZeek
			return errors.New(`#separator is empty: want what divides columns, such as \x09`)
		}
		return nil
	}
	key, value, _ := strings.Cut(line, h.separator)
	switch key {
	case "#set_separator":
		h.set = unescapeZeek(value)
	case "#empty_field":
		h.empty = value
	case "#unset_field":
		h.unset = value
	case "#path":
		h.path = unescapeZeek(value)
	case "#fields":
		return h.declareFields(value)
	case "#types":
		h.many = nil
		types, err := splitZeek(value, h.separator)
		for _, t := range types {
			h.many = append(h.many, strings.HasPrefix(t, "set[") || strings.HasPrefix(t, "vector[") || strings.HasPrefix(t, "table["))
		}
		return err
	}
	return nil
}

// declareFields reads the names of the columns. If they cannot be used, the rows below have none.
func (h *zeekHeader) declareFields(value string) error {
	h.fields, h.many = nil, nil
	names, err := splitZeek(value, h.separator)
	if err != nil {
		return err
	}
	for i, name := range names {
		if name == "" {
			return fmt.Errorf("column %d has no name: want one for each column", i+1)
		}
	}
	if err := textfile.Header(names).Distinct(); err != nil {
		return err
	}
	h.fields = names
	return nil
}

// row is the message of a row. Its values are texts, lists of texts, or null.
func (h *zeekHeader) row(line string) (map[string]any, error) {
	if h.fields == nil {
		return nil, errors.New("comes before a usable line that begins with #fields: want the header of the log above its rows")
	}
	values, err := splitZeek(line, h.separator)
	if err != nil {
		return nil, err
	}
	if err := h.fields.Width(values); err != nil {
		return nil, err
	}
	row := make(map[string]any, len(values)+1)
	if h.path != "" {
		row["_path"] = h.path // as in Zeek's JSON
	}
	elements := 0
	for i, value := range values {
		many := h.set != "" && i < len(h.many) && h.many[i]
		if many {
			if elements += strings.Count(value, h.set) + 1; elements > textfile.MaxColumns {
				return nil, errManyZeek(elements)
			}
		}
		row[h.fields[i]] = h.value(value, many)
	}
	return row, nil
}

func (h *zeekHeader) value(value string, many bool) any {
	switch {
	case value == h.unset:
		return nil
	case value == h.empty && many:
		return []any{}
	case value == h.empty:
		return ""
	case !many:
		return unescapeZeek(value)
	}
	list := []any{}
	for element := range strings.SplitSeq(value, h.set) {
		list = append(list, h.value(element, false))
	}
	return list
}

// splitZeek refuses what would take many times its bytes in memory.
func splitZeek(s, separator string) ([]string, error) {
	if parts := strings.Count(s, separator) + 1; parts > textfile.MaxColumns {
		return nil, errManyZeek(parts)
	}
	return strings.Split(s, separator), nil
}

func errManyZeek(values int) error {
	return fmt.Errorf("%d values or more: want at most %d", values, textfile.MaxColumns)
}

// unescapeZeek turns \x09 into the byte that it stands for, and \\ into \. If that would not be UTF-8, the text stays as it is written.
func unescapeZeek(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for rest := s; rest != ""; {
		before, after, found := strings.Cut(rest, `\`)
		b.WriteString(before)
		rest = after
		if !found {
			break
		}
		switch code := after[min(1, len(after)):min(3, len(after))]; {
		case strings.HasPrefix(after, `\`):
			b.WriteByte('\\')
			rest = after[1:]
		case strings.HasPrefix(after, "x") && len(code) == 2:
			if bytes, err := hex.DecodeString(code); err == nil {
				b.Write(bytes)
				rest = after[3:]
				continue
			}
			fallthrough
		default:
			b.WriteByte('\\')
		}
	}
	if !utf8.ValidString(b.String()) {
		return s
	}
	return b.String()
}
