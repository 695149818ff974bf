// Command templates measures sequencer/template beside Drain3: what both make of the log lines of LogHub, and how many lines a second. It prints a
// page of Markdown (docs/templates.md).
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"connect-deepcase/sequencer/template"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	data := flag.String("data", "../shared/data/loghub", "folder with the log lines of LogHub and their true templates")
	python := flag.String("python", "", "an interpreter that has drain3; without it only ours is measured")
	long := flag.Duration("time", 2*time.Second, "how long each speed is measured")
	show := flag.String("show", "", "print the wrong groups of this set instead, such as Android")
	flag.Parse()
	err := run(ctx, *data, *python, *long, *show)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "templates:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, data, python string, long time.Duration, show string) error {
	sets, err := read(data)
	if err != nil {
		return err
	}
	for _, s := range sets {
		if s.name == show {
			wrong(s.truth, names(learn(s.messages), s.messages))
		}
	}
	if show != "" {
		return nil
	}
	runtime.GOMAXPROCS(1) // speeds are those of one core, with the garbage collector
	ours := measured{name: "deepcase"}
	for _, s := range sets {
		ours.scores = append(ours.scores, judge(s.truth, names(learn(s.messages), s.messages)))
	}
	if err := ours.speed(sets, long); err != nil {
		return err
	}
	all := []measured{ours}
	if python != "" {
		drain, err := drain3(ctx, python, sets, long)
		if err != nil {
			return err
		}
		all = append(all, drain)
	}
	report(os.Stdout, sets, all)
	return nil
}

// set is a log of LogHub.
type set struct {
	name, path      string
	messages, truth []string
}

func read(folder string) ([]set, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.csv.gz"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no *.csv.gz in %s: want the logs of LogHub-2k", folder)
	}
	var sets []set
	for _, path := range paths {
		s := set{name: strings.TrimSuffix(filepath.Base(path), "_2k.csv.gz"), path: path}
		if err := s.read(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		sets = append(sets, s)
	}
	return sets, nil
}

func (s *set) read() error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	records, err := csv.NewReader(unzipped).ReadAll()
	if err != nil {
		return err
	}
	if len(records) < 2 || strings.Join(records[0], ",") != "content,event_id,template,component" {
		return errors.New("want the columns content, event_id, template and component, and lines")
	}
	for _, r := range records[1:] {
		s.messages, s.truth = append(s.messages, r[0]), append(s.truth, r[1])
	}
	return nil
}

func learn(messages []string) *template.Set {
	l := template.NewLearner(template.Options{})
	for _, m := range messages {
		l.Add("", m)
	}
	return l.Learn()
}

// names gives the name of each message. Those without a template are one group.
func names(s *template.Set, messages []string) []string {
	names := make([]string, len(messages))
	for i, m := range messages {
		names[i], _ = s.Match("", m)
	}
	return names
}
