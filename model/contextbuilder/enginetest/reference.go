package enginetest

import (
	"math"

	"connect-deepcase/model/contextbuilder"
)

// Reference is the network in float64, straight from the formulas (paper, section III-B), for one context.
type Reference struct {
	Weights *contextbuilder.Weights
	// Next chooses the input of the step after one from its confidences; nil takes the most likely event.
	Next func(step int, logConfidence []float64) int32
	// Input is the factor of a unit of the decoder's embedded input (dropout); nil is 1.
	Input func(step, unit int) float64
}

// Forward returns the logarithm of the confidence in every event and the attention to every position, one row per step.
func (r Reference) Forward(context []int32, steps int) (logConfidence, attention [][]float64) {
	w, c := r.Weights, r.Weights.Config
	h, cell := make([]float64, c.Hidden), make([]float64, c.Hidden)
	for _, e := range context {
		x := make([]float64, c.Events)
		x[e] = 1
		h, cell = recur(c, w.Encoder, x, h, cell)
	}
	previous := int32(0)
	for s := range steps {
		x := make([]float64, c.Hidden)
		for j := range x {
			x[j] = float64(w.Embedding[int(previous)*c.Hidden+j])
			if r.Input != nil {
				x[j] *= r.Input(s, j)
			}
		}
		h, cell = recur(c, w.Decoder, x, h, cell)
		a := logSoftmax(affine(w.Attention.Weight, w.Attention.Bias, h))
		v := make([]float64, c.Events)
		for i, e := range context {
			a[i] = math.Exp(a[i])
			v[e] += a[i]
		}
		hidden := affine(w.Hidden.Weight, w.Hidden.Bias, v)
		for i, x := range hidden {
			hidden[i] = max(0, x)
		}
		confidence := logSoftmax(affine(w.Out.Weight, w.Out.Bias, hidden))
		logConfidence, attention = append(logConfidence, confidence), append(attention, a)
		if r.Next != nil {
			previous = r.Next(s, confidence)
			continue
		}
		previous = 0
		for i, x := range confidence {
			if x > confidence[previous] {
				previous = int32(i)
			}
		}
	}
	return logConfidence, attention
}

// Loss is the label smoothing loss of a forward pass against the true events of its steps.
func Loss(logConfidence [][]float64, events []int32, delta float64) (loss float64) {
	for s, row := range logConfidence {
		for i, x := range row {
			t := delta / float64(len(row)-2)
			if int32(i) == events[s] {
				t = 1 - delta
			}
			if t > 0 {
				loss += t * (math.Log(t) - x)
			}
		}
	}
	return loss
}

// recur is a step of a GRU (gates r, z, n) or an LSTM (i, f, g, o).
func recur(c contextbuilder.Config, r contextbuilder.Recurrent, x, h, cell []float64) (newH, newCell []float64) {
	n := c.Hidden
	gi, gh := affine(r.WeightIH, r.BiasIH, x), affine(r.WeightHH, r.BiasHH, h)
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	newH, newCell = make([]float64, n), make([]float64, n)
	for j := range n {
		if c.LSTM {
			i, f := sigmoid(gi[j]+gh[j]), sigmoid(gi[n+j]+gh[n+j])
			newCell[j] = f*cell[j] + i*math.Tanh(gi[2*n+j]+gh[2*n+j])
			newH[j] = sigmoid(gi[3*n+j]+gh[3*n+j]) * math.Tanh(newCell[j])
			continue
		}
		reset, z := sigmoid(gi[j]+gh[j]), sigmoid(gi[n+j]+gh[n+j])
		newH[j] = (1-z)*math.Tanh(gi[2*n+j]+reset*gh[2*n+j]) + z*h[j]
	}
	return newH, newCell
}

// affine is w·x + b.
func affine(w, b []float32, x []float64) []float64 {
	y := make([]float64, len(b))
	for i := range y {
		y[i] = float64(b[i])
		for j, v := range x {
			y[i] += float64(w[i*len(x)+j]) * v
		}
	}
	return y
}

func logSoftmax(x []float64) []float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	for i := range x {
		x[i] -= top + math.Log(sum)
	}
	return x
}
