// Package enginetest is the conformance suite of engines. It compares them with the answers of the reference implementation of DeepCASE, and
// tests the other promises of contextbuilder.Engine.
package enginetest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// Run tests an engine.
func Run(t *testing.T, e contextbuilder.Engine) {
	require.NotEmpty(t, e.Name())
	t.Run("forward", func(t *testing.T) { testForward(t, e) })
	t.Run("query", func(t *testing.T) { testQuery(t, e) })
	t.Run("training", func(t *testing.T) { testTraining(t, e) })
	t.Run("gradient", func(t *testing.T) { testGradient(t, e) })
	t.Run("shapes", func(t *testing.T) { testShapes(t, e) })
	t.Run("company", func(t *testing.T) { testCompany(t, e) })
	t.Run("seed", func(t *testing.T) { testSeed(t, e) })
	t.Run("processors", func(t *testing.T) { testProcessors(t, e) })
	t.Run("optimizers", func(t *testing.T) { testOptimizers(t, e) })
	t.Run("teacher", func(t *testing.T) { testTeacher(t, e) })
	t.Run("progress", func(t *testing.T) { testProgress(t, e) })
	t.Run("cancel", func(t *testing.T) { testCancel(t, e) })
	t.Run("snapshot", func(t *testing.T) { testSnapshot(t, e) })
	t.Run("concurrency", func(t *testing.T) { testConcurrency(t, e) })
	t.Run("bad input", func(t *testing.T) { testBadInput(t, e) })
}

func open(t testing.TB, e contextbuilder.Engine, w *contextbuilder.Weights) contextbuilder.Network {
	t.Helper()
	n, err := e.Open(w)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, n.Close()) })
	return n
}

// By how much engines and the reference may differ: both round to float32.
const (
	forwardTolerance   = 1e-5 // absolute, of logarithms and attention
	attentionTolerance = 1e-4 // L1 of a row
	queryTolerance     = 1e-5 // absolute, of confidences
	gradientTolerance  = 1e-5 // of a tensor's largest entry
	lossTolerance      = 1e-5 // relative
	weightTolerance    = 1e-5 // absolute
)

func testForward(t *testing.T, e contextbuilder.Engine) {
	for _, name := range Names(t, "context_builder") {
		t.Run(name, func(t *testing.T) {
			g := Open(t, "context_builder/"+name)
			n := open(t, e, g.Weights("model."))
			for _, v := range []struct {
				steps  int
				prefix string
			}{{1, ""}, {3, "steps3_"}} {
				if !g.has(v.prefix + "attention") {
					continue
				}
				f, err := n.Forward(t.Context(), g.ids("X"), v.steps)
				require.NoError(t, err)
				near(t, g.Floats(v.prefix+"log_confidence"), f.LogConfidence, forwardTolerance, v.prefix+"log confidence")
				near(t, g.Floats(v.prefix+"attention"), f.Attention, forwardTolerance, v.prefix+"attention")
			}
		})
	}
}

func testQuery(t *testing.T, e contextbuilder.Engine) {
	for _, name := range Names(t, "context_builder") {
		g := Open(t, "context_builder/"+name)
		if !g.has("query_X") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w := g.Weights("model.")
			n := open(t, e, w)
			s := contextbuilder.Samples{Length: w.Config.Length, Contexts: g.ids("query_X"), Events: g.ids("query_y")}
			q := contextbuilder.DefaultQuery()
			q.BatchSize, q.Distribution = int(g.ids("query_rows")[0]), true
			a, err := n.Query(t.Context(), s, q)
			require.NoError(t, err)
			near(t, g.Floats("query_before"), a.Before, queryTolerance, "confidence before")
			near(t, g.Floats("query_confidence"), a.Confidence, queryTolerance, "confidence")
			distribution := g.Floats("query_distribution")
			require.Len(t, a.Distribution, s.Rows()*w.Config.Events)
			near(t, distribution, a.Distribution[:len(distribution)], queryTolerance, "distribution")
			want := g.Floats("query_attention")
			require.Len(t, a.Attention, len(want))
			for row := range s.Rows() {
				sum := 0.0
				for i := row * s.Length; i < (row+1)*s.Length; i++ {
					sum += math.Abs(float64(a.Attention[i]) - want[i])
				}
				assert.LessOrEqual(t, sum, attentionTolerance, "attention of row %d", row)
			}
		})
	}
}

func testTraining(t *testing.T, e contextbuilder.Engine) {
	for _, name := range Names(t, "training") {
		t.Run(name, func(t *testing.T) {
			g := Open(t, "training/"+name)
			s, settings := g.Training(name)
			var losses []float64
			settings.Progress = func(p contextbuilder.Progress) { losses = append(losses, p.Loss*float64(settings.BatchSize)) }
			w := g.Weights("initial.")
			require.NoError(t, e.Train(t.Context(), w, s, settings))
			for i, want := range g.Floats("losses") {
				require.Greater(t, len(losses), i)
				assert.InEpsilon(t, want, losses[i], lossTolerance, "loss of batch %d", i)
			}
			for _, tensor := range w.Tensors() {
				near(t, g.Floats("final."+tensor.Name), tensor.Data, weightTolerance, tensor.Name)
			}
		})
	}
}

// A batch of SGD at rate 1 takes the gradient away from the weights.
func testGradient(t *testing.T, e contextbuilder.Engine) {
	for _, name := range Names(t, "training") {
		t.Run(name, func(t *testing.T) {
			g := Open(t, "training/"+name)
			s, settings := g.Training(name)
			settings.Optimizer, settings.LearningRate = contextbuilder.SGD, 1
			s.Contexts, s.Events = s.Contexts[:settings.BatchSize*s.Length], s.Events[:settings.BatchSize*settings.Steps]
			w := g.Weights("initial.")
			require.NoError(t, e.Train(t.Context(), w, s, settings))
			for _, tensor := range w.Tensors() {
				want, initial := g.Floats("gradient."+tensor.Name), g.Floats("initial."+tensor.Name)
				top, most := 0.0, 0.0
				got := make([]float32, len(want))
				for i, x := range want {
					got[i] = float32(initial[i] - float64(tensor.Data[i]))
					top, most = max(top, math.Abs(x)), max(most, math.Abs(initial[i])+math.Abs(x))
				}
				// what is left of the gradient when it was rounded together with the weight
				near(t, want, got, gradientTolerance*top+most/(1<<24), tensor.Name)
			}
		})
	}
}

// near asks for the same numbers up to an absolute tolerance and says how far off the worst is.
func near(t testing.TB, want []float64, got []float32, tolerance float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	worst, at := 0.0, 0
	for i, x := range want {
		d := math.Abs(float64(got[i]) - x)
		if !(d <= worst) { // a NaN too
			worst, at = d, i
		}
	}
	if !(worst <= tolerance) {
		assert.Fail(t, what, "number %d of %d is %v, want %v up to %v", at, len(want), got[at], want[at], tolerance)
	}
}
