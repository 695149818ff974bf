package model

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/interpreter"
)

// golden is what the reference implementation makes of real events: the shared golden vectors' README says what is in it.
type golden struct{ safetensors.SafeTensors }

func readGolden(t *testing.T, name string) golden {
	t.Helper()
	file, err := os.ReadFile("testdata/" + name + ".safetensors")
	require.NoError(t, err)
	tensors, err := safetensors.Deserialize(file)
	require.NoError(t, err)
	return golden{tensors}
}

// numbers reads a tensor of any type that the files hold.
func (g golden) numbers(t *testing.T, name string) []float64 {
	t.Helper()
	view, there := g.Tensor(name)
	require.True(t, there, name)
	var size int
	var read func([]byte) float64
	switch view.DType() {
	case safetensors.U8:
		size, read = 1, func(b []byte) float64 { return float64(b[0]) }
	case safetensors.I16:
		size, read = 2, func(b []byte) float64 { return float64(int16(binary.LittleEndian.Uint16(b))) }
	case safetensors.I32:
		size, read = 4, func(b []byte) float64 { return float64(int32(binary.LittleEndian.Uint32(b))) }
	case safetensors.F32:
		size, read = 4, func(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) }
	case safetensors.I64:
		size, read = 8, func(b []byte) float64 { return float64(int64(binary.LittleEndian.Uint64(b))) }
	default:
		t.Fatalf("%s has type %v", name, view.DType())
	}
	var numbers []float64
	for data := view.Data(); len(data) > 0; data = data[size:] {
		numbers = append(numbers, read(data))
	}
	return numbers
}

func (g golden) ids(t *testing.T, name string) []int32 {
	t.Helper()
	var ids []int32
	for _, x := range g.numbers(t, name) {
		ids = append(ids, int32(x))
	}
	return ids
}

func (g golden) weights(t *testing.T) *contextbuilder.Weights {
	t.Helper()
	var tensors []contextbuilder.Tensor
	for _, name := range g.Names() {
		short, ours := strings.CutPrefix(name, "model.")
		if !ours || short == "decoder_attention.embedding.weight" { // the original names its one embedding twice
			continue
		}
		view, _ := g.Tensor(name)
		tensor := contextbuilder.Tensor{Name: short}
		for _, size := range view.Shape() {
			tensor.Shape = append(tensor.Shape, int(size))
		}
		for _, x := range g.numbers(t, name) {
			tensor.Data = append(tensor.Data, float32(x))
		}
		tensors = append(tensors, tensor)
	}
	w, err := contextbuilder.FromTensors(tensors)
	require.NoError(t, err)
	return w
}

func (g golden) data(t *testing.T, part string, names []string) Data {
	return Data{Names: names, Samples: contextbuilder.Samples{Length: 10, Contexts: g.ids(t, part+"_X"), Events: g.ids(t, part+"_y")}}
}

// differing counts the rows whose numbers differ.
func differing(a, b []float64) int {
	if len(a) != len(b) {
		return max(len(a), len(b))
	}
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// regrouped counts the rows that are not in the cluster which most of their cluster's rows are in on the other side.
func regrouped(got []int32, want []float64) int {
	count := map[int32]map[float64]int{}
	for row, c := range got {
		if count[c] == nil {
			count[c] = map[float64]int{}
		}
		count[c][want[row]]++
	}
	same, taken := 0, map[float64]bool{}
	for c, counts := range count {
		best, most := -1.0, 0
		for other, n := range counts {
			if n > most {
				best, most = other, n
			}
		}
		if (c < 0) == (best < 0) && !taken[best] {
			same, taken[best] = same+most, true
		}
	}
	return len(got) - same
}

func TestGoldenEndToEnd(t *testing.T) {
	for _, name := range []string{"hdfs", "ait_russellmitchell"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := readGolden(t, name)
			w := g.weights(t)
			names := make([]string, w.Config.Events-1)
			for i := range names {
				names[i] = fmt.Sprintf("event %03d", i)
			}
			params := DefaultParams()
			params.Query.BatchSize = int(g.numbers(t, "train_query_rows")[0])
			m, err := FromNetwork(names, w, params)
			require.NoError(t, err)

			train := g.data(t, "train", names)
			train.Scores = g.numbers(t, "train_scores")
			m, assignment, err := m.Cluster(t.Context(), cpu.New(), train, interpreter.Max)
			require.NoError(t, err)
			clusters := assignment.Clusters
			rows := len(clusters)
			require.LessOrEqual(t, regrouped(clusters, g.numbers(t, "clusters")), rows/200, "of %d rows", rows)

			predict := func(batch string, d Data) (codes []float64, verdicts []Verdict) {
				asked := *m
				asked.Params.Query.BatchSize = int(g.numbers(t, batch)[0])
				p, err := NewPredictor(&asked, cpu.New())
				require.NoError(t, err)
				defer p.Close()
				verdicts, err = p.PredictData(t.Context(), d)
				require.NoError(t, err)
				for _, v := range verdicts {
					codes = append(codes, v.Code())
				}
				return codes, verdicts
			}
			own, verdicts := predict("train_query_rows", train)
			for row, c := range clusters {
				if c >= 0 {
					require.EqualValues(t, c, verdicts[row].Cluster, "row %d gets another cluster back", row)
					require.Equal(t, m.Clusters[c].Score, own[row])
				}
			}
			confident := g.numbers(t, "confident")
			wrong := 0
			for row, v := range verdicts {
				if (v.Status != LowConfidence) != (confident[row] == 1) {
					wrong++
				}
			}
			predictions, _ := predict("test_query_rows", g.data(t, "test", names))
			t.Logf("%d clusters; rows that differ: %d in another cluster, %d confident, %d own predictions of %d; %d predictions of %d", len(m.Clusters),
				regrouped(clusters, g.numbers(t, "clusters")), wrong, differing(own, g.numbers(t, "predictions_train")), rows,
				differing(predictions, g.numbers(t, "predictions")), len(predictions))
			require.LessOrEqual(t, wrong, rows/200)
			require.LessOrEqual(t, differing(own, g.numbers(t, "predictions_train")), rows/200)
			require.LessOrEqual(t, differing(predictions, g.numbers(t, "predictions")), len(predictions)/200)
		})
	}
}
