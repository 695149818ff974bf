package interpreter

import (
	"slices"
	"sync"
)

const (
	leafSize = 12   // vectors in a leaf; for fewer, comparing all is cheaper than another split
	boxSize  = 64   // ids in a subtree's box; for more, the box costs more than it saves
	apart    = 1024 // vectors in a subtree whose two sides are built at the same time
)

// tree is a k-d tree for exact L1 searches among sparse vectors of non-negative numbers. It splits by the id whose values vary most, at their
// mean, because a few ids hold most of the differences. Splits bound distances cheaply on the way down, and boxes bound them well near
// the leaves (search.bound).
type tree struct {
	packed   *Vectors // the vectors in the order of the leaves, so that a leaf is contiguous in memory
	rows     []int32  // the index of each in the vectors given
	tags     []int32  // its tag; of equally near vectors, the one with the lowest tag is found
	sums     []int64
	nodes    []node // children follow their parent
	boxes    []interval
	ids      int     // 1 + the largest id
	having   []int32 // by id, how many vectors have it
	lightest int32   // the packed vector with the lowest sum; of equal ones, the one with the lowest tag
	once     sync.Once
	lists    *lists // nil until inverted
}

// node is a subtree over the packed vectors from…to.
type node struct {
	from, to       int32
	parent         int32 // −1 at the root
	left, right    int32 // 0 in a leaf
	id             int32 // of the split: the left subtree has values ≤ atMost, the right one values ≥ atLeast
	atMost         int32
	atLeast        int32
	tag            int32 // the lowest one
	boxed          bool
	box, boxEnd    int32
	minSum, maxSum int64
}

// interval holds all values that an id has in a subtree.
type interval struct{ id, low, high int32 }

// newTree indexes v. tags, one per vector, may be nil.
func newTree(v *Vectors, tags []int32) *tree { return buildTree(v, tags, apart) }

func buildTree(v *Vectors, tags []int32, apart int) *tree {
	n := v.Len()
	t := &tree{rows: make([]int32, n)}
	for i := range t.rows {
		t.rows[i] = int32(i)
	}
	if len(v.IDs) > 0 {
		t.ids = int(slices.Max(v.IDs)) + 1
	}
	b := builder{tree: t, apart: apart, vectors: v, tags: tags, stats: make([]stat, t.ids), scratch: make([]int32, n)}
	if n > 0 {
		b.build(0, int32(n), -1)
	}
	t.packed = &Vectors{Offsets: make([]int32, 1, n+1)}
	t.sums, t.tags = make([]int64, n), make([]int32, n)
	for at, row := range t.rows {
		t.packed.add(v.Row(int(row)))
		t.sums[at], t.tags[at] = b.sum(row), b.tag(row)
		if l := t.lightest; t.sums[at] < t.sums[l] || t.sums[at] == t.sums[l] && t.tags[at] < t.tags[l] {
			t.lightest = int32(at)
		}
	}
	t.having = make([]int32, t.ids)
	for _, id := range t.packed.IDs {
		t.having[id]++
	}
	return t
}

type builder struct {
	*tree
	apart   int
	vectors *Vectors
	tags    []int32
	stats   []stat  // by id, zero between calls
	seen    []int32 // ids with a stat
	scratch []int32
}

// stat describes the values of an id in a subtree.
type stat struct {
	count, low, high int32
	sum              int64
	squares          float64
}

func (b *builder) sum(row int32) int64 {
	_, values := b.vectors.Row(int(row))
	sum := int64(0)
	for _, x := range values {
		sum += int64(x)
	}
	return sum
}

func (b *builder) tag(row int32) int32 {
	if b.tags == nil {
		return 0
	}
	return b.tags[row]
}

// build makes the node over rows[from:to] and the nodes below it, and returns its index.
func (b *builder) build(from, to, parent int32) int32 {
	n := node{from: from, to: to, parent: parent}
	rows := b.rows[from:to]
	n.minSum, n.maxSum, n.tag = b.sum(rows[0]), b.sum(rows[0]), b.tag(rows[0])
	b.seen = b.seen[:0]
	for _, row := range rows {
		b.add(row)
		sum := b.sum(row)
		n.minSum, n.maxSum, n.tag = min(n.minSum, sum), max(n.maxSum, sum), min(n.tag, b.tag(row))
	}
	n.boxed, n.box = len(b.seen) <= boxSize, int32(len(b.boxes))
	split, mean, most := false, int32(0), 0.0
	for _, id := range b.seen {
		s := &b.stats[id]
		if int(s.count) < len(rows) {
			s.low = 0
		}
		if n.boxed {
			b.boxes = append(b.boxes, interval{id, s.low, s.high})
		}
		size := float64(len(rows))
		variance := s.squares/size - float64(s.sum)/size*float64(s.sum)/size
		if s.low < s.high && (!split || variance > most) {
			split, most, n.id, mean = true, variance, id, int32(s.sum/int64(len(rows)))
		}
		*s = stat{}
	}
	n.boxEnd = int32(len(b.boxes))
	at := int32(len(b.nodes))
	b.nodes = append(b.nodes, n)
	if len(rows) <= leafSize || !split {
		return at
	}
	middle := from + b.partition(rows, &n, mean)
	if len(rows) < b.apart {
		n.left = b.build(from, middle, at)
		n.right = b.build(middle, to, at)
	} else {
		right := builder{tree: &tree{rows: b.rows}, apart: b.apart, vectors: b.vectors, tags: b.tags, stats: make([]stat, len(b.stats)), scratch: make([]int32, to-middle)}
		var running sync.WaitGroup
		running.Go(func() { right.build(middle, to, -1) })
		n.left = b.build(from, middle, at)
		running.Wait()
		n.right = b.graft(right.tree, at)
	}
	b.nodes[at] = n
	return at
}

// graft adds a subtree below a node, and returns the index of its root.
func (b *builder) graft(t *tree, below int32) int32 {
	root, box := int32(len(b.nodes)), int32(len(b.boxes))
	for _, n := range t.nodes {
		n.parent += root
		if n.left != 0 {
			n.left, n.right = n.left+root, n.right+root
		}
		n.box, n.boxEnd = n.box+box, n.boxEnd+box
		b.nodes = append(b.nodes, n)
	}
	b.nodes[root].parent = below
	b.boxes = append(b.boxes, t.boxes...)
	return root
}

// add counts a row into the stats.
func (b *builder) add(row int32) {
	ids, values := b.vectors.Row(int(row))
	for k, id := range ids {
		s, x := &b.stats[id], values[k]
		if s.count == 0 {
			b.seen = append(b.seen, id)
			s.low, s.high = x, x
		}
		s.count++
		s.low, s.high = min(s.low, x), max(s.high, x)
		s.sum += int64(x)
		s.squares += float64(x) * float64(x)
	}
}

// partition moves the rows whose value of the split's id is at most mean to the front, in order, and returns how many they are. Values are
// integers and not all equal, so that neither side is empty.
func (b *builder) partition(rows []int32, n *node, mean int32) int32 {
	left, right := 0, b.scratch[:0]
	n.atMost, n.atLeast = 0, 1<<31-1
	for _, row := range rows {
		x := int32(0)
		ids, values := b.vectors.Row(int(row))
		if k, there := slices.BinarySearch(ids, n.id); there {
			x = values[k]
		}
		if x <= mean {
			rows[left] = row
			left++
			n.atMost = max(n.atMost, x)
		} else {
			right = append(right, row)
			n.atLeast = min(n.atLeast, x)
		}
	}
	copy(rows[left:], right)
	return int32(left)
}
