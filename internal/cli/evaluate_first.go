package cli

import (
	"fmt"

	"connect-deepcase/internal/stream"
	"connect-deepcase/sequencer"
)

// split parts events by time into the first share of them and the rest. Each event keeps its context.
func (q *sequences) split(share float64) (first, rest *sequences, err error) {
	rows := stream.InTime(q.Sequences)
	n := int(share * float64(len(rows)))
	if n == 0 {
		return nil, nil, fmt.Errorf("--first: %v of %d events is none", share, len(rows))
	}
	return q.pick(rows[:n]), q.pick(rows[n:]), nil
}

// pick gives some of the events, with the names that they and their contexts have.
func (q *sequences) pick(rows []int) *sequences {
	picked := &sequencer.Sequences{Length: q.Length, Kinds: q.Kinds, Machines: q.Machines}
	for _, row := range rows {
		picked.Events = append(picked.Events, q.Events[row])
		picked.Contexts = append(picked.Contexts, q.Contexts[row*q.Length:(row+1)*q.Length]...)
	}
	picked.Labels, picked.Kind = at(q.Labels, rows), at(q.Kind, rows)
	picked.Machine, picked.Times = at(q.Machine, rows), at(q.Times, rows)

	used := make([]bool, len(q.Names)+1)
	for _, ids := range [][]int32{picked.Events, picked.Contexts} {
		for _, id := range ids {
			used[id] = true
		}
	}
	now := make([]int32, len(q.Names)+1)
	for id, name := range q.Names {
		if now[id] = int32(len(picked.Names)); used[id] {
			picked.Names = append(picked.Names, name)
		}
	}
	now[len(q.Names)] = int32(len(picked.Names)) // NO_EVENT
	for _, ids := range [][]int32{picked.Events, picked.Contexts} {
		for i, id := range ids {
			ids[i] = now[id]
		}
	}
	return &sequences{picked, q.Timeout, q.Source}
}

// at gives some values of a column, nil if there is none.
func at[T any](column []T, rows []int) []T {
	if column == nil {
		return nil
	}
	picked := make([]T, 0, len(rows))
	for _, row := range rows {
		picked = append(picked, column[row])
	}
	return picked
}
