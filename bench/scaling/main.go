// Command scaling measures how time and memory grow: sequencing and training on more and more events, windows of many machines, learning from all
// of AIT-ADS fox, the searches of the Interpreter, and publishing and reloading a score. Each measurement is a process of its own, so that peak
// memory is that of the process.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"connect-deepcase/bench/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	only := flag.String("only", "", "run one measurement in this process: sequence, train, windows or learn")
	size := flag.Int("size", 0, "events of sequence and train, machines of windows")
	most := flag.Int("most", 10_000_000, "events to sequence and to train on at most")
	data := flag.String("data", "../shared/data/ait-ads", "folder with the AIT Alert Data Set")
	plot := flag.String("plot", "", "SVG file for the plot of sequencing and training")
	flag.Parse()
	err := run(ctx, *only, *size, *most, *data, *plot)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scaling:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, size, most int, data, plot string) error {
	if only == "" {
		return all(ctx, most, data, plot)
	}
	var r result
	var err error
	switch only {
	case "sequence":
		r, err = sequence(size)
	case "train":
		r, err = train(ctx, size)
	case "windows":
		r, err = windows(size)
	case "learn":
		r, err = fox(ctx, data)
	default:
		err = fmt.Errorf("only %q: want sequence, train, windows or learn", only)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// result is what one measurement gives.
type result struct {
	Seconds float64
	Held    float64 // bytes that live on at the end
	Note    string
	peak    float64 // bytes of the process, at most
}

func all(ctx context.Context, most int, data, plot string) error {
	fmt.Printf("\n## Scaling\n\n`go run ./bench/scaling` on %s. Each row is a process of its own, with its\n"+
		"peak memory (resident set). The events come from a csv file of %d machines, read and sequenced with all cores: of %d event names, or %d to\n"+
		"train on (N %d), whose contexts are all different. Seconds of training are those of one epoch.\n", report.Machine(), machines, names, learnt, learnt+1)
	sequencing, err := grow(ctx, series{name: "sequencing", color: "#06c"}, "sequence", most, data)
	if err != nil {
		return err
	}
	training, err := grow(ctx, series{name: "training, one epoch", color: "#c40"}, "train", most, data)
	if err != nil {
		return err
	}
	if plot != "" {
		if err := os.WriteFile(plot, []byte(draw([]series{sequencing, training})), 0o644); err != nil {
			return err
		}
		fmt.Printf("\n![events against time and memory](%s)\n", filepath.Base(plot))
	}
	fmt.Println("\n| | seconds | held, MB | peak memory, MB | |\n|---|--:|--:|--:|---|")
	for _, m := range []struct {
		name, only string
		size       int
	}{{"windows of 100,000 machines, full", "windows", 100_000}, {"learning from fox", "learn", 0}} {
		r, err := measure(ctx, m.only, m.size, data)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.1f | %.0f | %.0f | %s |\n", m.name, r.Seconds, r.Held/1e6, r.peak/1e6, r.Note)
	}
	return benchmarks(ctx)
}

// grow measures with more and more events, and prints a table.
func grow(ctx context.Context, s series, only string, most int, data string) (series, error) {
	fmt.Printf("\n| %s: events | seconds | events/s | peak memory, MB | bytes per event |\n|--:|--:|--:|--:|--:|\n", s.name)
	idle, err := measure(ctx, only, 0, data)
	if err != nil {
		return s, err
	}
	for events := 1000; events <= most; events *= 10 {
		r, err := measure(ctx, only, events, data)
		if err != nil {
			return s, err
		}
		s.points = append(s.points, point{float64(events), r.Seconds, r.peak})
		fmt.Printf("| %d | %.4f | %.0f | %.0f | %.0f |\n", events, r.Seconds, float64(events)/r.Seconds, r.peak/1e6, max(0, r.peak-idle.peak)/float64(events))
	}
	return s, nil
}

// measure runs one measurement in a process of its own.
func measure(ctx context.Context, only string, size int, data string) (r result, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	command := exec.CommandContext(ctx, self, "-only", only, "-size", strconv.Itoa(size), "-data", data)
	command.Stderr = os.Stderr
	answer, err := command.Output()
	if err != nil {
		return r, fmt.Errorf("%s of %d: %w", only, size, err)
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, fmt.Errorf("%s of %d answered %q: %w", only, size, answer, err)
	}
	if used, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peak = float64(used.Maxrss) * 1024 // kilobytes on Linux
	}
	return r, nil
}

// benchmarks runs those that are beside their tests.
func benchmarks(ctx context.Context) error {
	for _, part := range []struct {
		what, pattern, pkg string
		runs               [][2]string // pattern and time of each
	}{
		{"Searches among 50,000 vectors", "DBSCAN|Nearest", "./model/interpreter", [][2]string{{"DBSCAN", "1x"}, {"Nearest", "300ms"}}},
		{"One score in a model of 100,000 vectors: publishing it, and reloading the model beside the one that serves (`grown/model` is the memory that " +
			"this takes, as a share of the model's)", "Score|Reload", "./model/store", [][2]string{{"Score|Reload", "20x"}}},
	} {
		fmt.Printf("\n%s: `go test -run '^$' -bench '%s' %s`\n\n```\n", part.what, part.pattern, part.pkg)
		for _, run := range part.runs {
			command := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", run[0], "-benchtime", run[1], part.pkg)
			command.Stdout, command.Stderr = os.Stdout, os.Stderr
			if err := command.Run(); err != nil {
				return err
			}
		}
		fmt.Println("```")
	}
	return nil
}

func held() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
