// Package contextbuilder describes DeepCASE's Context Builder (van Ede et al., IEEE S&P 2022, section III-B), the attention network that learns
// which events of a context matter for the event that follows. It has the weights, and the interface of an [Engine] that computes with them.
// Package model/engine opens an engine; package cpu is the one that is always there.
//
// Events are ids from 0; NO_EVENT is the last one. [Init] draws weights, Engine.Train trains them on [Samples], and Engine.Open makes a
// [Network] of them, which predicts events (Forward) and finds the attention that explains an event (Query). Package model does this by
// event names.
//
// In comments, N is the number of distinct events, L the length of a context, H the size of the hidden state, and n the number of samples.
// Slices of several dimensions are row-major.
package contextbuilder

import (
	"context"
	"errors"
	"fmt"
)

// Config is the shape of a network.
type Config struct {
	Events int  // N: distinct events, NO_EVENT included; NO_EVENT is the last id, N−1
	Length int  // L: events in a context
	Hidden int  // H: size of the hidden state
	LSTM   bool // LSTM cells instead of GRU
	Layers int  // recurrent layers of the encoder, and of the decoder
	// Bidirectional adds to each layer a second direction, which reads the context from the newest event to the oldest.
	Bidirectional bool
}

// Directions is the number of directions of each recurrent layer.
func (c Config) Directions() int {
	if c.Bidirectional {
		return 2
	}
	return 1
}

// Cells is the number of recurrent cells of the encoder, and of the decoder: one per layer and direction.
func (c Config) Cells() int { return c.Layers * c.Directions() }

func (c Config) String() string {
	return fmt.Sprintf("events %d, length %d, hidden %d, LSTM %t, layers %d, bidirectional %t", c.Events, c.Length, c.Hidden, c.LSTM, c.Layers, c.Bidirectional)
}

// MaxLayers is more than anybody trains. It bounds the number of tensors in a file.
const MaxLayers = 16

// Validate returns an error that names every wrong size. Label smoothing divides by N−2, so that N must be at least 3.
func (c Config) Validate() error {
	var errs []error
	if c.Events < 3 {
		errs = append(errs, fmt.Errorf("events: %d distinct events with NO_EVENT, need at least 3", c.Events))
	}
	if c.Length < 1 {
		errs = append(errs, fmt.Errorf("length: %d events in a context, need at least 1", c.Length))
	}
	if c.Hidden < 1 {
		errs = append(errs, fmt.Errorf("hidden: size %d, need at least 1", c.Hidden))
	}
	if c.Layers < 1 || c.Layers > MaxLayers {
		errs = append(errs, fmt.Errorf("layers: %d is not in 1 to %d", c.Layers, MaxLayers))
	}
	if len(errs) == 0 && c.Numbers() > maxNumbers {
		errs = append(errs, fmt.Errorf("%v: %.3g weights, need at most %.3g", c, c.Numbers(), float64(maxNumbers)))
	}
	if len(errs) == 0 && c.queryBytes() > maxQueryBytes {
		errs = append(errs, fmt.Errorf("events %d, length %d: a query takes up to %.3g bytes for each processor, need at most %.3g",
			c.Events, c.Length, c.queryBytes(), float64(maxQueryBytes)))
	}
	return errors.Join(errs...)
}

const (
	// maxNumbers keeps a mistyped size from exhausting memory: 4 GiB of weights, or about 20,000 distinct events.
	maxNumbers = 1 << 30
	// MaxEvents is more than the events of the largest network, since two layers have a weight for each pair of events.
	MaxEvents = 23_170
	// maxQueryBytes bounds the memory of a worker for contexts whose events are all different.
	maxQueryBytes = 4 << 30
)

// Numbers is how many weights a network of this shape has. It is a float, because a shape that was read may be too large for an int.
func (c Config) Numbers() float64 {
	n, l, h, g, d := float64(c.Events), float64(c.Length), float64(c.Hidden), float64(c.Gates()), float64(c.Directions())
	first, upper := d*g*(n+3*h+4), 2*d*g*(d*h+h+2) // layers, of encoder and decoder together
	return n*h + first + float64(c.Layers-1)*upper + l*(d*h+1) + 2*n*(n+1)
}

// queryBytes is the most memory that a worker of the CPU engine takes for a query (cpu/internal/attention).
func (c Config) queryBytes() float64 {
	return 64 * (float64(c.Events) + float64(c.Length)) * (float64(min(c.Events, c.Length)) + 8)
}

// Samples are n samples: a context (n×Length event ids, oldest first) and the event that followed it. If Training.Steps is above 1, Events has
// n×Steps ids: the event and the ones after it.
type Samples struct {
	Length   int
	Contexts []int32
	Events   []int32
}

// Rows is the number of samples.
func (s Samples) Rows() int {
	if s.Length == 0 {
		return 0
	}
	return len(s.Contexts) / s.Length
}

// Context is the context of a sample.
func (s Samples) Context(row int) []int32 { return s.Contexts[row*s.Length : (row+1)*s.Length] }

// Optimizer names the rule that turns gradients into steps.
type Optimizer string

// The optimizers of the original.
const (
	SGD     Optimizer = "sgd"
	Adam    Optimizer = "adam"    // β 0.9/0.999, ε 1e-8
	VarAdam Optimizer = "varadam" // warm-up Adam: rate = Factor·Hidden^−½·min(step^−½, step·Warmup^−3/2), β 0.9/0.98, ε 1e-9
)

// Training says how to learn.
type Training struct {
	Epochs       int
	BatchSize    int
	Optimizer    Optimizer
	LearningRate float64 // not used by VarAdam
	Factor       float64 // VarAdam only
	Warmup       int     // VarAdam only, in steps
	Delta        float64 // label smoothing δ: 1−δ at the true event, δ/(N−2) elsewhere
	TeachRatio   float64 // share of the steps of batches whose next input is the true event, not the predicted one
	Dropout      float64 // on the decoder's embedded input
	Steps        int     // events to predict per sample
	Seed         uint64
	InOrder      bool           // take samples in their order, not in a new random order each epoch
	Progress     func(Progress) // called after each batch; may be nil
}

// DefaultTraining has the settings of the original.
func DefaultTraining() Training {
	return Training{Epochs: 10, BatchSize: 128, Optimizer: SGD, LearningRate: 0.01, Factor: 1, Warmup: 4000,
		Delta: 0.1, TeachRatio: 0.5, Dropout: 0.1, Steps: 1}
}

// Validate returns an error that names every wrong setting.
func (t Training) Validate() error {
	var errs []error
	check := func(ok bool, name string, value any, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %v is not %s", name, value, want))
		}
	}
	check(t.Epochs >= 1, "epochs", t.Epochs, "at least 1")
	check(t.BatchSize >= 1, "batch size", t.BatchSize, "at least 1")
	check(t.Optimizer == SGD || t.Optimizer == Adam || t.Optimizer == VarAdam, "optimizer", t.Optimizer, "one of sgd, adam, varadam")
	check(t.Optimizer == VarAdam || t.LearningRate > 0, "learning rate", t.LearningRate, "above 0")
	check(t.Optimizer != VarAdam || t.Factor > 0, "factor", t.Factor, "above 0")
	check(t.Optimizer != VarAdam || t.Warmup >= 1, "warmup", t.Warmup, "at least 1")
	check(t.Delta >= 0 && t.Delta < 1, "delta", t.Delta, "in [0, 1)")
	check(t.TeachRatio >= 0 && t.TeachRatio <= 1, "teach ratio", t.TeachRatio, "in [0, 1]")
	check(t.Dropout >= 0 && t.Dropout < 1, "dropout", t.Dropout, "in [0, 1)")
	check(t.Steps >= 1, "steps", t.Steps, "at least 1")
	return errors.Join(errs...)
}

// Progress says how far a training has come.
type Progress struct {
	Epoch, Epochs  int     // the current epoch, from 1
	Batch, Batches int     // batches done in this epoch
	Loss           float64 // of the last batch: the sum over its samples and steps, divided by the samples
}

// Query says how to search for attention (paper, section III-C).
type Query struct {
	Iterations int // steps of Adam
	// BatchSize is what the gradient is divided by. It is a setting, not the number of samples that are asked about, so that an answer never
	// depends on the other samples.
	BatchSize    int
	Distribution bool // also answer with the confidence in every event
}

// DefaultQuery has the settings of the original.
func DefaultQuery() Query { return Query{Iterations: 100, BatchSize: 1024} }

// MaxIterations bounds the time that a query takes, whatever a file says. The default is 100.
const MaxIterations = 10_000

// Validate returns an error that names the wrong setting.
func (q Query) Validate() error {
	if q.Iterations < 0 || q.Iterations > MaxIterations {
		return fmt.Errorf("iterations: %d is not in 0 to %d", q.Iterations, MaxIterations)
	}
	if q.BatchSize < 1 {
		return fmt.Errorf("query batch size: %d is not at least 1", q.BatchSize)
	}
	return nil
}

// QueryResult is the answer to a query, one row per sample.
type QueryResult struct {
	Attention    []float32 // n×L
	Before       []float32 // n: confidence in the event under the network's own attention
	Confidence   []float32 // n: confidence in the event under Attention
	Distribution []float32 // n×N: confidence in each event under Attention, if asked for
}

// Confident tells for each sample whether its confidence was at least threshold before the query, and whether it is after it, as
// return_optimization does in the original.
func (a QueryResult) Confident(threshold float32) (before, after []bool) {
	before, after = make([]bool, len(a.Before)), make([]bool, len(a.Confidence))
	for i := range before {
		before[i], after[i] = a.Before[i] >= threshold, a.Confidence[i] >= threshold
	}
	return before, after
}

// Prediction is what a network predicts, one row per context.
type Prediction struct {
	LogConfidence []float32 // n×steps×N: natural logarithm of the confidence in each event
	Attention     []float32 // n×steps×L
}

// Engine computes with networks. Engines agree up to rounding; package enginetest tests how closely. All methods may be called from several
// goroutines at once, but nothing else may use the weights that Train changes.
type Engine interface {
	// Name says what computes, for logs, such as "cpu (AVX2)".
	Name() string
	// Open prepares weights for use. Later changes to them have no effect.
	Open(w *Weights) (Network, error)
	// Train improves w in place. When ctx ends, it stops after a batch, keeps what was learnt, and returns ctx's error. If the loss is not
	// finite, it stops before that step with an error. The same weights, samples, settings and engine give the same result, whatever the
	// number of processors.
	Train(ctx context.Context, w *Weights, s Samples, t Training) error
}

// Network is a set of weights ready for use by an engine.
type Network interface {
	// Forward predicts the next steps events of each context (n×L ids). From the second step on, the input is its own prediction.
	Forward(ctx context.Context, contexts []int32, steps int) (Prediction, error)
	// Query finds the attention under which the network would have predicted each sample's event. The answer for a sample depends on that
	// sample and q only. When ctx ends, Query returns its error, after a few iterations if the engine can stop there.
	Query(ctx context.Context, s Samples, q Query) (QueryResult, error)
	Close() error
}
