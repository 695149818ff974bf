package model

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/interpreter"
)

func TestSameClusters(t *testing.T) {
	clustered := func() *Model {
		return &Model{Names: slices.Clone(abc), VectorCluster: []int32{0, 1},
			Clusters: []Cluster{{ID: 0, Event: "a", Size: 5, Score: 2}, {ID: 1, Event: "b", Size: 7, Score: interpreter.NoScore}},
			Vectors:  &interpreter.Vectors{Offsets: []int32{0, 1, 2}, IDs: []int32{0, 1}, Values: []int32{9_000, 10_000}}}
	}
	for want, change := range map[string]func(m *Model){
		"1 clusters, not 2":                       func(m *Model) { m.Clusters = m.Clusters[:1] },
		`cluster 1 has 7 events "c", not 7 "b"`:   func(m *Model) { m.Clusters[1].Event = "c" },
		`cluster 0 has 6 events "a", not 5 "a"`:   func(m *Model) { m.Clusters[0].Size++ },
		"another vocabulary, of 4 events, not 3":  func(m *Model) { m.Names = append(m.Names, "d") },
		"the clusters have other contexts":        func(m *Model) { m.Vectors.Values[0]++ },
		"the clusters have other contexts (ids)":  func(m *Model) { m.Vectors.IDs[1] = 2 },
		"the clusters have other contexts (rows)": func(m *Model) { m.Vectors.Offsets[1] = 0 },
		"the clusters have other contexts (none)": func(m *Model) { m.Vectors = nil },
		"the clusters have other contexts (of)":   func(m *Model) { m.VectorCluster[0] = 1 },
	} {
		m := clustered()
		change(m)
		err := clustered().SameClusters(m)
		require.Error(t, err, want)
		require.Contains(t, want, err.Error())
		require.Error(t, m.SameClusters(clustered()))
	}
	scored := clustered()
	scored.Clusters[0].Score = 4
	scored.Samples++
	require.NoError(t, clustered().SameClusters(scored))
	require.NoError(t, (&Model{Names: abc}).SameClusters(&Model{Names: abc, Vectors: &interpreter.Vectors{}}))
}
