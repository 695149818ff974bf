package interpreter

import (
	"fmt"
	"slices"
)

// ScoreClusters returns for each sample the score of its cluster, which the strategy makes of the scores of the cluster's samples. Scores equal
// to noScore do not count. Samples without a cluster, and those in a cluster without any score, get noScore; the original fails there.
func ScoreClusters(clusters []int32, scores []float64, s Strategy, noScore float64) ([]float64, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if len(scores) != len(clusters) {
		return nil, fmt.Errorf("%d scores for %d clustered samples", len(scores), len(clusters))
	}
	type tally struct{ max, min, sum, count float64 }
	tallies := map[int32]tally{}
	for row, c := range clusters {
		x := scores[row]
		if c < 0 || x == noScore {
			continue
		}
		t, there := tallies[c]
		if !there {
			t.max, t.min = x, x
		}
		tallies[c] = tally{max(t.max, x), min(t.min, x), t.sum + x, t.count + 1}
	}
	result := slices.Repeat([]float64{noScore}, len(clusters))
	for row, c := range clusters {
		t, there := tallies[c]
		if !there {
			continue
		}
		switch s {
		case Max, Nearest:
			result[row] = t.max
		case Min:
			result[row] = t.min
		case Avg:
			result[row] = t.sum / t.count
		}
	}
	return result, nil
}

// ClusterScores turns scores per sample into scores per cluster, of which there are n. A cluster without samples has NoScore. All samples of a
// cluster must have the same score. Those without a cluster may have any; in the original they must be equal, too.
func ClusterScores(clusters []int32, n int, scores []float64) ([]float64, error) {
	if len(scores) != len(clusters) {
		return nil, fmt.Errorf("%d scores for %d clustered samples", len(scores), len(clusters))
	}
	result, first := slices.Repeat([]float64{NoScore}, n), make([]int, n) // first: 1 + the first sample of a cluster
	for row, c := range clusters {
		switch {
		case c < 0:
		case int(c) >= n:
			return nil, fmt.Errorf("sample %d: cluster %d is not one of %d", row, c, n)
		case first[c] == 0:
			result[c], first[c] = scores[row], row+1
		case result[c] != scores[row]:
			return nil, fmt.Errorf("cluster %d: sample %d has score %v but sample %d has %v; ScoreClusters makes them equal",
				c, first[c]-1, result[c], row, scores[row])
		}
	}
	return result, nil
}

// Score gives the clusters of c their scores, and makes the Interpreter answer from them. There is one score per sample, equal within a cluster.
func (it *Interpreter) Score(c *Clustering, scores []float64) error {
	byCluster, err := ClusterScores(c.Rows(), len(c.Events), scores)
	if err != nil {
		return err
	}
	known := c.Clusters
	known.Scores, known.Labels = byCluster, nil
	return it.Use(&known, it)
}
