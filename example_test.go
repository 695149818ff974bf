package deepcase_test

import (
	"context"
	"fmt"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/engine"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/sequencer"
)

// Example learns from labelled events and scores new ones.
func Example() {
	ctx := context.Background()
	e, err := engine.Open("auto") // a GPU if the build and the machine have one
	check(err)

	params := model.DefaultParams()
	params.Length, params.Hidden = 4, 16 // small, like the data
	params.Training.Epochs, params.Training.BatchSize, params.Training.Optimizer = 40, 32, contextbuilder.Adam

	history := read("docs/testdata/history.csv", params)
	m, err := model.Train(ctx, e, history, params) // learns which events of a context matter
	check(err)
	m, _, err = m.Cluster(ctx, e, history, interpreter.Max) // the score of a cluster is the highest label of its events
	check(err)

	predictor, err := model.NewPredictor(m, e)
	check(err)
	defer predictor.Close()
	alerts := read("docs/testdata/new.csv", params)
	verdicts, err := predictor.PredictData(ctx, alerts)
	check(err)
	for i, v := range verdicts {
		fmt.Println(alerts.Names[alerts.Samples.Events[i]], v.Status, v.Code())
	}
	// Output:
	// login scored 0
	// list scored 0
	// read scored 0
	// logout scored 0
	// failed login scored 0
	// failed login scored 0
	// new admin scored 1
	// copy out scored 1
	// firewall off unknown_event -2
}

// read gives each event of a file the events before it on the same machine.
func read(file string, p model.Params) model.Data {
	var table sequencer.Table
	check(table.Read(sequencer.ReadOptions{}, file))
	s, err := table.Sequence(sequencer.SequenceOptions{Options: sequencer.Options{Length: p.Length, Timeout: p.Timeout}})
	check(err)
	return model.NewData(s.Names, s.Length, s.Contexts, s.Events, s.Labels)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
