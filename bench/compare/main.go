// Command compare measures DeepCASE in Go and the Python original, in turns, on the same machine with the same data and weights, and writes a
// table.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connect-deepcase/bench/report"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/contextbuilder/cpu/peak"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	python := flag.String("python", "", "Python interpreter that has the original (deepcase 1.0.1, torch 2.1.0); empty measures ours alone")
	source := flag.String("data", "../shared/data", "folder with hdfs/ and ait-ads/; without it only independent events are measured")
	work := flag.String("work", "", "folder for converted data (default: a temporary one)")
	rounds := flag.Int("rounds", 5, "times that each cell is measured")
	out := flag.String("out", "", "file to write the table to, as Markdown (default: standard output)")
	only := flag.String("jobs", "", "jobs to measure, separated by commas (default: all)")
	flag.Parse()
	err := run(ctx, *python, *source, *work, *rounds, *out, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, python, source, work string, rounds int, out, only string) error {
	if work == "" {
		folder, err := os.MkdirTemp("", "deepcase-compare")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		work = folder
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	engine := cpu.New()
	sets, err := dataSets(ctx, engine, source, work)
	if err != nil {
		return err
	}
	var theirs *original
	if python != "" {
		if theirs, err = startOriginal(ctx, python, work); err != nil {
			return err
		}
		defer theirs.stop()
	}
	var cells []cell
	for _, j := range jobs {
		if only != "" && !slices.Contains(strings.Split(only, ","), j.name) {
			continue
		}
		for _, d := range sets {
			c, err := measure(ctx, engine, theirs, j, d, rounds)
			if err != nil {
				return fmt.Errorf("%s on %s: %w", j.name, d.name, err)
			}
			fmt.Fprintln(os.Stderr, c)
			cells = append(cells, c)
		}
	}
	text := table(cells, theirs, engine.Name(), rounds)
	if out == "" {
		fmt.Print(text)
		return nil
	}
	return os.WriteFile(out, []byte(text), 0o644)
}

func dataSets(ctx context.Context, engine contextbuilder.Engine, source, work string) ([]*dataSet, error) {
	var sets []*dataSet
	add := func(name, path string, err error, rows map[string]int) error {
		if err != nil {
			return err
		}
		d, err := newDataSet(ctx, engine, name, path, rows)
		sets = append(sets, d)
		return err
	}
	if _, err := os.Stat(source); err == nil {
		path, err := writeHDFS(filepath.Join(source, "hdfs", "hdfs_train.txt.gz"), work)
		if err := add("hdfs", path, err, nil); err != nil {
			return nil, err
		}
		path, err = writeAIT(filepath.Join(source, "ait-ads", "santos.csv.gz"), work)
		if err := add("santos", path, err, nil); err != nil {
			return nil, err
		}
	} else {
		fmt.Fprintln(os.Stderr, "compare: no real data:", err)
	}
	path, err := writeIndependent(work, 222, 60_000)
	// nearly every sample is distinct here: fewer rows give the original time to finish
	return sets, add("independent", path, err, map[string]int{"query": 1024, "cluster": 2048, "predict": 2048})
}

// cell is one job on one data set: rates in the order they were measured.
type cell struct {
	job          job
	data         string
	events, rows int
	count        int // samples or events of one run
	ours         []float64
	original     []float64 // the better number of threads
	threads      int       // which that is
	flop         float64   // of the job's products, 0 if there are none to count
	peak         []float64 // operations per second that the machine reached in each round
}

func (c cell) String() string {
	return fmt.Sprintf("%-8s %-12s N %3d: ours %s, original %s (%d threads), ratio %.1f; GFLOP | peak | share: %s", c.job.name, c.data, c.events,
		report.Spread(c.ours), report.Spread(c.original), c.threads, c.ratio(), c.share())
}

func (c cell) ratio() float64 {
	if len(c.original) == 0 {
		return 0
	}
	return report.Median(c.ours) / report.Median(c.original)
}

// share are the columns about the machine's limit: GFLOP of the job, the peak and how much of it was used, in the median of the rounds.
func (c cell) share() string {
	if c.flop == 0 {
		return "– | – | –"
	}
	shares := make([]float64, len(c.ours))
	for i, rate := range c.ours {
		shares[i] = rate / float64(c.count) * c.flop / c.peak[i]
	}
	return fmt.Sprintf("%.1f | %.0f | %.0f %%", c.flop/1e9, report.Median(c.peak)/1e9, 100*report.Median(shares))
}

const (
	settle = 500 * time.Millisecond // the original's threads spin for a while after their work
	least  = time.Second            // ours, whose jobs are short, are done again until then: a processor that was idle needs a while
	peaks  = 200 * time.Millisecond // that the machine's peak is measured
)

// measure lets both sides take turns, so that a noisy moment hits both.
func measure(ctx context.Context, engine contextbuilder.Engine, theirs *original, j job, d *dataSet, rounds int) (cell, error) {
	rows, ok := d.rows[j.name]
	if !ok {
		rows = j.rows
	}
	c := cell{job: j, data: d.name, events: len(d.data.Names) + 1, rows: rows}
	if j.work != nil {
		c.flop = j.work(d, rows)
	}
	byThreads := make([][]float64, 2)
	for range rounds {
		if theirs != nil {
			time.Sleep(settle)
		}
		done, took := 0, time.Duration(0)
		for begin := time.Now(); time.Since(begin) < least; {
			count, once, err := j.run(ctx, engine, d, rows)
			if err != nil {
				return c, err
			}
			c.count, done, took = count, done+count, took+once
		}
		if j.work != nil {
			c.peak = append(c.peak, peak.Measure(peaks))
		}
		c.ours = append(c.ours, float64(done)/took.Seconds())
		if theirs == nil {
			continue
		}
		for i := range byThreads {
			rate, err := theirs.measure(j.name, d.name, i+1, rows)
			if err != nil {
				return c, err
			}
			byThreads[i] = append(byThreads[i], rate)
		}
	}
	if theirs != nil {
		c.original, c.threads = byThreads[0], 1
		if report.Median(byThreads[1]) > report.Median(byThreads[0]) {
			c.original, c.threads = byThreads[1], 2
		}
	}
	return c, ctx.Err()
}

// original is the process that runs original.py.
type original struct {
	command *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Scanner
	Torch   string `json:"torch"`
	Python  string `json:"python"`
}

func startOriginal(ctx context.Context, python, work string) (*original, error) {
	o := &original{command: exec.CommandContext(ctx, python, filepath.Join("bench", "original.py"), work)}
	o.command.Stderr = os.Stderr
	in, err := o.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	answers, err := o.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	o.in, o.answers = in, bufio.NewScanner(answers)
	if err := o.command.Start(); err != nil {
		return nil, err
	}
	return o, o.answer(o)
}

func (o *original) answer(into any) error {
	if !o.answers.Scan() {
		return fmt.Errorf("the original ended without an answer: %w", o.command.Wait())
	}
	return json.Unmarshal(o.answers.Bytes(), into)
}

func (o *original) measure(job, data string, threads, rows int) (rate float64, err error) {
	if _, err := fmt.Fprintln(o.in, job, data, threads, rows); err != nil {
		return 0, err
	}
	var done struct {
		Count   int
		Seconds float64
	}
	err = o.answer(&done)
	return float64(done.Count) / done.Seconds, err
}

func (o *original) stop() {
	_ = o.in.Close()
	_ = o.command.Wait()
}

func table(cells []cell, theirs *original, engine string, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Performance\n\nWritten by `make bench` on %s, engine %s", report.Machine(), engine)
	if theirs != nil {
		fmt.Fprintf(&b, "; the original: deepcase 1.0.1, torch %s, Python %s", theirs.Torch, theirs.Python)
	}
	fmt.Fprintf(&b, ".\nBoth sides run each job in turn, on the same data and with the same weights. A cell has the minimum / median / maximum of %d rounds, and\n"+
		"the ratio is that of the medians. The original runs with one thread and with two, and the better result counts (*threads*). Ours uses all\n"+
		"cores, starts when the original's threads are idle, and repeats short jobs for %s (the round is then their mean).\n\n", rounds, least)
	b.WriteString("*GFLOP* are the floating-point operations (in 10⁹) of the products in one run of the job: what the definition says, with each prefix that contexts of\n" +
		"a batch share computed once. Gates, softmax, optimizer and whatever else is no product are not counted. *peak* is what our matrix product reaches\n" +
		"on all cores at its best size, in GFLOP/s, measured after each round. *share* is how much of the peak the counted products make up.\n\n")
	b.WriteString("| job | data | N | rows | ours | original | threads | ratio | GFLOP | peak | share |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, c := range cells {
		rows := "all"
		if c.rows > 0 {
			rows = fmt.Sprint(c.rows)
		}
		fmt.Fprintf(&b, "| %s, %s | %s | %d | %s | %s | %s | %d | %.1f | %s |\n", c.job.name, c.job.unit, c.data, c.events, rows, report.Spread(c.ours),
			report.Spread(c.original), c.threads, c.ratio(), c.share())
	}
	return b.String()
}
