package attention

import (
	"math"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/enginetest"
)

// What the package computes, written from the formulas in float64 and with nothing clever.

// affine is W x + b, W row-major.
func affine(w, b []float32, x []float64) []float64 {
	y := make([]float64, len(b))
	for i := range y {
		y[i] = float64(b[i])
		for j, f := range x {
			y[i] += float64(w[i*len(x)+j]) * f
		}
	}
	return y
}

func softmax64(x []float64) []float64 {
	y, top, sum := make([]float64, len(x)), math.Inf(-1), 0.0
	for _, f := range x {
		top = max(top, f)
	}
	for i, f := range x {
		y[i] = math.Exp(f - top)
		sum += y[i]
	}
	for i := range y {
		y[i] /= sum
	}
	return y
}

// forwardPass is the attention that the network itself pays to a context (algorithm.md §2, one step).
func forwardPass(w *contextbuilder.Weights, context []int32) []float32 {
	_, steps := enginetest.Reference{Weights: w}.Forward(context, 1)
	attention := make([]float32, w.Config.Length)
	for i, f := range steps[0] {
		attention[i] = float32(f)
	}
	return attention
}

// forwardPasses is forwardPass for each context.
func forwardPasses(w *contextbuilder.Weights, contexts []int32) (attention []float32) {
	for l := w.Config.Length; len(contexts) > 0; contexts = contexts[l:] {
		attention = append(attention, forwardPass(w, contexts[:l])...)
	}
	return attention
}

// decode is the event decoder: the confidences under attention w, and the gradient in it of −log confidence in y.
func decode(net *contextbuilder.Weights, context []int32, y int, w []float64) (confidence, gradient []float64) {
	n := net.Config.Events
	v := make([]float64, n)
	for i, event := range context {
		v[event] += w[i]
	}
	h := affine(net.Hidden.Weight, net.Hidden.Bias, v)
	for j := range h {
		h[j] = max(0, h[j])
	}
	confidence = softmax64(affine(net.Out.Weight, net.Out.Bias, h))
	gradient = make([]float64, len(w))
	for j := range h {
		if h[j] <= 0 {
			continue
		}
		back := -float64(net.Out.Weight[y*n+j])
		for o, p := range confidence {
			back += float64(net.Out.Weight[o*n+j]) * p
		}
		for i, event := range context {
			gradient[i] += back * float64(net.Hidden.Weight[j*n+int(event)])
		}
	}
	return confidence, gradient
}

type answer struct {
	attention, distribution []float64
	before, confidence      float64
}

// queryOne is algorithm.md §3.
func queryOne(net *contextbuilder.Weights, context []int32, y int, initial []float32, q contextbuilder.Query) answer {
	l := len(context)
	w, theta, m, v := make([]float64, l), make([]float64, l), make([]float64, l), make([]float64, l)
	for i, f := range initial {
		theta[i] = float64(f)
	}
	copy(w, theta)
	own := append([]float64{}, theta...)
	ownDistribution, _ := decode(net, context, y, own)
	for k := range q.Iterations {
		_, g := decode(net, context, y, w)
		if k > 0 {
			dot := 0.0
			for i := range g {
				dot += g[i] * w[i]
			}
			for i := range g {
				g[i] = w[i] * (g[i] - dot)
			}
		}
		c1, c2 := 1-math.Pow(0.9, float64(k+1)), 1-math.Pow(0.999, float64(k+1))
		for i := range g {
			g[i] /= float64(q.BatchSize)
			m[i] = 0.9*m[i] + 0.1*g[i]
			v[i] = 0.999*v[i] + 0.001*g[i]*g[i]
			theta[i] -= 0.1 * m[i] / c1 / (math.Sqrt(v[i]/c2) + 1e-8)
		}
		w = softmax64(theta)
	}
	distribution, _ := decode(net, context, y, w)
	distinct := map[int32]bool{}
	for _, event := range context {
		distinct[event] = true
	}
	if q.Iterations == 0 || len(distinct) == 1 || !(distribution[y] > ownDistribution[y]) {
		w, distribution = own, ownDistribution
	}
	return answer{attention: w, distribution: distribution, before: ownDistribution[y], confidence: distribution[y]}
}

// l1 is the L1 distance of two rows.
func l1[A, B float32 | float64](a []A, b []B) (d float64) {
	for i := range a {
		d += math.Abs(float64(a[i]) - float64(b[i]))
	}
	return d
}
