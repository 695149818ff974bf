package cli

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/nlpodyssey/safetensors"

	"connect-deepcase/sequencer"
)

// Saved sequences are a safetensors file with the tensors contexts (I32, rows × length), events (I32, rows) and, if they are known,
// labels (F64, rows), machines (I32, rows: a place in the metadata machines, a JSON array) and times (I64, rows, Unix nanoseconds). The
// metadata are format (deepcase-sequences), version (1), names (a JSON array, sorted; the id after the last is NO_EVENT), timeout
// (nanoseconds), and source (the format of the files that were read; missing in older files).
const (
	sequencesFormat  = "deepcase-sequences"
	sequencesVersion = "1"
)

// save writes the sequences to a file.
func (q *sequences) save(ctx context.Context, path string) error {
	data, err := q.encode()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return saveFile(ctx, path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func (q *sequences) encode() ([]byte, error) {
	names, err := json.Marshal(q.Names)
	if err != nil {
		return nil, err
	}
	rows, length := uint64(len(q.Events)), uint64(q.Length)
	machines, err := json.Marshal(q.Machines)
	if err != nil {
		return nil, err
	}
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
		{"machines", safetensors.I32, []uint64{rows}, q.Machine},
		{"times", safetensors.I64, []uint64{rows}, q.Times},
	} {
		if t.name == "labels" && q.Labels == nil || t.name == "machines" && q.Machine == nil || t.name == "times" && q.Times == nil {
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
		"names": string(names), "timeout": strconv.FormatInt(int64(q.Timeout), 10), "source": string(q.Source),
		"machines": string(machines)})
}

// loadSequences reads what save wrote and checks it.
func loadSequences(path string) (*sequences, error) {
	data, err := readSequences(path)
	if err != nil {
		return nil, err
	}
	q, err := decodeSequences(data)
	if err != nil {
		return nil, fmt.Errorf("%s: not saved sequences, or damaged: %w", path, err)
	}
	return q, nil
}

// readSequences reads a file that looks like saved sequences.
func readSequences(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var header [8]byte
	if _, err := io.ReadFull(f, header[:]); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not saved sequences", path)
	}
	// A safetensors file begins with the size of its header.
	if size := binary.LittleEndian.Uint64(header[:]); size < 2 || size > uint64(info.Size())-8 {
		return nil, fmt.Errorf("%s: not saved sequences, or damaged", path)
	}
	data := make([]byte, info.Size())
	copy(data, header[:])
	if _, err := io.ReadFull(f, data[8:]); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
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
		return nil, errors.New("names: they are not sorted and distinct")
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
		return nil, fmt.Errorf("contexts: %d rows of %d events, need at least one row of one event", rows, length)
	}
	events, err := tensor(file, "events", safetensors.I32, 1)
	if err != nil {
		return nil, err
	}
	q.Length, q.Contexts, q.Events = int(length), ints(contexts), ints(events)
	if uint64(len(q.Events)) != rows {
		return nil, fmt.Errorf("events: %d, but there are %d contexts", len(q.Events), rows)
	}
	for name, ids := range map[string][]int32{"contexts": q.Contexts, "events": q.Events} {
		most := int32(len(q.Names)) // NO_EVENT, which only contexts have
		if name == "events" {
			most--
		}
		for _, id := range ids {
			if id < 0 || id > most {
				return nil, fmt.Errorf("%s: id %d is not in 0 to %d", name, id, most)
			}
		}
	}
	if err := q.decodeSeen(file, meta["machines"], rows); err != nil {
		return nil, err
	}
	if _, ok := file.Tensor("labels"); !ok {
		return q, nil
	}
	labels, err := tensor(file, "labels", safetensors.F64, 1)
	if err != nil {
		return nil, err
	}
	if labels.Shape()[0] != rows {
		return nil, fmt.Errorf("labels: %d, but there are %d contexts", labels.Shape()[0], rows)
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

// decodeSeen reads machines and times, which files of earlier versions do not have.
func (q *sequences) decodeSeen(file safetensors.SafeTensors, names string, rows uint64) error {
	if _, ok := file.Tensor("machines"); ok {
		machines, err := tensor(file, "machines", safetensors.I32, 1)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(names), &q.Machines); err != nil {
			return fmt.Errorf("machines: %w", err)
		}
		for _, id := range ints(machines) {
			if id < 0 || int(id) >= len(q.Machines) {
				return fmt.Errorf("machines: id %d is not one of %d", id, len(q.Machines))
			}
			q.Machine = append(q.Machine, uint32(id))
		}
		if uint64(len(q.Machine)) != rows {
			return fmt.Errorf("machines: %d, but there are %d contexts", len(q.Machine), rows)
		}
	}
	if _, ok := file.Tensor("times"); ok {
		times, err := tensor(file, "times", safetensors.I64, 1)
		if err != nil {
			return err
		}
		if times.Shape()[0] != rows {
			return fmt.Errorf("times: %d, but there are %d contexts", times.Shape()[0], rows)
		}
		for data := times.Data(); len(data) > 0; data = data[8:] {
			q.Times = append(q.Times, int64(binary.LittleEndian.Uint64(data)))
		}
	}
	return nil
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
