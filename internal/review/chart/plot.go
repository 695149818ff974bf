package chart

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
)

// plot is a chart with a grid and an axis of days.
type plot struct {
	width, height, left int
	top                 int // the value at the top
	out                 strings.Builder
}

const foot, headroom = 18, 8

func (p *plot) inner() float64 { return float64(p.width - p.left) }

// high is how far above the axis a value is drawn.
func (p *plot) high(v float64) float64 { return v / float64(p.top) * float64(p.height-headroom) }

func (p *plot) open(class, label string) {
	fmt.Fprintf(&p.out, `<svg class="%s" viewBox="0 0 %d %d" role="img" aria-label="%s">`, class, p.width, p.height+foot, template.HTMLEscapeString(label))
}

func (p *plot) close() template.HTML { return template.HTML(p.out.String() + "</svg>") }

// grid draws three lines, or two if there is no whole number between them.
func (p *plot) grid(text func(float64) string) {
	values := []float64{0, float64(p.top) / 2, float64(p.top)}
	if text(values[1]) == text(values[0]) {
		values = []float64{0, float64(p.top)}
	}
	for _, v := range values {
		y := float64(p.height) - p.high(v)
		fmt.Fprintf(&p.out, `<path class="grid" d="M%d %.1fH%d"/><text class="tick" x="%d" y="%.1f" text-anchor="end">%s</text>`, p.left, y, p.width, p.left-6, y+3.5, text(v))
	}
}

// days names the days (in UTC) between two times, where they begin. The ends have too little room for a name.
func (p *plot) days(start, end time.Time, layout string) {
	all := end.Sub(start)
	for day := start.UTC().Truncate(24 * time.Hour); day.Before(end); day = day.Add(24 * time.Hour) {
		if x := float64(p.left) + p.inner()*float64(day.Sub(start))/float64(all); x >= float64(p.left) && x < float64(p.width)-30 {
			fmt.Fprintf(&p.out, `<text class="tick" x="%.1f" y="%d">%s</text>`, x+1, p.height+14, day.Format(layout))
		}
	}
}

// nice is a round number at least as high as n.
func nice(n int) int {
	for power := 1; ; power *= 10 {
		for _, m := range []int{1, 2, 4, 6, 8} {
			if n <= m*power || power > 1e17 {
				return max(n, m*power)
			}
		}
	}
}

func highest(of []int) int {
	most := 1
	for _, n := range of {
		most = max(most, n)
	}
	return most
}

func sumEach(of []int, per int) []int {
	sums := make([]int, (len(of)+per-1)/per)
	for i, n := range of {
		sums[i/per] += n
	}
	return sums
}

// Number writes a number with thin spaces between its thousands.
func Number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u2009" + s[i:]
	}
	return s
}
