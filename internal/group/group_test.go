package group

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// drawn are rows of few numbers, so that many are equal.
func drawn(n, width int) []int32 {
	random, ids := rand.New(rand.NewPCG(1, 2)), make([]int32, n*width)
	for i := range ids {
		ids[i] = random.Int32N(4) - 1
	}
	return ids
}

func TestRows(t *testing.T) {
	const width = 3
	for _, n := range []int{0, 1, 2, 9, 500} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			ids, with := drawn(n, width), drawn(n, 1)
			for _, with := range [][]int32{nil, with} {
				first, of := Rows(n, ids, width, with)
				var wantFirst []int32
				wantOf, seen := make([]int32, n), map[string]int32{}
				for row := range n {
					key := fmt.Sprint(ids[row*width : (row+1)*width])
					if with != nil {
						key += fmt.Sprint(with[row])
					}
					if _, there := seen[key]; !there {
						seen[key] = int32(len(wantFirst))
						wantFirst = append(wantFirst, int32(row))
					}
					wantOf[row] = seen[key]
				}
				assert.Equal(t, wantFirst, first)
				assert.Equal(t, wantOf, of)
			}
		})
	}
}

func BenchmarkRows(b *testing.B) {
	const n, width = 60_000, 10
	ids, random := drawn(n, width), rand.New(rand.NewPCG(3, 4))
	for row := range n { // most are equal to one of few
		if at := random.IntN(n); row%3 > 0 {
			copy(ids[row*width:], ids[at/6*width:][:width])
		}
	}
	for b.Loop() {
		Rows(n, ids, width, nil)
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
}
