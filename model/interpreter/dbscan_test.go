package interpreter

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// distanceOf is the L1 distance by its definition.
func distanceOf(v *Vectors, a int, w *Vectors, b int) int64 {
	idsA, valuesA := v.Row(a)
	idsB, valuesB := w.Row(b)
	distance := int64(0)
	for i, j := 0, 0; i < len(idsA) || j < len(idsB); {
		switch {
		case j == len(idsB) || i < len(idsA) && idsA[i] < idsB[j]:
			distance += int64(valuesA[i])
			i++
		case i == len(idsA) || idsB[j] < idsA[i]:
			distance += int64(valuesB[j])
			j++
		default:
			distance += max(int64(valuesA[i])-int64(valuesB[j]), int64(valuesB[j])-int64(valuesA[i]))
			i, j = i+1, j+1
		}
	}
	return distance
}

// scan is DBSCAN as scikit-learn does it, over all pairs.
func scan(v *Vectors, weights []int32, eps int64, minSamples int) (labels []int32, core []bool) {
	n := v.Len()
	near, labels, core := make([][]int, n), make([]int32, n), make([]bool, n)
	for i := range n {
		weight := 0
		for j := range n {
			if distanceOf(v, i, v, j) <= eps {
				near[i] = append(near[i], j)
				weight += int(weights[j])
			}
		}
		core[i], labels[i] = weight >= minSamples, Noise
	}
	label := int32(0)
	for i := range n {
		if labels[i] != Noise || !core[i] {
			continue
		}
		for stack := []int{i}; len(stack) > 0; {
			next := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if labels[next] != Noise {
				continue
			}
			labels[next] = label
			if core[next] {
				stack = append(stack, near[next]...)
			}
		}
		label++
	}
	return labels, core
}

func dense(rows [][]float64) *Vectors {
	v := &Vectors{}
	for _, row := range rows {
		var ids, values []int32
		for id, x := range row {
			if units := int32(math.RoundToEven(x * scale)); units > 0 {
				ids, values = append(ids, int32(id)), append(values, units)
			}
		}
		v.add(ids, values)
	}
	return v
}

func TestDBSCANGolden(t *testing.T) {
	var cases []struct {
		Name       string
		Eps        float64
		MinSamples int `json:"min_samples"`
		Vectors    [][]float64
		Weights    []int32
		Labels     []int32
		Core       []int
	}
	readJSON(t, "testdata/dbscan.json", &cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			v, eps := dense(c.Vectors), units(c.Eps)
			labels, core := dbscan(v, c.Weights, eps, c.MinSamples)
			require.Equal(t, c.Labels, labels)
			for i := range core {
				// scikit-learn adds float64 differences: a distance of exactly eps may come out a little above it
				if core[i] != slices.Contains(c.Core, i) {
					require.True(t, core[i])
					_, without := dbscan(v, c.Weights, eps-1, c.MinSamples)
					require.False(t, without[i], "vector %d is core even without the neighbours at exactly eps", i)
				}
			}
		})
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(file, into))
}

// shape says how random vectors are drawn.
type shape struct {
	vectors, ids, entries int
	centres               int // near-duplicates of so many vectors; 0: independent ones
	spread                int // largest change of a number in a near-duplicate
	scale                 int // a number is at most this; 0: a vector sums to about scale
}

func (s shape) draw(r *rand.Rand) *Vectors {
	centre := func() map[int32]int {
		c := map[int32]int{}
		for range 1 + r.IntN(s.entries) {
			c[int32(r.IntN(s.ids))] = 1 + r.IntN(max(1, s.scale))
		}
		if s.scale == 0 {
			sum, raw := 0.0, map[int32]float64{}
			for id := range int32(s.ids) {
				if _, there := c[id]; there {
					raw[id] = r.ExpFloat64()
					sum += raw[id]
				}
			}
			for id, x := range raw {
				c[id] = int(math.RoundToEven(x / sum * scale))
			}
		}
		return c
	}
	var centres []map[int32]int
	for range s.centres {
		centres = append(centres, centre())
	}
	v := &Vectors{}
	for range s.vectors {
		c := centre
		if s.centres > 0 {
			c = func() map[int32]int { return centres[r.IntN(s.centres)] }
		}
		from := c()
		var ids, values []int32
		for id := range int32(s.ids) {
			x, there := from[id]
			if there && s.spread > 0 {
				x += r.IntN(2*s.spread+1) - s.spread
			}
			if x > 0 {
				ids, values = append(ids, id), append(values, int32(x))
			}
		}
		v.add(ids, values)
	}
	return v
}

var shapes = []shape{
	{vectors: 1, ids: 3, entries: 2},
	{vectors: 400, ids: 300, entries: 10},
	{vectors: 400, ids: 300, entries: 10, centres: 30, spread: 150},
	{vectors: 400, ids: 6, entries: 5},
	{vectors: 400, ids: 6, entries: 5, centres: 8, spread: 400},
	{vectors: 400, ids: 200, entries: 80, centres: 5, spread: 30},
	{vectors: 300, ids: 4, entries: 3, scale: 12},       // many equal distances, sums of all sizes, empty vectors
	{vectors: 300, ids: 2, entries: 2, scale: 2_000},    // a plane
	{vectors: 200, ids: 40, entries: 6, scale: 1 << 30}, // beyond what attention can be
}

func TestDBSCANIsThatOfAllPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range shapes {
		v := s.draw(r)
		weights := make([]int32, v.Len())
		for i := range weights {
			weights[i] = 1 + int32(r.IntN(1+r.IntN(6)))
		}
		for _, eps := range []int64{0, 3, 500, 1000, math.MaxInt32} {
			for _, minSamples := range []int{1, 5, 20} {
				labels, core := dbscan(v, weights, eps, minSamples)
				wantLabels, wantCore := scan(v, weights, eps, minSamples)
				require.Equal(t, wantCore, core, "%+v eps %d min samples %d", s, eps, minSamples)
				require.Equal(t, wantLabels, labels, "%+v eps %d min samples %d", s, eps, minSamples)
			}
		}
	}
}

func TestDBSCANOfNothing(t *testing.T) {
	labels, core := dbscan(&Vectors{}, nil, 1000, 5)
	require.Empty(t, labels)
	require.Empty(t, core)
}
