package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/interpreter"
)

// large makes a model of 100,000 vectors in 2,000 clusters, over 300 events, as a training leaves it: with contexts, machines and examples.
func large(b *testing.B) *model.Model {
	const vectors, clusters, events = 100_000, 2_000, 300
	r := rand.New(rand.NewPCG(1, 2))
	params := model.DefaultParams()
	m := &model.Model{Params: params, Samples: 10 * vectors, Vectors: &interpreter.Vectors{Offsets: []int32{0}}}
	for i := range events - 1 {
		m.Names = append(m.Names, fmt.Sprintf("rule %03d: an event of a sensor", i))
	}
	var err error
	m.Weights, err = contextbuilder.Init(params.Network(events), 1)
	require.NoError(b, err)
	for i := range clusters {
		centre := map[int32]int{}
		for range 1 + r.IntN(8) {
			centre[r.Int32N(events)] = 1 + r.IntN(2000)
		}
		for range vectors / clusters {
			for id := range int32(events) {
				if x, there := centre[id]; there {
					m.Vectors.IDs, m.Vectors.Values = append(m.Vectors.IDs, id), append(m.Vectors.Values, int32(x+r.IntN(50)))
				}
			}
			m.Vectors.Offsets = append(m.Vectors.Offsets, int32(len(m.Vectors.IDs)))
			m.VectorCluster = append(m.VectorCluster, int32(i))
		}
		c := model.Cluster{ID: i, Event: m.Names[i%(events-1)], Size: 500, Score: interpreter.NoScore, ContextCount: 50, MachineCount: 10, HourlyMax: 9,
			FirstSeen: time.Unix(1_700_000_000, 0).UTC(), LastSeen: time.Unix(1_700_900_000, 0).UTC()}
		for range 10 {
			x := model.ClusterContext{Count: 20}
			for range params.Length {
				x.Context, x.Attention = append(x.Context, m.Names[r.IntN(len(m.Names))]), append(x.Attention, r.Float32())
			}
			c.Contexts = append(c.Contexts, x)
			c.Machines = append(c.Machines, model.MachineCount{Machine: fmt.Sprintf("host-%d.example.org", r.IntN(400)), Count: 50})
		}
		for k := range 4 {
			c.Examples = append(c.Examples, json.RawMessage(fmt.Sprintf(`{"time":"2026-11-23T14:15:0%dZ","host":"host-%d.example.org","message":"%0500d"}`, k, i, i)))
		}
		m.Clusters = append(m.Clusters, c)
	}
	return m
}

// heap is what the process holds, in bytes, after a collection.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkScore publishes one score into a model of 100,000 vectors, as deepcase_label does. Only the first one in a process has to read the model.
func BenchmarkScore(b *testing.B) {
	s, err := Open(b.TempDir(), true, Retain(5))
	require.NoError(b, err)
	_, err = s.Publish(b.Context(), large(b))
	require.NoError(b, err)
	score := 0.0
	publish := func() {
		score++
		_, err := s.Update(b.Context(), func(_ string, m *model.Model) (*model.Model, error) {
			return m.WithScores(map[int]float64{int(score) % len(m.Clusters): score})
		})
		require.NoError(b, err)
	}
	publish()
	for b.Loop() {
		publish()
	}
}

// BenchmarkReload takes over the version that one score makes of a model of 100,000 vectors, as deepcase_predict does. It gives the bytes that
// the heap grows by at most, while the version before it goes on answering, as a share of what that takes.
func BenchmarkReload(b *testing.B) {
	s, err := Open(b.TempDir(), true, Retain(5))
	require.NoError(b, err)
	_, err = s.Publish(b.Context(), large(b))
	require.NoError(b, err)
	engine, empty := cpu.New(), heap()
	var serving *model.Predictor
	f := NewFollower(s.dir, func(l *Loaded) (err error) {
		before := serving
		if before == nil {
			serving, err = model.NewPredictor(l.Model, engine)
			return err
		}
		if serving, err = before.After(l.Model); err != nil {
			return err
		}
		return before.Close()
	}, nil)
	f.Look()
	require.NoError(b, f.Err())
	held, score, took := heap()-empty, 0.0, []time.Duration{}
	most := uint64(0)
	for b.Loop() {
		b.StopTimer()
		score++
		_, err := s.Update(b.Context(), func(_ string, m *model.Model) (*model.Model, error) {
			return m.WithScores(map[int]float64{0: score})
		})
		require.NoError(b, err)
		before := heap()
		b.StartTimer()
		started := time.Now()
		f.Look()
		took = append(took, time.Since(started))
		b.StopTimer()
		require.NoError(b, f.Err())
		require.Equal(b, score, serving.Model().Clusters[0].Score)
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		most = max(most, stats.HeapAlloc-min(before, stats.HeapAlloc))
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(held)/1e6, "model-MB")
	b.ReportMetric(float64(most)/float64(held), "grown/model")
}
