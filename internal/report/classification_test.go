package report

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What scikit-learn 1.x prints for the same numbers with digits=4, zero_division=0.
const sklearn = `              precision    recall  f1-score   support

          -3     0.0000    0.0000    0.0000         0
          -2     0.0000    0.0000    0.0000         0
          -1     0.0000    0.0000    0.0000         0
           0     1.0000    0.6000    0.7500         5
           1     0.5000    0.3333    0.4000         3
           2     1.0000    1.0000    1.0000         2

    accuracy                         0.6000        10
   macro avg     0.4167    0.3222    0.3583        10
weighted avg     0.8500    0.6000    0.6950        10
`

func TestClassificationIsWrittenAsByScikitLearn(t *testing.T) {
	truth := []float64{0, 0, 0, 0, 1, 1, 2, 2, 0, 1}
	predicted := []float64{0, 0, 1, -1, 1, -3, 2, 2, 0, -2}
	var b strings.Builder
	require.NoError(t, Classify(truth, predicted).Write(&b))
	assert.Equal(t, sklearn, b.String())
}

func TestClassifyAgainstDefinitions(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := 1 + random.IntN(40)
		truth, predicted := draw(random, n), draw(random, n)
		c := Classify(truth, predicted)
		right, macro, weighted := 0.0, 0.0, 0.0
		for i := range n {
			if truth[i] == predicted[i] {
				right++
			}
		}
		for i, class := range c.Classes {
			if i > 0 {
				require.Less(t, c.Classes[i-1].Label, class.Label)
			}
			both, said, is := 0.0, 0.0, 0.0
			for k := range n {
				if predicted[k] == class.Label {
					said++
				}
				if truth[k] == class.Label {
					is++
					if predicted[k] == class.Label {
						both++
					}
				}
			}
			p, r := 0.0, 0.0
			if said > 0 {
				p = both / said
			}
			if is > 0 {
				r = both / is
			}
			f := 0.0
			if p+r > 0 {
				f = 2 * p * r / (p + r)
			}
			require.InDeltaSlice(t, []float64{p, r, f, is}, []float64{class.Precision, class.Recall, class.F1, float64(class.Support)}, 1e-12)
			macro += f / float64(len(c.Classes))
			weighted += f * is / float64(n)
		}
		require.InDelta(t, right/float64(n), c.Accuracy, 1e-12)
		require.InDelta(t, macro, c.Macro.F1, 1e-12)
		require.InDelta(t, weighted, c.Weighted.F1, 1e-12)
	}
}

func draw(random *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = []float64{-3, -2, -1, 0, 0.5, 1, 2}[random.IntN(7)]
	}
	return x
}

func TestShare(t *testing.T) {
	assert.Equal(t, "0.2500", Ratio(1, 4).String())
	assert.Equal(t, "-", Ratio(0, 0).String())
	for x, want := range map[Share]string{0: "0.0000", 1: "1.0000", 0.9999953: "0.999995", 0.99995: "0.99995", 0.99994: "0.9999", 0.0000047: "0.000005",
		0.00005: "0.0001", 1 - 1e-12: "0.999999999999"} {
		assert.Equal(t, want, x.String(), "what is missing is never rounded away")
	}
	data, err := Ratio(0, 0).MarshalJSON()
	require.NoError(t, err)
	assert.Equal(t, "null", string(data))
	data, err = Share(0.125).MarshalJSON()
	require.NoError(t, err)
	assert.Equal(t, "0.125", string(data))
	assert.Zero(t, Share(math.NaN()).orZero())
}

func TestNumber(t *testing.T) {
	for x, want := range map[float64]string{-3: "-3", 0: "0", 1: "1", 0.25: "0.25", 1e6: "1000000"} {
		assert.Equal(t, want, Number(x))
	}
}
