package cli

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/nlpodyssey/safetensors"

	"connect-deepcase/sequencer"
)

// Saved sequences are a safetensors file with the tensors contexts (I32, rows × length), events (I32, rows) and, where there are any,
// labels (F64, rows), and the metadata format (deepcase-sequences), version (1), names (a JSON array, sorted; the id after the last is
// NO_EVENT), timeout (nanoseconds), and source (the format of the files that were read; missing in older files).
const (
	sequencesFormat  = "deepcase-sequences"
	sequencesVersion = "1"
)

// save writes the sequences to a file, which is there as a whole or not at all.
func (q *sequences) save(path string) error {
	data, err := q.encode()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	temporary := path + ".part"
	if err := os.WriteFile(temporary, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func (q *sequences) encode() ([]byte, error) {
	names, err := json.Marshal(q.Names)
	if err != nil {
		return nil, err
	}
	rows, length := uint64(len(q.Events)), uint64(q.Length)
	tensors := map[string]safetensors.TensorView{}
	for _, t := range []struct {
		name   string
		kind   safetensors.DType
		shape  []uint64
		values any
	}{
		{"contexts", safetensors.I32, []uint64{rows, length}, q.Contexts},
		{"events", safetensors.I32, []uint64{rows}, q.Events},
		{"labels", safetensors.F64, []uint64{rows}, q.Labels},
	} {
		if t.name == "labels" && q.Labels == nil {
			continue
		}
		data, err := binary.Append(nil, binary.LittleEndian, t.values)
		if err != nil {
			return nil, err
		}
		if tensors[t.name], err = safetensors.NewTensorView(t.kind, t.shape, data); err != nil {
			return nil, err
		}
	}
	return safetensors.Serialize(tensors, map[string]string{"format": sequencesFormat, "version": sequencesVersion,
		"names": string(names), "timeout": strconv.FormatInt(int64(q.Timeout), 10), "source": string(q.Source)})
}

// loadSequences reads what save wrote and checks it.
func loadSequences(path string) (*sequences, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	q, err := decodeSequences(data)
	if err != nil {
		return nil, fmt.Errorf("%s: not saved sequences, or damaged: %w", path, err)
	}
	return q, nil
}

func decodeSequences(data []byte) (*sequences, error) {
	_, header, err := safetensors.ReadMetadata(data)
	if err != nil {
		return nil, err
	}
	file, err := safetensors.Deserialize(data)
	if err != nil {
		return nil, err
	}
	meta := header.Metadata()
	if meta["format"] != sequencesFormat || meta["version"] != sequencesVersion {
		return nil, fmt.Errorf("format %q version %q, need %s version %s", meta["format"], meta["version"], sequencesFormat, sequencesVersion)
	}
	q := &sequences{Sequences: &sequencer.Sequences{}, Source: sequencer.Format(meta["source"])}
	if err := json.Unmarshal([]byte(meta["names"]), &q.Names); err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	if !slices.IsSorted(q.Names) || len(slices.Compact(slices.Clone(q.Names))) != len(q.Names) {
		return nil, fmt.Errorf("names: not sorted and distinct")
	}
	timeout, err := strconv.ParseInt(meta["timeout"], 10, 64)
	if err != nil || timeout < 0 {
		return nil, fmt.Errorf("timeout: %q is not a number of nanoseconds", meta["timeout"])
	}
	q.Timeout = time.Duration(timeout)

	contexts, err := tensor(file, "contexts", safetensors.I32, 2)
	if err != nil {
		return nil, err
	}
	rows, length := contexts.Shape()[0], contexts.Shape()[1]
	if rows < 1 || length < 1 || length > math.MaxInt32 {
		return nil, fmt.Errorf("contexts: %d rows of %d events, need at least 1 of 1", rows, length)
	}
	events, err := tensor(file, "events", safetensors.I32, 1)
	if err != nil {
		return nil, err
	}
	q.Length, q.Contexts, q.Events = int(length), ints(contexts), ints(events)
	if uint64(len(q.Events)) != rows {
		return nil, fmt.Errorf("events: %d for %d contexts", len(q.Events), rows)
	}
	for name, ids := range map[string][]int32{"contexts": q.Contexts, "events": q.Events} {
		most := int32(len(q.Names)) // NO_EVENT, which stands in contexts alone
		if name == "events" {
			most--
		}
		for _, id := range ids {
			if id < 0 || id > most {
				return nil, fmt.Errorf("%s: id %d is not in 0 to %d", name, id, most)
			}
		}
	}
	if _, ok := file.Tensor("labels"); !ok {
		return q, nil
	}
	labels, err := tensor(file, "labels", safetensors.F64, 1)
	if err != nil {
		return nil, err
	}
	if labels.Shape()[0] != rows {
		return nil, fmt.Errorf("labels: %d for %d contexts", labels.Shape()[0], rows)
	}
	for data := labels.Data(); len(data) > 0; data = data[8:] {
		label := math.Float64frombits(binary.LittleEndian.Uint64(data))
		if !(label >= 0 || label == sequencer.NoLabel) || math.IsInf(label, 0) {
			return nil, fmt.Errorf("labels: %v is neither a number of at least 0 nor -1 for none", label)
		}
		q.Labels = append(q.Labels, label)
	}
	return q, nil
}

func tensor(file safetensors.SafeTensors, name string, kind safetensors.DType, dimensions int) (safetensors.TensorView, error) {
	t, ok := file.Tensor(name)
	if !ok {
		return t, fmt.Errorf("tensor %q is missing", name)
	}
	if t.DType() != kind || len(t.Shape()) != dimensions {
		return t, fmt.Errorf("tensor %q is %s %v, need %s in %d dimensions", name, t.DType(), t.Shape(), kind, dimensions)
	}
	return t, nil
}

func ints(t safetensors.TensorView) []int32 {
	data := t.Data()
	values := make([]int32, len(data)/4)
	for i := range values {
		values[i] = int32(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values
}
