package model

import (
	"cmp"
	"slices"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// Folded says what Fold left out.
type Folded struct {
	Names   []string // in order
	Samples int      // left out with them
	Rows    []int32  // of the samples that are left, ascending; nil if nothing was left out
}

// Fold keeps the most frequent names, at most so many; of equally frequent ones, the first by name. It leaves out the samples of the other
// events, and replaces these events by NO_EVENT in contexts, which is how a model treats names that it does not know. d does not change.
func (d Data) Fold(most int) (Data, Folded) {
	if len(d.Names) <= most {
		return d, Folded{}
	}
	count := make([]int, len(d.Names)+1)
	for _, id := range d.Samples.Events {
		count[id]++
	}
	ids := make([]int, len(d.Names))
	for id := range ids {
		ids[id] = id
	}
	slices.SortFunc(ids, func(a, b int) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(d.Names[a], d.Names[b]))
	})
	kept := ids[:most]
	slices.Sort(kept) // ids keep their order
	var folded Folded
	for _, id := range ids[most:] {
		folded.Names = append(folded.Names, d.Names[id])
	}
	slices.Sort(folded.Names)

	rest := d
	rest.Names = make([]string, most)
	to := slices.Repeat([]int32{int32(most)}, len(d.Names)+1) // NO_EVENT
	for i, id := range kept {
		rest.Names[i], to[id] = d.Names[id], int32(i)
	}
	steps := interpreter.Steps(d.Samples)
	rows := []int32{}
	rest.Samples = contextbuilder.Samples{Length: d.Samples.Length}
	for row := range d.Samples.Rows() {
		events := d.Samples.Events[row*steps : (row+1)*steps]
		if slices.ContainsFunc(events, func(id int32) bool { return to[id] == int32(most) }) {
			continue
		}
		rows = append(rows, int32(row))
		for _, id := range events {
			rest.Samples.Events = append(rest.Samples.Events, to[id])
		}
		for _, id := range d.Samples.Context(row) {
			rest.Samples.Contexts = append(rest.Samples.Contexts, to[id])
		}
	}
	folded.Samples, folded.Rows = d.Samples.Rows()-len(rows), rows
	if d.Scores != nil {
		rest.Scores = make([]float64, len(rows))
		for i, row := range rows {
			rest.Scores[i] = d.Scores[row]
		}
	}
	return rest, folded
}
