// Command pipeline measures a pipeline from file to file with deepcase_sequence, deepcase_predict and deepcase_case. It takes turns with the same
// pipeline that has, in their place, one mapping that adds a constant object of the same size.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/bench/report"
	_ "connect-deepcase/processor"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var b bench
	flag.StringVar(&b.data, "data", "../shared/data/ait-ads", "folder with the AIT Alert Data Set: fox is annotated")
	flag.StringVar(&b.model, "model", "", "model directory (default: one that is learnt from russellmitchell and santos)")
	flag.IntVar(&b.batch, "batch", 100, "messages in a batch")
	flag.IntVar(&b.threads, "threads", 1, "pipeline.threads; with more, batches overtake each other and contexts depend on chance")
	flag.IntVar(&b.rounds, "rounds", 5, "times that each pipeline runs")
	flag.StringVar(&b.profile, "cpuprofile", "", "file for a CPU profile of the DeepCASE pipeline")
	flag.Parse()
	err := b.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
}

type bench struct {
	data, model            string
	batch, threads, rounds int
	profile                string

	work   string
	alerts int
}

// outcome is one run of a pipeline.
type outcome struct {
	rate  float64   // alerts a second
	cpu   float64   // alerts a second of processor time: other work on the machine disturbs it less
	times []float64 // ms of a batch in the processor with the label timed
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.work, err = os.MkdirTemp("", "deepcase-pipeline"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	if b.alerts, err = writeAlerts(filepath.Join(b.data, "fox.csv.gz"), filepath.Join(b.work, "in.ndjson")); err != nil {
		return err
	}
	if b.model == "" {
		b.model = filepath.Join(b.work, "model")
		if err := publish(ctx, b.model, filepath.Join(b.data, "russellmitchell.csv.gz"), filepath.Join(b.data, "santos.csv.gz")); err != nil {
			return err
		}
	}
	if _, err := b.measure(ctx, b.deepcase()); err != nil { // warms up, and tells what is written
		return err
	}
	object, verdicts, err := typical(filepath.Join(b.work, "out.ndjson"), b.alerts)
	if err != nil {
		return err
	}
	if b.profile != "" {
		file, err := os.Create(b.profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		_, err = b.measure(ctx, b.deepcase())
		pprof.StopCPUProfile()
		return err
	}
	var ours, constant []outcome
	for round := range b.rounds {
		for _, turn := range []struct {
			processors string
			to         *[]outcome
		}{{b.deepcase(), &ours}, {mapping(object), &constant}} {
			o, err := b.measure(ctx, turn.processors)
			if err != nil {
				return err
			}
			*turn.to = append(*turn.to, o)
		}
		fmt.Fprintf(os.Stderr, "round %d: DeepCASE %.0f/s, constant %.0f/s, ratio %.2f, of processor time %.2f\n", round+1, ours[round].rate,
			constant[round].rate, ours[round].rate/constant[round].rate, ours[round].cpu/constant[round].cpu)
	}
	b.print(ours, constant, object, verdicts)
	return nil
}

func (b *bench) print(ours, constant []outcome, object []byte, verdicts string) {
	column := func(runs []outcome, f func(outcome) float64) (values []float64) {
		for _, o := range runs {
			values = append(values, f(o))
		}
		return values
	}
	rate, cpu := func(o outcome) float64 { return o.rate }, func(o outcome) float64 { return o.cpu }
	fmt.Printf("\n## Pipeline\n\n`go run ./bench/pipeline` on %s. The %d alerts of AIT-ADS fox go from one NDJSON file to another in\n"+
		"batches of %d, with `pipeline.threads: %d`. They pass `deepcase_sequence`, `deepcase_predict` and `deepcase_case` (model of russellmitchell and santos; %s).\n"+
		"For comparison, they pass one `mapping` that adds a constant object of the same size (%d bytes). Minimum / median / maximum of %d rounds.\n\n",
		report.Machine(), b.alerts, b.batch, b.threads, verdicts, len(object), b.rounds)
	fmt.Println("| | DeepCASE | constant | ratio |\n|---|--:|--:|--:|")
	for _, row := range []struct {
		name string
		of   func(outcome) float64
	}{{"alerts/s", rate}, {"alerts per second of processor time", cpu}} {
		a, c := column(ours, row.of), column(constant, row.of)
		fmt.Printf("| %s | %s | %s | %.2f |\n", row.name, report.Spread(a), report.Spread(c), report.Median(a)/report.Median(c))
	}
	tail := func(runs []outcome, q float64) (values []float64) {
		for _, o := range runs {
			values = append(values, report.Quantile(o.times, q))
		}
		return values
	}
	p99 := tail(ours, 0.99)
	fmt.Printf("\n99 %% of the batches spend less than %.2f ms in `deepcase_predict` (median of the rounds; worst round %.2f ms; longest batch %.1f ms).\n"+
		"In the mapping it is %.2f ms, which is what the garbage collector and other processes take.\n",
		report.Median(p99), report.Quantile(p99, 1), report.Quantile(tail(ours, 1), 1), report.Median(tail(constant, 0.99)))
}

func (b *bench) deepcase() string {
	return fmt.Sprintf(`
    - deepcase_sequence:
        machine: ${! json("host") }
        event: ${! json("name") }
        timestamp: ${! json("time") }
    - label: timed
      deepcase_predict:
        model: %q
    - deepcase_case:
        timestamp: ${! json("time") }
`, b.model)
}

func mapping(object []byte) string {
	return fmt.Sprintf("\n    - label: timed\n      mapping: |\n        root = this\n        root.deepcase = %s\n", object)
}

// measure runs a pipeline of the given processors from start to end.
func (b *bench) measure(ctx context.Context, processors string) (o outcome, err error) {
	env := service.NewEnvironment()
	times := &timings{}
	if err := env.RegisterMetricsExporter("timings", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) { return times, nil }); err != nil {
		return o, err
	}
	builder := env.NewStreamBuilder()
	if err := builder.SetYAML(fmt.Sprintf(`
http: { enabled: false }
logger: { level: ERROR }
metrics: { timings: {} }
input:
  batched:
    policy: { count: %d, period: 100ms } # the period is for the end: without it the last few messages would never come
    child:
      file: { paths: [ %q ], scanner: { lines: {} } }
pipeline:
  threads: %d
  processors: %s
output:
  file: { path: %q, codec: lines }
`, b.batch, filepath.Join(b.work, "in.ndjson"), b.threads, strings.TrimRight(processors, "\n"), filepath.Join(b.work, "out.ndjson"))); err != nil {
		return o, err
	}
	stream, err := builder.Build()
	if err != nil {
		return o, err
	}
	if err := os.RemoveAll(filepath.Join(b.work, "out.ndjson")); err != nil {
		return o, err
	}
	cpu, started := processorTime(), time.Now()
	if err := stream.Run(ctx); err != nil {
		return o, err
	}
	o.rate = float64(b.alerts) / time.Since(started).Seconds()
	o.cpu = float64(b.alerts) / (processorTime() - cpu).Seconds()
	o.times = times.batches
	return o, nil
}

func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
