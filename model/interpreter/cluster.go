package interpreter

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"connect-deepcase/model/contextbuilder"
)

// Clusters are what new samples are compared with.
type Clusters struct {
	Vectors       *Vectors // the distinct vectors of the clustered samples, by event, then ascending
	VectorCluster []int32  // the cluster of each
	Events        []int32  // the event id of each cluster
	Scores        []float64
	Labels        [][]Label // what is known of the samples of each cluster; nil if nothing is
}

// Clustering is the result of Cluster.
type Clustering struct {
	Grouped             // the distinct samples
	Cluster   []int32   // of each distinct sample; NotConfident if it is not confident, or noise
	Vector    []int32   // of each distinct sample, an index into Vectors; −1 if it is in no cluster
	Attention []float32 // of each distinct sample: L shares, one per event of the context
	// Confidence in the event of each distinct sample, under its attention.
	Confidence []float32
	Clusters
}

// Rows returns the cluster of each sample.
func (c *Clustering) Rows() []int32 {
	rows := make([]int32, len(c.Of))
	for row, at := range c.Of {
		rows[row] = c.Cluster[at]
	}
	return rows
}

// Cluster groups the confident samples of each event by DBSCAN over their vectors (paper, section III-C2). From then on, the Interpreter answers
// from these clusters, which have no scores yet. progress may be nil. Clusters are numbered by ascending event, and within an event by
// their smallest core vector, so that the numbers do not depend on the order of the samples.
func (it *Interpreter) Cluster(ctx context.Context, s contextbuilder.Samples, progress func(done, total int)) (*Clustering, error) {
	if err := check(s); err != nil {
		return nil, err
	}
	c := &Clustering{Grouped: Distinct(s), Clusters: Clusters{Vectors: &Vectors{Offsets: []int32{0}}}}
	a, err := it.attendAll(ctx, s, c.First, progress)
	if err != nil {
		return nil, err
	}
	c.Attention, c.Confidence, c.Cluster = a.attention, a.confidence, slices.Repeat([]int32{NotConfident}, len(c.First))
	c.Vector = slices.Repeat([]int32{-1}, len(c.First))
	byEvent, steps := map[int32][]int32{}, Steps(s)
	for at, row := range c.First {
		if event := s.Events[int(row)*steps]; it.confident(a.confidence[at]) {
			byEvent[event] = append(byEvent[event], int32(at))
		}
	}
	for _, event := range slices.Sorted(maps.Keys(byEvent)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		it.clusterEvent(c, event, byEvent[event], a.vectors)
	}
	c.Scores = slices.Repeat([]float64{NoScore}, len(c.Events))
	return c, it.Use(&c.Clusters, nil)
}

// clusterEvent clusters the distinct samples at, which all have one event. It sorts at.
func (it *Interpreter) clusterEvent(c *Clustering, event int32, at []int32, all *Vectors) {
	slices.SortStableFunc(at, func(a, b int32) int { return all.compare(int(a), int(b)) })
	vectors, weights, of := &Vectors{}, []int32(nil), make([]int32, len(at)) // of: the distinct vector of each sample
	for k, row := range at {
		if k == 0 || all.compare(int(at[k-1]), int(row)) != 0 {
			vectors.add(all.Row(int(row)))
			weights = append(weights, 0)
		}
		of[k] = int32(len(weights) - 1)
		weights[of[k]] += c.Count[row]
	}
	labels, _ := dbscan(vectors, weights, units(it.options.Eps), it.options.MinSamples)
	first, place := int32(len(c.Events)), make([]int32, len(labels)) // place: of each vector, in c.Vectors
	for i, label := range labels {
		if label == Noise {
			continue
		}
		place[i] = int32(c.Vectors.Len())
		c.Vectors.add(vectors.Row(i))
		c.VectorCluster = append(c.VectorCluster, first+label)
		for int32(len(c.Events)) <= first+label {
			c.Events = append(c.Events, event)
		}
	}
	for k, row := range at {
		if label := labels[of[k]]; label != Noise {
			c.Cluster[row], c.Vector[row] = first+label, place[of[k]]
		}
	}
}

// Validate checks that the parts fit together.
func (c *Clusters) Validate() error {
	if n := c.Vectors.Len(); len(c.VectorCluster) != n {
		return fmt.Errorf("clusters: %d vectors, but %d cluster numbers", n, len(c.VectorCluster))
	}
	if len(c.Scores) != len(c.Events) {
		return fmt.Errorf("clusters: %d scores for %d clusters", len(c.Scores), len(c.Events))
	}
	for i, cluster := range c.VectorCluster {
		if cluster < 0 || int(cluster) >= len(c.Events) {
			return fmt.Errorf("vector %d: cluster %d is not one of %d", i, cluster, len(c.Events))
		}
	}
	return c.validateLabels()
}

// Use makes the Interpreter answer from clusters that were found earlier. It keeps c, which must not change any more. If before, which may be nil, has
// the same vectors in the same clusters, as before a change of scores, both share what is made for searches.
func (it *Interpreter) Use(c *Clusters, before *Interpreter) error {
	if err := c.Validate(); err != nil {
		return err
	}
	byEvent := map[int32][]int32{}
	for i, cluster := range c.VectorCluster {
		byEvent[c.Events[cluster]] = append(byEvent[c.Events[cluster]], int32(i))
	}
	if before != nil && before.known.Vectors == c.Vectors && slices.Equal(before.known.VectorCluster, c.VectorCluster) &&
		slices.Equal(before.known.Events, c.Events) {
		it.trees, it.ids = before.trees, before.ids
	} else {
		it.trees, it.ids = c.trees(byEvent)
	}
	standing, doubtful := c.standings()
	labels := make(map[int32][]float64, len(doubtful))
	for event := range doubtful {
		if t, there := it.trees[event]; there { // clusters may have labels, but no vectors
			labels[event] = c.highest(byEvent[event], t.rows)
		}
	}
	it.known, it.labels, it.standing = c, labels, standing
	return nil
}

// trees makes a tree of the vectors of each event, whose indices byEvent has, tagged with their clusters.
func (c *Clusters) trees(byEvent map[int32][]int32) (trees map[int32]*tree, ids int) {
	trees = make(map[int32]*tree, len(byEvent))
	for event, rows := range byEvent {
		vectors, tags := &Vectors{}, make([]int32, 0, len(rows))
		for _, row := range rows {
			vectors.add(c.Vectors.Row(int(row)))
			tags = append(tags, c.VectorCluster[row])
		}
		t := newTree(vectors, tags)
		trees[event] = t
		ids = max(ids, t.ids)
	}
	return trees, ids
}
