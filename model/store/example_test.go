package store_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

// trained is a network that has learnt that a login follows guesses, and the data of it.
func trained(ctx context.Context) (*model.Model, model.Data) {
	var contexts, events []int32
	for range 50 {
		contexts = append(contexts, 2, 2 /**/, 2, 0)
		events = append(events, 0, 1)
	}
	data := model.NewData([]string{"guess", "login"}, 2, contexts, events, nil)
	params := model.DefaultParams()
	params.Length, params.Hidden, params.Training.Seed = 2, 8, 1
	m, err := model.Train(ctx, cpu.New(), data, params)
	if err != nil {
		log.Fatal(err)
	}
	return m, data
}

// The I/O methods of "Code integration", the page of the original: a directory takes the place of ContextBuilder.save and Interpreter.save.
func Example() {
	ctx, e := context.Background(), cpu.New()
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	models, err := store.Open(dir, true, store.Retain(5))
	if err != nil {
		log.Fatal(err)
	}
	_, err = models.Current()
	fmt.Println("empty:", errors.Is(err, store.ErrEmpty))

	// Save a ContextBuilder, and load it.
	m, data := trained(ctx)
	if _, _, err := models.Stage(ctx, m); err != nil {
		log.Fatal(err)
	}
	builder, err := models.Read((*store.Store).PendingNetwork)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("loaded a network of", builder.Model.Names)

	// Save an Interpreter. Its clusters inherit the scores of the version before, if there are any.
	m, _, err = builder.Model.Cluster(ctx, e, data, interpreter.Max)
	if err != nil {
		log.Fatal(err)
	}
	inherit := func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		return m.Inherit(ctx, e, before)
	}
	published, err := models.PublishInheriting(ctx, m, inherit)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("clusters with a score:", published.Model.ScoredClusters())

	// Score the clusters of the current version.
	scored, err := models.Update(ctx, func(_ string, current *model.Model) (*model.Model, error) {
		return current.WithScores(map[int]float64{0: 3})
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the same clusters:", models.SameClusters(scored, published.Version))

	// Train again: the score is inherited.
	if published, err = models.PublishInheriting(ctx, m, inherit); err != nil {
		log.Fatal(err)
	}
	fmt.Println("from the scored version:", published.From == scored, "inherited:", published.Inherited)

	// Go back.
	version, err := models.Rollback(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("back at the scored version:", version == scored)
	// Output:
	// empty: true
	// loaded a network of [guess login]
	// clusters with a score: 0
	// the same clusters: true
	// from the scored version: true inherited: 1
	// back at the scored version: true
}

// A process that answers takes over new versions while it runs.
func ExampleFollower() {
	ctx, e := context.Background(), cpu.New()
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	var predictor *model.Predictor
	follower := store.NewFollower(dir,
		func(loaded *store.Loaded) (err error) {
			predictor, err = model.NewPredictor(loaded.Model, e) // if it fails, the version before stays in use
			return err
		},
		func(look store.Look) {
			switch {
			case look.Empty:
				fmt.Println("nothing there yet")
			case look.Err != nil:
				fmt.Println("the version before stays in use:", look.Err)
			default:
				fmt.Println("taken over, trained on", look.Loaded.Model.Samples, "samples")
			}
		})
	follower.Look()

	models, err := store.Open(dir, true)
	if err != nil {
		log.Fatal(err)
	}
	m, _ := trained(ctx)
	if _, err := models.Publish(ctx, m); err != nil {
		log.Fatal(err)
	}
	follower.Look() // go follower.Follow(ctx, time.NewTicker(10*time.Second).C) does it again and again
	fmt.Println(predictor.Model().Names)
	// Output:
	// nothing there yet
	// taken over, trained on 100 samples
	// [guess login]
}
