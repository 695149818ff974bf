//go:build linux

package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	_ "connect-deepcase/input/files"
	_ "connect-deepcase/input/search"
	"connect-deepcase/sequencer"
)

// bombs are compressed files and an answer of 4 GiB without a line end.
var bombs = []measured{
	commandLine(sequencer.CSV, "timestamp,machine,event\n1,a,"),
	commandLine(sequencer.JSON, `{"timestamp":1,"machine":"a","event":"`),
	commandLine(sequencer.NDJSON, `{"timestamp":1,"machine":"a","event":"`),
	commandLine(sequencer.Text, ""),
	input("csv", "timestamp,machine,event\n1,a,"),
	input("json", `{"timestamp":1,"machine":"a","event":"`),
	input("ndjson", `{"timestamp":1,"machine":"a","event":"`),
	input("lines", ""),
	{"bomb-search", "`deepcase_search`: an answer of 4 GiB, compressed", 512 * mib, func(string) error {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Type", "application/json")
			_ = bomb(w, `{"indices":["a"],"pit_id":"`) // ends when the client has had enough
		}))
		defer server.Close()
		return refused(fmt.Sprintf("deepcase_search:\n    urls: [ %q ]\n    index: a\n    retry: { max_elapsed_time: 1s }", server.URL), 20*time.Second)
	}},
}

// bomb writes text and 4 GiB of one letter, compressed.
func bomb(w io.Writer, text string) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	_, err = io.WriteString(z, text)
	block := make([]byte, mib)
	for i := range block {
		block[i] = 'a'
	}
	for i := 0; i < 4096 && err == nil; i++ {
		_, err = z.Write(block)
	}
	return errors.Join(err, z.Close())
}

func bombFile(path, text string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(bomb(w, text), w.Flush(), f.Close())
}

// commandLine reads a bomb as the command line does.
func commandLine(format sequencer.Format, text string) measured {
	return measured{"bomb-" + string(format), "`deepcase --" + string(format) + "`: a file of 4 GiB without a line end, compressed", 640 * mib, func(dir string) error {
		path := filepath.Join(dir, "bomb.gz")
		if err := bombFile(path, text); err != nil {
			return err
		}
		var table sequencer.Table
		if err := table.Read(sequencer.ReadOptions{Format: format}, path); err == nil {
			return errors.New("the bomb was read: want an error")
		}
		return nil
	}}
}

// input reads a bomb with deepcase_files.
func input(format, text string) measured {
	return measured{"bomb-files-" + format, "`deepcase_files`, format " + format + ": a file of 4 GiB without a line end, compressed", 256 * mib, func(dir string) error {
		path := filepath.Join(dir, "bomb.gz")
		if err := bombFile(path, text); err != nil {
			return err
		}
		return refused(fmt.Sprintf("deepcase_files:\n    paths: [ %q ]\n    format: %s", path, format), 10*time.Minute)
	}}
}

// refused runs an input until it ends, or for a limited time if it retries for ever.
func refused(yaml string, most time.Duration) error {
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.DiscardHandler))
	if err := errors.Join(builder.AddInputYAML(yaml), builder.AddOutputYAML("drop: {}")); err != nil {
		return err
	}
	stream, err := builder.Build()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	if err := stream.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}
