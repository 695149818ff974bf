// Package report formats measurements for Markdown, and names the machine.
package report

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Machine names date, processor, cores and compiler.
func Machine() string {
	return fmt.Sprintf("%s: %s, %d cores, %s", time.Now().UTC().Format(time.DateOnly), processor(), runtime.NumCPU(), runtime.Version())
}

// processor names it with its family and model, since a virtual machine's often has a name without a number.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	of := map[string]string{}
	for line := range strings.Lines(string(info)) {
		key, value, _ := strings.Cut(line, ":")
		of[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	if of["model name"] == "" {
		return runtime.GOARCH
	}
	return fmt.Sprintf("%s (family %s, model %s)", of["model name"], of["cpu family"], of["model"])
}

// Quantile is the smallest value that a share of at least q of the values does not exceed.
func Quantile(x []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// Median is the value in the middle, the upper one of two.
func Median(x []float64) float64 { return Quantile(x, 0.5) }

// Spread is min / median / max.
func Spread(x []float64) string {
	if len(x) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f / %.0f / %.0f", slices.Min(x), Median(x), slices.Max(x))
}
