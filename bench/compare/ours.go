package main

import (
	"context"
	"slices"
	"time"

	"connect-deepcase/bench/learn"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/sequencer"
)

// job measures one thing on at most rows rows of a data set: how many were done in how long. original.py has its twin.
type job struct {
	name, unit string
	rows       int
	run        func(ctx context.Context, e contextbuilder.Engine, d *dataSet, rows int) (count int, took time.Duration, err error)
	work       func(d *dataSet, rows int) (flop float64) // nil if products are not what it does
}

var jobs = []job{
	{"train", "samples/s", 30_000, train, trainWork},
	{"query", "distinct samples/s", 4_096, query, queryWork},
	{"latency", "queries of one sample per second, median", 30, latency, nil},
	{"forward", "events/s", 60_000, forward, forwardWork},
	{"cluster", "events/s", 20_000, cluster, nil},
	{"predict", "events/s", 20_000, predict, nil},
	{"sequence", "events/s", 0, sequenceFile, nil},
}

const trainWarmUp = 2560

func head(s contextbuilder.Samples, rows int) contextbuilder.Samples {
	rows = min(rows, s.Rows())
	return contextbuilder.Samples{Length: s.Length, Contexts: s.Contexts[:rows*s.Length], Events: s.Events[:rows]}
}

func (d *dataSet) head(rows int) model.Data {
	return model.Data{Names: d.data.Names, Samples: head(d.data.Samples, rows)}
}

func distinct(s contextbuilder.Samples, rows int) contextbuilder.Samples {
	return head(interpreter.Pick(s, interpreter.Distinct(s).First), rows)
}

func timed(work func() error) (time.Duration, error) {
	start := time.Now()
	err := work()
	return time.Since(start), err
}

func train(ctx context.Context, e contextbuilder.Engine, d *dataSet, rows int) (int, time.Duration, error) {
	w, err := contextbuilder.Init(d.model.Weights.Config, 1)
	if err != nil {
		return 0, 0, err
	}
	settings := contextbuilder.DefaultTraining()
	settings.Epochs = 1
	if err := e.Train(ctx, w, head(d.data.Samples, trainWarmUp), settings); err != nil {
		return 0, 0, err
	}
	samples := head(d.data.Samples, rows)
	took, err := timed(func() error { return e.Train(ctx, w, samples, settings) })
	return samples.Rows(), took, err
}

func query(ctx context.Context, e contextbuilder.Engine, d *dataSet, rows int) (int, time.Duration, error) {
	samples := distinct(d.data.Samples, rows)
	network, err := e.Open(d.model.Weights)
	if err != nil {
		return 0, 0, err
	}
	defer network.Close()
	took, err := timed(func() error {
		_, err := network.Query(ctx, samples, contextbuilder.DefaultQuery())
		return err
	})
	return samples.Rows(), took, err
}

func latency(ctx context.Context, e contextbuilder.Engine, d *dataSet, rows int) (int, time.Duration, error) {
	samples := distinct(d.data.Samples, 50*rows)
	network, err := e.Open(d.model.Weights)
	if err != nil {
		return 0, 0, err
	}
	defer network.Close()
	times := make([]time.Duration, samples.Rows())
	for i := range times {
		one := interpreter.Pick(samples, []int32{int32(i)})
		if times[i], err = timed(func() error {
			_, err := network.Query(ctx, one, contextbuilder.DefaultQuery())
			return err
		}); err != nil {
			return 0, 0, err
		}
	}
	slices.Sort(times)
	return 1, times[len(times)/2], nil
}

func forward(ctx context.Context, e contextbuilder.Engine, d *dataSet, rows int) (int, time.Duration, error) {
	samples := head(d.data.Samples, rows)
	network, err := e.Open(d.model.Weights)
	if err != nil {
		return 0, 0, err
	}
	defer network.Close()
	took, err := timed(func() error {
		_, err := network.Forward(ctx, samples.Contexts, 1)
		return err
	})
	return samples.Rows(), took, err
}

func cluster(ctx context.Context, e contextbuilder.Engine, d *dataSet, rows int) (int, time.Duration, error) {
	data := d.head(rows)
	took, err := timed(func() error {
		_, _, err := d.model.Cluster(ctx, e, data, interpreter.Max)
		return err
	})
	return data.Samples.Rows(), took, err
}

func predict(ctx context.Context, e contextbuilder.Engine, d *dataSet, rows int) (int, time.Duration, error) {
	data := d.head(rows)
	clustered, _, err := d.model.Cluster(ctx, e, data, interpreter.Max)
	if err != nil {
		return 0, 0, err
	}
	predictor, err := model.NewPredictor(clustered, e)
	if err != nil {
		return 0, 0, err
	}
	defer predictor.Close()
	took, err := timed(func() error {
		_, err := predictor.PredictData(ctx, data)
		return err
	})
	return data.Samples.Rows(), took, err
}

func sequenceFile(_ context.Context, _ contextbuilder.Engine, d *dataSet, _ int) (int, time.Duration, error) {
	took, err := timed(func() error {
		_, err := learn.Sequence(sequencer.ReadOptions{}, d.path)
		return err
	})
	return d.data.Samples.Rows(), took, err
}
