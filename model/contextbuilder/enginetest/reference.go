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
	var x [][]float64
	for _, e := range context {
		x = append(x, make([]float64, c.Events))
		x[len(x)-1][e] = 1
	}
	states := make([]state, c.Cells())
	for i := range states {
		states[i] = state{make([]float64, c.Hidden), make([]float64, c.Hidden)}
	}
	stack(c, w.Encoder, x, states)
	previous := int32(0)
	for s := range steps {
		x := make([]float64, c.Hidden)
		for j := range x {
			x[j] = float64(w.Embedding[int(previous)*c.Hidden+j])
			if r.Input != nil {
				x[j] *= r.Input(s, j)
			}
		}
		last := stack(c, w.Decoder, [][]float64{x}, states)[0]
		a := logSoftmax(affine(w.Attention.Weight, w.Attention.Bias, last))
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

// state is the hidden state of a cell, and the cell state of an LSTM.
type state struct{ h, cell []float64 }

// stack runs layers over a sequence, each on the outputs of the one below, and returns the outputs of the last. It moves the states, which are by
// layer and direction as the cells are. The second direction reads the sequence backwards.
func stack(c contextbuilder.Config, cells []contextbuilder.Recurrent, x [][]float64, states []state) [][]float64 {
	directions := c.Directions()
	for layer := range c.Layers {
		y := make([][]float64, len(x))
		for t := range y {
			y[t] = make([]float64, directions*c.Hidden)
		}
		for d := range directions {
			s := &states[layer*directions+d]
			for k := range x {
				t := k
				if d == 1 {
					t = len(x) - 1 - k
				}
				s.h, s.cell = recur(c, cells[layer*directions+d], x[t], s.h, s.cell)
				copy(y[t][d*c.Hidden:], s.h)
			}
		}
		x = y
	}
	return x
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
