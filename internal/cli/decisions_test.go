package cli

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// writeDecisions writes `decide DIRECTORY`: a model directory with a journal of an attack answer (1), a benign one (2), a mute (3), the score of a
// cluster (4), and the withdrawal of it (5).
func writeDecisions(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: decide DIRECTORY")
	}
	st, err := store.Open(ts.MkAbs(args[0]), true)
	ts.Check(err)
	attack := decisions.Subject{Event: "=cmd|' /C calc'!A0", Context: []string{"", "scan", "scan"}, Machine: "web-1"}
	benign := decisions.Subject{Event: "cron\x1b[2J", Context: []string{"scan"}, Machine: "web-2"}
	score := 2.5
	_, err = st.Decisions(decisions.DefaultHold).Append(context.Background(), func(decisions.Look) ([]decisions.Decision, error) {
		return []decisions.Decision{
			{Kind: decisions.Answer, Scope: decisions.PatternOnMachine, Key: attack.Key(decisions.PatternOnMachine), Subject: attack, Score: 3, By: "ann", Reason: "@home"},
			{Kind: decisions.Answer, Scope: decisions.Pattern, Key: benign.Key(decisions.Pattern), Subject: benign, By: "bob"},
			{Kind: decisions.Mute, Scope: decisions.Event, Key: attack.Key(decisions.Event), Subject: decisions.Subject{Event: attack.Event}, By: "ann", Reason: "test of the red team",
				Until: time.Date(2199, 1, 2, 3, 4, 5, 0, time.UTC)},
			{Kind: decisions.Cluster, Cluster: 17, Version: "20261123T141500Z-3f2a", Score: score, By: "ann", Subject: decisions.Subject{Event: "cron"}},
			{Kind: decisions.Cluster, Cluster: 17, Version: "20261123T141500Z-3f2a", Score: -1, Old: &score, By: "bob"},
		}, nil
	})
	ts.Check(err)
}

// damageDecision writes `damage DIRECTORY`: the first line of the journal is damaged.
func damageDecision(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage DIRECTORY")
	}
	path := filepath.Join(ts.MkAbs(args[0]), "decisions.ndjson")
	content, err := os.ReadFile(path)
	ts.Check(err)
	content[20] ^= 1
	ts.Check(os.WriteFile(path, content, 0o644))
}
