package model

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/interpreter"
)

func TestAppend(t *testing.T) {
	d := data([]string{"d", "b"}, "- b > d", "d d > b")
	other := data([]string{"c", "b", "a"}, "a - > c", "b c > a")
	other.Scores = []float64{2, interpreter.NoScore}
	d.Append(other)
	want := data([]string{"a", "b", "c", "d"}, "- b > d", "d d > b", "a - > c", "b c > a")
	require.Equal(t, want.Names, d.Names)
	require.Equal(t, want.Samples, d.Samples)
	require.Equal(t, []float64{interpreter.NoScore, interpreter.NoScore, 2, interpreter.NoScore}, d.Scores)

	d = Data{}
	d.Samples.Length = 2
	d.Append(other)
	want = data([]string{"a", "b", "c"}, "a - > c", "b c > a")
	require.Equal(t, want.Names, d.Names)
	require.Equal(t, want.Samples, d.Samples)
	require.Equal(t, other.Scores, d.Scores)

	d = data(abc, "a b > c")
	d.Append(data(abc, "c b > a"))
	require.Nil(t, d.Scores, "nobody scored any")
	require.Equal(t, data(abc, "a b > c", "c b > a"), d)
}

// words are the samples of d by name, "" for NO_EVENT.
func words(d Data) (words []string) {
	for _, id := range slices.Concat(d.Samples.Contexts, d.Samples.Events) {
		words = append(words, append(slices.Clone(d.Names), "")[id])
	}
	return words
}

// Whatever the vocabularies are, renumbering keeps the name of each event.
func TestRenumberingKeepsNames(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	names := strings.Split("abcdefghij", "")
	some := func() Data {
		random.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
		own, rows := slices.Clone(names[:1+random.IntN(len(names)-1)]), random.IntN(5)
		ids := func(n int) []int32 {
			ids := make([]int32, n)
			for i := range ids {
				ids[i] = random.Int32N(int32(len(own) + 1))
			}
			return ids
		}
		return NewData(own, 3, ids(3*rows), ids(rows), nil)
	}
	for range 500 {
		d, other := some(), some()
		rows, more := d.Samples.Rows(), other.Samples.Rows()
		before, others := words(d), words(other)
		want := slices.Concat(before[:3*rows], others[:3*more], before[3*rows:], others[3*more:])
		kept := slices.Clone(other.Samples.Contexts)
		d.Append(other)
		require.Equal(t, want, words(d))
		require.Equal(t, kept, other.Samples.Contexts, "the data that was appended stays as it is")
		require.IsIncreasing(t, append([]string{""}, d.Names...))

		to := some().Names
		translated := d.translate(to)
		for i, id := range slices.Concat(translated.Contexts, translated.Events) {
			known := slices.Contains(to, want[i])
			switch {
			case known:
				require.Equal(t, want[i], to[id])
			case i < len(translated.Contexts):
				require.EqualValues(t, len(to), id, "NO_EVENT")
			default:
				require.EqualValues(t, unknown, id)
			}
		}
	}
}

func TestTrainFurther(t *testing.T) {
	e := cpu.New()
	m, err := Train(t.Context(), e, data(abc, "a b > c", "b c > a", "c a > b"), params(2))
	require.NoError(t, err)
	weights := m.Weights.Out.Weight[0]
	p := params(2)
	p.Training.Epochs = 3
	further, err := m.TrainFurther(t.Context(), e, data([]string{"c", "a"}, "a a > c", "c a > c"), p)
	require.NoError(t, err)
	same, err := m.TrainFurther(t.Context(), e, data(abc, "a a > c", "c a > c"), p)
	require.NoError(t, err)
	require.Equal(t, same, further, "ids are those of the model")
	require.Equal(t, abc, further.Names)
	require.Equal(t, 2, further.Samples)
	require.Equal(t, 3, further.Params.Training.Epochs)
	require.NotEqual(t, weights, further.Weights.Out.Weight[0])
	require.Equal(t, weights, m.Weights.Out.Weight[0], "the model itself stays as it is")

	_, err = m.TrainFurther(t.Context(), e, data([]string{"a", "zebra"}, "a zebra > a"), p)
	require.Equal(t, UnknownEventError{"zebra"}, err)
	_, err = m.TrainFurther(t.Context(), e, data(abc, "a a > -"), p)
	require.ErrorContains(t, err, "sample 0: NO_EVENT is not an event to learn")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	further, err = m.TrainFurther(ctx, e, data(abc, "a a > c"), p)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, m.Weights, further.Weights)
}
