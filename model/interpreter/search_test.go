package interpreter

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithinAndNearestAreThoseOfAllVectors(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range shapes {
		v := s.draw(r)
		tags := make([]int32, v.Len())
		for i := range tags {
			tags[i] = int32(r.IntN(10))
		}
		queries := s.draw(r)
		for i := range min(50, v.Len()) {
			queries.add(v.Row(i))
		}
		queries.add(nil, nil)
		queries.add([]int32{0, int32(s.ids + 3)}, []int32{5000, 5000}) // an id that no vector has
		tree, search := newTree(v, tags), newSearch(s.ids+10)
		for q := range queries.Len() {
			ids, values := queries.Row(q)
			for _, eps := range []int64{0, 10, 1000} {
				var found, want []int32
				search.within(tree, ids, values, eps, func(at int32, distance int64) bool {
					row := tree.rows[at]
					require.Equal(t, distanceOf(queries, q, v, int(row)), distance)
					found = append(found, row)
					return true
				})
				for row := range v.Len() {
					if distanceOf(queries, q, v, row) <= eps {
						want = append(want, int32(row))
					}
				}
				slices.Sort(found)
				require.Equal(t, want, found, "%+v query %d eps %d", s, q, eps)
			}
			least, tag := int64(math.MaxInt64), int32(0)
			for row := range v.Len() {
				if d := distanceOf(queries, q, v, row); d < least || d == least && tags[row] < tag {
					least, tag = d, tags[row]
				}
			}
			for _, budget := range []int{0, 1, 100, math.MaxInt} { // the lists answer, the tree has found something before, the tree answers
				at, distance := search.nearestWith(budget, tree, ids, values)
				require.Equal(t, least, distance, "%+v query %d budget %d", s, q, budget)
				require.Equal(t, tag, tree.tags[at], "%+v query %d budget %d", s, q, budget)
			}
		}
		require.Equal(t, make([]int32, s.ids+10), search.value, "a search cleans up")
		require.Equal(t, make([]int32, s.ids+10), search.over)
		require.Equal(t, make([]int32, s.ids+10), search.under)
		require.Equal(t, make([]int64, v.Len()), *tree.inverted().sums.Get().(*[]int64))
	}
}

func TestTreeIsTheSameIfSidesAreBuiltAtTheSameTime(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, s := range shapes {
		v := s.draw(r)
		want := buildTree(v, nil, math.MaxInt)
		for _, apart := range []int{2, leafSize + 1, 100} {
			require.Equal(t, want, buildTree(v, nil, apart), "%+v apart %d", s, apart)
		}
	}
}

func TestSearchInNothing(t *testing.T) {
	for _, budget := range []int{0, math.MaxInt} {
		at, _ := newSearch(5).nearestWith(budget, newTree(&Vectors{}, nil), []int32{1}, []int32{scale})
		require.EqualValues(t, -1, at)
	}
}

// large are 50,000 vectors of one event: spread over thousands of groups of alerts, and as real alerts are, over few ids.
var large = []struct {
	name string
	shape
}{
	{"N=300", shape{vectors: 50_000, ids: 300, entries: 10, centres: 4_000, spread: 60}},
	{"N=300,independent", shape{vectors: 50_000, ids: 300, entries: 10}},
	{"N=12", shape{vectors: 50_000, ids: 12, entries: 5, centres: 100, spread: 500}},
	{"N=12,independent", shape{vectors: 50_000, ids: 12, entries: 5}},
}

func BenchmarkDBSCAN(b *testing.B) {
	for _, c := range large {
		v := c.draw(rand.New(rand.NewPCG(5, 6)))
		weights := slices.Repeat([]int32{1}, v.Len())
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				labels, _ := dbscan(v, weights, 1000, 5)
				b.ReportMetric(float64(slices.Max(labels)+1), "clusters")
			}
		})
		b.Run(c.name+",brute-force", func(b *testing.B) {
			// every 25th vector against all: the whole takes minutes, and is reported as 25 times that
			for b.Loop() {
				near := 0
				for i := 0; i < v.Len(); i += 25 {
					for j := range v.Len() {
						if distanceOf(v, i, v, j) <= 1000 {
							near++
						}
					}
				}
			}
			b.ReportMetric(25*float64(b.Elapsed().Seconds())/float64(b.N), "s/whole")
		})
	}
}

func BenchmarkNearest(b *testing.B) {
	for _, c := range large {
		r := rand.New(rand.NewPCG(7, 8))
		v, far := c.draw(r), shape{vectors: 1_000, ids: c.ids, entries: c.entries}.draw(r)
		near := &Vectors{}
		for range 1_000 {
			ids, values := v.Row(r.IntN(v.Len()))
			values = slices.Clone(values)
			for k := range values {
				values[k] = max(1, values[k]+int32(r.IntN(41)-20))
			}
			near.add(ids, values)
		}
		tree, search := newTree(v, nil), newSearch(c.ids)
		b.Run(c.name+",brute-force", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				least := int64(math.MaxInt64)
				for row := range v.Len() {
					least = min(least, distanceOf(near, i%near.Len(), v, row))
				}
			}
		})
		for _, q := range []struct {
			name    string
			vectors *Vectors
		}{{"near", near}, {"far", far}} {
			b.Run(fmt.Sprintf("%s,%s", c.name, q.name), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					ids, values := q.vectors.Row(i % q.vectors.Len())
					search.nearest(tree, ids, values)
				}
			})
		}
	}
}
