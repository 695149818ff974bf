package report

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func scored(score float64, group int) Judgement { return Judgement{true, score, group} }

func truths(labels []float64) (t []Truth) {
	for _, label := range labels {
		t = append(t, Truth{Label: label})
	}
	return t
}

func TestAssessByHand(t *testing.T) {
	// 4 attacks and 6 benign events. Sent are three attacks (one without a score) and two benign events (one without a score).
	labels := []float64{1, 1, 2, 1, 0, 0, 0, 0, 0, 0}
	judgements := []Judgement{
		scored(1, 7), scored(2, 8), {}, scored(0, 9), // attacks: flagged, flagged, no score, missed
		scored(3, 7), {}, scored(0, 9), scored(0, 9), scored(0, 10), scored(0, 10),
	}
	truth := truths(labels)
	for i := range truth {
		truth[i].Type, truth[i].At = []string{"scan", "crack"}[i%2], int64(i)*int64(6*time.Hour)
	}
	got := Assess(truth, judgements, true)
	assert.Equal(t, 10, got.Events)
	assert.Equal(t, []int{4, 1, 5}, []int{got.Attacks, got.Missed, got.SentEvents})
	assert.Equal(t, []MissedType{{"crack", 2, 1}}, got.MissedByType)
	assert.InDelta(t, 5/2.25, float64(got.SentPerDay), 1e-12)
	assert.Equal(t, 3, got.BusiestDay)
	assert.Equal(t, 4, got.Groups)
	for name, c := range map[string]struct {
		want float64
		got  Share
	}{
		"attack share":     {4. / 10, got.AttackShare},
		"coverage":         {8. / 10, got.Coverage},
		"sent, all":        {5. / 10, got.SentAll},
		"sent, benign":     {2. / 6, got.SentBenign},
		"sent precision":   {3. / 5, got.Sent.Precision},
		"sent recall":      {3. / 4, got.Sent.Recall},
		"sent F1":          {2 * .6 * .75 / 1.35, got.Sent.F1},
		"scored precision": {2. / 3, got.Scored.Precision},
		"scored recall":    {2. / 3, got.Scored.Recall},
		"scored F1":        {2. / 3, got.Scored.F1},
		"workload":         {(8. - 4) / 10, got.WorkloadReduction},
	} {
		assert.InDelta(t, c.want, float64(c.got), 1e-12, name)
	}
}

func TestAssessSendsEverythingWithoutScores(t *testing.T) {
	got := Assess(truths([]float64{0, 1}), make([]Judgement, 2), false)
	assert.Equal(t, "-", got.SentPerDay.String(), "without times")
	assert.Equal(t, []Share{0, 1, 1, 1, 0}, []Share{got.Coverage, got.SentAll, got.SentBenign, got.Sent.Recall, got.WorkloadReduction})
	assert.True(t, math.IsNaN(float64(got.Scored.Precision)), "nothing was scored")
}

func TestRulesAgainstBruteForce(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	names := []string{"a", "b", "c", "d", "e"}
	for range 100 {
		n := random.IntN(12)
		events, labels := make([]int32, n), make([]float64, n)
		for i := range n {
			events[i], labels[i] = int32(random.IntN(len(names))), float64(random.IntN(4)-1)
		}
		rules := LearnRules(names, events, labels)
		for id, name := range names {
			best := -1.0
			for i := range n {
				if events[i] == int32(id) {
					best = max(best, labels[i])
				}
			}
			got := rules.Judge(name)
			require.Equal(t, best >= 0, got.Scored)
			if got.Scored {
				require.Equal(t, best, got.Score)
				require.Equal(t, id, got.Group)
			}
		}
		require.False(t, rules.Judge("new").Scored)
	}
}
