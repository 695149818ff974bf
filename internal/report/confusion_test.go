package report

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConfusion(t *testing.T) {
	truth := []float64{0, 0, 0, 1, 1, 1, 1}
	predicted := []float64{0, 0, 2, 1, -1, -3, -3}
	var b strings.Builder
	require.NoError(t, Confuse(truth, predicted).Write(&b))
	assert.Equal(t, `T\P  NO CLUSTER  NOT IN TRAIN  LOW CONFIDENCE  0  1  2
0             0             0               0  2  0  1
1             2             0               1  0  1  0
`, b.String())
}

func TestConfusionHasEveryEventOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		n := 1 + random.IntN(50)
		truth, predicted := draw(random, n), draw(random, n)
		c := Confuse(truth, predicted)
		all := 0
		for i, label := range c.Labels {
			for k, p := range c.Predictions {
				count := 0
				for row := range n {
					if truth[row] == label && predicted[row] == p {
						count++
					}
				}
				require.Equal(t, count, c.Counts[i][k])
				all += count
			}
		}
		require.Equal(t, n, all)
	}
}

func TestTableAlignsByCharacters(t *testing.T) {
	var b strings.Builder
	require.NoError(t, Table(&b, [][]string{{"a", "×××"}, {"long", "1"}, {"b", ""}, {"c"}}))
	assert.Equal(t, "a     ×××\nlong    1\nb\nc\n", b.String())
}
