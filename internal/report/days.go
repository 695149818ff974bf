package report

import (
	"iter"
	"math"
	"slices"
	"time"
)

// PerDay counts times by day (UTC), from the day of first to that of last. All times are between the two.
func PerDay(first, last time.Time, times iter.Seq[time.Time]) []int {
	days := make([]int, day(last)-day(first)+1)
	for at := range times {
		days[day(at)-day(first)]++
	}
	return days
}

// day numbers the days since 1970.
func day(at time.Time) int { return int(math.Floor(float64(at.Unix()) / (24 * 60 * 60))) }

// Median is the middle of some counts, or the mean of the two in the middle. It is NaN if there are none.
func Median(counts []int) Share {
	sorted := slices.Sorted(slices.Values(counts))
	if len(sorted) == 0 {
		return Share(math.NaN())
	}
	return Share(float64(sorted[(len(sorted)-1)/2]+sorted[len(sorted)/2]) / 2)
}
