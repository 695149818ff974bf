//go:build gotch

package torch

import (
	"math"
	"strings"

	"connect-deepcase/model/contextbuilder"
)

// The programs take weights as one vector, some matrices of it transposed: network.py says which. Each tensor begins at a multiple of lanes.

// flatten gives the weights as the programs want them.
func flatten(w *contextbuilder.Weights) (flat []float32) {
	for _, t := range w.Tensors() {
		at := len(flat)
		flat = append(flat, t.Data...)
		if byEvent(t.Name) {
			transpose(flat[at:], t.Data, t.Shape[0], t.Shape[1])
		}
		flat = append(flat, make([]float32, up(len(flat))-len(flat))...)
	}
	return flat
}

// unflatten puts them back.
func unflatten(flat []float32, w *contextbuilder.Weights) {
	for _, t := range w.Tensors() {
		if byEvent(t.Name) {
			transpose(t.Data, flat[:len(t.Data)], t.Shape[1], t.Shape[0])
		} else {
			copy(t.Data, flat)
		}
		flat = flat[up(len(t.Data)):]
	}
}

func byEvent(name string) bool { return takesEvents(name) || name == "decoder_event.hidden.weight" }

// takesEvents tells whether a tensor is the input matrix of the encoder's first layer, in one of its directions.
func takesEvents(name string) bool { return strings.HasPrefix(name, "encoder.recurrent.weight_ih_l0") }

// transpose writes a rows×cols matrix as cols×rows.
func transpose(dst, src []float32, rows, cols int) {
	for i := range rows {
		for j, v := range src[i*cols : (i+1)*cols] {
			dst[j*rows+i] = v
		}
	}
}

// shape is how programs are told a network's.
func shape(c contextbuilder.Config, more ...int64) []int64 {
	lstm := int64(0)
	if c.LSTM {
		lstm = 1
	}
	return append([]int64{int64(c.Events), int64(c.Length), int64(c.Hidden), lstm, int64(c.Layers), int64(c.Directions())}, more...)
}

// lanes is what a processor's vectors hold at most. Products want matrices to begin at a multiple of it, on a GPU as well.
const lanes = 16

func up(n int) int { return (n + lanes - 1) / lanes * lanes }

// padded gives the same network with hidden units and events in multiples of lanes: units that stay zero, events of probability zero.
// Else rows of matrices begin at any address, and libtorch's products round by how that is aligned: a row by its place in a block.
func padded(w *contextbuilder.Weights) (*contextbuilder.Weights, error) {
	c := w.Config
	c.Events, c.Hidden = up(c.Events), up(c.Hidden)
	p, err := contextbuilder.NewWeights(c)
	if err != nil {
		return nil, err
	}
	to := p.Tensors()
	for k, t := range w.Tensors() {
		cols, ld := len(t.Data)/t.Shape[0], len(to[k].Data)/to[k].Shape[0]
		gates := strings.Contains(t.Name, ".recurrent.") // rows by gate
		// columns by direction, of a layer above others
		units := len(t.Shape) == 2 && (gates || t.Name == "decoder_attention.attn.weight") && !takesEvents(t.Name)
		for i := range t.Shape[0] {
			at := i
			if gates {
				at = apart(i, w.Config.Hidden, c.Hidden)
			}
			row, from := to[k].Data[at*ld:], t.Data[i*cols:(i+1)*cols]
			if !units {
				copy(row, from)
				continue
			}
			for j := 0; j < cols; j += w.Config.Hidden {
				copy(row[apart(j, w.Config.Hidden, c.Hidden):], from[j:j+w.Config.Hidden])
			}
		}
	}
	for i := range p.Out.Bias[w.Config.Events:] {
		p.Out.Bias[w.Config.Events+i] = -math.MaxFloat32
	}
	return p, nil
}

// apart is where number i of groups of some size is when each group takes more room.
func apart(i, size, room int) int { return i/size*room + i%size }
