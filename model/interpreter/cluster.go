package interpreter

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"connect-deepcase/internal/parallel"
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
	events := slices.Collect(maps.Keys(byEvent))
	slices.SortFunc(events, func(a, b int32) int { return cmp.Compare(len(byEvent[b]), len(byEvent[a])) }) // the longest task first
	found := make([]eventClusters, len(events))
	parallel.Each(ctx, runtime.GOMAXPROCS(0), len(events), func(next func() (int, bool)) {
		for k, more := next(); more; k, more = next() {
			found[k] = it.clusterEvent(events[k], byEvent[events[k]], a.vectors, c.Count)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b eventClusters) int { return cmp.Compare(a.event, b.event) })
	for _, e := range found {
		c.add(e)
	}
	c.Scores = slices.Repeat([]float64{NoScore}, len(c.Events))
	return c, it.use(&c.Clusters, nil)
}

// eventClusters are the clusters among the distinct samples of an event.
type eventClusters struct {
	event   int32
	at, of  []int32  // the samples, by vector; the index of the vector of each
	vectors *Vectors // the distinct ones
	labels  []int32  // of each vector
}

// clusterEvent clusters the distinct samples at of an event, which occur so often as count says. It sorts at.
func (it *Interpreter) clusterEvent(event int32, at []int32, all *Vectors, count []int32) eventClusters {
	all.sort(at)
	vectors, weights, of := &Vectors{}, []int32(nil), make([]int32, len(at)) // of: the distinct vector of each sample
	for k, row := range at {
		if k == 0 || all.compare(int(at[k-1]), int(row)) != 0 {
			vectors.add(all.Row(int(row)))
			weights = append(weights, 0)
		}
		of[k] = int32(len(weights) - 1)
		weights[of[k]] += count[row]
	}
	labels, _ := dbscan(vectors, weights, units(it.options.Eps), it.options.MinSamples)
	return eventClusters{event, at, of, vectors, labels}
}

// add numbers the clusters of an event after those of the events before.
func (c *Clustering) add(e eventClusters) {
	first, place := int32(len(c.Events)), make([]int32, len(e.labels)) // place: of each vector, in c.Vectors
	for i, label := range e.labels {
		if label == Noise {
			continue
		}
		place[i] = int32(c.Vectors.Len())
		c.Vectors.add(e.vectors.Row(i))
		c.VectorCluster = append(c.VectorCluster, first+label)
		for int32(len(c.Events)) <= first+label {
			c.Events = append(c.Events, e.event)
		}
	}
	for k, row := range e.at {
		if label := e.labels[e.of[k]]; label != Noise {
			c.Cluster[row], c.Vector[row] = first+label, place[e.of[k]]
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
	if err := it.use(c, before); err != nil {
		return err
	}
	it.index() // now, not when the first sample waits for it
	return nil
}

// use is Use, but what searches need is made when it is first needed.
func (it *Interpreter) use(c *Clusters, before *Interpreter) error {
	if err := c.Validate(); err != nil {
		return err
	}
	byEvent := map[int32][]int32{}
	for i, cluster := range c.VectorCluster {
		byEvent[c.Events[cluster]] = append(byEvent[c.Events[cluster]], int32(i))
	}
	if before != nil && before.known.Vectors == c.Vectors && slices.Equal(before.known.VectorCluster, c.VectorCluster) &&
		slices.Equal(before.known.Events, c.Events) {
		it.index = before.index
	} else {
		it.index = sync.OnceValue(func() *index { return c.newIndex(byEvent) })
	}
	standing, doubtful := c.standings()
	labels := make(map[int32][]float64, len(doubtful))
	for event := range doubtful {
		if t, there := it.index().trees[event]; there { // clusters may have labels, but no vectors
			labels[event] = c.highest(byEvent[event], t.rows)
		}
	}
	it.known, it.labels, it.standing = c, labels, standing
	return nil
}

// index is what searches for the nearest vector need.
type index struct {
	trees map[int32]*tree // by event: the vectors of its clusters, tagged with the cluster
	ids   int             // 1 + the largest id in trees
}

// newIndex makes the index of vectors, whose indices byEvent has.
func (c *Clusters) newIndex(byEvent map[int32][]int32) *index {
	events := slices.Collect(maps.Keys(byEvent))
	made := make([]*tree, len(events))
	parallel.Each(context.Background(), runtime.GOMAXPROCS(0), len(events), func(next func() (int, bool)) {
		for k, more := next(); more; k, more = next() {
			rows := byEvent[events[k]]
			vectors, tags := &Vectors{}, make([]int32, 0, len(rows))
			for _, row := range rows {
				vectors.add(c.Vectors.Row(int(row)))
				tags = append(tags, c.VectorCluster[row])
			}
			made[k] = newTree(vectors, tags)
		}
	})
	x := &index{trees: make(map[int32]*tree, len(events))}
	for k, event := range events {
		x.trees[event] = made[k]
		x.ids = max(x.ids, made[k].ids)
	}
	return x
}
