package interpreter

import "math"

// search looks for vectors near a query, in trees whose ids are below the size that it was made for. Only one goroutine may use it.
type search struct {
	tree  *tree
	value []int32 // the query by id, zero between searches
	ids   []int32 // of the query and the tree
	sum   int64
	// over and under are, by id, by how much the query certainly exceeds, or falls short of, every vector of the current subtree.
	over, under []int32

	limit   int64 // vectors farther than this are not visited
	tag     int32 // nor are vectors at the limit with this tag or a higher one
	visit   func(at int32, distance int64) (more bool)
	removed *removed
	budget  int // numbers that may still be looked at before the lists answer; only of a search for the nearest vector
}

// removed are vectors that searches skip.
type removed struct {
	gone []bool  // by packed vector
	left []int32 // by node: vectors that are still there
	leaf []int32 // the leaf of each packed vector
}

func newSearch(ids int) *search {
	return &search{value: make([]int32, ids), over: make([]int32, ids), under: make([]int32, ids)}
}

// within calls visit for each vector within eps of a query, in any order, until visit returns false.
func (s *search) within(t *tree, ids, values []int32, eps int64, visit func(at int32, distance int64) bool) {
	s.visit, s.limit, s.tag, s.budget = visit, eps, math.MaxInt32, math.MaxInt
	s.run(t, ids, values)
}

// nearest finds the packed vector that is nearest to a query. Of equally near ones, it takes the one with the lowest tag. In a tree without
// vectors it is −1.
func (s *search) nearest(t *tree, ids, values []int32) (at int32, distance int64) {
	return s.nearestWith(t.patience(ids), t, ids, values)
}

// nearestWith is nearest. If the tree has not answered after it looked at budget numbers, the lists answer. The answer is the same.
func (s *search) nearestWith(budget int, t *tree, ids, values []int32) (at int32, distance int64) {
	at = -1
	s.limit, s.tag, s.budget = math.MaxInt64, math.MaxInt32, budget
	s.visit = func(candidate int32, d int64) bool {
		if d < s.limit || t.tags[candidate] < s.tag {
			at, s.limit, s.tag = candidate, d, t.tags[candidate]
		}
		return true
	}
	s.run(t, ids, values)
	return at, s.limit
}

func (s *search) run(t *tree, ids, values []int32) {
	if len(t.nodes) == 0 {
		return
	}
	s.tree, s.sum, s.ids = t, 0, s.ids[:0]
	for k, id := range ids {
		s.sum += int64(values[k])
		if int(id) < t.ids { // larger ids are in no vector of the tree, and count in the sum only
			s.value[id] = values[k]
			s.ids = append(s.ids, id)
		}
	}
	if s.walk(0, 0, 0); s.budget < 0 {
		s.scan()
	}
	for _, id := range s.ids {
		s.value[id] = 0
	}
}

// bound is a lower bound of the L1 distance between the query q and vectors x, if q is known to exceed x by at least over, and to fall short by
// at least under, summed over ids. With P = Σ max(0, q−x) ≥ over and M = Σ max(0, x−q) ≥ under, the distance is P + M, and P − M =
// Σq − Σx, so that it is also 2P − Σq + Σx and 2M + Σq − Σx. This holds for all non-negative vectors. If both sum to 1, then over or under
// beyond half of a distance excludes it.
func (s *search) bound(n *node, over, under int64) int64 {
	return max(over+under, 2*over-s.sum+n.minSum, 2*under+s.sum-n.maxSum)
}

// boxBound is bound over all ids of the subtree. The query exceeds its vectors by whatever is above the upper ends.
func (s *search) boxBound(n *node) int64 {
	shared, under := int64(0), int64(0)
	for _, b := range s.tree.boxes[n.box:n.boxEnd] {
		x := s.value[b.id]
		shared += int64(min(x, b.high))
		under += int64(max(0, b.low-x))
	}
	return s.bound(n, s.sum-shared, under)
}

func (s *search) excludes(n *node, bound int64) bool {
	return bound > s.limit || bound == s.limit && n.tag >= s.tag
}

// walk searches a subtree. It returns false if the search is to end.
func (s *search) walk(i int32, over, under int64) bool {
	n := &s.tree.nodes[i]
	if s.removed != nil && s.removed.left[i] == 0 || s.excludes(n, s.bound(n, over, under)) || n.boxed && s.excludes(n, s.boxBound(n)) {
		return true
	}
	if n.left == 0 {
		return s.compare(n)
	}
	if s.budget -= 1 + int(n.boxEnd-n.box); s.budget < 0 {
		return false
	}
	if x := s.value[n.id]; x-n.atMost < n.atLeast-x { // the nearer side first
		return s.walkLeft(n, over, under) && s.walkRight(n, over, under)
	}
	return s.walkRight(n, over, under) && s.walkLeft(n, over, under)
}

func (s *search) walkLeft(n *node, over, under int64) bool {
	before := s.over[n.id]
	now := max(before, s.value[n.id]-n.atMost)
	s.over[n.id] = now
	more := s.walk(n.left, over+int64(now-before), under)
	s.over[n.id] = before
	return more
}

func (s *search) walkRight(n *node, over, under int64) bool {
	before := s.under[n.id]
	now := max(before, n.atLeast-s.value[n.id])
	s.under[n.id] = now
	more := s.walk(n.right, over, under+int64(now-before))
	s.under[n.id] = before
	return more
}

// compare visits the vectors of a leaf.
func (s *search) compare(n *node) bool {
	t := s.tree
	s.budget -= int(t.packed.Offsets[n.to] - t.packed.Offsets[n.from])
	for at := n.from; at < n.to; at++ {
		if s.removed != nil && s.removed.gone[at] {
			continue
		}
		if !s.offer(at) {
			return false
		}
	}
	return true
}

// offer visits a packed vector if it is not beyond the limit. It returns false if the search is to end.
func (s *search) offer(at int32) bool {
	t, shared := s.tree, int64(0)
	from, to := t.packed.Offsets[at], t.packed.Offsets[at+1]
	values := t.packed.Values[from:to]
	for k, id := range t.packed.IDs[from:to] {
		shared += int64(min(s.value[id], values[k]))
	}
	distance := s.sum + t.sums[at] - 2*shared
	return distance > s.limit || distance == s.limit && t.tags[at] >= s.tag || s.visit(at, distance)
}

// keep makes searches skip all packed vectors of t for which keep is false.
func (s *search) keep(t *tree, keep func(at int32) bool) {
	r := &removed{gone: make([]bool, len(t.rows)), left: make([]int32, len(t.nodes)), leaf: make([]int32, len(t.rows))}
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := t.nodes[i]
		if n.left != 0 {
			r.left[i] = r.left[n.left] + r.left[n.right]
			continue
		}
		for at := n.from; at < n.to; at++ {
			r.leaf[at], r.gone[at] = int32(i), !keep(at)
			if !r.gone[at] {
				r.left[i]++
			}
		}
	}
	s.removed = r
}

// remove makes later searches skip a packed vector of t, which must not be removed yet.
func (s *search) remove(t *tree, at int32) {
	s.removed.gone[at] = true
	for i := s.removed.leaf[at]; i >= 0; i = t.nodes[i].parent {
		s.removed.left[i]--
	}
}
