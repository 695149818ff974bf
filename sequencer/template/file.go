package template

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"connect-deepcase/internal/textfile"
)

// The numbers of this version. A file of other numbers is refused: with another masking, a message gets another name than the model has learnt.
const (
	format  = 1 // of the file
	masking = 1 // counted up whenever masking or matching change
)

// header is the first line of the file of a Set.
type header struct {
	Format    int      `json:"format"`
	Masking   int      `json:"masking"`
	Keep      []string `json:"keep,omitempty"`
	Templates int      `json:"templates"` // lines that follow
}

// line is a template, in the file of a Set.
type line struct {
	Scope    string   `json:"scope,omitempty"`
	Template string   `json:"template"`
	Name     string   `json:"name,omitempty"`
	Messages int      `json:"messages"`
	Also     []string `json:"also,omitempty"`    // other patterns that belong to the template
	Extends  int      `json:"extends,omitempty"` // how many times the Set had been extended before
}

// Save writes the set as NDJSON. The same set gives the same bytes.
func (s *Set) Save(w io.Writer) error {
	var sets []*Set
	h := header{Format: format, Masking: masking, Keep: s.keep}
	for x := s; x != nil; x = x.base {
		sets = append(sets, x)
		h.Templates += len(x.templates())
	}
	slices.Reverse(sets)
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(h); err != nil {
		return err
	}
	for n, x := range sets {
		templates := x.templates()
		for _, t := range slices.Sorted(maps.Keys(templates)) {
			scope, rest := cutScope(t)
			l := line{Scope: scope, Template: toFile.Replace(rest), Name: s.names[t], Messages: x.messages[t], Extends: n}
			slices.Sort(templates[t])
			for _, p := range templates[t] {
				_, rest := cutScope(p)
				l.Also = append(l.Also, toFile.Replace(rest))
			}
			if err := e.Encode(l); err != nil {
				return err
			}
		}
	}
	return b.Flush()
}

// templates gives the templates of s without those of its base, and the other patterns of each.
func (s *Set) templates() map[string][]string {
	also := map[string][]string{}
	for p, t := range s.patterns {
		if p == t {
			also[t] = slices.Clip(also[t]) // it has a place, even if it is the only one
		} else {
			also[t] = append(also[t], p)
		}
	}
	return also
}

// Checksum is the SHA-256 of what Save writes, as hexadecimal digits.
func (s *Set) Checksum() string {
	h := sha256.New()
	if err := s.Save(h); err != nil {
		panic(err) // a hash takes everything, and texts and numbers can be encoded
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Load reads what Save wrote. Its errors name the line.
func Load(r io.Reader) (*Set, error) {
	l := loader{names: map[string]string{}}
	number, err := textfile.EachLine(bufio.NewReader(r), l.add)
	switch {
	case err != nil:
		return nil, fmt.Errorf("templates: line %d: %w", number, err)
	case l.header == nil:
		return nil, errors.New("templates: an empty file: want one with templates that were learnt")
	case l.lines != l.header.Templates:
		return nil, fmt.Errorf("templates: line 1 says that %d templates follow, there are %d: want the whole file", l.header.Templates, l.lines)
	}
	for _, s := range l.sets {
		s.names = l.names
		s.index()
	}
	return l.sets[len(l.sets)-1], nil
}

// loader makes a Set of the lines of its file.
type loader struct {
	header *header
	lines  int
	sets   []*Set            // each is the base of the next
	names  map[string]string // by template
}

func (l *loader) add(_ int, text []byte) error {
	if l.header == nil {
		l.header = &header{}
		if err := l.header.read(text); err != nil {
			return err
		}
		l.sets = []*Set{newSet(l.header.Keep, nil)}
		return nil
	}
	var x line
	if err := decode(text, &x); err != nil {
		return err
	}
	if err := x.check(); err != nil {
		return err
	}
	l.lines++
	if x.Extends == len(l.sets) && l.lines > 1 {
		l.sets = append(l.sets, newSet(l.header.Keep, l.sets[x.Extends-1]))
	} else if last := len(l.sets) - 1; x.Extends != last {
		return fmt.Errorf("extends %d after %d: want lines in the order in which they were written", x.Extends, last)
	}
	s, t := l.sets[x.Extends], x.pattern(x.Template)
	for _, p := range append([]string{x.Template}, x.Also...) {
		if _, twice := s.patterns[x.pattern(p)]; twice {
			return fmt.Errorf("template %.200q comes twice: want it once", p)
		}
		s.patterns[x.pattern(p)] = t
	}
	s.messages[t] = x.Messages
	if other := l.names[t]; other != "" && x.Name != "" && other != x.Name {
		return fmt.Errorf("name %q: the same template has the name %q in a line before: want one name", x.Name, other)
	}
	l.names[t] = cmp.Or(x.Name, l.names[t])
	return nil
}

// pattern is a pattern of the line, as a Set has it.
func (l *line) pattern(text string) string {
	text = fromFile.Replace(text)
	if l.Scope != "" {
		return l.Scope + string(rune(scopeEnd)) + text
	}
	return text
}

// decode reads a line of JSON. A field that is not known may be a misspelt name, and is an error.
func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one JSON value: want one a line")
	}
	return nil
}

func (h *header) read(text []byte) error {
	var numbers struct{ Format, Masking int }
	if err := json.Unmarshal(text, &numbers); err != nil {
		return fmt.Errorf("%w: want the header of a file with templates", err)
	}
	switch {
	case numbers.Format == 0:
		return errors.New("no format: want the header of a file with templates")
	case numbers.Format != format:
		return fmt.Errorf("format %d, this version reads %d: learn the templates anew, or use the version that wrote them", numbers.Format, format)
	case numbers.Masking != masking:
		return fmt.Errorf("masking %d, this version has %d, which gives other names: learn the templates and the model anew, or use the version that wrote them",
			numbers.Masking, masking)
	}
	if err := decode(text, h); err != nil {
		return err
	}
	if !slices.IsSorted(h.Keep) || slices.Contains(h.Keep, "") {
		return errors.New("keep: want words in order")
	}
	return nil
}

func (l *line) check() error {
	switch {
	case l.Template == "":
		return errors.New("no template: want the text of one")
	case l.Messages < 0:
		return fmt.Errorf("messages %d: want a number from 0", l.Messages)
	case l.Extends < 0:
		return fmt.Errorf("extends %d: want a number from 0", l.Extends)
	case l.Name != strings.TrimSpace(l.Name) || strings.ContainsFunc(l.Name, unicode.IsControl):
		return fmt.Errorf("name %q: want a text without control characters and without spaces around it", l.Name)
	case l.Scope != cleanScope(l.Scope):
		return fmt.Errorf("scope %.200q: want at most %d bytes without control characters", l.Scope, maxWord)
	}
	for _, p := range append([]string{l.Template}, l.Also...) {
		if p == "" || strings.ContainsFunc(p, unicode.IsControl) {
			return fmt.Errorf("template %.200q: want a text without control characters", p)
		}
	}
	return nil
}

// In files a value is "<*>", "^:" is before a word that is kept, and a caret of the message is doubled.
var (
	toFile   = strings.NewReplacer("^", "^^", "\x01", Wildcard, "\x02", "^:")
	fromFile = strings.NewReplacer("^^", "^", "^:", "\x02", Wildcard, "\x01")
)
