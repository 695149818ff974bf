package model_test

import (
	"context"
	"fmt"
	"log"
	"slices"
	"strings"
	"time"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/engine"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/sequencer"
)

// alerts is a csv file with a label per alert: on each machine, either a backup runs or somebody guesses passwords.
func alerts(machines int) string {
	var csv strings.Builder
	csv.WriteString("timestamp,machine,event,label\n")
	for machine := range machines {
		events, label := []string{"backup: started", "backup: disk full", "login: failed"}, 0
		if machine%4 == 0 {
			events, label = []string{"ssh: port scan", "ssh: guessing", "login: failed"}, 3
		}
		for i, event := range events {
			fmt.Fprintf(&csv, "%d,host-%d,%s,%d\n", 1_700_000_000+600*machine+10*i, machine, event, label)
		}
	}
	return csv.String()
}

// sequences is the original's Preprocessor.
func sequences(csv string) *sequencer.Sequences {
	var table sequencer.Table
	if err := table.ReadStream(strings.NewReader(csv), "alerts.csv", sequencer.ReadOptions{Format: sequencer.CSV}); err != nil {
		log.Fatal(err)
	}
	s, err := table.Sequence(sequencer.SequenceOptions{Options: sequencer.Options{Length: 10, Timeout: 24 * time.Hour}})
	if err != nil {
		log.Fatal(err)
	}
	return s
}

// part is rows from to to, without their labels.
func part(s *sequencer.Sequences, from, to int) model.Data {
	return model.NewData(s.Names, s.Length, s.Contexts[from*s.Length:to*s.Length], s.Events[from:to], nil)
}

// The steps of "Code integration", the page of the original: load alerts, split them, train, cluster, score the clusters by labels, and
// predict.
func Example() {
	ctx := context.Background()
	e, err := engine.Open("auto") // CUDA if the build and the machine have it
	if err != nil {
		log.Fatal(err)
	}

	// Load data, and split it into train and test sets (20:80) by time.
	s := sequences(alerts(1000))
	rows := len(s.Events)
	train, test := part(s, 0, rows/5), part(s, rows/5, rows)
	train.Scores = s.Labels[:rows/5]

	// ContextBuilder.
	params := model.DefaultParams() // those of the paper
	params.Hidden = 16
	params.Training.Optimizer, params.Training.LearningRate = contextbuilder.Adam, 0.01
	params.Training.Epochs, params.Training.Seed = 30, 1
	m, err := model.Train(ctx, e, train, params)
	if err != nil {
		log.Fatal(err)
	}

	// Interpreter: cluster, and score each cluster by the highest label of its samples.
	m, assignment, err := m.Cluster(ctx, e, train, interpreter.Max)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d of %d alerts are in %d clusters\n", assignment.Clustered(), rows/5, len(m.Clusters))

	// Semi-automatic mode.
	predictor, err := model.NewPredictor(m, e)
	if err != nil {
		log.Fatal(err)
	}
	defer predictor.Close()
	verdicts, err := predictor.PredictData(ctx, test)
	if err != nil {
		log.Fatal(err)
	}
	right := 0
	for i, v := range verdicts {
		if v.Status == model.Scored && v.Score == s.Labels[rows/5+i] {
			right++
		}
	}
	fmt.Printf("%d of %d new alerts have the right score\n", right, len(verdicts))

	// The same event has another score after other events. Events are given by name, and "" is NO_EVENT.
	none := slices.Repeat([]string{""}, 8)
	verdicts, err = predictor.Predict(ctx, []model.Sample{
		{Event: "login: failed", Context: append(none, "backup: started", "backup: disk full")},
		{Event: "login: failed", Context: append(none, "ssh: port scan", "ssh: guessing")},
		{Event: "never seen", Context: make([]string, 10)},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range verdicts {
		fmt.Printf("%v, as the original says it: %v\n", v.Status, v.Code())
	}
	// Output:
	// 500 of 600 alerts are in 4 clusters
	// 2000 of 2400 new alerts have the right score
	// scored, as the original says it: 0
	// scored, as the original says it: 3
	// unknown_event, as the original says it: -2
}

// Manual mode: an analyst looks at each cluster and gives it a score. Model.Inherit gives the scores to the model of a later training.
func ExampleModel_WithScores() {
	ctx, e := context.Background(), cpu.New()
	s := sequences(alerts(200))
	params := model.DefaultParams()
	params.Hidden = 16
	params.Training.Optimizer, params.Training.LearningRate = contextbuilder.Adam, 0.01
	params.Training.Epochs, params.Training.Seed = 30, 1
	train := part(s, 0, len(s.Events))
	m, err := model.Train(ctx, e, train, params)
	if err != nil {
		log.Fatal(err)
	}
	m, assignment, err := m.Cluster(ctx, e, train, interpreter.Max)
	if err != nil {
		log.Fatal(err)
	}
	m = m.WithExamples(assignment, model.Source{Seen: func(row int) (string, time.Time) {
		return s.Machines[s.Machine[row]], time.Unix(0, s.Times[row])
	}})
	scores := map[int]float64{}
	for _, c := range m.Clusters {
		context := c.Contexts[0].Context // the most frequent one
		fmt.Printf("%s after %q: %d events on %d machines\n", c.Event, context[len(context)-1], c.Size, c.MachineCount)
		scores[c.ID] = 0
		if slices.Contains(context, "ssh: guessing") {
			scores[c.ID] = 3
		}
	}
	m, err = m.WithScores(scores)
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println(m.ScoredClusters(), "clusters have a score")
	// Output:
	// backup: disk full after "backup: started": 150 events on 150 machines
	// backup: started after "": 150 events on 150 machines
	// login: failed after "ssh: guessing": 50 events on 50 machines
	// login: failed after "backup: disk full": 150 events on 150 machines
	// 4 clusters have a score
}
