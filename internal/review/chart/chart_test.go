package chart

import (
	"encoding/xml"
	"html/template"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/review"
)

var end = time.Date(2027, 1, 15, 0, 0, 0, 0, time.UTC)

// Each chart is well-formed for whatever numbers there are, and has nothing that the content security policy forbids.
func TestChartsOfExtremes(t *testing.T) {
	var much [review.Outcomes]int
	much[review.Benign], much[review.NoModel] = math.MaxInt32, 1
	for name, svg := range map[string]template.HTML{
		"no bins": Spark(nil), "empty bins": Spark(make([]int, 96)), "one alert": Spark([]int{0, 1}), "very many": Spark([]int{math.MaxInt32, 1}),
		"histogram of nothing": Histogram(nil, end), "of empty bins": Histogram(make([]int, 96), end), "of many": Histogram([]int{1, math.MaxInt32}, end),
		"bar of nothing": Bar(0, 72), "of all": Bar(1, 72), "of more": Bar(7, 72), "of less": Bar(-1, 72),
		"strip": Strip(much, 10), "empty strip": Strip([review.Outcomes]int{}, 0), "swatch": Swatch(review.Disputed),
		"stack of nothing": Stack(end, nil), "stack": Stack(end, [][review.Outcomes]int{much, {}}),
		"line of nothing": Line(end, nil, .2), "gaps": Line(end, []float64{math.NaN(), .5, math.NaN(), .2, .3, 7}, .2),
		"curve": Curve([]float64{.5, 1}, 1, 2), "curve of one": Curve([]float64{1}, 1, 1),
	} {
		require.NotContains(t, svg, "NaN", name)
		require.NotContains(t, svg, "Inf", name)
		require.NotContains(t, svg, "style", name)
		require.NotRegexp(t, `[hv]-\d+h-|width="-`, svg, name)
		d := xml.NewDecoder(strings.NewReader(string(svg)))
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			require.NoError(t, err, name)
		}
	}
	require.Empty(t, Curve(nil, 0, 0))
}

func TestTheSmallestCountShows(t *testing.T) {
	require.Contains(t, Spark([]int{0, 0, 0, 1_000_000, 0, 0, 1}), "M6 20v-2h2v2z")
	require.Contains(t, Bar(1e-9, 72), `class="bar1" d="M0 0h1v5`)
}

// The mark is where the first points reach four fifths.
func TestTheMarkOfTheCurve(t *testing.T) {
	require.Contains(t, Curve([]float64{.4, .8, .9, 1}, 2, 4), "M90.0 0V38")
}

func TestDaysAreThoseOfUTC(t *testing.T) {
	bins := make([]int, 24)
	for i := range bins {
		bins[i] = 1
	}
	require.Equal(t, []review.Count{{Name: "Wed 13 Jan", N: 12}, {Name: "Thu 14 Jan", N: 12}}, PerDay(bins, end))
	require.Equal(t, []review.Count{{Name: "Wed 13 Jan", N: 7}, {Name: "Thu 14 Jan", N: 12}, {Name: "Fri 15 Jan", N: 5}}, PerDay(bins, end.Add(10*time.Hour)))
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1\u2009000", -1000: "-1\u2009000", -100: "-100", 1234567: "1\u2009234\u2009567"} {
		require.Equal(t, want, Number(n))
	}
	for n, want := range map[int]int{1: 1, 3: 4, 7: 8, 9: 10, 11: 20, 999: 1000, math.MaxInt: math.MaxInt} {
		require.Equal(t, want, nice(n))
	}
}
