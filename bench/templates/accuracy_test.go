package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGroupsOfRealLogs(t *testing.T) {
	const data = "../../../shared/data/loghub"
	if _, err := os.Stat(data); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("no real data: %v", err)
	}
	sets, err := read(data)
	require.NoError(t, err)
	var scores []score
	for _, s := range sets {
		r := judge(s.truth, names(learn(s.messages), s.messages))
		t.Logf("%-12s accuracy %.3f, F1 %.3f, %d groups of %d", s.name, r.accuracy, r.f1, r.groups, r.truth)
		assert.GreaterOrEqual(t, r.accuracy, 0.85, s.name)
		assert.GreaterOrEqual(t, r.f1, 0.85, s.name)
		scores = append(scores, r)
	}
	mean := average(scores)
	t.Logf("average      accuracy %.3f, F1 %.3f", mean.accuracy, mean.f1)
	assert.GreaterOrEqual(t, mean.accuracy, 0.97)
	assert.GreaterOrEqual(t, mean.f1, 0.95)
}

func TestJudge(t *testing.T) {
	truth := []string{"a", "a", "b", "b", "c", "d"}
	assert.Equal(t, score{1, 1, 4, 4}, judge(truth, []string{"1", "1", "2", "2", "3", "4"}))
	// b is right; a is two groups, c and d are one.
	assert.Equal(t, score{2.0 / 6, 2.0 / 8, 4, 4}, judge(truth, []string{"1", "2", "3", "3", "4", "4"}))
}

func TestSpeedsAreRounded(t *testing.T) {
	assert.Equal(t, "1,200,000", lines(1_234_567))
	assert.Equal(t, "7", lines(7.2))
	assert.InDelta(t, 2.0, harmonic([]float64{1, 1e12}), 1e-6)
}
