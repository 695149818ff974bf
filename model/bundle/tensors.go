package bundle

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/nlpodyssey/safetensors"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// maxHeader is the largest header of a safetensors file, which takes a multiple of its size in memory. Ours are below 2 KiB
// with one recurrent layer, and below 40 KiB with the most.
const maxHeader = 1 << 16

// tensor encodes its numbers when they are written, so that at most one tensor at a time is in memory twice.
type tensor[T float32 | int32] struct {
	shape  []uint64
	values []T
}

func (t tensor[T]) DType() safetensors.DType {
	if _, float := any(t.values).([]float32); float {
		return safetensors.F32
	}
	return safetensors.I32
}

func (t tensor[T]) Shape() []uint64 { return t.shape }
func (t tensor[T]) DataLen() uint64 { return 4 * uint64(len(t.values)) }

func (t tensor[T]) Data() []byte {
	data := make([]byte, 0, t.DataLen())
	for _, x := range t.values {
		switch x := any(x).(type) {
		case float32:
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
		case int32:
			data = binary.LittleEndian.AppendUint32(data, uint32(x))
		}
	}
	return data
}

func encodeWeights(w io.Writer, weights *contextbuilder.Weights) error {
	tensors := map[string]tensor[float32]{}
	for _, t := range weights.Tensors() {
		var shape []uint64
		for _, n := range t.Shape {
			shape = append(shape, uint64(n))
		}
		tensors[t.Name] = tensor[float32]{shape, t.Data}
	}
	return safetensors.SerializeToWriter(tensors, nil, w)
}

// vectors gives the tensors of clustered vectors. No vectors are always written in the same form.
func vectors(v *interpreter.Vectors, clusters []int32) map[string][]int32 {
	if v == nil || v.Len() == 0 {
		return map[string][]int32{"offsets": {0}, "ids": nil, "values": nil, "cluster": nil}
	}
	return map[string][]int32{"offsets": v.Offsets, "ids": v.IDs, "values": v.Values, "cluster": clusters}
}

func encodeVectors(w io.Writer, v *interpreter.Vectors, clusters []int32) error {
	tensors := map[string]tensor[int32]{}
	for name, values := range vectors(v, clusters) {
		tensors[name] = tensor[int32]{[]uint64{uint64(len(values))}, values}
	}
	return safetensors.SerializeToWriter(tensors, nil, w)
}

// parse reads a safetensors file. The library checks that shapes, types and offsets fit each other and the file's size, and
// allocates nothing for the data.
func parse(content []byte) ([]safetensors.NamedTensorView, error) {
	if len(content) >= 8 {
		if header := binary.LittleEndian.Uint64(content); header > maxHeader {
			return nil, fmt.Errorf("header of %d bytes, at most %d are allowed", header, maxHeader)
		}
	}
	parsed, err := safetensors.Deserialize(content)
	if err != nil {
		return nil, err
	}
	return parsed.Tensors(), nil
}

// numbers decodes the data of a tensor whose type must be that of T.
func numbers[T float32 | int32](t safetensors.NamedTensorView, number func(bits uint32) T) ([]T, error) {
	if got, want := t.TensorView.DType(), (tensor[T]{}).DType(); got != want {
		return nil, fmt.Errorf("tensor %q is of type %s, need %s", t.Name, got, want)
	}
	data := t.TensorView.Data()
	values := make([]T, len(data)/4)
	for i := range values {
		values[i] = number(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values, nil
}

func decodeWeights(content []byte) (*contextbuilder.Weights, error) {
	parsed, err := parse(content)
	if err != nil {
		return nil, err
	}
	var tensors []contextbuilder.Tensor
	for _, t := range parsed {
		values, err := numbers(t, math.Float32frombits)
		if err != nil {
			return nil, err
		}
		shape := make([]int, len(t.TensorView.Shape()))
		for i, n := range t.TensorView.Shape() {
			if n > math.MaxInt32 { // a dimension beside a 0 is not bounded by the data
				return nil, fmt.Errorf("tensor %q: dimension %d is too large", t.Name, n)
			}
			shape[i] = int(n)
		}
		tensors = append(tensors, contextbuilder.Tensor{Name: t.Name, Shape: shape, Data: values})
	}
	return contextbuilder.FromTensors(tensors)
}

func decodeVectors(content []byte) (*interpreter.Vectors, []int32, error) {
	parsed, err := parse(content)
	if err != nil {
		return nil, nil, err
	}
	tensors := map[string][]int32{}
	for _, t := range parsed {
		if len(t.TensorView.Shape()) != 1 {
			return nil, nil, fmt.Errorf("tensor %q has shape %v, need 1 dimension", t.Name, t.TensorView.Shape())
		}
		if tensors[t.Name], err = numbers(t, func(bits uint32) int32 { return int32(bits) }); err != nil {
			return nil, nil, err
		}
	}
	want := slices.Sorted(maps.Keys(vectors(nil, nil)))
	if got := slices.Sorted(maps.Keys(tensors)); !slices.Equal(got, want) {
		return nil, nil, fmt.Errorf("the tensors are %q, need %q", got, want)
	}
	if len(tensors["offsets"]) == 0 {
		return nil, nil, fmt.Errorf("tensor %q is empty, need at least one number, 0", "offsets")
	}
	return &interpreter.Vectors{Offsets: tensors["offsets"], IDs: tensors["ids"], Values: tensors["values"]}, tensors["cluster"], nil
}
