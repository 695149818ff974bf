package model

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/interpreter"
)

// Little or dull data makes a model like any other.
func TestLittleData(t *testing.T) {
	for name, d := range map[string]Data{
		"one sample":                  data(abc, "- - - - > a"),
		"fewer events than a context": data(abc, "- - - - > a", "- - - a > b", "- - a b > c"),
		"all events alike":            data([]string{"a", "b"}, slices.Repeat([]string{"a a a a > a"}, 300)...),
		"no context at all":           data(abc, slices.Concat(slices.Repeat([]string{"- - - - > a"}, 40), slices.Repeat([]string{"- - - - > b"}, 60))...),
		"one machine in a loop": data(abc, slices.Concat(slices.Repeat([]string{"a b c a > b"}, 50),
			slices.Repeat([]string{"b c a b > c"}, 50), slices.Repeat([]string{"c a b c > a"}, 50))...),
	} {
		t.Run(name, func(t *testing.T) {
			p := params(4)
			p.Interpreter.MinSamples = 1
			d.Scores = make([]float64, d.Samples.Rows())
			m, err := Train(t.Context(), cpu.New(), d, p)
			require.NoError(t, err)
			again, err := Train(t.Context(), cpu.New(), d, p)
			require.NoError(t, err)
			require.Equal(t, m.Weights, again.Weights)
			m, rows, err := m.Cluster(t.Context(), cpu.New(), d, interpreter.Avg)
			require.NoError(t, err)
			require.NoError(t, m.Validate())
			predictor, err := NewPredictor(m, cpu.New())
			require.NoError(t, err)
			verdicts, err := predictor.PredictData(t.Context(), d)
			require.NoError(t, err)
			for row, c := range rows.Clusters {
				require.EqualValues(t, c, verdicts[row].Cluster)
				require.Equal(t, c >= 0, verdicts[row].Status == Scored)
			}
			require.NoError(t, predictor.Close())
		})
	}
}
