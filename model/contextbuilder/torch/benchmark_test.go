//go:build gotch

package torch

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nlpodyssey/safetensors"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
)

var (
	device = flag.String("device", "", "device to test and to measure: cuda, cuda:1; empty is the CPU")
	rows   = flag.Int("rows", 25_600, "invented samples to train on and to query")
	events = flag.Int("events", 300, "distinct events of the invented samples")
	layers = flag.Int("layers", 1, "recurrent layers of the networks that are measured")
	both   = flag.Bool("bidirectional", false, "whether these read contexts in both directions")
	python = flag.String("python", "", "interpreter with the Python original, to measure it too")
)

func tested(t testing.TB) contextbuilder.Engine {
	name := *device
	if name == "" {
		name = "cpu"
	}
	e, err := New(name)
	require.NoError(t, err)
	return e
}

// set are samples with a network of their shape.
type set struct {
	name    string
	file    string // what they were read from
	samples contextbuilder.Samples
	weights *contextbuilder.Weights
}

// invented are samples of uniformly random events: nothing repeats.
func invented(b *testing.B) set {
	c := contextbuilder.Config{Events: *events, Length: 10, Hidden: 128, Layers: *layers, Bidirectional: *both}
	r := rand.New(rand.NewPCG(1, 2))
	s := contextbuilder.Samples{Length: c.Length}
	for range *rows {
		for range c.Length {
			s.Contexts = append(s.Contexts, r.Int32N(int32(c.Events)))
		}
		s.Events = append(s.Events, r.Int32N(int32(c.Events)))
	}
	w, err := contextbuilder.Init(c, 1)
	require.NoError(b, err)
	return set{fmt.Sprintf("invented%d", c.Events), "", s, w}
}

// real are the alerts and logs of the golden files, with trained networks; none where the binary runs away from the repository.
func real(b *testing.B) (sets []set) {
	for _, name := range []string{"hdfs", "ait_russellmitchell"} {
		path := filepath.Join("..", "..", "testdata", name+".safetensors")
		raw, err := os.ReadFile(path)
		if err != nil {
			b.Log("not measured: ", err)
			continue
		}
		file, err := safetensors.Deserialize(raw)
		require.NoError(b, err)
		ids := func(name string) (v []int32) {
			view, ok := file.Tensor(name)
			require.True(b, ok, name)
			for data := view.Data(); len(data) > 0; data = data[2:] {
				v = append(v, int32(binary.LittleEndian.Uint16(data)))
			}
			return v
		}
		s := contextbuilder.Samples{Length: 10, Contexts: ids("train_X"), Events: ids("train_y")}
		n := 0
		for _, id := range s.Contexts {
			n = max(n, int(id)+1)
		}
		w, err := contextbuilder.Init(contextbuilder.Config{Events: n, Length: 10, Hidden: 128, Layers: *layers, Bidirectional: *both}, 1)
		require.NoError(b, err)
		sets = append(sets, set{name, path, s, w})
	}
	return sets
}

// distinct keeps the first of equal samples.
func distinct(s contextbuilder.Samples) contextbuilder.Samples {
	d, seen := contextbuilder.Samples{Length: s.Length}, map[string]bool{}
	for i := range s.Rows() {
		if key := fmt.Sprint(s.Context(i), s.Events[i]); !seen[key] {
			seen[key] = true
			d.Contexts, d.Events = append(d.Contexts, s.Context(i)...), append(d.Events, s.Events[i])
		}
	}
	return d
}

func engines(b *testing.B) (all []contextbuilder.Engine) {
	if *device == "" {
		all = append(all, cpu.New())
	}
	return append(all, tested(b))
}

// A training epoch, at the original's batch size and at a larger one.
func BenchmarkTrain(b *testing.B) {
	for _, set := range append(real(b), invented(b)) {
		for _, batch := range []int{128, 1024} {
			for _, e := range engines(b) {
				b.Run(fmt.Sprintf("%s/%d/%s", set.name, batch, e.Name()), func(b *testing.B) {
					t := contextbuilder.DefaultTraining()
					t.Epochs, t.BatchSize = 1, batch
					require.NoError(b, e.Train(b.Context(), set.weights, head(set.samples, 10*batch), t)) // a GPU's first steps take seconds
					done := speed(b, set.samples.Rows())
					for b.Loop() {
						require.NoError(b, e.Train(b.Context(), set.weights, set.samples, t))
					}
					done()
				})
			}
			if set.file != "" {
				original(b, set, fmt.Sprintf("%s/%d", set.name, batch), fmt.Sprintf(trainOriginal, batch), set.samples)
			}
		}
	}
}

// A query of distinct samples, and the time of a single one.
func BenchmarkQuery(b *testing.B) {
	for _, set := range append(real(b), invented(b)) {
		s := distinct(set.samples)
		if set.file != "" {
			s = head(s, 4096)
		}
		for _, asked := range []contextbuilder.Samples{s, head(s, 1)} {
			name := fmt.Sprintf("%s/%d", set.name, asked.Rows())
			for _, e := range engines(b) {
				b.Run(name+"/"+e.Name(), func(b *testing.B) {
					n, err := e.Open(set.weights)
					require.NoError(b, err)
					defer n.Close()
					_, err = n.Query(b.Context(), head(asked, 1), contextbuilder.Query{Iterations: 2, BatchSize: 1})
					require.NoError(b, err)
					done := speed(b, asked.Rows())
					for b.Loop() {
						_, err := n.Query(b.Context(), asked, contextbuilder.DefaultQuery())
						require.NoError(b, err)
					}
					done()
				})
			}
			if set.file != "" {
				original(b, set, name, queryOriginal, asked)
			}
		}
	}
}

// speed begins to measure; what it returns reports samples a second, and a second of one processor: that hardly depends on what else
// the machine does.
func speed(b *testing.B, rows int) (done func()) {
	spent := func() time.Duration {
		var u syscall.Rusage
		require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began := spent()
	return func() {
		b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "samples/s")
		b.ReportMetric(float64(rows*b.N)/(spent()-began).Seconds(), "samples/cpu-s")
	}
}

func head(s contextbuilder.Samples, n int) contextbuilder.Samples {
	n = min(n, s.Rows())
	return contextbuilder.Samples{Length: s.Length, Contexts: s.Contexts[:n*s.Length], Events: s.Events[:n]}
}

const (
	trainOriginal = `model.fit(X[:1280], y[:1280], epochs=1, verbose=False); begin()
model.fit(X, y, epochs=1, batch_size=%d, verbose=False)`
	queryOriginal = `model.query(X[:1], y[:1], iterations=2, verbose=False); begin()
model.query(X, y, iterations=100, batch_size=1024, verbose=False)`
)

// original measures the Python original with the same samples: code calls begin and does the work.
func original(b *testing.B, set set, name, code string, s contextbuilder.Samples) {
	if *python == "" || set.weights.Config.Cells() > 1 { // which the original cannot run
		return
	}
	b.Run(name+"/original", func(b *testing.B) {
		c := set.weights.Config
		program := exec.Command(*python, "-c", fmt.Sprintf(`import json, sys, time, torch
from deepcase.context_builder import ContextBuilder
d = json.loads(sys.stdin.readline())
X, y = torch.tensor(d["Contexts"]).view(-1, d["Length"]), torch.tensor(d["Events"]).view(-1, 1)
model = ContextBuilder(input_size=%d, output_size=%d, hidden_size=%d, max_length=%d)
def begin(): global start; start = time.perf_counter(), time.process_time()
%s
print(json.dumps([time.perf_counter() - start[0], time.process_time() - start[1]]), flush=True)`, c.Events, c.Events, c.Hidden, c.Length, code))
		program.Stderr = os.Stderr
		in, err := program.StdinPipe()
		require.NoError(b, err)
		out, err := program.StdoutPipe()
		require.NoError(b, err)
		require.NoError(b, program.Start())
		require.NoError(b, json.NewEncoder(in).Encode(s))
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(b, err)
		var seconds [2]float64
		require.NoError(b, json.Unmarshal([]byte(line), &seconds))
		_, _ = io.Copy(io.Discard, out)
		require.NoError(b, program.Wait())
		b.ReportMetric(float64(s.Rows())/seconds[0], "samples/s")
		b.ReportMetric(float64(s.Rows())/seconds[1], "samples/cpu-s")
		b.ReportMetric(0, "ns/op")
	})
}
