package interpreter

import (
	"slices"

	"connect-deepcase/model/contextbuilder"
)

// Grouped are the distinct rows, in order of first occurrence.
type Grouped struct {
	First []int32 // the first occurrence of each distinct row
	Count []int32 // how often it occurs
	Of    []int32 // for each row, its index among the distinct rows
}

// Distinct groups equal samples. Real alerts repeat, so that it pays to compute with the distinct ones. If samples have several events, only the
// first one counts.
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

// Steps is the number of events per sample in s.
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
	table := make([]int32, size) // 1 + index of a distinct row, 0 if free
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

// mix is a step of a multiplicative hash. The shift brings high bits down, since a table looks at low ones.
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
