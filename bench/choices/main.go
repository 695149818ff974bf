// Choices measures what answers and cases save on the AIT Alert Data Set, and what other settings do. It prints a page of Markdown
// (docs/choices.md). It runs `deepcase evaluate --stream`, as a user can on other alerts.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

// settings are what --try plays beside the defaults.
var settings = []string{
	"scope=pattern", "scope=event_on_machine", "scope=event",
	"gap=15m", "gap=4h", "gap=24h", "alarm-gap=1h", "alarm-gap=72h", "by-machine=true", "by-machine=true,gap=4h",
	"hold=6h", "hold=24h", "hold=2160h",
	"burst=0", "burst=2", "burst=5",
	"delay=1h", "delay=8h",
}

// models are other ways to make the verdicts. Each is learnt anew.
var models = [][]string{{"--strategy", "nearest"}}

// result is what the tables show of a test file.
type result struct {
	File       string
	Alerts     int
	Today      int
	Objects    int
	Share      float64        `json:"objects_share"`
	ByKind     map[string]int `json:"by_kind"`
	PerDay     []int          `json:"per_day"`
	Questions  int
	BenignSeen int `json:"benign_seen"`
	Missed     int `json:"attack_missed"`
	Recall     float64
	Steps      int
	StepsLost  int `json:"steps_lost"`
	Tried      []result
}

func main() {
	program := flag.String("program", "bin/connect-deepcase-slim", "the program to measure")
	data := flag.String("data", "../shared/data/ait-ads", "the folder with the alerts")
	flag.Parse()
	log.SetFlags(0)
	if err := run(os.Stdout, *program, *data); err != nil {
		log.Fatal("choices: ", err)
	}
}

func run(w io.Writer, program, data string) error {
	file := func(name string) string { return filepath.Join(data, name+".csv.gz") }
	heldOut := []string{"--train-csv", file("russellmitchell"), "--train-csv", file("santos"), "--test-csv", file("fox"), "--test-csv", file("harrison")}
	inSite := []string{"--first", "0.2"}
	for _, name := range []string{"russellmitchell", "santos", "fox", "harrison"} {
		inSite = append(inSite, "--test-csv", file(name))
	}
	fmt.Fprint(w, head)
	for _, part := range []struct {
		title string
		flags []string
	}{{"Learnt at two other sites", heldOut}, {"Learnt from the first fifth of the same site", inSite}} {
		var tries []string
		for _, s := range settings {
			tries = append(tries, "--try", s)
		}
		tests, err := evaluate(program, append(tries, part.flags...))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n## %s\n\n", part.title)
		saved(w, tests)
		rows := [][]result{}
		for i := range settings {
			var row []result
			for _, t := range tests {
				row = append(row, t.Tried[i])
			}
			rows = append(rows, row)
		}
		names := slices.Clone(settings)
		for _, flags := range models {
			other, err := evaluate(program, append(slices.Clone(flags), part.flags...))
			if err != nil {
				return err
			}
			names, rows = append(names, strings.TrimPrefix(strings.Join(flags, "="), "--")), append(rows, other)
		}
		fmt.Fprintln(w)
		compare(w, tests, names, rows)
	}
	return nil
}

func evaluate(program string, flags []string) ([]result, error) {
	command := exec.Command(program, append([]string{"deepcase", "evaluate", "--stream", "--json", "--benign", "-",
		"--columns", "timestamp=time,machine=host,event=name,label=event_label"}, flags...)...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	var all struct{ Tests []result }
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	return all.Tests, nil
}

// saved prints what the default settings give.
func saved(w io.Writer, tests []result) {
	table := []struct {
		name  string
		value func(result) string
	}{
		{"alerts", func(r result) string { return humanize.Comma(int64(r.Alerts)) }},
		{"alerts that a person sees without answers and cases", func(r result) string { return humanize.Comma(int64(r.Today)) }},
		{"**cases**", func(r result) string { return fmt.Sprintf("**%d**", r.Objects) }},
		{"of all alerts", func(r result) string { return fmt.Sprintf("%.3f %%", 100*r.Share) }},
		{"of kind alarm, new, burst", func(r result) string {
			return fmt.Sprintf("%d, %d, %d", r.ByKind["alarm"], r.ByKind["new"], r.ByKind["burst"])
		}},
		{"cases a day: median, highest", func(r result) string { return fmt.Sprintf("%v, %d", median(r.PerDay), slices.Max(r.PerDay)) }},
		{"questions in them", func(r result) string { return humanize.Comma(int64(r.Questions)) }},
		{"benign alerts in cases", func(r result) string { return humanize.Comma(int64(r.BenignSeen)) }},
		{"attack alerts missed", func(r result) string { return humanize.Comma(int64(r.Missed)) }},
		{"recall", func(r result) string { return fmt.Sprintf("%.6f", r.Recall) }},
		{"attack steps lost", func(r result) string { return fmt.Sprintf("%d of %d", r.StepsLost, r.Steps) }},
	}
	header(w, "", tests)
	for _, line := range table {
		fmt.Fprintf(w, "| %s |", line.name)
		for _, t := range tests {
			fmt.Fprintf(w, " %s |", line.value(t))
		}
		fmt.Fprintln(w)
	}
}

// compare prints cases, questions, missed alerts and lost steps of each setting.
func compare(w io.Writer, tests []result, names []string, rows [][]result) {
	header(w, "cases · questions · attack alerts missed", tests)
	for i, row := range append([][]result{tests}, rows...) {
		name := "the defaults"
		if i > 0 {
			name = "`" + names[i-1] + "`"
		}
		fmt.Fprintf(w, "| %s |", name)
		for _, r := range row {
			fmt.Fprintf(w, " %d · %s · %s", r.Objects, humanize.Comma(int64(r.Questions)), humanize.Comma(int64(r.Missed)))
			switch {
			case r.StepsLost == 1:
				fmt.Fprint(w, ", **1 step lost**")
			case r.StepsLost > 1:
				fmt.Fprintf(w, ", **%d steps lost**", r.StepsLost)
			}
			fmt.Fprint(w, " |")
		}
		fmt.Fprintln(w)
	}
}

func header(w io.Writer, first string, tests []result) {
	fmt.Fprintf(w, "| %s |", first)
	for _, t := range tests {
		fmt.Fprintf(w, " %s |", strings.TrimSuffix(filepath.Base(t.File), ".csv.gz"))
	}
	fmt.Fprintln(w, "\n|---|"+strings.Repeat("--:|", len(tests)))
}

func median(days []int) float64 {
	sorted := slices.Sorted(slices.Values(days))
	return float64(sorted[(len(sorted)-1)/2]+sorted[len(sorted)/2]) / 2
}

const head = `# What answers and cases save

Printed by ` + "`make choices`" + ` from four sites of the [AIT Alert Data Set](https://doi.org/10.5281/zenodo.8263181). The alerts are played in time order. An
alert that asks is answered with its label. [Tuning](tuning.md#what-it-saves) says what the settings mean and how to measure your own alerts. Another
processor or version rounds weights differently, which moves these counts by a percent or two.
`
