package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// Fit says how well a network predicts the events that it learnt from, by its own attention.
type Fit struct {
	Samples  int     // that were asked about
	Loss     float64 // mean of −ln of the confidence in the true event
	Blind    float64 // the loss of a network that has learnt nothing: ln of the number of its events
	Right    float64 // share of the samples whose event is the one with the highest confidence
	Frequent float64 // share of the samples with the most frequent event, which is what a network gets right that always predicts it
}

// Fit asks about at most maxFit samples, spread evenly, in batches of fitBatch.
const (
	maxFit   = 10_000
	fitBatch = 512
)

// Fit measures m's network on the data that it learnt from. It is an error if a weight is not finite.
func (m *Model) Fit(ctx context.Context, e contextbuilder.Engine, d Data) (f Fit, err error) {
	if err := d.validate(m.Params.Length); err != nil {
		return f, err
	}
	for _, t := range m.Weights.Tensors() {
		if i := slices.IndexFunc(t.Data, func(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }); i >= 0 {
			return f, fmt.Errorf("the training has diverged: weight %d of %s is %v; try a lower learning rate", i, t.Name, t.Data[i])
		}
	}
	all, _ := askable(d.translate(m.Names))
	rows := make([]int32, min(all.Rows(), maxFit))
	for i := range rows {
		rows[i] = int32(i * all.Rows() / len(rows))
	}
	s := interpreter.Pick(all, rows)
	network, err := e.Open(m.Weights)
	if err != nil {
		return f, fmt.Errorf("opening the network: %w", err)
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	n := m.Weights.Config.Events
	count, right := map[int32]int{}, 0
	for from := 0; from < s.Rows(); from += fitBatch {
		to := min(from+fitBatch, s.Rows())
		predicted, err := network.Forward(ctx, s.Contexts[from*s.Length:to*s.Length], 1)
		if err != nil {
			return f, err
		}
		for i, event := range s.Events[from:to] {
			row := predicted.LogConfidence[i*n : (i+1)*n]
			f.Loss -= float64(row[event])
			if row[event] == slices.Max(row) {
				right++
			}
			count[event]++
		}
	}
	most := 0
	for _, k := range count {
		most = max(most, k)
	}
	f.Samples = s.Rows()
	share := 1 / float64(f.Samples)
	f.Loss, f.Right, f.Frequent, f.Blind = f.Loss*share, float64(right)*share, float64(most)*share, math.Log(float64(n))
	return f, nil
}

// diverged is by how much a loss may exceed Blind. Networks that have learnt next to nothing are within 0.1 of it.
const diverged = 1

// Err is not nil if the training has diverged, so that the network must not be used: its loss is NaN, or far above that of a network that has
// learnt nothing.
func (f Fit) Err() error {
	if f.Loss <= f.Blind+diverged {
		return nil
	}
	return fmt.Errorf("the training has diverged: %v; try a lower learning rate", f)
}

// Poor tells whether the network explains nothing, because it is no better than always predicting the most frequent event. If nearly all
// events have one name, no network can be better, and Poor is false.
func (f Fit) Poor() bool { return f.Right < f.Frequent+0.01 && f.Frequent < 0.95 }

func (f Fit) String() string {
	return fmt.Sprintf("loss %.4g on %d events (%.4g for a network that has learnt nothing); %.1f %% of the events predicted (the most frequent one is %.1f %% of them)",
		f.Loss, f.Samples, f.Blind, 100*f.Right, 100*f.Frequent)
}
