package interpreter

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Label counts the samples of a cluster that have one vector and, by their own labels, one score. 0 is benign; above 0 is an attack.
type Label struct {
	Vector int32 // index into Vectors; −1 if it is not known which vector these samples have
	Score  float64
	Count  int
}

// CountLabels counts the labels of samples for each of n clusters, ordered by vector and score. clusters, vectors and scores have one entry per
// sample; vectors may be nil, if they are not known. Scores equal to noScore do not count. A cluster without labels has nil.
func CountLabels(n int, clusters, vectors []int32, scores []float64, noScore float64) [][]Label {
	type key struct {
		vector int32
		score  float64
	}
	counts := make([]map[key]int, n)
	for row, c := range clusters {
		if c < 0 || scores[row] == noScore {
			continue
		}
		k := key{-1, scores[row]}
		if vectors != nil {
			k.vector = vectors[row]
		}
		if counts[c] == nil {
			counts[c] = map[key]int{}
		}
		counts[c][k]++
	}
	labels := make([][]Label, n)
	for c, count := range counts {
		for k, n := range count {
			labels[c] = append(labels[c], Label{k.vector, k.score, n})
		}
		slices.SortFunc(labels[c], compareLabels)
	}
	return labels
}

func compareLabels(a, b Label) int {
	return cmp.Or(cmp.Compare(a.Vector, b.Vector), cmp.Compare(a.Score, b.Score))
}

// validateLabels checks labels that come from outside.
func (c *Clusters) validateLabels() error {
	if c.Labels != nil && len(c.Labels) != len(c.Events) {
		return fmt.Errorf("clusters: labels of %d, but there are %d", len(c.Labels), len(c.Events))
	}
	for cluster, labels := range c.Labels {
		if len(labels) > 0 && c.Scores[cluster] == NoScore {
			return fmt.Errorf("cluster %d: has labels, but no score", cluster)
		}
		for i, l := range labels {
			switch {
			case l.Vector < -1 || int(l.Vector) >= len(c.VectorCluster) || l.Vector >= 0 && int(c.VectorCluster[l.Vector]) != cluster:
				return fmt.Errorf("cluster %d: label %d is of vector %d, which is not one of the cluster", cluster, i, l.Vector)
			case !(l.Score >= 0) || math.IsInf(l.Score, 0):
				return fmt.Errorf("cluster %d: label %d: score %v is not a finite number of at least 0", cluster, i, l.Score)
			case l.Count < 1:
				return fmt.Errorf("cluster %d: label %d: count %d is not at least 1", cluster, i, l.Count)
			case i > 0 && compareLabels(labels[i-1], l) >= 0:
				return fmt.Errorf("cluster %d: label %d is not ordered by vector and score", cluster, i)
			}
		}
	}
	return nil
}

// standing is what the labels of a cluster say about its score, which is above 0.
type standing uint8

const (
	undisputed standing = iota // no label says benign, or all do; or there are no labels
	contested                  // some labels say benign: whether the score holds for a sample depends on the labels near it
	outvoted                   // most labels say benign: the score is disputed for all samples
)

// standings gives the standing of each cluster, and the events of those that are not undisputed; nil if all are undisputed.
func (c *Clusters) standings() (all []standing, events map[int32]bool) {
	for cluster, labels := range c.Labels {
		benign, attacks := 0, 0
		for _, l := range labels {
			if l.Score == 0 {
				benign += l.Count
			} else {
				attacks += l.Count
			}
		}
		if benign == 0 || attacks == 0 || c.Scores[cluster] <= 0 {
			continue
		}
		if all == nil {
			all, events = make([]standing, len(c.Events)), map[int32]bool{}
		}
		all[cluster], events[c.Events[cluster]] = contested, true
		if attacks < benign {
			all[cluster] = outvoted
		}
	}
	return all, events
}

// highest gives the highest label of each vector in packed, NoScore if it has none. rows are the places in c.Vectors of what packed counts.
func (c *Clusters) highest(rows, packed []int32) []float64 {
	known := make([]float64, len(packed))
	for at, i := range packed {
		row := rows[i]
		known[at] = NoScore
		labels := c.Labels[c.VectorCluster[row]]
		end, _ := slices.BinarySearchFunc(labels, row+1, func(l Label, row int32) int { return cmp.Compare(l.Vector, row) })
		if end > 0 && labels[end-1].Vector == row { // the last label of a vector is its highest
			known[at] = labels[end-1].Score
		}
	}
	return known
}

// weigh decides whether the score of a sample's cluster holds for the sample. It is disputed if less than half of the cluster's labelled samples
// are attacks, or if all labels near the sample are benign. The labels near it are those of all vectors of its event within Guard. If these
// have none, they are those of the nearest vectors that have any, all at the least distance, up to Eps. They are not only those of its
// cluster: DBSCAN gives a vector between two clusters to the one with the lower number, and an attack beside the sample must count either way.
// With no label near it, only the first rule decides. nearest is the vector that decided for the cluster.
func (it *Interpreter) weigh(m *Match, s *search, t *tree, ids, values []int32, nearest int32) {
	known := it.labels[it.known.Events[m.Cluster]]
	voted := it.standing[m.Cluster] == outvoted
	if voted && !it.options.Nearest { // no need to look for labels
		m.Disputed = true
		return
	}
	farthest := units(it.options.Eps)
	if known[nearest] != NoScore { // no other label outside guard counts
		farthest = units(m.Distance)
	}
	near := s.highest(t, known, ids, values, units(it.options.Guard), farthest)
	m.Disputed = voted || near == 0
	if it.options.Nearest && m.Disputed && near != NoScore {
		m.Score, m.Disputed = near, false
	}
}

// highest finds the highest label of the vectors within guard of a query; known has the labels by packed vector. If these vectors have none, it is that
// of the nearest vectors with a label up to farthest, all at the least distance; NoScore if there are none.
func (s *search) highest(t *tree, known []float64, ids, values []int32, guard, farthest int64) float64 {
	found, least := float64(NoScore), int64(math.MaxInt64)
	s.within(t, ids, values, max(guard, farthest), func(at int32, distance int64) bool {
		label, distance := known[at], max(distance, guard) // what is within guard is equally near
		switch {
		case label == NoScore || distance > least:
		case distance < least:
			found, least = label, distance
			s.limit = least // vectors at this distance are still visited
		default:
			found = max(found, label)
		}
		return true
	})
	return found
}
