// Package chart draws the charts of the review page as SVG. Colours come from classes, since the page's content security policy forbids style
// attributes. Nothing that an attacker could write gets into a chart: numbers and dates alone.
package chart

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"connect-deepcase/internal/review"
)

// Spark draws a bar for each six hours. Heights are square roots, so that a few alerts show beside many.
func Spark(bins []int) template.HTML {
	const height, per = 20, 3
	sums := sumEach(bins, per)
	most := highest(sums)
	var path strings.Builder
	for i, n := range sums {
		if n > 0 {
			h := max(2, int(math.Round(math.Sqrt(float64(n)/float64(most))*(height-1))))
			fmt.Fprintf(&path, "M%d %dv-%dh2v%dz", i*3, height, h, h)
		}
	}
	return template.HTML(fmt.Sprintf(`<svg class="spark" width="%d" height="%d" aria-hidden="true"><path d="%s"/></svg>`, 3*len(sums), height, &path))
}

// Histogram draws a bar for each two hours up to end.
func Histogram(bins []int, end time.Time) template.HTML {
	most := highest(bins)
	p := plot{width: 560, height: 92, left: 30, top: nice(most)}
	p.open("histo", fmt.Sprintf("Alerts in two hours each, at most %s", Number(most)))
	p.grid(func(v float64) string { return Number(int(v)) })
	var path strings.Builder
	step := p.inner() / float64(max(1, len(bins)))
	for i, n := range bins {
		if n > 0 {
			h := max(1.5, p.high(float64(n)))
			fmt.Fprintf(&path, "M%.1f %dv-%.1fh%.1fv%.1fz", float64(p.left)+float64(i)*step+.5, p.height, h, step-1, h)
		}
	}
	fmt.Fprintf(&p.out, `<path class="bar1" d="%s"/>`, &path)
	p.days(end.Add(-time.Duration(len(bins))*2*time.Hour), end, "2 Jan")
	return p.close()
}

// Curve draws what share of the waiting alerts the first answers settle, and marks the answer at which it is four fifths. points are
// equally far apart over all answers.
func Curve(points []float64, mark, answers int) template.HTML {
	const w, h = 180, 38
	if len(points) == 0 || answers == 0 {
		return ""
	}
	var path strings.Builder
	fmt.Fprintf(&path, "M0 %d", h)
	for i, share := range points {
		fmt.Fprintf(&path, "L%.1f %.1f", w*float64(i+1)/float64(len(points)), h-share*(h-4))
	}
	line := path.String()
	x := min(w-4, max(3, w*float64(mark)/float64(answers)))
	return template.HTML(fmt.Sprintf(`<svg class="curve" width="%d" height="%d" aria-hidden="true"><path class="area" d="%sL%d %dZ"/><path class="line" d="%s"/>`+
		`<path class="mark" d="M%.1f 0V%d"/><circle class="dot" cx="%.1f" cy="%.1f" r="3"/></svg>`, w, h, line, w, h, line, x, h, x, h-.8*(h-4)))
}

// Bar draws a share of a width.
func Bar(share float64, width int) template.HTML {
	n := int(math.Round(min(1, max(0, share)) * float64(width)))
	if share > 0 {
		n = max(1, n)
	}
	return template.HTML(fmt.Sprintf(`<svg class="bar" width="%d" height="5" aria-hidden="true"><path class="bar0" d="M0 0h%dv5H0z"/><path class="bar1" d="M0 0h%dv5H0z"/></svg>`, width, width, n))
}

// Strip draws the outcomes of alerts beside each other; most is how many fill its width.
func Strip(parts [review.Outcomes]int, most int) template.HTML {
	const w = 180.
	var out strings.Builder
	out.WriteString(`<svg class="strip" width="180" height="9" aria-hidden="true">`)
	at := 0.
	for i, n := range parts {
		if d := float64(n) / float64(max(1, most)) * w; d > 0 {
			fmt.Fprintf(&out, `<rect class="o%d" x="%.1f" width="%.1f" height="9"/>`, i, at, max(.6, d-.6))
			at += d
		}
	}
	out.WriteString("</svg>")
	return template.HTML(out.String())
}

// Swatch is the colour of an outcome in a legend.
func Swatch(outcome review.Outcome) template.HTML {
	return template.HTML(`<svg class="swatch" width="9" height="9" aria-hidden="true"><rect class="o` + strconv.Itoa(int(outcome)) + `" width="9" height="9" rx="2"/></svg>`)
}

// Stack draws what became of the alerts of each six hours from start on.
func Stack(start time.Time, quarters [][review.Outcomes]int) template.HTML {
	sums := make([]int, len(quarters))
	for i, q := range quarters {
		for _, n := range q {
			sums[i] += n
		}
	}
	p := plot{width: 720, height: 176, left: 42, top: nice(highest(sums))}
	p.open("chart", "Alerts in six hours each, by what became of them. The table below has the numbers.")
	p.grid(func(v float64) string { return Number(int(v)) })
	step := p.inner() / float64(max(1, len(quarters)))
	below := make([]int, len(quarters))
	for part := range review.Outcomes {
		var path strings.Builder
		for i, q := range quarters {
			if n := q[part]; n > 0 {
				h := p.high(float64(n))
				fmt.Fprintf(&path, "M%.1f %.1fv-%.2fh%.1fv%.2fz", float64(p.left)+float64(i)*step+1, float64(p.height)-p.high(float64(below[i])), h, step-2, h)
				below[i] += n
			}
		}
		fmt.Fprintf(&p.out, `<path class="o%d" d="%s"/>`, part, &path)
	}
	p.days(start, start.Add(time.Duration(len(quarters))*6*time.Hour), "Mon 2")
	return p.close()
}

// Line draws the confidence of each six hours from start on, and what a verdict needs. There is a gap for NaN.
func Line(start time.Time, values []float64, needed float64) template.HTML {
	p := plot{width: 440, height: 92, left: 34, top: 1}
	p.open("chart", fmt.Sprintf("Mean confidence in six hours each. A verdict needs %.2f.", needed))
	p.grid(func(v float64) string { return fmt.Sprintf("%.1f", v) })
	fmt.Fprintf(&p.out, `<path class="needed" d="M%d %.1fH%d"/>`, p.left, float64(p.height)-p.high(needed), p.width)
	var path, dots strings.Builder
	step := p.inner() / float64(max(1, len(values)))
	for i, v := range values {
		if math.IsNaN(v) {
			continue
		}
		x, y := float64(p.left)+(float64(i)+.5)*step, float64(p.height)-p.high(min(1, max(0, v)))
		before, after := i > 0 && !math.IsNaN(values[i-1]), i+1 < len(values) && !math.IsNaN(values[i+1])
		switch {
		case before:
			fmt.Fprintf(&path, "L%.1f %.1f", x, y)
		case after:
			fmt.Fprintf(&path, "M%.1f %.1f", x, y)
		default:
			fmt.Fprintf(&dots, `<circle class="confdot" cx="%.1f" cy="%.1f" r="2"/>`, x, y)
		}
	}
	fmt.Fprintf(&p.out, `<path class="conf" d="%s"/>%s`, &path, &dots)
	p.days(start, start.Add(time.Duration(len(values))*6*time.Hour), "2 Jan")
	return p.close()
}

// PerDay sums the bins of each day (in UTC) up to end, the oldest first.
func PerDay(bins []int, end time.Time) []review.Count {
	var out []review.Count
	for i, n := range bins {
		day := end.Add(-time.Duration(len(bins)-i)*2*time.Hour + time.Hour).UTC().Format("Mon 2 Jan")
		if last := len(out) - 1; last < 0 || out[last].Name != day {
			out = append(out, review.Count{Name: day})
		}
		out[len(out)-1].N += n
	}
	return out
}
