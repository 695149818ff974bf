package enginetest

import (
	"embed"
	"encoding/binary"
	"math"
	"path"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

//go:embed testdata
var testdata embed.FS

// Golden is a file of tensors that the reference implementation wrote.
type Golden struct {
	t    testing.TB
	file safetensors.SafeTensors
}

// Open reads a file below testdata, named without its extension: "training/sgd".
func Open(t testing.TB, name string) Golden {
	t.Helper()
	raw, err := testdata.ReadFile(path.Join("testdata", name+".safetensors"))
	require.NoError(t, err)
	file, err := safetensors.Deserialize(raw)
	require.NoError(t, err)
	return Golden{t, file}
}

// Names lists the golden files of a folder.
func Names(t testing.TB, folder string) (names []string) {
	t.Helper()
	entries, err := testdata.ReadDir(path.Join("testdata", folder))
	require.NoError(t, err)
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".safetensors"); ok {
			names = append(names, name)
		}
	}
	require.NotEmpty(t, names)
	return names
}

// has tells whether a tensor is there.
func (g Golden) has(name string) bool {
	_, ok := g.file.Tensor(name)
	return ok
}

// Floats is a tensor of floats, without its shape.
func (g Golden) Floats(name string) (v []float64) {
	g.t.Helper()
	view, ok := g.file.Tensor(name)
	require.True(g.t, ok, "no tensor %q", name)
	b := view.Data()
	switch view.DType().String() {
	case "F32":
		for ; len(b) > 0; b = b[4:] {
			v = append(v, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
	case "F64":
		for ; len(b) > 0; b = b[8:] {
			v = append(v, math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	default:
		require.Fail(g.t, "not a tensor of floats", name)
	}
	return v
}

// ids is a tensor of ids, without its shape.
func (g Golden) ids(name string) (v []int32) {
	g.t.Helper()
	view, ok := g.file.Tensor(name)
	require.True(g.t, ok, "no tensor %q", name)
	require.Equal(g.t, "I64", view.DType().String(), name)
	for b := view.Data(); len(b) > 0; b = b[8:] {
		v = append(v, int32(binary.LittleEndian.Uint64(b)))
	}
	return v
}

// Weights are the weights below a prefix: "model.", "initial.", "final.".
func (g Golden) Weights(prefix string) *contextbuilder.Weights {
	g.t.Helper()
	var tensors []contextbuilder.Tensor
	for _, view := range g.file.Tensors() {
		name, ok := strings.CutPrefix(view.Name, prefix)
		if !ok {
			continue
		}
		t := contextbuilder.Tensor{Name: name}
		for _, n := range view.TensorView.Shape() {
			t.Shape = append(t.Shape, int(n))
		}
		for _, x := range g.Floats(view.Name) {
			t.Data = append(t.Data, float32(x))
		}
		tensors = append(tensors, t)
	}
	w, err := contextbuilder.FromTensors(tensors)
	require.NoError(g.t, err)
	return w
}

// Training are the samples and settings of a training golden: its batches in order, without dropout.
func (g Golden) Training(name string) (contextbuilder.Samples, contextbuilder.Training) {
	g.t.Helper()
	s := contextbuilder.Samples{Length: 10, Contexts: g.ids("X"), Events: g.ids("y")}
	t := contextbuilder.DefaultTraining()
	t.Epochs, t.InOrder, t.Dropout = 1, true, 0
	t.Delta, t.TeachRatio, t.LearningRate = g.Floats("delta")[0], g.Floats("teach")[0], g.Floats("learning_rate")[0]
	t.Steps = len(s.Events) / s.Rows()
	if name == "adam" {
		t.Optimizer = contextbuilder.Adam
	}
	return s, t
}
