package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/demo"
)

func demoCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "demo",
		Usage: "Invent the alerts of a security operations centre, to try things out with",
		Description: `Writes some 40,000 alerts of machines with routines, noise and bursts, and of attacks in several steps, with labels (0 is benign, 1 to 3 the
severity). The same flags give the same alerts. With --split and --out alerts.csv they go into two files: alerts-train.csv has the first
three quarters of the time, to learn from; alerts-new.csv has the rest, with one kind of attack that the first part does not have.

  deepcase demo --split --out alerts.csv
  deepcase evaluate --train-csv alerts-train.csv --test-csv alerts-new.csv`,
		Flags: []ucli.Flag{
			&ucli.Uint64Flag{Name: "seed", Value: 1, Usage: "`SEED`: another seed gives other alerts"},
			&ucli.IntFlag{Name: "days", Value: 8, Usage: "`DAYS` that the alerts span"},
			&ucli.IntFlag{Name: "machines", Value: 40, Usage: "number of `MACHINES`"},
			&ucli.StringFlag{Name: "format", Usage: "`FORMAT` (csv|ndjson; default: what the name of the file says, csv on standard output)"},
			&ucli.StringFlag{Name: "out", Usage: "`FILE` to write (default: standard output)"},
			boolFlag("", "split", "write two files: alerts to learn from, and new ones"),
			boolFlag("", "silent", "print errors only"),
		},
	}, func(ctx context.Context, s *session) error {
		out := s.flags.String("out")
		write, err := demoFormat(s.flags.String("format"), out)
		if err != nil {
			return err
		}
		o := demo.Options{Seed: s.flags.Uint64("seed"), Days: s.flags.Int("days"), Machines: s.flags.Int("machines")}
		switch {
		case o.Seed < 1:
			return usagef("--seed: %d is not at least 1", o.Seed)
		case o.Days < 1 || o.Days > 3650:
			return usagef("--days: %d is not in 1 to 3650", o.Days)
		case o.Machines < 1 || o.Machines > 100_000:
			return usagef("--machines: %d is not in 1 to 100000", o.Machines)
		case s.flags.Bool("split") && out == "":
			return usagef("--split writes two files: name them with --out")
		}
		alerts := demo.Generate(o)
		if !s.flags.Bool("split") {
			return s.writeDemo(ctx, out, alerts, write)
		}
		known := 0
		for known < len(alerts) && alerts[known].Timestamp.Before(o.Split()) {
			known++
		}
		extension := filepath.Ext(out)
		name := strings.TrimSuffix(out, extension)
		return errors.Join(s.writeDemo(ctx, name+"-train"+extension, alerts[:known], write), s.writeDemo(ctx, name+"-new"+extension, alerts[known:], write))
	})
}

func demoFormat(format, out string) (func(io.Writer, []demo.Alert) error, error) {
	if format == "" {
		format = strings.TrimPrefix(filepath.Ext(out), ".")
		if out == "" {
			format = "csv"
		}
	}
	switch format {
	case "csv":
		return demo.WriteCSV, nil
	case "ndjson", "jsonl":
		return demo.WriteNDJSON, nil
	}
	return nil, usagef("--format: %q is not one of csv, ndjson", format)
}

func (s *session) writeDemo(ctx context.Context, path string, alerts []demo.Alert, write func(io.Writer, []demo.Alert) error) error {
	if path == "" {
		return write(s.out, alerts)
	}
	if err := saveFile(ctx, path, func(w io.Writer) error { return write(w, alerts) }); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s.note("wrote %d alerts to %s", len(alerts), path)
	return nil
}
