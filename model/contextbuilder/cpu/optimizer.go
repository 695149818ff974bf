package cpu

import (
	"math"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// optimizer moves weights against their gradient.
type optimizer struct {
	contextbuilder.Training
	hidden int
	rate   float32 // SGD
	adam   simd.AdamStep
	m, v   set // Adam's moments
	steps  int
}

func newOptimizer(m *model, t contextbuilder.Training) *optimizer {
	o := &optimizer{Training: t, hidden: m.Hidden, rate: float32(-t.LearningRate)}
	if t.Optimizer != contextbuilder.SGD {
		o.m, o.v = m.newSet(), m.newSet()
	}
	return o
}

// dense tells whether weights move without a gradient, too.
func (o *optimizer) dense() bool { return o.Optimizer != contextbuilder.SGD }

// next begins a step of Adam (Kingma and Ba, ICLR 2015, algorithm 1). In the warm-up variant, the rate depends on the number of the step
// (Vaswani et al., NeurIPS 2017, equation 3).
func (o *optimizer) next() {
	o.steps++
	rate, b1, b2, epsilon := o.LearningRate, 0.9, 0.999, 1e-8
	step := float64(o.steps)
	if o.Optimizer == contextbuilder.VarAdam {
		rate = o.Factor * math.Pow(float64(o.hidden), -0.5) * min(math.Pow(step, -0.5), step*math.Pow(float64(o.Warmup), -1.5))
		b2, epsilon = 0.98, 1e-9
	}
	o.adam = simd.AdamStep{Beta1: float32(b1), Beta2: float32(b2), Scale: float32(rate / (1 - math.Pow(b1, step))),
		Unbias: float32(1 / math.Sqrt(1-math.Pow(b2, step))), Epsilon: float32(epsilon)}
}

// step moves the numbers of a matrix, from an index on, by their gradient.
func (o *optimizer) step(weights set, matrix, from int, gradient []float32) {
	to := from + len(gradient)
	w := weights[matrix][from:to]
	if o.Optimizer == contextbuilder.SGD {
		simd.Axpy(w, gradient, o.rate)
		return
	}
	simd.Adam(w, gradient, o.m[matrix][from:to], o.v[matrix][from:to], o.adam)
}
