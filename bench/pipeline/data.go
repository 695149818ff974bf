package main

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"connect-deepcase/bench/learn"
	"connect-deepcase/sequencer"
)

// writeAlerts writes the rows of a csv file as JSON objects, one per line, and counts them.
func writeAlerts(source, target string) (int, error) {
	in, err := os.Open(source)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	unpacked, err := gzip.NewReader(in)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", source, err)
	}
	rows := csv.NewReader(unpacked)
	header, err := rows.Read()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", source, err)
	}
	out, err := os.Create(target)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	lines := bufio.NewWriterSize(out, 1<<16)
	encoder := json.NewEncoder(lines)
	for count := 0; ; count++ {
		row, err := rows.Read()
		if err == io.EOF {
			return count, lines.Flush()
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", source, err)
		}
		alert := map[string]string{}
		for i, name := range header {
			alert[name] = row[i]
		}
		if err := encoder.Encode(alert); err != nil {
			return 0, err
		}
	}
}

// publish learns and publishes a model with scores, from alerts of networks other than the annotated one.
func publish(ctx context.Context, dir string, paths ...string) error {
	s, err := learn.Sequence(sequencer.ReadOptions{
		Columns: sequencer.Columns{Timestamp: "time", Machine: "host", Event: "name", Label: "event_label"}, Benign: "-", PerFile: true,
	}, paths...)
	if err != nil {
		return err
	}
	_, _, err = learn.Publish(ctx, dir, learn.Data(s), 4)
	return err
}

// typical finds an object of median size among those added to the alerts, and the share of each status.
func typical(path string, alerts int) (object []byte, shares string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	var objects []json.RawMessage
	statuses := map[string]int{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var line struct{ Deepcase json.RawMessage }
		var object struct{ Status string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, "", err
		}
		if err := json.Unmarshal(line.Deepcase, &object); err != nil {
			return nil, "", err
		}
		statuses[object.Status]++
		objects = append(objects, line.Deepcase)
	}
	if len(objects) != alerts {
		return nil, "", fmt.Errorf("%d of %d alerts came out", len(objects), alerts)
	}
	slices.SortFunc(objects, func(a, b json.RawMessage) int { return cmp.Compare(len(a), len(b)) })
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(statuses)) {
		parts = append(parts, fmt.Sprintf("%.1f %% %s", 100*float64(statuses[status])/float64(alerts), status))
	}
	return objects[len(objects)/2], strings.Join(parts, ", "), nil
}
