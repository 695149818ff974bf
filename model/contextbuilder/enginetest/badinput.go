package enginetest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// Wrong input is an error that names what is wrong; no rows are no answers; nothing panics.
func testBadInput(t *testing.T, e contextbuilder.Engine) {
	good := func() contextbuilder.Samples { return Random(small, 10, 1, 14) }
	cases := map[string]struct {
		change func(s *contextbuilder.Samples)
		want   string
	}{
		"other length":       {func(s *contextbuilder.Samples) { s.Length = 3 }, "contexts of 3 events"},
		"no length":          {func(s *contextbuilder.Samples) { s.Length = 0 }, "contexts of 0 events"},
		"half a context":     {func(s *contextbuilder.Samples) { s.Contexts = s.Contexts[1:] }, "whole number"},
		"an event less":      {func(s *contextbuilder.Samples) { s.Events = s.Events[1:] }, "9 events"},
		"id too large":       {func(s *contextbuilder.Samples) { s.Contexts[2*small.Length+1] = 11 }, "row 2: context holds id 11"},
		"negative id":        {func(s *contextbuilder.Samples) { s.Contexts[0] = -1 }, "row 0: context holds id -1"},
		"event too large":    {func(s *contextbuilder.Samples) { s.Events[9] = math.MaxInt32 }, "row 9: event holds id 2147483647"},
		"negative event":     {func(s *contextbuilder.Samples) { s.Events[3] = math.MinInt32 }, "row 3: event holds id -2147483648"},
		"contexts only":      {func(s *contextbuilder.Samples) { s.Events = nil }, "0 events"},
		"events only":        {func(s *contextbuilder.Samples) { s.Contexts = nil }, "0 contexts"},
		"nothing, no length": {func(s *contextbuilder.Samples) { *s = contextbuilder.Samples{} }, "contexts of 0 events"},
	}
	w := weights(t, small)
	n := open(t, e, w)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := good()
			c.change(&s)
			require.ErrorContains(t, e.Train(t.Context(), w, s, quick()), c.want)
			_, err := n.Query(t.Context(), s, contextbuilder.DefaultQuery())
			require.ErrorContains(t, err, c.want)
		})
	}
	assert.Equal(t, weights(t, small), w, "what is refused changes nothing")

	s := good()
	for want, contexts := range map[string][]int32{"whole number": s.Contexts[1:], "row 1: context holds id 99": {6: 99, 11: 0}} {
		_, err := n.Forward(t.Context(), contexts, 1)
		require.ErrorContains(t, err, want)
	}
	for _, steps := range []int{0, -1, math.MaxInt} {
		_, err := n.Forward(t.Context(), s.Contexts, steps)
		require.ErrorContains(t, err, "steps")
	}
	_, err := n.Query(t.Context(), s, contextbuilder.Query{})
	require.ErrorContains(t, err, "batch size")
	settings := quick()
	settings.Steps = 2
	require.ErrorContains(t, e.Train(t.Context(), w, s, settings), "10 events, need 2 per context")
	settings.Steps = 1 << 62 // times 4 contexts is 0
	four := contextbuilder.Samples{Length: s.Length, Contexts: s.Contexts[:4*s.Length]}
	require.ErrorContains(t, e.Train(t.Context(), w, four, settings), "0 events")
	settings.Steps, settings.Optimizer = 1, "newton"
	require.ErrorContains(t, e.Train(t.Context(), w, s, settings), "optimizer")

	// a batch larger than all there is
	settings = quick()
	settings.BatchSize = math.MaxInt
	huge := train(t, e, small, s, settings)
	settings.BatchSize = 10
	assert.Equal(t, train(t, e, small, s, settings), huge)

	// no rows
	none := contextbuilder.Samples{Length: small.Length}
	require.ErrorContains(t, e.Train(t.Context(), w, none, quick()), "no samples")
	f, err := n.Forward(t.Context(), nil, 2)
	require.NoError(t, err)
	assert.Empty(t, f.LogConfidence)
	a, err := n.Query(t.Context(), none, contextbuilder.DefaultQuery())
	require.NoError(t, err)
	assert.Empty(t, a.Attention)

	// weights
	_, err = e.Open(nil)
	require.Error(t, err)
	_, err = e.Open(&contextbuilder.Weights{})
	require.ErrorContains(t, err, "events")
	broken := weights(t, small)
	broken.Out.Weight = broken.Out.Weight[1:]
	_, err = e.Open(broken)
	require.ErrorContains(t, err, "decoder_event.out.weight")
	require.ErrorContains(t, e.Train(t.Context(), broken, s, quick()), "decoder_event.out.weight")

	// numbers that are too large: any answer, but no panic, and no weights that are not finite
	wild := weights(t, small)
	settings = quick()
	settings.LearningRate, settings.Epochs = 1e4, 5
	if err := e.Train(t.Context(), wild, s, settings); err != nil {
		require.ErrorContains(t, err, "loss")
	}
	for _, tensor := range wild.Tensors() {
		for i, x := range tensor.Data {
			require.False(t, math.IsNaN(float64(x)) || math.IsInf(float64(x), 0), "%s: number %d is %v", tensor.Name, i, x)
			tensor.Data[i] *= 1e30
		}
	}
	m := open(t, e, wild)
	_, err = m.Forward(t.Context(), s.Contexts, 3)
	require.NoError(t, err)
	_, err = m.Query(t.Context(), s, contextbuilder.DefaultQuery())
	require.NoError(t, err)
}
