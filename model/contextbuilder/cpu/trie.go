package cpu

import (
	"cmp"
	"math/bits"
	"slices"
)

// trie numbers the distinct prefixes of sorted contexts. Level l has the prefixes of l events, and level 0 the empty prefix. The steps of the
// decoder are further levels, with one node per row and step. If a network reads contexts in both directions, what it computes at an event depends
// on the whole context. Then only equal contexts share nodes.
type trie struct {
	off    []int   // level l has nodes off[l] … off[l+1]
	parent []int32 // by node
	event  []int32 // by node of the encoder: the last event of the prefix
	after  []int32 // by node, in both directions: where the direction against time was before, the root before the newest event
}

func (t *trie) nodes(level int) (from, to int) { return t.off[level], t.off[level+1] }

// build makes the trie of the contexts of rows, which are sorted. common[i] is how many events row i shares with the previous row.
func (t *trie) build(contexts []int32, length, steps int, rows, common []int32) {
	n := len(rows)
	t.off = append(t.off[:0], 0, 1)
	t.parent = append(t.parent[:0], 0)
	t.event = append(t.event[:0], 0)
	last := make([]int32, n) // the node of each row in the level before
	for l := range length {
		for i, row := range rows {
			if i == 0 || int(common[i]) <= l {
				t.parent = append(t.parent, last[i])
				t.event = append(t.event, contexts[int(row)*length+l])
			}
			last[i] = int32(len(t.parent) - 1)
		}
		t.off = append(t.off, len(t.parent))
	}
	for range steps {
		for i := range last {
			t.parent = append(t.parent, last[i])
			last[i] = int32(len(t.parent) - 1)
		}
		t.off = append(t.off, len(t.parent))
	}
}

// turn makes after. Levels 1 to length have equally many nodes then.
func (t *trie) turn(length int) {
	t.after = append(t.after[:0], t.parent...)
	for l := 1; l < length; l++ {
		from, to := t.nodes(l)
		for i := from; i < to; i++ {
			t.after[i] = int32(i + to - from)
		}
	}
	for i := t.off[length]; i < t.off[length+1]; i++ {
		t.after[i] = 0
	}
	for i := t.off[length+1]; i < t.off[length+2]; i++ {
		t.after[i] -= int32(t.off[length] - t.off[1])
	}
}

// sample is a row to sort by its context.
type sample struct {
	head uint64 // as many events as fit
	row  int32
}

// byContext sorts rows by their contexts, equal ones by number. Event ids are below events.
func byContext(contexts []int32, length, events, n int) []int32 {
	width := bits.Len(uint(events - 1))
	fit := min(length, 64/width)
	samples := make([]sample, n)
	for i := range samples {
		s := sample{row: int32(i)}
		for _, event := range contextOf(contexts, length, s.row)[:fit] {
			s.head = s.head<<width | uint64(event)
		}
		samples[i] = s
	}
	compare := func(a, b sample) int {
		if c := cmp.Compare(a.head, b.head); c != 0 {
			return c
		}
		if c := slices.Compare(contextOf(contexts, length, a.row)[fit:], contextOf(contexts, length, b.row)[fit:]); c != 0 {
			return c
		}
		return cmp.Compare(a.row, b.row)
	}
	const few = 256 // less is sorted faster by comparing
	if n < few {
		slices.SortFunc(samples, compare)
	} else {
		samples = byHead(samples, width*fit)
		for from := 0; from < n && fit < length; {
			to := from + 1
			for to < n && samples[to].head == samples[from].head {
				to++
			}
			slices.SortFunc(samples[from:to], compare)
			from = to
		}
	}
	rows := make([]int32, n)
	for i, s := range samples {
		rows[i] = s.row
	}
	return rows
}

// byHead sorts samples by the lowest bits of their heads, and keeps the order of equal ones: a radix sort, byte after byte, the lowest first. It
// overwrites its argument.
func byHead(samples []sample, bits int) []sample {
	spare := make([]sample, len(samples))
	for shift := 0; shift < bits; shift += 8 {
		var place [256]int // of the next sample with a byte: at first how many have it
		for _, s := range samples {
			place[byte(s.head>>shift)]++
		}
		sum := 0
		for i, count := range place {
			place[i] = sum
			sum += count
		}
		for _, s := range samples {
			at := &place[byte(s.head>>shift)]
			spare[*at] = s
			*at++
		}
		samples, spare = spare, samples
	}
	return samples
}

// shared counts for each row how many events its context has in common with the previous one, from the left. If whole is set, contexts have all events
// in common, or none.
func shared(common, contexts []int32, length int, rows []int32, whole bool) []int32 {
	common = append(common[:0], make([]int32, len(rows))...)
	for i := 1; i < len(rows); i++ {
		a, b := contextOf(contexts, length, rows[i-1]), contextOf(contexts, length, rows[i])
		k := 0
		for k < length && a[k] == b[k] {
			k++
		}
		if whole && k < length {
			k = 0
		}
		common[i] = int32(k)
	}
	return common
}

func contextOf(contexts []int32, length int, row int32) []int32 {
	return contexts[int(row)*length : int(row+1)*length]
}
