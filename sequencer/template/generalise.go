package template

import (
	"cmp"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// generalise finds the values among the words of shapes, and gives the patterns that result.
func generalise(counts map[string]int, minValues int) map[string]int {
	groups := map[string][]*shape{}
	for _, t := range slices.Sorted(maps.Keys(counts)) {
		frame, words := split(t)
		groups[frame] = append(groups[frame], &shape{words: words, count: counts[t]})
	}
	known := map[string]bool{} // words that are values somewhere
	for frame, shapes := range groups {
		shapes = valuesOfKeys(frame, shapes, minValues, known)
		shapes = valuesAmongWords(shapes, minValues, known, false)
		if rest := valuesOfRareWords(shapes, minValues, known); len(rest) < len(shapes) {
			shapes = valuesAmongWords(rest, minValues, known, false)
		}
		groups[frame] = shapes
	}
	patterns := map[string]int{}
	for frame, shapes := range groups {
		for _, s := range valuesAmongWords(shapes, 2, known, true) {
			patterns[join(frame, s.words)] += s.count
		}
	}
	r := map[string]int{}
	for p, to := range absorb(patterns, minValues) {
		r[to] += patterns[p]
	}
	return r
}

// shape is a shape, taken apart, of a group that has all between the words in common.
type shape struct {
	words []string
	count int
}

const (
	wildWord  = "\x01"
	wordPlace = 0x03 // where a word was, in a frame
	between   = "\x04"
)

// split takes a shape apart into its words and the frame that they stand in. The scope is of the frame.
func split(t string) (frame string, words []string) {
	var f strings.Builder
	start := afterScope(t)
	f.WriteString(t[:start])
	for i := start; i < len(t); {
		j := i + 1
		switch {
		case t[i] == wild:
		case t[i] == kept:
			j, _ = wordEnd(t, j)
		case kinds[t[i]] == inWord:
			j, _ = wordEnd(t, i)
		default:
			f.WriteByte(t[i])
			i++
			continue
		}
		words = append(words, t[i:j])
		f.WriteByte(wordPlace)
		i = j
	}
	return f.String(), words
}

func join(frame string, words []string) string {
	var b strings.Builder
	n := 0
	for i := range len(frame) {
		if frame[i] == wordPlace {
			b.WriteString(words[n])
			n++
		} else {
			b.WriteByte(frame[i])
		}
	}
	return b.String()
}

// says tells whether a word says something: it has a letter, and is no value.
func says(w string) bool {
	return w != wildWord && w[0] != kept && strings.ContainsFunc(w, unicode.IsLetter)
}

// countSaying counts the words that say something.
func countSaying(words []string) (n int) {
	for _, w := range words {
		if says(w) {
			n++
		}
	}
	return n
}

// place is a place in messages that have all else in common.
type place struct {
	at      int
	first   int // number of the first of the shapes
	members []*shape
}

// minDotted is the number of different names of hosts, packages or classes that make their place a value.
const minDotted = 2

// isValue says whether what stands at a place is a value. If too few words stand there, only the dotted names among them may be.
func (p *place) isValue(minValues int, known map[string]bool, only bool) bool {
	if len(p.members) < minValues {
		p.members = slices.DeleteFunc(p.members, func(s *shape) bool { return s.words[p.at] != wildWord && !isDotted(s.words[p.at]) })
		minValues = minDotted
	}
	if len(p.members) < minValues {
		return false
	}
	words := p.members[0].words
	said := countSaying(words)
	if says(words[p.at]) {
		said--
	}
	if said == 0 || said == 1 && (only || len(p.members) < 2*minValues) {
		return false
	}
	return !only || !slices.ContainsFunc(p.members, func(s *shape) bool { return s.words[p.at] != wildWord && !known[s.words[p.at]] })
}

// valuesAmongWords makes a value of a word where enough different ones stand in the same place of shapes that have all else in common, the
// place with most of them first, until there is no such place. If only known values count, then all of them must be known.
func valuesAmongWords(shapes []*shape, minValues int, known map[string]bool, only bool) []*shape {
	for len(shapes) > 1 {
		found := places(shapes)
		found = slices.DeleteFunc(found, func(p *place) bool { return !p.isValue(minValues, known, only) })
		if len(found) == 0 {
			break
		}
		slices.SortFunc(found, func(a, b *place) int {
			return cmp.Or(len(b.members)-len(a.members), a.first-b.first, a.at-b.at)
		})
		done := map[*shape]bool{}
		for _, p := range found {
			if slices.ContainsFunc(p.members, func(s *shape) bool { return done[s] }) {
				continue // it is looked at again in the next round
			}
			for _, s := range p.members {
				done[s] = true
				if !only {
					known[s.words[p.at]] = true
				}
				s.words[p.at] = wildWord
			}
		}
		shapes = unite(shapes)
	}
	return shapes
}

var seed = maphash.MakeSeed()

// places gives each place at which two or more shapes have all else in common, with these. They are found by the sums of the hashes of their other
// words, of 64 bits, place by place, so that many long shapes need little memory.
func places(shapes []*shape) (found []*place) {
	type wordAt struct {
		at   int
		word string
	}
	type other struct {
		sum uint64
		n   int // number of the shape
	}
	hash := func(at int, w string) uint64 { return maphash.Comparable(seed, wordAt{at, w}) }
	sums := make([]uint64, len(shapes))
	for n, s := range shapes {
		for at, w := range s.words {
			sums[n] += hash(at, w)
		}
	}
	buf := make([]other, 0, len(shapes))
	for at := range shapes[0].words {
		others := buf
		for n, s := range shapes {
			if w := s.words[at]; w[0] != kept {
				others = append(others, other{sums[n] - hash(at, w), n})
			}
		}
		slices.SortFunc(others, func(a, b other) int { return cmp.Or(cmp.Compare(a.sum, b.sum), a.n-b.n) })
		for len(others) > 0 {
			end := slices.IndexFunc(others, func(o other) bool { return o.sum != others[0].sum })
			if end < 0 {
				end = len(others)
			}
			if end > 1 {
				p := &place{at: at, first: others[0].n}
				for _, o := range others[:end] {
					p.members = append(p.members, shapes[o.n])
				}
				found = append(found, p)
			}
			others = others[end:]
		}
	}
	return found
}

// valuesOfKeys does so for all that stands after equals signs at once: with many keys, no two messages may have all but one in common.
func valuesOfKeys(frame string, shapes []*shape, minValues int, known map[string]bool) []*shape {
	keyed := afterEquals(frame)
	groups := map[string][]*shape{}
	for _, s := range shapes {
		said := 0
		rest := slices.Clone(s.words)
		for at, w := range s.words {
			switch {
			case w[0] == kept:
			case keyed[at] || w == wildWord:
				rest[at] = "\x03"
			case says(w):
				said++
			}
		}
		if said > 1 {
			key := strings.Join(rest, between)
			groups[key] = append(groups[key], s)
		}
	}
	changed := false
	for _, members := range groups {
		for at := range keyed {
			values := map[string]bool{}
			for _, s := range members {
				if s.words[at][0] != kept {
					values[s.words[at]] = true
				}
			}
			if len(values) < minValues {
				continue
			}
			for _, s := range members {
				if s.words[at][0] != kept {
					known[s.words[at]] = true
					s.words[at] = wildWord
					changed = true
				}
			}
		}
	}
	if changed {
		return unite(shapes)
	}
	return shapes
}

// valuesOfRareWords does so for words that no other shape has in their place: all of them together, if four times as many shapes have all else in
// common. Where two words of each message are new, no two messages have all but one in common.
func valuesOfRareWords(shapes []*shape, minValues int, known map[string]bool) []*shape {
	if len(shapes) < 4*minValues {
		return shapes
	}
	width := len(shapes[0].words)
	rare := make([]bool, width*len(shapes))
	uses := map[string]int{}
	for at := range width {
		clear(uses)
		for _, s := range shapes {
			uses[s.words[at]]++
		}
		for n, s := range shapes {
			w := s.words[at]
			rare[n*width+at] = w != wildWord && w[0] != kept && uses[w] == 1
		}
	}
	groups := map[string][]int{} // numbers of shapes
	for n, s := range shapes {
		rest := slices.Clone(s.words)
		for at := range rest {
			if rare[n*width+at] {
				rest[at] = wildWord
			}
		}
		if countSaying(rest) > 1 {
			key := strings.Join(rest, between)
			groups[key] = append(groups[key], n)
		}
	}
	for _, members := range groups {
		if len(members) < 4*minValues {
			continue
		}
		for _, n := range members {
			for at, w := range shapes[n].words {
				if rare[n*width+at] {
					known[w] = true
					shapes[n].words[at] = wildWord
				}
			}
		}
	}
	return unite(shapes)
}

// afterEquals says for each word of a frame whether it stands after an equals sign.
func afterEquals(frame string) (keyed []bool) {
	after := false
	for i := afterScope(frame); i < len(frame); i++ {
		switch frame[i] {
		case ' ':
			after = false
		case '=':
			after = true
		case wordPlace:
			keyed = append(keyed, after)
		}
	}
	return keyed
}

// unite makes one of shapes that have become equal.
func unite(shapes []*shape) []*shape {
	seen := map[string]*shape{}
	r := shapes[:0:0]
	for _, s := range shapes {
		key := strings.Join(s.words, between)
		if o := seen[key]; o != nil {
			o.count += s.count
			continue
		}
		seen[key] = s
		r = append(r, s)
	}
	return r
}

// absorb tells for each pattern which one it belongs to: itself, or one that matches it, and was seen at least as often; or one that does so with
// values of several words, if the pattern is rare.
func absorb(counts map[string]int, minValues int) map[string]string {
	var general []string
	for p := range counts {
		if _, words := split(p); countSaying(words) > 1 {
			general = append(general, p)
		}
	}
	f := newFinder(general)
	to := map[string]string{}
	for p, n := range counts {
		to[p] = p
		if q, ok := f.find(p, func(q string) bool { return q != p && counts[q] >= n }); ok {
			to[p] = q
		} else if one := oneValue(p); n < minValues && one != p {
			if q, ok := f.find(one, func(q string) bool { return counts[q] >= n }); ok {
				to[p] = q
			}
		}
	}
	for p := range to {
		end := p
		for to[end] != end { // no circle: who matches another one has more values in the same text, or fewer words
			end = to[end]
		}
		to[p] = end
	}
	return to
}
