package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/sequencer"
)

func example() *sequences {
	return &sequences{Timeout: 90 * time.Minute, Sequences: &sequencer.Sequences{
		Names: []string{"a \"quoted\"\nname", "b", "ß"}, Length: 2,
		Contexts: []int32{3, 3, 3, 0, 0, 2}, Events: []int32{0, 2, 1}, Labels: []float64{0, -1, 2.5},
	}}
}

func TestSavedSequencesComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sequences")
	for _, labels := range [][]float64{{0, -1, 2.5}, nil} {
		want := example()
		want.Labels = labels
		require.NoError(t, want.save(t.Context(), path))
		got, err := loadSequences(path)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, left, 1, "no temporary file is left")
}

func TestDamagedSequencesAreErrors(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*sequences)
		want  string
	}{
		"id out of range":         {func(q *sequences) { q.Contexts[1] = 4 }, "contexts: id 4 is not in 0 to 3"},
		"negative id":             {func(q *sequences) { q.Contexts[1] = -1 }, "contexts: id -1"},
		"NO_EVENT as event":       {func(q *sequences) { q.Events[0] = 3 }, "events: id 3 is not in 0 to 2"},
		"unsorted names":          {func(q *sequences) { q.Names[0] = "z" }, "names: they are not sorted and distinct"},
		"a name twice":            {func(q *sequences) { q.Names[2] = "b" }, "names: they are not sorted and distinct"},
		"negative timeout":        {func(q *sequences) { q.Timeout = -1 }, "timeout: \"-1\""},
		"label below 0":           {func(q *sequences) { q.Labels[0] = -2 }, "labels: -2 is neither"},
		"label that is no number": {func(q *sequences) { q.Labels[0] = nan() }, "labels: NaN is neither"},
	} {
		t.Run(name, func(t *testing.T) {
			q := example()
			c.spoil(q)
			data, err := q.encode()
			require.NoError(t, err)
			_, err = decodeSequences(data)
			assert.ErrorContains(t, err, c.want)
		})
	}
	data, err := example().encode()
	require.NoError(t, err)
	for n := range data {
		_, err := decodeSequences(data[:n])
		require.Error(t, err, "cut after %d bytes", n)
	}
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}

func FuzzDecodeSequences(f *testing.F) {
	data, err := example().encode()
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := decodeSequences(data)
		if err != nil {
			return
		}
		require.Len(t, q.Contexts, len(q.Events)*q.Length)
		again, err := q.encode()
		require.NoError(t, err)
		back, err := decodeSequences(again)
		require.NoError(t, err)
		require.Equal(t, q, back)
	})
}
