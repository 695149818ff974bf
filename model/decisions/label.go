package decisions

import (
	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

// Label gives a score to clusters of m that have none, by the answers in force to the patterns of their samples, and returns how many clusters
// get one. An answer to a pattern counts as the label of each sample that it covers; one to an event, or one that expires, does not, because a
// cluster keeps its score. A score of 0 needs benign answers to at least half of the samples: an answer must not dismiss what it does not
// cover. a is what Model.Cluster returned with m. subject says what a row is; it is false for samples that must not count.
func (l Look) Label(m *model.Model, a *model.Assignment, s interpreter.Strategy, subject func(row int) (Subject, bool)) (*model.Model, int, error) {
	if len(l.fold.entries) == 0 {
		return m, 0, nil
	}
	labels, answered := make([]float64, len(a.Clusters)), 0
	for row, c := range a.Clusters {
		labels[row] = interpreter.NoScore
		if c < 0 || m.Clusters[c].Score != interpreter.NoScore {
			continue
		}
		about, counts := subject(row)
		if !counts {
			continue
		}
		if found, _ := l.answer(about.Keys()); found != nil && found.Scope.ofPattern() && found.Until.IsZero() {
			labels[row] = found.Score
			answered++
		}
	}
	if answered == 0 {
		return m, 0, nil
	}
	labelled, err := m.WithLabels(a, labels, s)
	if err != nil {
		return nil, 0, err
	}
	scored, doubtful := labelled.ScoredClusters()-m.ScoredClusters(), map[int]float64{}
	for i, c := range labelled.Clusters {
		if c.Score != 0 || m.Clusters[i].Score != interpreter.NoScore {
			continue
		}
		benign := 0
		for _, l := range c.Labels {
			if l.Score == 0 {
				benign += l.Count
			}
		}
		if 2*benign < c.Size {
			doubtful[i] = interpreter.NoScore
		}
	}
	labelled, err = labelled.WithScores(doubtful)
	return labelled, scored - len(doubtful), err
}
