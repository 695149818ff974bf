package cpu

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
	"connect-deepcase/model/contextbuilder/enginetest"
)

// The gradient is the slope of the loss, by central differences on the formulas in float64, with dropout as it was drawn.
func TestGradientIsSlope(t *testing.T) {
	for _, c := range []contextbuilder.Config{
		{Layers: 1}, {Layers: 1, LSTM: true}, {Layers: 2}, {Layers: 1, Bidirectional: true}, {Layers: 2, Bidirectional: true, LSTM: true},
	} {
		c.Events, c.Length, c.Hidden = 7, 4, 5
		t.Run(c.String(), func(t *testing.T) {
			settings := contextbuilder.DefaultTraining()
			settings.Steps, settings.TeachRatio, settings.Dropout, settings.BatchSize = 2, 1, 0.3, 140
			s := enginetest.Random(c, settings.BatchSize, settings.Steps, 1)
			w, err := contextbuilder.Init(c, 2)
			require.NoError(t, err)
			m := newModel(c)
			m.learns(settings.Steps)
			m.load(w)
			tr := newTrainer(m, s, settings, 2)
			defer tr.team.stop()
			loss := tr.gradientsOf(tr.order)
			require.Greater(t, len(tr.parts), 1)
			gradient := tr.whole()

			reference := func() (sum float64) {
				for _, p := range tr.parts {
					for i, row := range p.rows {
						events := s.Events[int(row)*settings.Steps:][:settings.Steps]
						r := enginetest.Reference{Weights: w, Next: func(step int, _ []float64) int32 { return events[step] },
							Input: func(step, unit int) float64 {
								if slices.Contains(p.dropped(step*len(p.rows)+i), int32(unit)) {
									return 0
								}
								return 1 / (1 - settings.Dropout)
							}}
						lc, _ := r.Forward(s.Context(int(row)), settings.Steps)
						sum += enginetest.Loss(lc, events, settings.Delta)
					}
				}
				return sum
			}
			assert.InEpsilon(t, reference(), loss, 1e-6)
			for k, tensor := range w.Tensors() {
				top := 0.0
				for _, g := range gradient.Tensors()[k].Data {
					top = max(top, math.Abs(float64(g)))
				}
				require.Positive(t, top, tensor.Name)
				for i := 0; i < len(tensor.Data); i += 1 + len(tensor.Data)*c.Cells()/20 {
					const step = 1.0 / (1 << 16)
					x := tensor.Data[i]
					tensor.Data[i] = x + step
					up, above := reference(), float64(tensor.Data[i])
					tensor.Data[i] = x - step
					down, below := reference(), float64(tensor.Data[i])
					tensor.Data[i] = x
					// so small a step that hardly a ReLU switches within it
					assert.InDelta(t, (up-down)/(above-below), gradient.Tensors()[k].Data[i], 2e-5*top+1e-6, "%s, number %d", tensor.Name, i)
				}
			}
		})
	}
}

// One long context many times is nearly all of the work, so that some parts get no rows. Sums of so many numbers round by how they are cut.
func TestPartsWithoutRows(t *testing.T) {
	for _, c := range []contextbuilder.Config{{Layers: 1}, {Layers: 1, Bidirectional: true}, {Layers: 2, Bidirectional: true, LSTM: true}} {
		c.Events, c.Length, c.Hidden = 5, 300, 3
		s := contextbuilder.Samples{Length: c.Length, Events: make([]int32, 1024)}
		one := enginetest.Random(c, 1, 1, 1)
		for range s.Events {
			s.Contexts = append(s.Contexts, one.Contexts...)
		}
		w, err := contextbuilder.Init(c, 1)
		require.NoError(t, err)
		settings := contextbuilder.DefaultTraining()
		settings.BatchSize, settings.Dropout = len(s.Events), 0
		m := newModel(c)
		m.learns(settings.Steps)
		m.load(w)
		tr := newTrainer(m, s, settings, 1)
		defer tr.team.stop()
		loss := tr.gradientsOf(tr.order)
		require.Empty(t, tr.parts[1].rows)
		got := tr.whole().Tensors()
		tr.parts = tr.parts[:1]
		require.InEpsilon(t, loss, tr.gradientsOf(tr.order), 1e-6)
		for i, want := range tr.whole().Tensors() {
			top := 0.0
			for _, x := range want.Data {
				top = max(top, math.Abs(float64(x)))
			}
			assert.InDeltaSlice(t, want.Data, got[i].Data, 1e-3*top+1e-12, "%v: %s", c, want.Name)
		}
	}
}

// gradientsOf prepares a batch and runs it.
func (t *trainer) gradientsOf(ranks []int32) (loss float64) {
	var b batch
	t.prepare(&b, ranks)
	return t.gradients(&b, 0)
}

// whole is the gradient of the batch in the layout of Weights.
func (t *trainer) whole() *contextbuilder.Weights {
	g := t.newSet()
	for id := range t.w {
		for _, p := range t.parts {
			if r := p.byEvent[id]; r != nil {
				for _, e := range r.used {
					for j, x := range r.at(e) {
						g[id][int(e)*r.ld+j] += x
					}
				}
				continue
			}
			simd.Axpy(g[id], p.g[id], 1)
		}
	}
	w, _ := contextbuilder.NewWeights(t.Config)
	t.store(g, w)
	return w
}

// Gradients of all tensors stay within the goldens' tolerance, whatever the cut of the batch.
func TestPartsGradient(t *testing.T) {
	for _, name := range enginetest.Names(t, "training") {
		g := enginetest.Open(t, "training/"+name)
		s, settings := g.Training(name)
		m := newModel(g.Weights("initial.").Config)
		m.learns(settings.Steps)
		m.load(g.Weights("initial."))
		tr := newTrainer(m, s, settings, 1)
		defer tr.team.stop()
		for _, parts := range []int{1, 3, 4, 16} {
			for len(tr.parts) < parts {
				tr.parts = append(tr.parts, &pass{model: m, training: true, decoded: true})
			}
			tr.parts = tr.parts[:parts]
			tr.teach = make([]bool, settings.Steps)
			tr.gradientsOf(tr.order[:settings.BatchSize])
			for _, tensor := range tr.whole().Tensors() {
				want := g.Floats("gradient." + tensor.Name)
				top, worst := 0.0, 0.0
				for i, x := range want {
					top, worst = max(top, math.Abs(x)), max(worst, math.Abs(x-float64(tensor.Data[i])))
				}
				assert.LessOrEqual(t, worst/top, 1e-5, "%s: %s in %d parts", name, tensor.Name, parts)
			}
		}
	}
}
