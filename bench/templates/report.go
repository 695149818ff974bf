package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/dustin/go-humanize"
)

// report prints a table a measurement.
func report(w io.Writer, sets []set, all []measured) {
	fmt.Fprintf(w, "Grouping accuracy is the share of lines whose group is exactly a true one. F1 is that of groups: a group is right if it is exactly a true one.\n")
	for _, m := range all {
		fmt.Fprintf(w, "\n%s:\n\n| log | grouping accuracy | F1 of groups | groups | true | lines/s to learn | to match |\n|---|---:|---:|---:|---:|---:|---:|\n", m.name)
		for i, s := range sets {
			r := m.scores[i]
			fmt.Fprintf(w, "| %s | %.3f | %.3f | %d | %d | %s | %s |\n", s.name, r.accuracy, r.f1, r.groups, r.truth, lines(m.learn[i]), lines(m.match[i]))
		}
		mean := average(m.scores)
		fmt.Fprintf(w, "| **average** | **%.3f** | **%.3f** | | | **%s** | **%s** |\n", mean.accuracy, mean.f1, lines(harmonic(m.learn)), lines(harmonic(m.match)))
		if m.first != nil {
			fmt.Fprintf(w, "\nRight after a start, when no shape of a line is remembered: %s lines/s to match.\n", lines(harmonic(m.first)))
		}
	}
	fmt.Fprintf(w, "\nOne core of %s/%s, %s. The average of speeds is harmonic: all lines by all the time.\n", runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// harmonic is the speed of reading as many lines of each log.
func harmonic(rates []float64) float64 {
	seconds := 0.0
	for _, r := range rates {
		seconds += 1 / r
	}
	return float64(len(rates)) / seconds
}

// lines writes a speed with two digits.
func lines(rate float64) string {
	digits := 1.0
	for rate/digits >= 100 {
		digits *= 10
	}
	return humanize.Comma(int64(rate/digits) * int64(digits))
}
