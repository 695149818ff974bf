package cli

import (
	"context"
	"encoding/json"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

const judgeAll, judgeMajority, judgeExamples = "all", "majority", "examples"

// judges are the values of --judge and what they mean.
var judges = map[string]string{
	judgeAll:      "the labels of all their events",
	judgeMajority: "the label that most of their events have",
	judgeExamples: "the labels of their examples alone, as an analyst would",
}

// judgedClusters clusters labelled events and scores the clusters as --judge says. judged is the number of labels used. With majority, each
// cluster has one score, as if a person had given it; otherwise a cluster keeps the labels used, and disputes where they disagree.
func (s *session) judgedClusters(ctx context.Context, e contextbuilder.Engine, m *model.Model, q *sequences, strategy interpreter.Strategy) (
	with *model.Model, rows *model.Assignment, judged int, err error) {
	source, labels := q.source(), q.Labels
	shown := make([]bool, len(q.Events))
	source.Document = func(row int) json.RawMessage {
		shown[row] = true
		return q.document(row)
	}
	if m, rows, err = s.cluster(ctx, e, m, q.unlabelled(), source, strategy); err != nil {
		return nil, nil, 0, err
	}
	for row := range shown {
		shown[row] = rows.Clusters[row] >= 0 && labels[row] >= 0 && (shown[row] || s.flags.String("judge") != judgeExamples)
		if shown[row] {
			judged++
		}
	}
	seen := make([]float64, len(labels))
	for row, label := range labels {
		seen[row] = interpreter.NoScore
		if shown[row] {
			seen[row] = label
		}
	}
	if s.flags.String("judge") == judgeMajority {
		with, err = m.WithScores(majority(rows.Clusters, seen))
		return with, rows, judged, err
	}
	with, err = m.WithLabels(rows, seen, strategy)
	return with, rows, judged, err
}

// majority returns for each cluster the label that most of its events have, the higher one in case of a tie.
func majority(clusters []int32, labels []float64) map[int]float64 {
	type vote struct {
		cluster int
		label   float64
	}
	votes, scores, most := map[vote]int{}, map[int]float64{}, map[int]int{}
	for row, c := range clusters {
		if c >= 0 && labels[row] != interpreter.NoScore {
			votes[vote{int(c), labels[row]}]++
		}
	}
	for v, n := range votes {
		if n > most[v.cluster] || n == most[v.cluster] && v.label > scores[v.cluster] {
			most[v.cluster], scores[v.cluster] = n, v.label
		}
	}
	return scores
}
