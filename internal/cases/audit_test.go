package cases

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"gonum.org/v1/gonum/stat/distuv"
)

func TestMissRateIsTheBoundOfClopperAndPearson(t *testing.T) {
	assert.Equal(t, 1.0, Audited{}.MissRate())
	assert.Equal(t, 1.0, Audited{5, 5}.MissRate())
	assert.InDelta(t, 0.0466, Audited{100, 1}.MissRate(), 5e-5) // as tables have it
	for _, n := range []int{1, 10, 300, 3000, 1_000_000} {
		// None of n: the closed form.
		assert.InDelta(t, 1-math.Pow(0.05, 1/float64(n)), Audited{n, 0}.MissRate(), 1e-9)
		assert.LessOrEqual(t, Audited{n, 0}.MissRate(), 3/float64(n))
		for _, k := range []int{1, 3, n / 2, n - 1} {
			if k >= n {
				continue
			}
			// By definition: with this share, so few attacks or fewer come in one of twenty audits.
			bound := Audited{n, k}.MissRate()
			assert.InDelta(t, 0.05, distuv.Binomial{N: float64(n), P: bound}.CDF(float64(k)), 1e-6, "%d of %d", k, n)
		}
	}
}
