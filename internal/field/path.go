package field

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"strings"

	"connect-deepcase/internal/jsontext"
)

// A path names a value in a document. "rule.name" is the key "rule.name" if the document has it. Otherwise a dot leads into an object, or
// into a list if a number follows, which counts from 0. If several keys with dots lead to a value, the longest counts. In a part of a path ~1
// stands for a dot and ~0 for ~, as in Bloblang: id~1orig_h is the key "id.orig_h". A null is not a value.

// Find gives the value at a path in a decoded JSON value, nil if there is none.
func Find(document any, path string) any {
	if list, ok := document.([]any); ok {
		number, rest, more := strings.Cut(path, ".")
		i, err := strconv.Atoi(number)
		switch {
		case err != nil || i < 0 || i >= len(list):
			return nil
		case more:
			return Find(list[i], rest)
		}
		return list[i]
	}
	object, ok := document.(map[string]any)
	if !ok {
		return nil
	}
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		v := object[unescape(path[:end])]
		if v != nil && end < len(path) {
			v = Find(v, path[end+1:])
		}
		if v != nil {
			return v
		}
	}
	return nil
}

var escapes = strings.NewReplacer("~1", ".", "~0", "~")

func unescape(key string) string {
	if strings.IndexByte(key, '~') < 0 {
		return key
	}
	return escapes.Replace(key)
}

// FindJSON is Find for a JSON value that is not decoded. If it is not valid JSON, the result may be any part of it, or nil.
func FindJSON(document json.RawMessage, path string) json.RawMessage {
	document = skip(document, 0)
	if len(document) > 0 && document[0] == '[' {
		number, rest, more := strings.Cut(path, ".")
		wanted, err := strconv.Atoi(number)
		if err != nil || wanted < 0 {
			return nil
		}
		i := 0
		for element := range elements(document) {
			if i == wanted {
				if more {
					return FindJSON(element, rest)
				}
				return notNull(element)
			}
			i++
		}
		return nil
	}
	var few [4]lead
	leads := few[:0]
	escaped := strings.IndexByte(path, '~') >= 0
	jsontext.EachMember(document, func(quoted, value []byte) {
		leads = addLead(leads, leadLength(path, KeyText(quoted), escaped), value)
	})
	return follow(leads, path)
}

// lead is the value of a key that a path begins with, and the length of the key in the path.
type lead struct {
	length int
	value  json.RawMessage
}

// addLead adds a lead to those of a path, the longest first, unless its length is 0. If a key comes twice, the last one counts.
func addLead(leads []lead, length int, value json.RawMessage) []lead {
	if length == 0 {
		return leads
	}
	at := 0
	for at < len(leads) && leads[at].length > length {
		at++
	}
	if at < len(leads) && leads[at].length == length {
		leads[at].value = value
		return leads
	}
	leads = append(leads, lead{})
	copy(leads[at+1:], leads[at:])
	leads[at] = lead{length, value}
	return leads
}

// follow is the value at the end of a path, by its leads.
func follow(leads []lead, path string) json.RawMessage {
	for _, l := range leads {
		found := notNull(l.value)
		if found != nil && l.length < len(path) {
			found = FindJSON(found, path[l.length+1:])
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// Paths are paths that are looked for in many objects, by one goroutine.
type Paths struct {
	paths   []path
	letters jsontext.Letters // that the keys begin with that lead to a value
	layouts jsontext.Layouts
}

type path struct {
	text    string
	escaped bool
}

// NewPaths makes Paths.
func NewPaths(texts ...string) *Paths {
	p := &Paths{paths: make([]path, len(texts))}
	for i, text := range texts {
		p.paths[i] = path{text, strings.IndexByte(text, '~') >= 0}
		if text != "" {
			p.letters[unescape(text)[0]] = true
		}
	}
	return p
}

// FindJSON is the function FindJSON for each path, in the object that a text begins with, through which it goes once: found gets the value at each
// path. It gives the end of the object, and whether that is valid. If it is not, found may have anything.
func (p *Paths) FindJSON(text []byte, found []json.RawMessage) (end int, valid bool) {
	if end, valid = p.layouts.Find(text, found); valid {
		return end, true
	}
	clear(found)
	var few [4]int
	lengths := few[:] // of the key that leads to each path; −1 if there are several
	if len(p.paths) > len(few) {
		lengths = make([]int, len(p.paths))
	}
	end, valid = jsontext.Object(text, &p.letters, func(quoted, value []byte, escapes bool) {
		key := quoted[1 : len(quoted)-1]
		if escapes {
			key = KeyText(quoted)
		}
		for i := range p.paths {
			path := &p.paths[i]
			if !path.escaped && (len(key) == 0 || len(path.text) < len(key) || path.text[0] != key[0]) {
				continue
			}
			switch length := leadLength(path.text, key, path.escaped); {
			case length == 0:
			case lengths[i] != 0 && lengths[i] != length:
				lengths[i] = -1
			default:
				lengths[i], found[i] = length, value
			}
		}
	})
	if !valid {
		return end, false
	}
	for i := range p.paths {
		switch path := p.paths[i].text; {
		case lengths[i] < 0:
			found[i] = FindJSON(text[:end], path)
		case lengths[i] == 0:
		case lengths[i] < len(path):
			found[i] = FindJSON(notNull(found[i]), path[lengths[i]+1:])
		default:
			found[i] = notNull(found[i])
		}
	}
	p.layouts.Learn(text[:end], found)
	return end, true
}

// KeyText is a key of an object without its quotes and escapes.
func KeyText(quoted []byte) []byte {
	key := quoted[1:max(1, len(quoted)-1)]
	if bytes.IndexByte(key, '\\') >= 0 {
		return []byte(unquote(quoted))
	}
	return key
}

// leadLength is how many bytes of a path a key stands for: all bytes, those before a dot, or 0.
func leadLength(path string, key []byte, escaped bool) int {
	if !escaped {
		if n := len(key); n > 0 && n <= len(path) && path[:n] == string(key) && (len(path) == n || path[n] == '.') {
			return n
		}
		return 0
	}
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		if unescape(path[:end]) == string(key) {
			return end
		}
	}
	return 0
}

func notNull(value json.RawMessage) json.RawMessage {
	if len(value) == 0 || value[0] == 'n' {
		return nil
	}
	return value
}

// Keys are the keys of a valid JSON object.
func Keys(object json.RawMessage) (keys []string) {
	for key := range Members(object) {
		keys = append(keys, key)
	}
	return keys
}

// Members walks over the members of a JSON object. It stops at what is not valid JSON.
func Members(object json.RawMessage) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		for key, value := range members(object) {
			if !yield(unquote(key), value) {
				return
			}
		}
	}
}

// members is Members with keys as they are written, in quotes.
func members(object json.RawMessage) iter.Seq2[[]byte, json.RawMessage] {
	return func(yield func([]byte, json.RawMessage) bool) {
		rest, ok := bytes.CutPrefix(skip(object, 0), []byte{'{'})
		for ok {
			rest = skip(rest, ',')
			if len(rest) == 0 || rest[0] != '"' {
				return
			}
			end := valueEnd(rest)
			key := rest[:end]
			rest = skip(rest[end:], ':')
			if end = valueEnd(rest); end == 0 || !yield(key, rest[:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

// elements walks over the elements of a JSON list. It stops at what is not valid JSON.
func elements(list json.RawMessage) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		rest, ok := bytes.CutPrefix(list, []byte{'['})
		for ok {
			rest = skip(rest, ',')
			end := valueEnd(rest)
			if end == 0 || rest[0] == ']' || !yield(rest[:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

// skip leaves out space, and separators (0 for none), at the beginning.
func skip(b []byte, separator byte) []byte {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n' || b[i] == separator && separator != 0) {
		i++
	}
	return b[i:]
}

// valueEnd is the length of the JSON value that b starts with.
func valueEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = stringEnd(b, i+1)
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth > 0 {
				continue
			}
			for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' { // a number or a literal
				i++
			}
			return i
		}
		if depth <= 0 {
			return min(i+1, len(b))
		}
	}
	return len(b)
}

// stringEnd is where the quote is that ends a string whose content begins at i.
func stringEnd(b []byte, i int) int {
	for i < len(b) {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		end, slashes := i+n, 0
		for j := end - 1; j >= i && b[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return end
		}
		i = end + 1
	}
	return i
}

// unquote reads a JSON string. Bytes that are not UTF-8 stay as they are.
func unquote(value []byte) string {
	if len(value) < 2 {
		return ""
	}
	inside := value[1 : len(value)-1]
	if bytes.IndexByte(inside, '\\') < 0 {
		return string(inside)
	}
	var s string
	_ = json.Unmarshal(value, &s)
	return s
}
