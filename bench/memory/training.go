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

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	_ "connect-deepcase/input/train"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// training are the cases of deepcase_train.
var training = []measured{
	{"large-messages", "`deepcase_train`: 1,000 messages of 16 MiB", 512 * mib, func(dir string) error {
		return train(dir, "every: 1000h", events{1000, func(i int) string {
			return fmt.Sprintf(`{"machine":"m","event":"e%d","timestamp":%d,"pad":"%s"}`, i%5, 1_700_000_000+i, strings.Repeat("x", 16*mib))
		}})
	}},
	{"dense-messages", "`deepcase_train`: 100 messages of 16 MiB of small numbers", 1536 * mib, func(dir string) error {
		return train(dir, "every: 1000h", events{100, func(i int) string {
			return fmt.Sprintf(`{"machine":"m","event":"e%d","timestamp":%d,"pad":[%s0]}`, i%5, 1_700_000_000+i, strings.Repeat("1,", 8*mib))
		}})
	}},
	{"rejected-messages", "`deepcase_train`: 1,000 messages of 16 MiB that hold no event", 512 * mib, func(dir string) error {
		return train(dir, "every: 1000h", events{1000, func(int) string { return strings.Repeat("x", 16*mib) }})
	}},
	{"many-names", "`deepcase_train`: 50,000 names, one epoch", 1 * gib, func(dir string) error {
		return train(dir, "epochs: 1\n    iterations: 1", events{200_000, func(i int) string {
			return fmt.Sprintf(`{"machine":"m%d","event":"e%d","timestamp":%d}`, i%50, (i*i)%50_000, 1_700_000_000+i)
		}})
	}},
	{"long-names", "`deepcase_train`: 50,000 names of 4 KiB, one epoch", 1 * gib, func(dir string) error {
		return train(dir, "epochs: 1\n    iterations: 1", events{50_000, func(i int) string {
			return fmt.Sprintf(`{"machine":"m%d","event":"%s%d","timestamp":%d}`, i%50, strings.Repeat("e", 4000), i, 1_700_000_000+i)
		}})
	}},
	{"many-events", "`deepcase_train`: 2,000,000 events with an id, one epoch, `hidden` 8", 1 * gib, func(dir string) error {
		return train(dir, "epochs: 1\n    hidden: 8\n    iterations: 1", events{2_000_000, func(i int) string {
			return fmt.Sprintf(`{"machine":"m%d","event":"e%d","timestamp":%d,"id":"%d"}`, i%5000, (i*7)%30, 1_700_000_000+i/50, i)
		}})
	}},
}

// events are the messages of the source.
type events struct {
	number  int
	message func(i int) string
}

var source events

// train runs deepcase_train on events until it ends. With every, it ends when all events are spooled.
func train(dir, settings string, e events) error {
	source = e
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if err := errors.Join(
		builder.AddInputYAML(fmt.Sprintf("deepcase_train:\n    input: {memory_events: {}}\n    id: ${! json(\"id\") }\n    device: cpu\n    model: %q\n    %s", filepath.Join(dir, "model"), settings)),
		builder.AddOutputYAML("drop: {}")); err != nil {
		return err
	}
	stream, err := builder.Build()
	if err != nil {
		return err
	}
	return stream.Run(context.Background())
}

func init() {
	service.MustRegisterInput("memory_events", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.Input, error) {
		return &reading{}, nil
	})
}

// reading is an input that gives the events of source one by one.
type reading struct{ next int }

func (*reading) Connect(context.Context) error { return nil }

func (r *reading) Read(context.Context) (*service.Message, service.AckFunc, error) {
	if r.next == source.number {
		return nil, nil, service.ErrEndOfInput
	}
	m := service.NewMessage([]byte(source.message(r.next)))
	r.next++
	return m, func(context.Context, error) error { return nil }, nil
}

func (*reading) Close(context.Context) error { return nil }
