// Package contextbuilder describes DeepCASE's Context Builder (van Ede et al., IEEE S&P 2022, section III-B): the attention network
// that learns which events of a context matter for the event that follows. It holds the weights and what an Engine must be able to
// do with them; the engines live in packages of their own.
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
	LSTM   bool // LSTM cells in place of GRU
}

// Validate tells what is wrong with the shape. Label smoothing divides by N−2, hence N ≥ 3.
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
	if len(errs) == 0 && c.Numbers() > maxNumbers {
		errs = append(errs, fmt.Errorf("events %d, length %d, hidden %d: %.3g weights, need at most %.3g", c.Events, c.Length, c.Hidden,
			c.Numbers(), float64(maxNumbers)))
	}
	if len(errs) == 0 && c.queryBytes() > maxQueryBytes {
		errs = append(errs, fmt.Errorf("events %d, length %d: a query takes up to %.3g bytes for each processor, need at most %.3g",
			c.Events, c.Length, c.queryBytes(), float64(maxQueryBytes)))
	}
	return errors.Join(errs...)
}

const (
	// maxNumbers keeps a mistyped size from asking for more memory than there is: 4 GiB of weights, some 20,000 distinct events.
	maxNumbers = 1 << 30
	// MaxEvents is above the events of the largest network: two layers have a weight for each pair.
	MaxEvents = 23_170
	// maxQueryBytes bounds what a worker takes for contexts of ever other events.
	maxQueryBytes = 4 << 30
)

// Numbers is how many weights a network of this shape has. It is a float, as a shape that was read may be too large for an int.
func (c Config) Numbers() float64 {
	n, l, h, g := float64(c.Events), float64(c.Length), float64(c.Hidden), float64(c.Gates())
	return n*h + g*(n+3*h+4) + l*(h+1) + 2*n*(n+1)
}

// queryBytes is what a worker of the CPU engine takes for a query at most (cpu/internal/attention).
func (c Config) queryBytes() float64 {
	return 64 * (float64(c.Events) + float64(c.Length)) * (float64(min(c.Events, c.Length)) + 8)
}

// Samples are n samples: a context (n×Length event ids, oldest first) and the event it led to. Where Training.Steps > 1, Events
// holds n×Steps ids: the event and those that followed it.
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

// Optimizer names a rule that turns gradients into steps.
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
	TeachRatio   float64 // share of the (batch, step)s whose next input is the true event, not the predicted one
	Dropout      float64 // on the decoder's embedded input
	Steps        int     // events to predict for a sample
	Seed         uint64
	InOrder      bool           // take batches in the order of the samples, not in a new random one each epoch
	Progress     func(Progress) // called after each batch where not nil
}

// DefaultTraining is the original's way to learn.
func DefaultTraining() Training {
	return Training{Epochs: 10, BatchSize: 128, Optimizer: SGD, LearningRate: 0.01, Factor: 1, Warmup: 4000,
		Delta: 0.1, TeachRatio: 0.5, Dropout: 0.1, Steps: 1}
}

// Validate tells what is wrong with the settings, every fault by its name.
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

// Progress is how far a training is.
type Progress struct {
	Epoch, Epochs  int     // the running epoch, from 1
	Batch, Batches int     // batches done in this epoch
	Loss           float64 // of the last batch, summed over rows and steps, a row
}

// Query says how to search for attention (paper, section III-C; the original's query).
type Query struct {
	Iterations int // steps of Adam
	// BatchSize is the B that divides the gradient. It is a setting and not the number of rows at hand, so that an answer never
	// depends on what else is asked at the same time.
	BatchSize    int
	Distribution bool // also answer with the confidence in every event
}

// DefaultQuery is the original's query.
func DefaultQuery() Query { return Query{Iterations: 100, BatchSize: 1024} }

// MaxIterations bounds the time that a query takes, whatever a file says. The original makes 100.
const MaxIterations = 10_000

// Validate tells what is wrong with the settings.
func (q Query) Validate() error {
	if q.Iterations < 0 || q.Iterations > MaxIterations {
		return fmt.Errorf("iterations: %d is not in 0 to %d", q.Iterations, MaxIterations)
	}
	if q.BatchSize < 1 {
		return fmt.Errorf("query batch size: %d is not at least 1", q.BatchSize)
	}
	return nil
}

// QueryResult is the answer to a query, a row a sample.
type QueryResult struct {
	Attention    []float32 // n×L
	Before       []float32 // n: confidence in the event under the network's own attention
	Confidence   []float32 // n: confidence in the event under Attention
	Distribution []float32 // n×N confidences under Attention, where asked for
}

// Confident tells for each sample whether its confidence was at least threshold before the query, and whether it is now (the
// original's return_optimization).
func (a QueryResult) Confident(threshold float32) (before, after []bool) {
	before, after = make([]bool, len(a.Before)), make([]bool, len(a.Confidence))
	for i := range before {
		before[i], after[i] = a.Before[i] >= threshold, a.Confidence[i] >= threshold
	}
	return before, after
}

// Prediction is what the network predicts, a row a context.
type Prediction struct {
	LogConfidence []float32 // n×steps×N
	Attention     []float32 // n×steps×L
}

// Engine computes with networks. Engines agree up to rounding; package enginetest says how closely. All methods may be called from
// several goroutines at once, except that nothing else may use the weights that Train changes.
type Engine interface {
	// Name says what computes, for logs: "cpu (AVX2)".
	Name() string
	// Open prepares weights for use; later changes to them are not seen.
	Open(w *Weights) (Network, error)
	// Train improves w in place. When ctx ends it stops between batches, keeps what was learnt and returns ctx's error.
	// The same weights, samples, settings and engine give the same result, whatever the number of processors.
	Train(ctx context.Context, w *Weights, s Samples, t Training) error
}

// Network is a set of weights ready for use by an engine.
type Network interface {
	// Forward predicts the next steps events of each context (n×L ids); from the second step on the input is its own prediction.
	Forward(ctx context.Context, contexts []int32, steps int) (Prediction, error)
	// Query finds the attention under which the network would have predicted each sample's event. A row's answer depends on that
	// row and q alone. When ctx ends its error is the answer, within a few iterations where the engine can stop there.
	Query(ctx context.Context, s Samples, q Query) (QueryResult, error)
	Close() error
}
