//go:build linux

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"connect-deepcase/bench/learn"
	"connect-deepcase/sequencer"
)

// prepare learns a model and annotates harrison with it, if the folder of the work has none.
func (b *bench) prepare(ctx context.Context) error {
	b.model, b.harrison, b.million = filepath.Join(b.work, "model"), filepath.Join(b.work, "annotated.ndjson"), filepath.Join(b.work, "million.ndjson")
	if _, err := os.Stat(b.harrison); errors.Is(err, os.ErrNotExist) {
		if err := b.annotate(ctx); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(b.harrison)
	if err != nil {
		return err
	}
	if b.alerts = bytes.Count(text, []byte("\n")); b.alerts >= alerts {
		return fmt.Errorf("%s has %d alerts, need fewer than %d", b.harrison, b.alerts, alerts)
	}
	return b.writeMillion(text)
}

func (b *bench) annotate(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "learning from russellmitchell and santos")
	s, err := learn.Sequence(sequencer.ReadOptions{
		Columns: sequencer.Columns{Timestamp: "time", Machine: "host", Event: "name", Label: "event_label"}, Benign: "-", PerFile: true,
	}, filepath.Join(b.data, "russellmitchell.csv.gz"), filepath.Join(b.data, "santos.csv.gz"))
	if err != nil {
		return err
	}
	if _, _, err := learn.Publish(ctx, b.model, learn.Data(s), 4); err != nil {
		return err
	}
	in, out := filepath.Join(b.work, "harrison.ndjson"), b.harrison+".new"
	if err := writeAlerts(filepath.Join(b.data, "harrison.csv.gz"), in); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "annotating harrison")
	example, err := filepath.Abs("config/examples/score_ndjson.yaml")
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, b.binary, "run", example)
	command.Dir = b.work
	command.Env = append(os.Environ(), "MODEL="+b.model, "INPUT="+in, "OUTPUT="+out, "MACHINE_FIELD=host", "EVENT_FIELD=name", "TIME_FIELD=time", "HTTP_PORT=0")
	if log, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("score_ndjson.yaml: %w: %s", err, log)
	}
	return os.Rename(out, b.harrison)
}

// writeAlerts writes the rows of a csv file as JSON objects, one per line. The last of them is of today: the page drops what is old.
func writeAlerts(source, target string) error {
	rows, err := read(source)
	if err != nil {
		return err
	}
	header, rows := rows[0], rows[1:]
	newest, err := strconv.ParseInt(rows[len(rows)-1][0], 10, 64)
	if err != nil {
		return fmt.Errorf("%s: time: %w", source, err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for _, row := range rows {
		at, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			return fmt.Errorf("%s: time: %w", source, err)
		}
		alert := map[string]any{}
		for i, name := range header {
			alert[name] = row[i]
		}
		alert["time"] = time.Now().Unix() - newest + at
		if err := encoder.Encode(alert); err != nil {
			return err
		}
	}
	return os.WriteFile(target, out.Bytes(), 0o600)
}

func read(source string) ([][]string, error) {
	in, err := os.Open(source)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	unpacked, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	rows, err := csv.NewReader(unpacked).ReadAll()
	if err == nil && len(rows) < 2 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return rows, nil
}

// writeMillion writes the alerts of harrison, and after them invented ones up to a million, in so many questions.
func (b *bench) writeMillion(harrison []byte) error {
	file, err := os.Create(b.million)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(file, 1<<20)
	_, err = out.Write(harrison)
	err = cmp.Or(err, b.crowd(out, alerts-b.alerts), out.Flush())
	return cmp.Or(err, file.Close())
}

// crowd writes alerts of events that were never learnt, four patterns of each that do not look alike.
func (b *bench) crowd(out io.Writer, n int) error {
	version, err := os.ReadFile(filepath.Join(b.model, "CURRENT"))
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	now := time.Now()
	for i := range n {
		about := (i * 7919) % questions
		event, shape := fmt.Sprintf("Suricata: ET invented rule number %d", about/4), about%4
		context, attention := make([]any, 10), make([]float64, 10)
		for j := range context {
			context[j] = fmt.Sprintf("Suricata: ET rule before number %d", (about*31+j*j)%300)
		}
		context[9], attention[9], attention[8] = fmt.Sprintf("Wazuh: rule %d of four", shape), 0.9, 0.1
		machine := fmt.Sprintf("host-%03d.example.org", i%200)
		alert := map[string]any{
			"time": now.Add(-time.Duration(n-i) * 100 * time.Millisecond).Unix(), "name": event, "host": machine, "ip": "192.0.2.7", "short": "invented",
			"deepcase": map[string]any{
				"machine": machine, "event": event, "context": context, "attention": attention, "status": "no_cluster", "confidence": 0.4, "distance": 0.9,
				"model": string(bytes.TrimSpace(version)), "case": fmt.Sprintf("new-%016x", i%200), "case_kind": "new", "send": true,
			},
		}
		if err := encoder.Encode(alert); err != nil {
			return err
		}
	}
	return nil
}
