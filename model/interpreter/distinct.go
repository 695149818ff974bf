package interpreter

import (
	"slices"

	"connect-deepcase/model/contextbuilder"
)

// Grouped are the distinct ones among rows, in order of their first occurrence.
type Grouped struct {
	First []int32 // a distinct row's first occurrence
	Count []int32 // and how often it occurs
	Of    []int32 // each row's place among the distinct ones
}

// Distinct groups equal samples: real alerts repeat, so whatever is asked of samples is asked of the distinct ones. Only the first
// event of a sample counts where it has several.
func Distinct(s contextbuilder.Samples) Grouped {
	steps := Steps(s)
	hash := func(row int) uint64 {
		return hashRow(mix(seed, uint64(s.Events[row*steps])), s.Context(row))
	}
	equal := func(a, b int) bool {
		return s.Events[a*steps] == s.Events[b*steps] && slices.Equal(s.Context(a), s.Context(b))
	}
	return group(s.Rows(), hash, equal)
}

// Steps is the number of events a sample has in s.
func Steps(s contextbuilder.Samples) int {
	if s.Rows() == 0 {
		return 1
	}
	return max(1, len(s.Events)/s.Rows())
}

// Pick copies the given rows of s, with the first event of each.
func Pick(s contextbuilder.Samples, rows []int32) contextbuilder.Samples {
	steps := Steps(s)
	picked := contextbuilder.Samples{Length: s.Length, Contexts: make([]int32, 0, len(rows)*s.Length), Events: make([]int32, 0, len(rows))}
	for _, row := range rows {
		picked.Contexts = append(picked.Contexts, s.Context(int(row))...)
		picked.Events = append(picked.Events, s.Events[int(row)*steps])
	}
	return picked
}

// group is a hash table with open addressing over n rows.
func group(n int, hash func(int) uint64, equal func(a, b int) bool) Grouped {
	size := 16
	for size < 2*n {
		size *= 2
	}
	table := make([]int32, size) // 1 + place among the distinct rows, 0 where free
	g := Grouped{Of: make([]int32, n)}
	for row := range n {
		slot := hash(row) & uint64(size-1)
		for table[slot] != 0 && !equal(int(g.First[table[slot]-1]), row) {
			slot = (slot + 1) & uint64(size-1)
		}
		if table[slot] == 0 {
			g.First, g.Count = append(g.First, int32(row)), append(g.Count, 0)
			table[slot] = int32(len(g.First))
		}
		g.Of[row] = table[slot] - 1
		g.Count[g.Of[row]]++
	}
	return g
}

const seed = 0x9e3779b97f4a7c15

// mix is a step of a multiplicative hash; the shift brings high bits down to where a table looks.
func mix(h, x uint64) uint64 {
	h = (h ^ x) * 0xff51afd7ed558ccd
	return h ^ h>>32
}

func hashRow(h uint64, row []int32) uint64 {
	h = mix(h, uint64(len(row)))
	for _, x := range row {
		h = mix(h, uint64(uint32(x)))
	}
	return h
}
