package template

import (
	"cmp"
	"maps"
	"slices"
)

// Options say what a Learner does. The zero value of a field is its default.
type Options struct {
	// MinValues is the number of different words that make their place in a message a value, where all else is equal. Twice as many are
	// needed where only one other word is left, and a message of one word is never a value. Default 5.
	MinValues int
	// MinMessages is the number of messages that make a template; rarer ones have none. So a word of fewer messages is in no name. Default 1.
	MinMessages int
	// MaxShapes bounds memory: when there are more (long ones count up to five times), those that were generalised are forgotten, then the
	// rarest. From then on the order of messages counts. Default 100,000.
	MaxShapes int
	// MaxTemplates bounds a Set, with those that it extends: the templates of the most messages stay. Default 10,000.
	MaxTemplates int
	// Keep are words that are never values.
	Keep []string
}

func (o Options) withDefaults() Options {
	o.MinValues = cmp.Or(o.MinValues, 5)
	o.MinMessages = cmp.Or(o.MinMessages, 1)
	o.MaxShapes = cmp.Or(o.MaxShapes, 100_000)
	o.MaxTemplates = cmp.Or(o.MaxTemplates, 10_000)
	return o
}

// Learner counts the shapes of messages. It is for one goroutine.
type Learner struct {
	// Forgotten is the number of messages that MaxShapes and, after Learn, MaxTemplates left no room for.
	Forgotten int

	opts   Options
	base   *Set
	masker masker
	counts map[string]int // messages by shape
	weight int            // of these shapes
	lost   int            // messages of shapes that were forgotten
	buf    []byte
}

// NewLearner gives a Learner that has seen nothing.
func NewLearner(o Options) *Learner {
	o.Keep = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(o.Keep))), func(w string) bool { return w == "" })
	return &Learner{opts: o.withDefaults(), masker: newMasker(o.Keep), counts: map[string]int{}}
}

// Extend gives a Learner whose Set has the templates of s and those that it learns. What has a template in s keeps it, and its name. The words
// to keep are those of s.
func (s *Set) Extend(o Options) *Learner {
	o.Keep = s.keep
	l := NewLearner(o)
	if len(s.patterns) > 0 { // or it is an empty one, which need not stand in files
		l.base = s
	}
	return l
}

// Add counts a message. An empty one says nothing.
func (l *Learner) Add(scope, message string) {
	l.buf = l.masker.mask(l.buf[:0], scope, message)
	if n, ok := l.counts[string(l.buf)]; ok {
		l.counts[string(l.buf)] = n + 1
		return
	}
	shape := string(l.buf)
	if len(shape) == afterScope(shape) {
		return
	}
	if l.base != nil {
		if _, ok := l.base.match(shape); ok {
			return
		}
	}
	if l.weight >= l.opts.MaxShapes {
		l.compact()
	}
	l.counts[shape] = 1
	l.weight += weightOf(shape)
}

// weightOf is the room that a shape takes, of MaxShapes: long ones count more than once.
func weightOf(shape string) int { return 1 + len(shape)/256 }

// compact makes room: shapes become patterns, and if that is not enough, the rarest are forgotten.
func (l *Learner) compact() {
	l.counts = generalise(l.counts, l.opts.MinValues)
	l.weight = 0
	for s := range l.counts {
		l.weight += weightOf(s)
	}
	for rare := 1; l.weight > l.opts.MaxShapes/2; rare *= 2 {
		for s, n := range l.counts {
			if n <= rare {
				l.lost += n
				l.weight -= weightOf(s)
				delete(l.counts, s)
			}
		}
	}
	l.Forgotten = l.lost
}

// Learn gives the templates of the messages so far. It depends on what was added, not on the order.
func (l *Learner) Learn() *Set {
	patterns := generalise(l.counts, l.opts.MinValues)
	names := map[string]int{}
	for p, n := range patterns {
		names[canonical(p)] += n
	}
	to := absorb(names, l.opts.MinValues)
	s := newSet(l.opts.Keep, nil)
	for p := range patterns {
		s.patterns[p] = to[canonical(p)]
	}
	for n := range names {
		s.patterns[n] = to[n]
	}
	s.index()
	// What a message is called is what the set says: templates that no message has are dropped, and rare ones.
	count := map[string]int{}
	for shape, n := range l.counts {
		if t, ok := s.match(shape); ok {
			count[t] += n
		}
	}
	return l.choose(s, count)
}

// choose makes the Set of the templates that are frequent enough, and for which there is room.
func (l *Learner) choose(all *Set, count map[string]int) *Set {
	frequent := slices.DeleteFunc(slices.Collect(maps.Keys(count)), func(t string) bool { return count[t] < l.opts.MinMessages })
	room := l.opts.MaxTemplates
	if l.base != nil {
		room = max(0, room-l.base.Len())
	}
	l.Forgotten = l.lost
	if len(frequent) > room {
		slices.SortFunc(frequent, func(a, b string) int { return cmp.Or(count[b]-count[a], cmp.Compare(a, b)) })
		for _, t := range frequent[room:] {
			l.Forgotten += count[t]
		}
		frequent = frequent[:room]
	}
	if len(frequent) == 0 && l.base != nil {
		return l.base
	}
	r := newSet(l.opts.Keep, l.base)
	for _, t := range frequent {
		r.messages[t] = count[t]
	}
	for p, t := range all.patterns {
		if r.messages[t] > 0 && (p == t || !all.finds(p, t)) {
			r.patterns[p] = t
		}
	}
	r.index()
	return r
}

// finds says whether a pattern without values may be left out of a file, because another pattern gives its template to it. So the words of
// rare messages, such as the names of users, do not stand in files.
func (s *Set) finds(pattern, template string) bool {
	found, ok := s.finder.find(pattern, anyPattern)
	return ok && s.patterns[found] == template && !hasValue(pattern)
}
