package interpreter_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/interpreter"
)

// Events by id, as the network knows them. NO_EVENT is the last id.
const (
	scan, guess, login, backup, noEvent = 0, 1, 2, 3, 4
	events                              = 5
)

// data are attacks, in which a login follows a scan and guesses, and benign logins after a backup. They have a score each.
func data() (s contextbuilder.Samples, scores []float64) {
	s.Length = 3
	add := func(score float64, event int32, context ...int32) {
		s.Contexts, s.Events, scores = append(s.Contexts, context...), append(s.Events, event), append(scores, score)
	}
	for range 40 {
		add(3, guess, noEvent, noEvent, scan)
		add(3, login, noEvent, scan, guess)
		add(0, login, noEvent, noEvent, backup)
	}
	return s, scores
}

// contextBuilder is a trained network.
func contextBuilder(ctx context.Context, s contextbuilder.Samples) contextbuilder.Network {
	w, err := contextbuilder.Init(contextbuilder.Config{Events: events, Length: s.Length, Hidden: 16, Layers: 1}, 1)
	if err != nil {
		log.Fatal(err)
	}
	training := contextbuilder.DefaultTraining()
	training.Optimizer, training.Epochs, training.BatchSize, training.Seed = contextbuilder.Adam, 60, 16, 1
	e := cpu.New()
	if err := e.Train(ctx, w, s, training); err != nil {
		log.Fatal(err)
	}
	network, err := e.Open(w)
	if err != nil {
		log.Fatal(err)
	}
	return network
}

func open(network contextbuilder.Network) *interpreter.Interpreter {
	it, err := interpreter.New(network, contextbuilder.DefaultQuery(), interpreter.DefaultOptions())
	if err != nil {
		log.Fatal(err)
	}
	return it
}

// The steps of "Code integration", the page of the original, by ids: cluster, score the clusters, and predict. Package model does the same by
// names.
func Example() {
	ctx := context.Background()
	train, labels := data()
	network := contextBuilder(ctx, train)
	defer network.Close()
	it := open(network)

	clustering, err := it.Cluster(ctx, train, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(clustering.Events), "clusters, of the events", clustering.Events)

	// Manual mode.
	scores, err := interpreter.ScoreClusters(clustering.Rows(), labels, interpreter.Max, interpreter.NoScore)
	if err != nil {
		log.Fatal(err)
	}
	if err := it.Score(clustering, scores); err != nil {
		log.Fatal(err)
	}

	// Semi-automatic mode.
	prediction, err := it.Predict(ctx, contextbuilder.Samples{Length: 3,
		Contexts: []int32{scan, scan, guess /**/, noEvent, backup, backup /**/, noEvent, noEvent, noEvent},
		Events:   []int32{login, login, scan}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("scores:", prediction[:2])
	fmt.Println("a scan, which is not in training:", prediction[2] == interpreter.NotConfident || prediction[2] == interpreter.UnknownEvent)
	// Output:
	// 3 clusters, of the events [1 2 2]
	// scores: [3 0]
	// a scan, which is not in training: true
}

// FitPredict is all of it at once.
func ExampleInterpreter_FitPredict() {
	ctx := context.Background()
	train, labels := data()
	network := contextBuilder(ctx, train)
	defer network.Close()
	scores, err := open(network).FitPredict(ctx, train, labels, interpreter.Max, interpreter.NoScore, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(scores[:3])
	// Output:
	// [3 3 0]
}

// What a network attends to in a context, and what the Interpreter makes of that.
func ExampleInterpreter_AttentionQuery() {
	ctx := context.Background()
	train, _ := data()
	network := contextBuilder(ctx, train)
	defer network.Close()
	it := open(network)
	asked := contextbuilder.Samples{Length: 3, Contexts: []int32{noEvent, noEvent, backup}, Events: []int32{login}}
	confidence, attention, err := it.AttentionQuery(ctx, asked, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("confidence above 0.2: %t, attention sums to %.2f\n", confidence[0] > 0.2, attention[0]+attention[1]+attention[2])
	vectors, confident, err := it.AttendedContext(ctx, asked, nil)
	if err != nil {
		log.Fatal(err)
	}
	ids, _ := vectors.Row(0)
	fmt.Println("confident:", confident, "attended to the backup:", slices.Contains(ids, backup))
	// Output:
	// confidence above 0.2: true, attention sums to 1.00
	// confident: [true] attended to the backup: true
}
