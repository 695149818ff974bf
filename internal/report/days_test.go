package report

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestPerDay(t *testing.T) {
	at := func(text string) time.Time {
		x, err := time.Parse(time.RFC3339, text)
		assert.NoError(t, err)
		return x
	}
	times := []time.Time{at("2026-03-02T23:59:59Z"), at("2026-03-05T00:00:00Z"), at("2026-03-04T23:30:00-01:00")}
	assert.Equal(t, []int{1, 0, 0, 2}, PerDay(at("2026-03-02T10:00:00Z"), at("2026-03-05T12:00:00Z"), slices.Values(times)))
	assert.Equal(t, []int{0}, PerDay(times[0], times[0], slices.Values([]time.Time(nil))))
	assert.Equal(t, []int{1, 1}, PerDay(at("1969-12-31T23:00:00Z"), at("1970-01-01T01:00:00Z"),
		slices.Values([]time.Time{at("1969-12-31T23:00:00Z"), at("1970-01-01T01:00:00Z")})), "before 1970, too")
}

func TestMedian(t *testing.T) {
	counts := []int{7, 1, 3}
	assert.EqualValues(t, 3, Median(counts))
	assert.Equal(t, []int{7, 1, 3}, counts, "the counts keep their order")
	assert.EqualValues(t, 2.5, Median([]int{4, 0, 1, 10}))
	assert.True(t, math.IsNaN(float64(Median(nil))))
}
