// Package learn reads events and learns models from them, for the benchmarks.
package learn

import (
	"context"
	"time"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
	"connect-deepcase/sequencer"
)

// Sequence reads files and gives their events contexts of the default length.
func Sequence(opts sequencer.ReadOptions, paths ...string) (*sequencer.Sequences, error) {
	var table sequencer.Table
	if err := table.Read(opts, paths...); err != nil {
		return nil, err
	}
	return table.Sequence(sequencer.SequenceOptions{Options: sequencer.DefaultOptions()})
}

// Data is what a model learns from sequences.
func Data(s *sequencer.Sequences) model.Data {
	return model.NewData(s.Names, s.Length, s.Contexts, s.Events, s.Labels)
}

// Times say how long each step of learning took.
type Times struct{ Train, Cluster, Publish time.Duration }

// Publish trains for so many epochs on the CPU, clusters, and publishes the model in the directory dir.
func Publish(ctx context.Context, dir string, data model.Data, epochs int) (m *model.Model, t Times, err error) {
	params, engine := model.DefaultParams(), cpu.New()
	params.Training.Epochs, params.Training.Seed = epochs, 1
	started := time.Now()
	if m, err = model.Train(ctx, engine, data, params); err != nil {
		return nil, t, err
	}
	t.Train, started = time.Since(started), time.Now()
	if m, _, err = m.Cluster(ctx, engine, data, interpreter.Max); err != nil {
		return nil, t, err
	}
	t.Cluster, started = time.Since(started), time.Now()
	models, err := store.Open(dir, true)
	if err != nil {
		return nil, t, err
	}
	_, err = models.Publish(ctx, m)
	t.Publish = time.Since(started)
	return m, t, err
}
