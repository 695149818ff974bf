// Package template learns event names from raw log messages, and gives them to messages.
//
// A message is first masked: what is obviously a value (numbers, addresses, identifiers, paths, URLs, times) becomes a wildcard. The masked text
// is the message's shape. A [Learner] counts shapes and finds out which of the words that are left are values, too. The result is a [Set] of
// templates that does not change: it gives the name of a message, or says that there is none.
//
// Only the first line of a message that is not empty counts, and of its shape some 1 KiB.
package template

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Wildcard is how a value is written in names and in files.
const Wildcard = "<*>"

// Template is a kind of message.
type Template struct {
	Scope    string // such as the name of a program; templates do not cross scopes
	Text     string // the message, with Wildcard for its values, after "<scope>: "
	Name     string // that an analyst has given to it; events have it instead of Text. Empty for none
	Messages int    // that it was learnt from
}

// Set holds templates. It does not change, and is for any number of goroutines.
type Set struct {
	base     *Set // templates from before, which come first
	keep     []string
	masker   masker
	patterns map[string]string // pattern to template, which is a pattern of its own
	messages map[string]int    // by template
	names    map[string]string // that analysts gave, by template, also for those of base
	finder   finder

	mu    sync.RWMutex
	cache map[string]string // shape to name, "" for none
}

// maxCache is the number of shapes that a Set remembers.
const maxCache = 1 << 16

func newSet(keep []string, base *Set) *Set {
	s := &Set{
		base: base, keep: keep, masker: newMasker(keep),
		patterns: map[string]string{}, messages: map[string]int{}, cache: map[string]string{},
	}
	if base != nil {
		s.names = base.names
	}
	return s
}

func (s *Set) index() {
	s.finder = newFinder(slices.Collect(maps.Keys(s.patterns)))
}

// Match gives the name of a message's template: the one that an analyst gave to it, or its text. A message without a template has none.
func (s *Set) Match(scope, message string) (name string, ok bool) {
	var space [512]byte
	shape := s.masker.mask(space[:0], scope, message)
	s.mu.RLock()
	name, ok = s.cache[string(shape)]
	s.mu.RUnlock()
	if ok {
		return name, name != ""
	}
	if t, ok := s.match(string(shape)); ok {
		name = cmp.Or(s.names[t], text(t))
	}
	s.mu.Lock()
	if len(s.cache) >= maxCache {
		clear(s.cache)
	}
	s.cache[string(shape)] = name
	s.mu.Unlock()
	return name, name != ""
}

// match gives the template of a shape.
func (s *Set) match(shape string) (template string, ok bool) {
	if s.base != nil {
		if t, ok := s.base.match(shape); ok {
			return t, true
		}
	}
	for {
		if t, ok := s.patterns[shape]; ok {
			return t, true
		}
		if p, ok := s.finder.find(shape, anyPattern); ok {
			return s.patterns[p], true
		}
		if c := canonical(shape); c != shape {
			shape = c
		} else if c = oneValue(shape); c != shape {
			shape = c
		} else {
			return "", false
		}
	}
}

// Len is the number of templates.
func (s *Set) Len() int { return len(s.all()) }

// All gives the templates, by scope and text.
func (s *Set) All() iter.Seq[Template] {
	all := s.all()
	return func(yield func(Template) bool) {
		for _, t := range slices.Sorted(maps.Keys(all)) {
			scope, _ := cutScope(t)
			if !yield(Template{Scope: scope, Text: text(t), Name: s.names[t], Messages: all[t]}) {
				return
			}
		}
	}
}

// all counts the messages of each template.
func (s *Set) all() map[string]int {
	all := map[string]int{}
	for ; s != nil; s = s.base {
		for p, t := range s.patterns {
			if p == t {
				all[t] += s.messages[t]
			}
		}
	}
	return all
}

func cutScope(template string) (scope, rest string) {
	if n := afterScope(template); n > 0 {
		return template[:n-1], template[n:]
	}
	return "", template
}

// text writes a template for people.
func text(template string) string {
	scope, rest := cutScope(template)
	rest = forPeople.Replace(rest)
	if scope == "" {
		return rest
	}
	return scope + ": " + rest
}

var forPeople = strings.NewReplacer("\x01", Wildcard, "\x02", "")
