package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/nlpodyssey/safetensors"

	"connect-deepcase/bench/learn"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/sequencer"
)

// dataSet is one column of the table: a file that both sides sequence, its samples, and a network trained on them.
type dataSet struct {
	name, path string
	data       model.Data
	model      *model.Model
	rows       map[string]int // a job's number of rows, where not the default
}

// writeHDFS unpacks block sessions: one machine a line.
func writeHDFS(source, folder string) (string, error) {
	path := filepath.Join(folder, "hdfs.txt")
	return path, convert(source, path, func(r io.Reader, w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// writeAIT writes alerts as the original wants them: event and machine as numbers, in the order of their names.
func writeAIT(source, folder string) (string, error) {
	path := filepath.Join(folder, "santos.csv")
	return path, convert(source, path, func(r io.Reader, w io.Writer) error {
		rows, err := csv.NewReader(r).ReadAll()
		if err != nil {
			return err
		}
		header, rows := rows[0], rows[1:]
		at := func(name string) int { return slices.Index(header, name) }
		time, host, event := at("time"), at("host"), at("name")
		if time < 0 || host < 0 || event < 0 {
			return fmt.Errorf("header %q lacks time, host or name", header)
		}
		number := func(column int) map[string]string {
			var names []string
			for _, row := range rows {
				names = append(names, row[column])
			}
			slices.Sort(names)
			ids := map[string]string{}
			for i, name := range slices.Compact(names) {
				ids[name] = strconv.Itoa(i)
			}
			return ids
		}
		hosts, events := number(host), number(event)
		out := csv.NewWriter(w)
		out.Write([]string{"timestamp", "machine", "event"})
		for _, row := range rows {
			out.Write([]string{row[time], hosts[row[host]], events[row[event]]})
		}
		out.Flush()
		return out.Error()
	})
}

// firstSecond is the time of the first invented event, in seconds since 1970.
const firstSecond = 1_700_000_000

// writeIndependent draws events independently of each other: no context repeats, the hardest case.
func writeIndependent(folder string, names, rows int) (string, error) {
	path := filepath.Join(folder, "independent.csv")
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	random := rand.New(rand.NewPCG(0, 0))
	cumulated, sum := make([]float64, names), 0.0
	for i := range cumulated {
		sum += math.Pow(random.Float64(), 6)
		cumulated[i] = sum
	}
	out := csv.NewWriter(file)
	out.Write([]string{"timestamp", "machine", "event"})
	for i := range rows {
		event := i // each name at least once
		if i >= names {
			event, _ = slices.BinarySearch(cumulated, random.Float64()*sum)
		}
		out.Write([]string{strconv.Itoa(firstSecond + i), strconv.Itoa(random.IntN(200)), strconv.Itoa(event)})
	}
	out.Flush()
	return path, out.Error()
}

func convert(source, target string, work func(io.Reader, io.Writer) error) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	unpacked, err := gzip.NewReader(in)
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	out, err := os.Create(target)
	if err != nil {
		return err
	}
	if err := work(unpacked, out); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", source, err), out.Close())
	}
	return out.Close()
}

// newDataSet sequences a file, trains a network on it and leaves both where the original finds them.
func newDataSet(ctx context.Context, engine contextbuilder.Engine, name, path string, rows map[string]int) (*dataSet, error) {
	sequences, err := learn.Sequence(sequencer.ReadOptions{}, path)
	if err != nil {
		return nil, err
	}
	d := &dataSet{name: name, path: path, rows: rows, data: learn.Data(sequences)}
	params := model.DefaultParams()
	params.Training.Seed = 1
	if d.model, err = model.Train(ctx, engine, d.data, params); err != nil {
		return nil, err
	}
	return d, writeTensors(filepath.Join(filepath.Dir(path), name+".safetensors"), d.model.Weights.Tensors(), d.data.Samples)
}

// writeTensors writes weights and samples (X, y) in one file.
func writeTensors(path string, tensors []contextbuilder.Tensor, s contextbuilder.Samples) error {
	views := map[string]safetensors.TensorView{}
	add := func(name string, kind safetensors.DType, shape []int, numbers any) error {
		var data bytes.Buffer
		if err := binary.Write(&data, binary.LittleEndian, numbers); err != nil {
			return err
		}
		var sizes []uint64
		for _, n := range shape {
			sizes = append(sizes, uint64(n))
		}
		view, err := safetensors.NewTensorView(kind, sizes, data.Bytes())
		views[name] = view
		return err
	}
	var errs []error
	for _, t := range tensors {
		errs = append(errs, add(t.Name, safetensors.F32, t.Shape, t.Data))
	}
	errs = append(errs, add("X", safetensors.I32, []int{s.Rows(), s.Length}, s.Contexts), add("y", safetensors.I32, []int{s.Rows()}, s.Events))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return safetensors.SerializeToWriter(views, nil, file)
}
