package contextbuilder_test

import (
	"context"
	"fmt"
	"log"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
)

// The original's ContextBuilder: fit, predict and query. Event 2 follows 0 and 1; 3 is NO_EVENT.
func Example() {
	ctx := context.Background()
	weights, err := contextbuilder.Init(contextbuilder.Config{Events: 4, Length: 2, Hidden: 16, Layers: 1}, 1)
	if err != nil {
		log.Fatal(err)
	}
	samples := contextbuilder.Samples{Length: 2}
	for range 100 {
		samples.Contexts = append(samples.Contexts, 3, 3 /**/, 3, 0 /**/, 0, 1)
		samples.Events = append(samples.Events, 0, 1, 2)
	}
	training := contextbuilder.DefaultTraining()
	training.Optimizer, training.Epochs, training.BatchSize, training.Seed = contextbuilder.Adam, 60, 16, 1
	engine := cpu.New()
	if err := engine.Train(ctx, weights, samples, training); err != nil {
		log.Fatal(err)
	}
	network, err := engine.Open(weights)
	if err != nil {
		log.Fatal(err)
	}
	defer network.Close()

	predicted, err := network.Forward(ctx, []int32{0, 1}, 1)
	if err != nil {
		log.Fatal(err)
	}
	best := 0
	for event, confidence := range predicted.LogConfidence {
		if confidence > predicted.LogConfidence[best] {
			best = event
		}
	}
	fmt.Println("after 0 and 1 comes", best)

	// Attention that explains the event, and whether it does.
	answer, err := network.Query(ctx, contextbuilder.Samples{Length: 2, Contexts: []int32{0, 1}, Events: []int32{2}}, contextbuilder.DefaultQuery())
	if err != nil {
		log.Fatal(err)
	}
	_, confident := answer.Confident(0.2)
	fmt.Println("confident:", confident[0], "attention to", len(answer.Attention), "events")
	// Output:
	// after 0 and 1 comes 2
	// confident: true attention to 2 events
}
