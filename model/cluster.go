package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// Assignment tells what became of each sample, row by row.
type Assignment struct {
	Clusters []int32 // its cluster, −1 for none
	Contexts []int32 // its distinct context: rows of one event that have the same number have equal contexts; −1 if the event is unknown
	Vectors  []int32 // of each distinct context, an index into Model.Vectors; −1 if it is in no cluster
}

// Clustered counts the samples that are in a cluster.
func (a *Assignment) Clustered() int {
	n := 0
	for _, c := range a.Clusters {
		if c >= 0 {
			n++
		}
	}
	return n
}

// Cluster clusters data (paper, section III-C) and returns a copy of m with the clusters, and the cluster of each sample. If d has scores, they
// are the labels of WithLabels, and s the strategy; otherwise s is not used. m does not change.
func (m *Model) Cluster(ctx context.Context, e contextbuilder.Engine, d Data, s interpreter.Strategy) (*Model, *Assignment, error) {
	if err := d.validate(m.Params.Length); err != nil {
		return nil, nil, err
	}
	if d.Scores != nil {
		if err := s.Validate(); err != nil { // before the long part
			return nil, nil, err
		}
	}
	network, err := e.Open(m.Weights)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the network: %w", err)
	}
	defer network.Close()
	it, err := interpreter.New(network, m.Params.Query, m.Params.Interpreter)
	if err != nil {
		return nil, nil, err
	}
	samples, rows := askable(d.translate(m.Names))
	c, err := it.Cluster(ctx, samples, d.Progress)
	if err != nil {
		return nil, nil, err
	}
	all := &Assignment{slices.Repeat([]int32{interpreter.Noise}, d.Samples.Rows()), slices.Repeat([]int32{unknown}, d.Samples.Rows()), c.Vector}
	for i, context := range c.Of {
		all.Clusters[rows[i]], all.Contexts[rows[i]] = c.Cluster[context], context
	}
	clustered := *m
	clustered.Samples, clustered.Vectors, clustered.VectorCluster = d.Samples.Rows(), c.Vectors, c.VectorCluster
	clustered.Clusters = describe(m.Names, samples, c)
	clustered.Confidence = confidences(samples, c, m.Params.Interpreter.Threshold)
	if d.Scores == nil {
		return &clustered, all, nil
	}
	labelled, err := clustered.WithLabels(all, d.Scores, s)
	if err != nil {
		return nil, nil, err
	}
	return labelled, all, nil
}

// askable drops samples of unknown events, about which a network cannot be asked. rows are the ones that are left.
func askable(s contextbuilder.Samples) (known contextbuilder.Samples, rows []int32) {
	steps := interpreter.Steps(s)
	rows = make([]int32, 0, s.Rows())
	for row := range s.Rows() {
		if s.Events[row*steps] != unknown {
			rows = append(rows, int32(row))
		}
	}
	if len(rows) == s.Rows() {
		return s, rows
	}
	return interpreter.Pick(s, rows), rows
}

// describe sums up each cluster: its event, its size and its most frequent contexts. Of equally frequent contexts, the earlier comes first.
func describe(names []string, s contextbuilder.Samples, c *interpreter.Clustering) []Cluster {
	clusters := make([]Cluster, len(c.Events))
	for i, event := range c.Events {
		clusters[i] = Cluster{ID: i, Event: names[event], Score: interpreter.NoScore}
	}
	order := make([]int, len(c.First))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(c.Count[b], c.Count[a]) })
	for _, i := range order {
		if c.Cluster[i] < 0 {
			continue
		}
		cluster := &clusters[c.Cluster[i]]
		cluster.Size += int(c.Count[i])
		cluster.ContextCount++
		if len(cluster.Contexts) == maxContexts {
			continue
		}
		cluster.Contexts = append(cluster.Contexts, ClusterContext{
			Context: Data{Names: names, Samples: s}.Context(int(c.First[i])), Attention: slices.Clone(c.Attention[i*s.Length : (i+1)*s.Length]), Count: int(c.Count[i])})
	}
	return clusters
}

// SameClusters is nil if both models have the same clusters, so that the id of a cluster means the same in both. Otherwise the error says what
// differs: their number, or an event, size or vector. Scores and examples may differ.
func (m *Model) SameClusters(other *Model) error {
	if a, b := len(m.Clusters), len(other.Clusters); a != b {
		return fmt.Errorf("%d clusters, not %d", b, a)
	}
	for i, c := range m.Clusters {
		if d := other.Clusters[i]; c.ID != d.ID || c.Event != d.Event || c.Size != d.Size {
			return fmt.Errorf("cluster %d has %d events %q, not %d %q", i, d.Size, d.Event, c.Size, c.Event)
		}
	}
	if !slices.Equal(m.Names, other.Names) {
		return fmt.Errorf("another vocabulary, of %d events, not %d", len(other.Names), len(m.Names))
	}
	a, b := cmp.Or(m.Vectors, &interpreter.Vectors{}), cmp.Or(other.Vectors, &interpreter.Vectors{})
	if a != b && (!slices.Equal(a.Offsets, b.Offsets) || !slices.Equal(a.IDs, b.IDs) || !slices.Equal(a.Values, b.Values)) ||
		!slices.Equal(m.VectorCluster, other.VectorCluster) {
		return errors.New("the clusters have other contexts")
	}
	return nil
}

// WithScores returns a copy of m with the given scores, by cluster id. Other clusters keep theirs. A score must be NoScore, or finite and at
// least 0. Errors name the cluster. A score that is given this way holds for all samples of the cluster, whatever their labels were: the
// cluster has none any more.
func (m *Model) WithScores(scores map[int]float64) (*Model, error) {
	scored := *m
	scored.Clusters = slices.Clone(m.Clusters)
	for _, id := range slices.Sorted(maps.Keys(scores)) {
		if id < 0 || id >= len(scored.Clusters) {
			return nil, fmt.Errorf("cluster %d: the model has %d clusters, numbered from 0", id, len(scored.Clusters))
		}
		if err := validateScore(scores[id]); err != nil {
			return nil, fmt.Errorf("cluster %d: %w", id, err)
		}
		scored.Clusters[id].Score, scored.Clusters[id].Labels = scores[id], nil
	}
	return &scored, nil
}
