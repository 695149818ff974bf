package model

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"time"
)

// The most that a Cluster shows of its samples.
const (
	maxContexts     = 10
	MaxMachines     = 10
	MaxExamples     = 8       // documents, if the data has any
	maxExampleBytes = 1 << 20 // all documents of a cluster together; if one is too large, another takes its place
)

// sample is a sample of a cluster.
type sample struct {
	row, context int32
	machine      int32 // in order of first use; 0 if the data names none
	at           int64 // Unix nanoseconds, or undated
}

const undated = math.MinInt64

func (s sample) day() int64 {
	if s.at == undated {
		return undated
	}
	return time.Unix(0, s.at).Unix() / (24 * 60 * 60)
}

// Source says what is known about samples beside event and context, by row.
type Source struct {
	Seen     func(row int) (machine string, at time.Time) // where and when it was seen, a zero time if that is not known; may be nil
	Document func(row int) json.RawMessage                // what it came from, nil if there is none; may be nil
}

// Pick is the source of the given rows alone.
func (s Source) Pick(rows []int32) Source {
	var picked Source
	if s.Seen != nil {
		picked.Seen = func(row int) (string, time.Time) { return s.Seen(int(rows[row])) }
	}
	if s.Document != nil {
		picked.Document = func(row int) json.RawMessage { return s.Document(int(rows[row])) }
	}
	return picked
}

// WithExamples returns a copy of m whose clusters say where and when their samples were seen, and show documents of some. a is what Cluster
// returned with m. Seen is called for each sample in a cluster, Document at most 32 times per cluster.
func (m *Model) WithExamples(a *Assignment, source Source) *Model {
	with := *m
	with.Clusters = slices.Clone(m.Clusters)
	if source.Document == nil && source.Seen == nil {
		return &with
	}
	for i, rows := range a.byCluster(len(with.Clusters)) {
		samples := make([]sample, 0, len(rows))
		var machines []MachineCount
		ids := map[string]int32{}
		for _, row := range rows {
			s := sample{row: row, context: a.Contexts[row], at: undated}
			if source.Seen != nil {
				name, at := source.Seen(int(row))
				if y := at.Year(); y > 1677 && y < 2262 { // what int64 holds
					s.at = at.UnixNano()
				}
				id, known := ids[name]
				if !known {
					id = int32(len(machines))
					ids[name] = id
					machines = append(machines, MachineCount{Machine: name})
				}
				machines[id].Count++
				s.machine = id
			}
			samples = append(samples, s)
		}
		with.Clusters[i].place(samples, machines)
		if source.Document != nil {
			with.Clusters[i].Examples = examples(samples, source.Document)
		}
	}
	return &with
}

// byCluster gives the rows of each of n clusters, ascending.
func (a *Assignment) byCluster(n int) [][]int32 {
	starts := make([]int, n+1)
	for _, c := range a.Clusters {
		if c >= 0 {
			starts[c+1]++
		}
	}
	for i := range n {
		starts[i+1] += starts[i]
	}
	next, order := slices.Clone(starts), make([]int32, starts[n])
	for row, c := range a.Clusters {
		if c >= 0 {
			order[next[c]] = int32(row)
			next[c]++
		}
	}
	rows := make([][]int32, n)
	for i := range rows {
		rows[i] = order[starts[i]:starts[i+1]]
	}
	return rows
}

// place records on which machines and when samples were seen, and how many at most on a machine in an hour.
func (c *Cluster) place(samples []sample, machines []MachineCount) {
	c.MachineCount = len(machines)
	slices.SortStableFunc(machines, func(a, b MachineCount) int { return cmp.Compare(b.Count, a.Count) })
	c.Machines = slices.Clone(machines[:min(len(machines), MaxMachines)])
	type hour struct {
		machine int32
		since   int64 // its beginning, in seconds since 1970
	}
	hours := map[hour]int{}
	for _, s := range samples {
		if s.at == undated {
			continue
		}
		at := time.Unix(0, s.at).UTC()
		h := hour{s.machine, at.Truncate(time.Hour).Unix()}
		hours[h]++
		c.HourlyMax = max(c.HourlyMax, hours[h])
		if c.FirstSeen.IsZero() || at.Before(c.FirstSeen) {
			c.FirstSeen = at
		}
		if at.After(c.LastSeen) {
			c.LastSeen = at
		}
	}
}

// examples are documents that represent the samples, by time.
func examples(samples []sample, document func(row int) json.RawMessage) []json.RawMessage {
	type example struct {
		sample
		document json.RawMessage
	}
	var chosen []example
	room := maxExampleBytes
	p := newPicker(samples)
	for tries := 0; len(chosen) < MaxExamples && tries < 4*MaxExamples; tries++ {
		s, ok := p.next()
		if !ok {
			break
		}
		if text := document(int(s.row)); text != nil && len(text) <= room {
			room -= len(text)
			chosen = append(chosen, example{s, text})
		}
	}
	slices.SortFunc(chosen, func(a, b example) int { return inTime(a.sample, b.sample) })
	var texts []json.RawMessage
	for _, c := range chosen {
		texts = append(texts, c.document)
	}
	return texts
}

func inTime(a, b sample) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.row, b.row)) }
