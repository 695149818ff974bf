// Package interpreter groups samples by the events their contexts attend to and scores new samples by the nearest group: DeepCASE's
// Interpreter (van Ede et al., IEEE S&P 2022, sections III-C and III-D).
package interpreter

import (
	"errors"
	"fmt"
	"math"
)

// NoScore is the score of a cluster or sample that nobody scored.
const NoScore = -1

// Codes that stand where no cluster does, as the original gives them.
const (
	NotConfident = -1 // the network does not expect the event, whatever the attention (in training: or noise)
	UnknownEvent = -2 // no training sample of the event is in a cluster
	NoCluster    = -3 // the nearest clustered vector is farther than Eps
	NotFinite    = -4 // the network computes no numbers for it, but NaN or infinity; the original has no such code
)

// ErrNotFinite says that a network does not compute numbers, but NaN or infinity.
var ErrNotFinite = errors.New("the network computes NaN or infinity: its training diverged, or its weights are not those of a training")

// Options are the Interpreter's parameters.
type Options struct {
	Eps        float64 `json:"eps"`         // largest L1 distance between neighbours
	MinSamples int     `json:"min_samples"` // samples within Eps that make a vector a core of a cluster
	Threshold  float64 `json:"threshold"`   // least confidence of a sample that is clustered or scored
}

// DefaultOptions are the paper's.
func DefaultOptions() Options { return Options{Eps: 0.1, MinSamples: 5, Threshold: 0.2} }

// Validate tells what is wrong with the options, every fault by its name.
func (o Options) Validate() error {
	var errs []error
	if !(o.Eps >= 0) || math.IsInf(o.Eps, 0) {
		errs = append(errs, fmt.Errorf("eps: %v is not a finite number of at least 0", o.Eps))
	}
	if o.MinSamples < 1 {
		errs = append(errs, fmt.Errorf("min samples: %d is not at least 1", o.MinSamples))
	}
	if !(o.Threshold >= 0 && o.Threshold <= 1) {
		errs = append(errs, fmt.Errorf("threshold: %v is not in [0, 1]", o.Threshold))
	}
	return errors.Join(errs...)
}

// units is the largest distance in units of 1/scale that is within Eps. The tiny addition keeps 0.1·scale from becoming 999 where a
// product falls short of the decimal number that was meant.
func (o Options) units() int64 {
	return int64(min(math.Floor(o.Eps*scale+1e-6), math.MaxInt32))
}

// Strategy makes one score out of those of a cluster's samples.
type Strategy string

// The original's strategies.
const (
	Max Strategy = "max"
	Min Strategy = "min"
	Avg Strategy = "avg"
)

// Validate tells what is wrong with a strategy.
func (s Strategy) Validate() error {
	switch s {
	case Max, Min, Avg:
		return nil
	}
	return fmt.Errorf("strategy: %q is not one of max, min, avg", string(s))
}
