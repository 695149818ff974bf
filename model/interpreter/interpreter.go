// Package interpreter is DeepCASE's Interpreter (van Ede et al., IEEE S&P 2022, sections III-C and III-D). It groups samples by the events that
// their contexts have attention on, and scores new samples by the nearest group.
//
// Events are ids here, as in package contextbuilder; package model does the same by names. [New] takes a trained network.
// [Interpreter.Cluster] groups samples, [ScoreClusters] and [Interpreter.Score] give the groups their scores, and [Interpreter.Predict] or
// [Interpreter.Match] answer for new samples. [Interpreter.Fit] and [Interpreter.FitPredict] do several steps at once, as in the original.
//
// The clusters do not depend on the order of the samples, and the answer for a sample does not depend on the other samples. Predict compares a
// sample with the clusters of its own event only, where the original mixes up rows.
package interpreter

import (
	"errors"
	"fmt"
	"math"
)

// NoScore is the score of a cluster or sample without one.
const NoScore = -1

// Codes that take the place of a cluster, as in the original.
const (
	NotConfident = -1 // the network does not expect the event under any attention; in Cluster also noise
	UnknownEvent = -2 // no training sample of the event is in a cluster
	NoCluster    = -3 // the nearest clustered vector is farther than Eps
	NotFinite    = -4 // the network computes NaN or infinity for it; the original has no such code
)

// ErrNotFinite says that a network computes NaN or infinity.
var ErrNotFinite = errors.New("the network computes NaN or infinity: its training diverged, or its weights are not those of a training")

// Options are the Interpreter's parameters.
type Options struct {
	Eps        float64 // largest L1 distance between neighbours
	MinSamples int     // samples within Eps of a vector, its own included, that make it a core of a cluster
	Threshold  float64 // least confidence of a sample that is clustered or scored
	Guard      float64 // labels of vectors within this L1 distance of a sample say whether the score of its cluster holds for it
	Nearest    bool    // whether a sample for which it does not hold gets the score of these labels, in place of Match.Disputed
}

// DefaultGuard is that of DefaultOptions.
const DefaultGuard = 0.02

// DefaultOptions are those of the paper, which has no Guard.
func DefaultOptions() Options {
	return Options{Eps: 0.1, MinSamples: 5, Threshold: 0.2, Guard: DefaultGuard}
}

// Validate returns an error that names every wrong option.
func (o Options) Validate() error {
	var errs []error
	if !(o.Eps >= 0) || math.IsInf(o.Eps, 0) {
		errs = append(errs, fmt.Errorf("eps: %v is not a finite number of at least 0", o.Eps))
	}
	if !(o.Guard >= 0) || math.IsInf(o.Guard, 0) {
		errs = append(errs, fmt.Errorf("guard: %v is not a finite number of at least 0", o.Guard))
	}
	if o.MinSamples < 1 {
		errs = append(errs, fmt.Errorf("min samples: %d is not at least 1", o.MinSamples))
	}
	if !(o.Threshold >= 0 && o.Threshold <= 1) {
		errs = append(errs, fmt.Errorf("threshold: %v is not in [0, 1]", o.Threshold))
	}
	return errors.Join(errs...)
}

// units is the largest distance within x, in units of 1/scale. The tiny addition keeps 0.1·scale from becoming 999 because of rounding.
func units(x float64) int64 {
	return int64(min(math.Floor(x*scale+1e-6), math.MaxInt32))
}

// Strategy says how the scores of a cluster's samples become one score.
type Strategy string

// The strategies of the original, and Nearest: a cluster gets the highest score, but a sample for which that does not hold (Match.Disputed)
// gets the highest score of the labels nearest to it.
const (
	Max     Strategy = "max"
	Min     Strategy = "min"
	Avg     Strategy = "avg"
	Nearest Strategy = "nearest"
)

// Validate returns an error if s is not one of the strategies.
func (s Strategy) Validate() error {
	switch s {
	case Max, Min, Avg, Nearest:
		return nil
	}
	return fmt.Errorf("strategy: %q is not one of max, min, avg, nearest", string(s))
}
