package interpreter

import (
	"cmp"
	"slices"
	"sync"
)

// lists holds the vectors of a tree by id (an inverted index). A search that the bounds of the tree do not help, among vectors without groups, is
// faster by it: vectors that share no id with the query are not looked at.
type lists struct {
	offsets []int32 // of id i: entries[offsets[i]:offsets[i+1]]
	entries []entry
	sums    sync.Pool // of *[]int64, one number per packed vector, all zero
}

// entry is a packed vector that has an id, and its value.
type entry struct{ at, value int32 }

// inverted makes the lists of t when they are first needed. Most trees never need them.
func (t *tree) inverted() *lists {
	t.once.Do(func() {
		l := &lists{offsets: make([]int32, t.ids+1), entries: make([]entry, len(t.packed.IDs))}
		end := int32(0)
		for id, n := range t.having {
			l.offsets[id] = end
			end += n
		}
		l.offsets[t.ids] = end
		next := slices.Clone(l.offsets)
		for at := range t.packed.Len() {
			ids, values := t.packed.Row(at)
			for k, id := range ids {
				l.entries[next[id]] = entry{int32(at), values[k]}
				next[id]++
			}
		}
		l.sums.New = func() any {
			sums := make([]int64, t.packed.Len())
			return &sums
		}
		t.lists = l
	})
	return t.lists
}

// patience is how many numbers a search for the nearest vector may look at in the tree before it turns to the lists. In the time that one number
// takes, scan reads about four entries, so that a search takes at most about twice the time of the faster way.
func (t *tree) patience(ids []int32) int {
	entries := 0
	for _, id := range ids {
		if int(id) < t.ids {
			entries += int(t.having[id])
		}
	}
	return max(1000, entries/4)
}

// scan goes on with the search for the nearest vector of s.tree by the lists. The distance is Σq + Σx − 2 Σ min(q, x). A vector that is in none of
// the lists that were added up shares at most the rest of the query, so that most lists need not be read once something is found. One more than
// that is read, because it leaves few vectors to compare. Vectors that share nothing are at Σq + Σx, so that only the lightest one matters.
func (s *search) scan() {
	t, l := s.tree, s.tree.inverted()
	s.offer(t.lightest)
	shared := l.sums.Get().(*[]int64)
	sums, rest, read := *shared, s.sum, 0
	slices.SortFunc(s.ids, func(a, b int32) int { return cmp.Compare(s.value[b], s.value[a]) })
	for ; read < len(s.ids) && s.sum+t.nodes[0].minSum-4*rest <= s.limit; read++ {
		id := s.ids[read]
		x := s.value[id]
		for _, e := range l.of(id) {
			sums[e.at] += int64(min(e.value, x))
		}
		rest -= int64(x)
	}
	for _, id := range s.ids[:read] {
		for _, e := range l.of(id) {
			if sum := sums[e.at]; sum != 0 {
				sums[e.at] = 0
				if s.sum+t.sums[e.at]-2*(sum+rest) <= s.limit {
					s.offer(e.at)
				}
			}
		}
	}
	l.sums.Put(shared)
}

// of is the list of an id below t.ids.
func (l *lists) of(id int32) []entry { return l.entries[l.offsets[id]:l.offsets[id+1]] }
