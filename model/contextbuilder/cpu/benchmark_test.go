package cpu

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// hdfs are the samples of real sessions, contexts of 10; the data lies in the sibling folder of the checkout.
func hdfs(b *testing.B) (s contextbuilder.Samples, events int, ok bool) {
	const length = 10
	f, err := os.Open("../../../../shared/data/hdfs/hdfs_train.txt.gz")
	if err != nil {
		b.Log("without HDFS data: ", err)
		return s, 0, false
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	require.NoError(b, err)
	ids := map[int]int32{}
	var sessions [][]int32
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var session []int32
		for field := range strings.FieldsSeq(lines.Text()) {
			key, err := strconv.Atoi(field)
			require.NoError(b, err)
			if _, ok := ids[key]; !ok {
				ids[key] = int32(len(ids))
			}
			session = append(session, ids[key])
		}
		sessions = append(sessions, session)
	}
	require.NoError(b, lines.Err())
	s.Length = length
	for _, session := range sessions {
		for i, event := range session {
			for k := i - length; k < i; k++ {
				if k < 0 {
					s.Contexts = append(s.Contexts, int32(len(ids)))
				} else {
					s.Contexts = append(s.Contexts, session[k])
				}
			}
			s.Events = append(s.Events, event)
		}
	}
	return s, len(ids) + 1, true
}

// random are samples that share hardly a prefix.
func random(n, length, events int) contextbuilder.Samples {
	r := rand.New(rand.NewPCG(1, 2))
	s := contextbuilder.Samples{Length: length}
	for range n {
		for range length {
			s.Contexts = append(s.Contexts, r.Int32N(int32(events)))
		}
		s.Events = append(s.Events, r.Int32N(int32(events)))
	}
	return s
}

type workload struct {
	name    string
	samples contextbuilder.Samples
	config  contextbuilder.Config
}

func workloads(b *testing.B) (all []workload) {
	if s, events, ok := hdfs(b); ok {
		all = append(all, workload{"hdfs", s, contextbuilder.Config{Events: events, Length: 10, Hidden: 128, Layers: 1}})
	}
	for _, n := range []int{223, 1000} {
		all = append(all, workload{fmt.Sprintf("random%d", n), random(12_800, 10, n), contextbuilder.Config{Events: n, Length: 10, Hidden: 128, Layers: 1}})
	}
	return all
}

func BenchmarkTrain(b *testing.B) {
	for _, w := range workloads(b) {
		for _, lstm := range []bool{false, true} {
			for _, optimizer := range []contextbuilder.Optimizer{contextbuilder.SGD, contextbuilder.Adam} {
				w.config.LSTM = lstm
				b.Run(fmt.Sprintf("%s/lstm=%v/%s", w.name, lstm, optimizer), func(b *testing.B) {
					weights, err := contextbuilder.Init(w.config, 1)
					require.NoError(b, err)
					t := contextbuilder.DefaultTraining()
					t.Epochs, t.Optimizer, t.LearningRate = 1, optimizer, 0.001
					for b.Loop() {
						require.NoError(b, New().Train(b.Context(), weights, w.samples, t))
					}
					b.ReportMetric(float64(w.samples.Rows()*b.N)/b.Elapsed().Seconds(), "samples/s")
				})
			}
		}
	}
}

// What several layers and both directions cost: they share fewer products, or none.
func BenchmarkLayers(b *testing.B) {
	for _, w := range workloads(b) {
		one, two, both := w.config, w.config, w.config
		two.Layers, both.Bidirectional = 2, true
		for _, c := range []contextbuilder.Config{one, two, both} {
			weights, err := contextbuilder.Init(c, 1)
			require.NoError(b, err)
			n, err := New().Open(weights)
			require.NoError(b, err)
			t := contextbuilder.DefaultTraining()
			t.Epochs, t.LearningRate = 1, 0.001
			run := func(job string, do func() error) {
				b.Run(fmt.Sprintf("%s/layers=%d/bidirectional=%v/%s", w.name, c.Layers, c.Bidirectional, job), func(b *testing.B) {
					for b.Loop() {
						require.NoError(b, do())
					}
					b.ReportMetric(float64(w.samples.Rows()*b.N)/b.Elapsed().Seconds(), "samples/s")
				})
			}
			run("train", func() error { return New().Train(b.Context(), weights, w.samples, t) })
			run("forward", func() error {
				_, err := n.Forward(b.Context(), w.samples.Contexts, 1)
				return err
			})
		}
	}
}

func BenchmarkForward(b *testing.B) {
	for _, w := range workloads(b) {
		weights, err := contextbuilder.Init(w.config, 1)
		require.NoError(b, err)
		n, err := New().Open(weights)
		require.NoError(b, err)
		for _, rows := range []int{1, 100, w.samples.Rows()} {
			b.Run(fmt.Sprintf("%s/%d", w.name, rows), func(b *testing.B) {
				for b.Loop() {
					_, err := n.Forward(b.Context(), w.samples.Contexts[:rows*w.config.Length], 1)
					require.NoError(b, err)
				}
				b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "samples/s")
			})
		}
	}
}
