package interpreter

import (
	"connect-deepcase/internal/group"
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
	events, steps := s.Events, Steps(s)
	if steps > 1 {
		events = make([]int32, s.Rows())
		for row := range events {
			events[row] = s.Events[row*steps]
		}
	}
	first, of := group.Rows(s.Rows(), s.Contexts, s.Length, events)
	count := make([]int32, len(first))
	for _, at := range of {
		count[at]++
	}
	return Grouped{first, count, of}
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
