// Package modeltest learns small models for tests.
package modeltest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/interpreter"
)

// Learn learns a model in which each sample has a cluster of its own, without a score. All contexts have the same length; "" stands for
// NO_EVENT.
func Learn(t testing.TB, seed uint64, names []string, samples ...model.Sample) *model.Model {
	t.Helper()
	p := model.DefaultParams()
	p.Length, p.Hidden, p.Timeout = len(samples[0].Context), 8, time.Hour
	p.Training.Epochs, p.Training.BatchSize, p.Training.Seed, p.Training.LearningRate = 40, 16, seed, 0.05
	id := func(name string) int32 {
		if name == "" {
			return int32(len(names))
		}
		return int32(slices.Index(names, name))
	}
	d := model.Data{Names: names, Samples: contextbuilder.Samples{Length: p.Length}}
	for range 40 {
		for _, s := range samples {
			for _, name := range s.Context {
				d.Samples.Contexts = append(d.Samples.Contexts, id(name))
			}
			d.Samples.Events = append(d.Samples.Events, id(s.Event))
		}
	}
	m, err := model.Train(t.Context(), cpu.New(), d, p)
	require.NoError(t, err)
	m, _, err = m.Cluster(t.Context(), cpu.New(), d, interpreter.Max)
	require.NoError(t, err)
	require.Len(t, m.Clusters, len(samples))
	return m
}
