package decisions_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// A person answers a pattern that the model is not sure of. Events of that pattern are answered from then on.
func Example() {
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	models, err := store.Open(dir, true)
	if err != nil {
		log.Fatal(err)
	}
	journal := models.Decisions(decisions.DefaultHold)

	event := decisions.Subject{Event: "sshd: failed password", Context: []string{"", "sshd: invalid user"}, Machine: "web-1"}
	scope, err := decisions.ParseScope("pattern_on_machine")
	if err != nil {
		log.Fatal(err)
	}
	_, err = journal.Append(context.Background(), func(decisions.Look) ([]decisions.Decision, error) {
		return []decisions.Decision{{Kind: decisions.Answer, Scope: scope, Key: event.Key(scope), Subject: event, Score: 3, By: "ann"}}, nil
	})
	if err != nil {
		log.Fatal(err)
	}

	unsure := model.Verdict{Status: model.LowConfidence, Cluster: -1}
	journal.Read(func(look decisions.Look) {
		settled := look.Settle(unsure, event.Keys())
		fmt.Println(settled.Status, settled.Score, settled.Found.By)
	})
	// Output: answered 3 ann
}

// The journal keeps every decision. Other processes take up what was appended when they refresh theirs.
func ExampleJournal_Each() {
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	models, err := store.Open(dir, true)
	if err != nil {
		log.Fatal(err)
	}
	event := decisions.Subject{Event: "cron: session opened", Context: []string{"cron: session closed", ""}, Machine: "web-1"}
	writer, reader := models.Decisions(decisions.DefaultHold), models.Decisions(decisions.DefaultHold)
	for _, scope := range []decisions.Scope{decisions.PatternOnMachine, decisions.Pattern, decisions.EventOnMachine, decisions.Event} {
		_, err := writer.Append(context.Background(), func(decisions.Look) ([]decisions.Decision, error) {
			return []decisions.Decision{{Kind: decisions.Answer, Scope: scope, Key: event.Key(scope), Subject: event, By: "ann"}}, nil
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := reader.Refresh(); err != nil {
		log.Fatal(err)
	}
	damaged, err := reader.Each(func(d decisions.Decision) error {
		key, err := decisions.ParseKey(d.Key.String())
		fmt.Println(d.Number, d.Kind, d.Scope, d.Score, key == event.Keys()[d.Number-1])
		return err
	})
	fmt.Println(err, damaged.Lines, reader.Damage().Lines, len(decisions.Scopes))
	// Output:
	// 1 answer pattern_on_machine 0 true
	// 2 answer pattern 0 true
	// 3 answer event_on_machine 0 true
	// 4 answer event 0 true
	// <nil> 0 0 4
}

// A fold needs no file. Benign answers are due again after a time.
func ExampleFold() {
	event := decisions.Subject{Event: "cron: session opened", Context: []string{"", ""}, Machine: "web-1"}
	answer := decisions.Decision{Kind: decisions.Answer, Scope: decisions.Event, Key: event.Key(decisions.Event), By: "ann",
		At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	fold := decisions.NewFold(decisions.DefaultHold)
	if err := answer.Validate(); err != nil {
		log.Fatal(err)
	}
	if err := fold.Add(answer); err != nil {
		log.Fatal(err)
	}
	for _, hours := range []int{0, 11, 12} {
		look := fold.Look(answer.At.Add(time.Duration(hours) * time.Hour))
		answers, mutes := look.InForce()
		fmt.Println(hours, look.Settle(model.Verdict{Status: model.NoCluster}, event.Keys()).Status, look.State(1), answers, mutes)
	}
	// Output:
	// 0 answered in_force 1 0
	// 11 answered in_force 1 0
	// 12 no_cluster due 0 0
}

// Compact moves what has had no effect for a time to an archive. Each still gives it.
func ExampleJournal_Compact() {
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	models, err := store.Open(dir, true)
	if err != nil {
		log.Fatal(err)
	}
	journal := models.Decisions(decisions.DefaultHold)
	event := decisions.Subject{Event: "cron: session opened", Machine: "web-1"}
	for _, d := range []decisions.Decision{
		{Kind: decisions.Answer, Scope: decisions.Event, Key: event.Key(decisions.Event), Score: 3, By: "ann"},
		{Kind: decisions.Undo, Undoes: 1, By: "ann", Reason: "by mistake"},
		{Kind: decisions.Cluster, Cluster: 17, Version: "20261123T141500Z-3f2a", Score: 2, By: "ann"},
	} {
		if _, err := journal.Append(context.Background(), func(decisions.Look) ([]decisions.Decision, error) { return []decisions.Decision{d}, nil }); err != nil {
			log.Fatal(err)
		}
	}
	moved, kept, err := journal.Compact(context.Background(), 0)
	fmt.Println(moved, kept, err)
	_, err = journal.Each(func(d decisions.Decision) error {
		fmt.Println(d.Number, d.Kind)
		return nil
	})
	fmt.Println(err)
	// Output:
	// 2 1 <nil>
	// 1 answer
	// 2 undo
	// 3 cluster
	// <nil>
}
