//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/bench/learn"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	_ "connect-deepcase/processor"
)

// scoring are the cases of deepcase_sequence and deepcase_predict, with names of the maximum length.
var scoring = []measured{
	{"windows", "`deepcase_sequence`: 100,000 machines, all names of 4 KiB, 3 events each", 1536 * mib, func(string) error {
		return score("deepcase_sequence: {}", events{300_000, func(i int) string {
			return fmt.Sprintf(`{"machine":"%s","event":"%s","timestamp":%d}`, long('m', i%100_000), long('e', i), 1_700_000_000+i/1000)
		}})
	}},
	{"verdicts", "`deepcase_predict`: 20,000 verdicts of contexts with names of 4 KiB", 512 * mib, func(dir string) error {
		if err := publish(filepath.Join(dir, "model")); err != nil {
			return err
		}
		return score(fmt.Sprintf("deepcase_predict: { model: %q, device: cpu }", filepath.Join(dir, "model")), events{20_000, func(i int) string {
			context := make([]string, 10)
			for k := range context {
				context[k] = `"` + long('e', 10*i+k) + `"`
			}
			return `{"deepcase":{"machine":"m","event":"a","context":[` + strings.Join(context, ",") + `]}}`
		}})
	}},
}

// long is a name of 4 KiB.
func long(letter byte, i int) string {
	return fmt.Sprintf("%c%d%s", letter, i, strings.Repeat("x", 4080))
}

// score runs events through a processor.
func score(processor string, e events) error {
	source = e
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	builder.SetThreads(1)
	if err := errors.Join(builder.AddInputYAML("memory_events: {}"), builder.AddProcessorYAML(processor), builder.AddOutputYAML("drop: {}")); err != nil {
		return err
	}
	stream, err := builder.Build()
	if err != nil {
		return err
	}
	return stream.Run(context.Background())
}

// publish publishes a small model.
func publish(dir string) error {
	const rows = 100
	_, _, err := learn.Publish(context.Background(), dir, model.Data{Names: []string{"a", "b"},
		Samples: contextbuilder.Samples{Length: 10, Contexts: make([]int32, 10*rows), Events: make([]int32, rows)}}, 1)
	return err
}
