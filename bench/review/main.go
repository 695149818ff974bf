//go:build linux

// Command review measures the review page against its budgets: the program that users run, asked over HTTP.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"connect-deepcase/bench/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var b bench
	flag.StringVar(&b.binary, "binary", "./bin/connect-deepcase-slim", "the program")
	flag.StringVar(&b.data, "data", "../shared/data/ait-ads", "folder with the AIT Alert Data Set: harrison is reviewed, with a model of russellmitchell and santos")
	flag.StringVar(&b.work, "work", "", "folder that keeps the model and the annotated alerts for the next time (default: a temporary one)")
	flag.IntVar(&b.requests, "requests", 200, "how often each page is asked for")
	flag.Parse()
	err := b.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "review:", err)
		os.Exit(1)
	}
}

type bench struct {
	binary, data, work string
	requests           int

	model, harrison, million string // a directory and files
	alerts                   int    // of harrison
}

// questions and alerts are those of the budgets.
const (
	questions = 10_000
	alerts    = 1_000_000
)

func (b *bench) run(ctx context.Context) (err error) {
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if b.work == "" {
		if b.work, err = os.MkdirTemp("", "deepcase-review"); err != nil {
			return err
		}
		defer os.RemoveAll(b.work)
	} else if b.work, err = filepath.Abs(b.work); err != nil {
		return err
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	fmt.Printf("\n## Review page\n\n`make bench-review` on %s. The program and what asks it share the cores.\n", report.Machine())
	if err := b.stream(ctx); err != nil {
		return fmt.Errorf("harrison: %w", err)
	}
	if err := b.budgets(ctx); err != nil {
		return fmt.Errorf("budgets: %w", err)
	}
	return nil
}

// fresh is a folder of one measurement: with the model, and with no decisions or alerts yet.
func (b *bench) fresh(name string) (string, error) {
	folder := filepath.Join(b.work, name)
	if err := os.RemoveAll(folder); err != nil {
		return "", err
	}
	return folder, os.CopyFS(filepath.Join(folder, "model"), os.DirFS(b.model))
}

// stream sends harrison into the page as fast as it takes it, and asks for pages meanwhile.
func (b *bench) stream(ctx context.Context) error {
	folder, err := b.fresh("stream")
	if err != nil {
		return err
	}
	s, err := b.pipeline(ctx, folder, b.harrison, 0)
	if err != nil {
		return err
	}
	defer s.kill()
	began := time.Now()
	if err := s.wait(ctx); err != nil {
		return err
	}
	waited := time.Since(began)
	times := map[string][]float64{}
	var decisions []float64
	for !s.ended() {
		took, err := s.decide()
		if err != nil && s.ending() {
			break
		}
		if err != nil {
			return err
		}
		if took > 0 {
			decisions = append(decisions, took)
		}
		for _, page := range []string{"/queue", "/queue?view=cases", "/overview", s.question, s.oneCase} {
			took, err := s.ask(page)
			if err != nil && !s.ending() {
				return err
			}
			if err == nil && took > 0 {
				times[kind(page)] = append(times[kind(page)], took)
			}
		}
	}
	if s.failed != nil {
		return s.failed
	}
	rate := float64(b.alerts) / (s.lived - waited).Seconds()
	fmt.Printf("\nThe %d alerts of AIT-ADS harrison, from a file, as fast as the output takes them: %.0f alerts/s, at most %d MB resident. The page meanwhile:\n\n"+
		"| page | requests | median | p95 | longest |\n|---|--:|--:|--:|--:|\n", b.alerts, rate, s.peak())
	for _, name := range []string{"queue", "question", "case", "overview"} {
		if x := times[name]; len(x) > 0 {
			fmt.Printf("| %s | %d | %.1f ms | %.1f ms | %.1f ms |\n", name, len(x), report.Median(x), report.Quantile(x, 0.95), report.Quantile(x, 1))
		}
	}
	if len(decisions) > 0 {
		fmt.Printf("| decision | %d | %.1f ms | %.1f ms | %.1f ms |\n", len(decisions), report.Median(decisions), report.Quantile(decisions, 0.95), report.Quantile(decisions, 1))
	}
	return nil
}

// budgets measures each row of the table of budgets.
func (b *bench) budgets(ctx context.Context) error {
	folder, err := b.fresh("budgets")
	if err != nil {
		return err
	}
	s, err := b.pipeline(ctx, folder, b.million, 1)
	if err != nil {
		return err
	}
	defer s.kill()
	if err := s.wait(ctx); err != nil {
		return err
	}
	ready := time.Now()
	for !s.ended() {
		if err := ctx.Err(); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	if s.failed != nil {
		return s.failed
	}
	intake := alerts / time.Since(ready).Seconds()
	streamed := s.peak()
	began := time.Now()
	if s, err = b.review(ctx, folder); err != nil {
		return err
	}
	defer s.kill()
	if err := s.wait(ctx); err != nil {
		return err
	}
	restart := time.Since(began)
	m, err := s.measure(b.requests)
	if err != nil {
		return err
	}
	fmt.Printf("\nA million alerts, %d open questions:\n\n| what | budget | measured |\n|---|--:|--:|\n", m.open)
	row := func(what, budget, format string, values ...any) {
		fmt.Printf("| %s | %s | %s |\n", what, budget, fmt.Sprintf(format, values...))
	}
	row("queue, first 100 rows, p95", "50 ms", "%.1f ms", report.Quantile(m.queue, 0.95))
	row("the same, gzipped", "25 KB", "%.1f KB", float64(m.queueBytes)/1e3)
	row("question, p95", "30 ms", "%.1f ms", report.Quantile(m.question, 0.95))
	row("case, p95", "30 ms", "%.1f ms", report.Quantile(m.cases, 0.95))
	row("decision, fsync included, p95", "50 ms", "%.1f ms", report.Quantile(m.decision, 0.95))
	row("an fsync of this disk alone, p95", "", "%.1f ms", report.Quantile(m.sync, 0.95))
	row("intake on one core", "20,000 alerts/s", "%.0f alerts/s", intake)
	row("resident after the restart", "300 MB", "%d MB", m.resident)
	row("restart", "3 s", "%.1f s", restart.Seconds())
	row("script and style, gzipped", "20 KB", "%.1f KB", float64(m.static)/1e3)
	fmt.Printf("\nWhile it took them, the whole pipeline had at most %d MB resident.\n", streamed)
	return nil
}

// start runs the program in a folder.
func (b *bench) start(ctx context.Context, folder string, cores int, arguments ...string) *server {
	s := &server{process: exec.CommandContext(ctx, b.binary, arguments...)}
	s.process.Dir, s.process.Stdout, s.process.Stderr = folder, &s.log, &s.log
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if cores > 0 {
		s.process.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", cores))
	}
	return s
}
