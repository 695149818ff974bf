package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

//go:embed drain3.py
var script string

// drain3 measures Drain3, on one thread as Python has it.
func drain3(ctx context.Context, python string, sets []set, long time.Duration) (measured, error) {
	m := measured{name: "Drain3"}
	arguments := []string{"-c", script, strconv.FormatFloat(long.Seconds(), 'f', -1, 64)}
	for _, s := range sets {
		arguments = append(arguments, s.path)
	}
	command := exec.CommandContext(ctx, python, arguments...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return m, fmt.Errorf("%s: drain3: %w", python, err)
	}
	results := json.NewDecoder(bytes.NewReader(out))
	for _, s := range sets {
		var r struct {
			Groups       []string
			Learn, Match float64
		}
		if err := results.Decode(&r); err != nil {
			return m, fmt.Errorf("drain3: %s: %w", s.name, err)
		}
		if len(r.Groups) != len(s.truth) {
			return m, fmt.Errorf("drain3: %s: groups of %d lines, not %d", s.name, len(r.Groups), len(s.truth))
		}
		m.scores = append(m.scores, judge(s.truth, r.Groups))
		m.learn, m.match = append(m.learn, r.Learn), append(m.match, r.Match)
	}
	return m, nil
}
