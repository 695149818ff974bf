package model

import (
	"fmt"
	"slices"

	"connect-deepcase/model/interpreter"
)

// WithLabels returns a copy of m in which the strategy makes the score of each cluster of the labels of its samples, one for each row of a and
// NoScore if there is none. A cluster without labels keeps its score. a is what Cluster returned with m, or only the clusters of rows: then a
// sample whose cluster's score is disputed cannot be told by the labels near it, only by the majority of the cluster's labels. Whether the
// strategy is interpreter.Nearest holds for all clusters of the model, also for those that keep their labels.
func (m *Model) WithLabels(a *Assignment, labels []float64, s interpreter.Strategy) (*Model, error) {
	byRow, err := interpreter.ScoreClusters(a.Clusters, labels, s, interpreter.NoScore)
	if err != nil {
		return nil, err
	}
	for row, label := range labels {
		if err := validateScore(label); err != nil {
			return nil, fmt.Errorf("sample %d: %w", row, err)
		}
	}
	scores, err := interpreter.ClusterScores(a.Clusters, len(m.Clusters), byRow)
	if err != nil {
		return nil, err
	}
	with := *m
	with.Clusters = slices.Clone(m.Clusters)
	with.Params.Interpreter.Nearest = s == interpreter.Nearest
	for i, counted := range interpreter.CountLabels(len(with.Clusters), a.Clusters, a.vectors(), labels, interpreter.NoScore) {
		if counted != nil {
			with.Clusters[i].Score, with.Clusters[i].Labels = scores[i], counted
		}
	}
	return &with, nil
}

// vectors gives the vector of each row; nil if they are not known.
func (a *Assignment) vectors() []int32 {
	if a.Vectors == nil {
		return nil
	}
	vectors := make([]int32, len(a.Clusters))
	for row, context := range a.Contexts {
		vectors[row] = interpreter.Noise
		if context >= 0 {
			vectors[row] = a.Vectors[context]
		}
	}
	return vectors
}
