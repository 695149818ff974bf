package contextbuilder

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
)

// Recurrent holds the weights of a GRU (gates r, z, n stacked: G = 3H) or an LSTM (i, f, g, o: G = 4H), row-major.
type Recurrent struct {
	WeightIH []float32 // G×input; input is N for the encoder's first layer, H for the decoder's, Directions·H for the layers above
	WeightHH []float32 // G×H
	BiasIH   []float32 // G
	BiasHH   []float32 // G
}

// Linear holds the weights of a linear layer, row-major.
type Linear struct {
	Weight []float32 // out×in
	Bias   []float32 // out
}

// Weights is a Context Builder: its shape and its numbers.
type Weights struct {
	Config    Config
	Embedding []float32   // N×H
	Encoder   []Recurrent // by layer, and within a layer first the direction of time, then the other
	Decoder   []Recurrent
	Attention Linear // L×(Directions·H), which takes the state of the last layer: of the direction of time, then of the other
	Hidden    Linear // N×N
	Out       Linear // N×N
}

// Tensor is a named view of weights.
type Tensor struct {
	Name  string // as in the original's state_dict
	Shape []int
	Data  []float32
}

// NewWeights returns zero weights of a shape.
func NewWeights(c Config) (*Weights, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	n, l, h, g := c.Events, c.Length, c.Hidden, c.Gates()
	f := func(n int) []float32 { return make([]float32, n) }
	recurrent := func(in int) (cells []Recurrent) {
		for i := range c.Cells() {
			cells = append(cells, Recurrent{f(g * c.input(i, in)), f(g * h), f(g), f(g)})
		}
		return cells
	}
	return &Weights{
		Config:    c,
		Embedding: f(n * h),
		Encoder:   recurrent(n),
		Decoder:   recurrent(h),
		Attention: Linear{f(l * c.Directions() * h), f(l)},
		Hidden:    Linear{f(n * n), f(n)},
		Out:       Linear{f(n * n), f(n)},
	}, nil
}

// Gates is the number of rows of a recurrent weight: 3H for GRU, 4H for LSTM.
func (c Config) Gates() int {
	if c.LSTM {
		return 4 * c.Hidden
	}
	return 3 * c.Hidden
}

// input is the number of inputs of a cell, where the first layer has first.
func (c Config) input(cell, first int) int {
	if cell < c.Directions() {
		return first
	}
	return c.Directions() * c.Hidden
}

// suffix ends the names of a cell's tensors: the layer, and whether it is the direction against time.
func (c Config) suffix(cell int) string {
	suffix := fmt.Sprintf("_l%d", cell/c.Directions())
	if cell%c.Directions() == 1 {
		suffix += "_reverse"
	}
	return suffix
}

// Tensors lists all weights under the original's names, in a fixed order. The data is w's own.
func (w *Weights) Tensors() []Tensor {
	c := w.Config
	n, l, h, g := c.Events, c.Length, c.Hidden, c.Gates()
	recurrent := func(name string, cells []Recurrent, first int) (t []Tensor) {
		for i, r := range cells {
			x := c.suffix(i)
			t = append(t, Tensor{name + ".weight_ih" + x, []int{g, c.input(i, first)}, r.WeightIH}, Tensor{name + ".weight_hh" + x, []int{g, h}, r.WeightHH},
				Tensor{name + ".bias_ih" + x, []int{g}, r.BiasIH}, Tensor{name + ".bias_hh" + x, []int{g}, r.BiasHH})
		}
		return t
	}
	linear := func(name string, x Linear, out, in int) []Tensor {
		return []Tensor{{name + ".weight", []int{out, in}, x.Weight}, {name + ".bias", []int{out}, x.Bias}}
	}
	t := []Tensor{{"embedding.weight", []int{n, h}, w.Embedding}}
	t = append(t, recurrent("encoder.recurrent", w.Encoder, n)...)
	t = append(t, recurrent("decoder_attention.recurrent", w.Decoder, h)...)
	t = append(t, linear("decoder_attention.attn", w.Attention, l, c.Directions()*h)...)
	t = append(t, linear("decoder_event.hidden", w.Hidden, n, n)...)
	return append(t, linear("decoder_event.out", w.Out, n, n)...)
}

// Init returns weights to start training from, drawn as in the original: recurrent ones uniform in ±1/√H, linear ones in ±1/√fan_in, and the
// embedding normal(0, 1). The same seed gives the same weights.
func Init(c Config, seed uint64) (*Weights, error) {
	w, err := NewWeights(c)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(seed, 0x636f6e74657874)) // its own stream: training draws from another one
	uniform := func(fanIn int, tensors ...[]float32) {
		bound := 1 / math.Sqrt(float64(fanIn))
		for _, t := range tensors {
			for i := range t {
				t[i] = float32((2*random.Float64() - 1) * bound)
			}
		}
	}
	for i := range w.Embedding {
		w.Embedding[i] = float32(random.NormFloat64())
	}
	for _, r := range slices.Concat(w.Encoder, w.Decoder) {
		uniform(c.Hidden, r.WeightIH, r.WeightHH, r.BiasIH, r.BiasHH)
	}
	uniform(c.Directions()*c.Hidden, w.Attention.Weight, w.Attention.Bias)
	uniform(c.Events, w.Hidden.Weight, w.Hidden.Bias, w.Out.Weight, w.Out.Bias)
	return w, nil
}

// sharedEmbedding is a second name under which the original saves the embedding.
const sharedEmbedding = "decoder_attention.embedding.weight"

// cellName matches a tensor of a recurrent layer: the layer from 0, and whether it is of the direction against time.
var cellName = regexp.MustCompile(`\.recurrent\.\w+_l(\d+)(_reverse)?$`)

// FromTensors makes weights of named tensors, as Tensors lists them, and takes the shape from theirs. It copies the numbers. Tensors that are
// missing, unknown or of a wrong shape, and numbers that are not finite, are errors that name the tensor.
func FromTensors(tensors []Tensor) (*Weights, error) {
	named := make(map[string]Tensor, len(tensors))
	for _, t := range tensors {
		if _, twice := named[t.Name]; twice {
			return nil, fmt.Errorf("tensor %q occurs twice", t.Name)
		}
		named[t.Name] = t
	}
	c := Config{Layers: 1}
	for name := range named {
		m := cellName.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		if layer, err := strconv.Atoi(m[1]); err == nil && layer < MaxLayers {
			c.Layers = max(c.Layers, layer+1)
		}
		c.Bidirectional = c.Bidirectional || m[2] != ""
	}
	noNumbers := Weights{Config: c, Encoder: make([]Recurrent, c.Cells()), Decoder: make([]Recurrent, c.Cells())}
	for _, want := range noNumbers.Tensors() {
		if _, ok := named[want.Name]; !ok {
			return nil, fmt.Errorf("tensor %q is missing", want.Name)
		}
	}
	shape := func(name string) ([]int, error) {
		t := named[name]
		if len(t.Shape) != 2 {
			return nil, fmt.Errorf("tensor %q has shape %v, need 2 dimensions", name, t.Shape)
		}
		return t.Shape, nil
	}
	embedding, err := shape("embedding.weight")
	if err != nil {
		return nil, err
	}
	recurrent, err := shape("encoder.recurrent.weight_hh_l0")
	if err != nil {
		return nil, err
	}
	attention, err := shape("decoder_attention.attn.weight")
	if err != nil {
		return nil, err
	}
	c.Events, c.Hidden, c.Length, c.LSTM = embedding[0], embedding[1], attention[0], recurrent[0] == 4*recurrent[1]
	if err := c.checkSize(tensors); err != nil {
		return nil, err
	}
	w, err := NewWeights(c)
	if err != nil {
		return nil, err
	}
	for _, want := range w.Tensors() {
		got := named[want.Name]
		if !slices.Equal(got.Shape, want.Shape) || len(got.Data) != len(want.Data) {
			return nil, fmt.Errorf("tensor %q has shape %v and %d numbers, need shape %v", want.Name, got.Shape, len(got.Data), want.Shape)
		}
		for i, x := range got.Data {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return nil, fmt.Errorf("tensor %q: number %d is %v, need a finite one", want.Name, i, x)
			}
		}
		copy(want.Data, got.Data)
		delete(named, want.Name)
	}
	if shared, ok := named[sharedEmbedding]; ok {
		if !slices.Equal(shared.Shape, embedding) || !slices.Equal(shared.Data, w.Embedding) {
			return nil, fmt.Errorf("tensor %q differs from %q, although both are names of the embedding", sharedEmbedding, "embedding.weight")
		}
		delete(named, sharedEmbedding)
	}
	if unknown := slices.Sorted(maps.Keys(named)); len(unknown) > 0 {
		return nil, fmt.Errorf("tensor %q is not one of a Context Builder with layers %d, bidirectional %t", unknown[0], c.Layers, c.Bidirectional)
	}
	return w, nil
}

// checkSize makes sure that a shape that was read from a file does not allocate more than the data of the file.
func (c Config) checkSize(tensors []Tensor) error {
	have := 0
	for _, t := range tensors {
		have += len(t.Data)
	}
	for _, n := range []int{c.Events, c.Length, c.Hidden} {
		if n < 0 || n > have {
			return fmt.Errorf("%v: does not fit %d numbers", c, have)
		}
	}
	if need := c.Numbers(); need > float64(have) {
		return fmt.Errorf("%v: needs %.0f numbers, there are %d", c, need, have)
	}
	return nil
}
