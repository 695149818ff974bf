package main

import (
	"fmt"
	"math"
	"strings"
)

// point is a measurement.
type point struct{ events, seconds, bytes float64 }

// series is a line of the plots.
type series struct {
	name, color string
	points      []point
}

// draw plots time and memory against events, both axes logarithmic, as SVG.
func draw(all []series) string {
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 360" font-family="sans-serif" font-size="12">` + "\n" +
		`<rect width="860" height="360" fill="white"/>` + "\n")
	axes(&b, 70, "seconds", all, func(p point) float64 { return p.seconds })
	axes(&b, 500, "peak memory, MB", all, func(p point) float64 { return p.bytes / 1e6 })
	b.WriteString("</svg>\n")
	return b.String()
}

// axes draws one plot with its left edge at left. The dashed line through the last point of a series grows in proportion to the events.
func axes(b *strings.Builder, left float64, name string, all []series, value func(point) float64) {
	const top, width, height = 40.0, 330.0, 260.0
	decades := func(of func(point) float64) (low, high float64) {
		low, high = math.Inf(1), math.Inf(-1)
		for _, s := range all {
			for _, p := range s.points {
				low, high = min(low, math.Floor(math.Log10(of(p)))), max(high, math.Ceil(math.Log10(of(p))))
			}
		}
		return low, max(high, low+1)
	}
	x0, x1 := decades(func(p point) float64 { return p.events })
	y0, y1 := decades(value)
	x := func(log float64) float64 { return left + width*(log-x0)/(x1-x0) }
	y := func(log float64) float64 { return top + height*(y1-log)/(y1-y0) }
	for log := x0; log <= x1; log++ {
		fmt.Fprintf(b, `<path d="M%.1f %.1fv%.1f" stroke="#ddd"/>`+"\n", x(log), top, height)
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">10<tspan dy="-5" font-size="9">%.0f</tspan></text>`+"\n", x(log), top+height+18, log)
	}
	for log := y0; log <= y1; log++ {
		fmt.Fprintf(b, `<path d="M%.1f %.1fh%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="end">%g</text>`+"\n", left, y(log), width,
			left-6, y(log)+4, math.Pow(10, log))
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">events</text>`+"\n", left+width/2, top+height+40)
	fmt.Fprintf(b, `<text x="%.1f" y="24" text-anchor="middle" font-size="14">%s</text>`+"\n", left+width/2, name)
	for i, series := range all {
		last := series.points[len(series.points)-1]
		from := max(y0, math.Log10(value(last))-(math.Log10(last.events)-x0))
		start := math.Log10(last.events) - (math.Log10(value(last)) - from)
		fmt.Fprintf(b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="#999" stroke-dasharray="4 4"/>`+"\n", x(start), y(from), x(math.Log10(last.events)),
			y(math.Log10(value(last))))
		var line []string
		for _, p := range series.points {
			at := fmt.Sprintf("%.1f %.1f", x(math.Log10(p.events)), y(math.Log10(value(p))))
			line = append(line, at)
			fmt.Fprintf(b, `<circle cx="%s" cy="%s" r="3.5" fill="%s"/>`+"\n", strings.Fields(at)[0], strings.Fields(at)[1], series.color)
		}
		fmt.Fprintf(b, `<path d="M%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(line, "L"), series.color)
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" fill="%s">%s</text>`+"\n", left+8, top+16+16*float64(i), series.color, series.name)
	}
}
