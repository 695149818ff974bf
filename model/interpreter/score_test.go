package interpreter

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScoreClustersGolden(t *testing.T) {
	var cases []struct {
		Strategy Strategy
		NoScore  float64 `json:"no_score"`
		Clusters []int32
		Scores   []float64
		Result   []float64
	}
	readJSON(t, "testdata/score_clusters.json", &cases)
	require.Len(t, cases, 3)
	for _, c := range cases {
		result, err := ScoreClusters(c.Clusters, c.Scores, c.Strategy, c.NoScore)
		require.NoError(t, err)
		require.Equal(t, c.Result, result, "%s", c.Strategy)
	}
}

func TestScoreClustersWithoutScoredSample(t *testing.T) {
	clusters := []int32{0, 1, 1, -1, 0}
	for _, s := range []Strategy{Max, Min, Avg} {
		result, err := ScoreClusters(clusters, []float64{9, 2, 9, 5, 9}, s, 9)
		require.NoError(t, err)
		require.Equal(t, []float64{9, 2, 2, 9, 9}, result, "cluster 0 has no score, and the sample in none loses its own")
	}
}

func TestScoresThatDoNotFit(t *testing.T) {
	_, err := ScoreClusters([]int32{0}, []float64{1}, "median", -1)
	require.EqualError(t, err, `strategy: "median" is not one of max, min, avg, nearest`)
	_, err = ScoreClusters([]int32{0, 1}, []float64{1}, Max, -1)
	require.EqualError(t, err, "1 scores for 2 clustered samples")
	_, err = ClusterScores([]int32{0, 1}, 2, []float64{1})
	require.EqualError(t, err, "1 scores for 2 clustered samples")
	_, err = ClusterScores([]int32{0, 7, -1, 7}, 8, []float64{1, 2, 3, 4})
	require.EqualError(t, err, "cluster 7: sample 1 has score 2 but sample 3 has 4; ScoreClusters makes them equal")
	_, err = ClusterScores([]int32{0, 2}, 2, []float64{1, 1})
	require.EqualError(t, err, "sample 1: cluster 2 is not one of 2")
	scores, err := ClusterScores([]int32{0, 2, -1, 2, -1}, 4, []float64{1, 2, 3, 2, 4})
	require.NoError(t, err)
	require.Equal(t, []float64{1, NoScore, 2, NoScore}, scores)
}
