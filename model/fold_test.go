package model

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder/cpu"
)

func TestFold(t *testing.T) {
	d := data([]string{"a", "b", "c", "d"}, "- - > d", "- d > a", "d a > d", "a d > b", "d b > c", "b c > b")
	d.Scores = []float64{0, 1, 2, 3, 4, 5}
	source := Source{
		Document: func(row int) json.RawMessage { return json.RawMessage(fmt.Sprint(row)) },
		Seen:     func(row int) (string, time.Time) { return fmt.Sprint("m", row), time.Time{} },
	}
	rest, folded := d.Fold(2)
	assert.Equal(t, Folded{Names: []string{"a", "c"}, Samples: 2, Rows: []int32{0, 2, 3, 5}}, folded)
	want := data([]string{"b", "d"}, "- - > d", "d - > d", "- d > b", "b - > b")
	assert.Equal(t, want.Names, rest.Names)
	assert.Equal(t, want.Samples, rest.Samples)
	assert.Equal(t, []float64{0, 2, 3, 5}, rest.Scores)
	source = source.Pick(folded.Rows)
	assert.Equal(t, "5", string(source.Document(3)))
	machine, _ := source.Seen(1)
	assert.Equal(t, "m2", machine)

	rest, folded = d.Fold(3)
	assert.Equal(t, []string{"a", "b", "d"}, rest.Names, "of equally frequent names the first one stays")
	assert.Equal(t, Folded{Names: []string{"c"}, Samples: 1, Rows: []int32{0, 1, 2, 3, 5}}, folded)
	rest, folded = d.Fold(4)
	assert.Equal(t, d.Samples, rest.Samples)
	assert.Empty(t, folded)
}

// A model treats names that were left out as the training did: unknown_event, and NO_EVENT in contexts.
func TestPredictionOfFoldedNames(t *testing.T) {
	var rows []string
	for range 20 {
		rows = append(rows, "- a > b", "- b > a", "- r > b")
	}
	d := data([]string{"a", "b", "r", "s"}, append(rows, "b s > r", "- - > s")...)
	rest, folded := d.Fold(2)
	assert.Equal(t, []string{"r", "s"}, folded.Names)
	assert.Equal(t, 2, folded.Samples)
	m, err := Train(t.Context(), cpu.New(), rest, params(2))
	require.NoError(t, err)
	m, _, err = m.Cluster(t.Context(), cpu.New(), rest, "max")
	require.NoError(t, err)
	p, err := NewPredictor(m, cpu.New())
	require.NoError(t, err)
	defer p.Close()
	verdicts, err := p.Predict(t.Context(), []Sample{{[]string{"", "r"}, "b"}, {[]string{"", "never"}, "b"}, {[]string{"", ""}, "b"}, {[]string{"", "a"}, "r"}})
	require.NoError(t, err)
	assert.Equal(t, verdicts[2], verdicts[0])
	assert.Equal(t, verdicts[2], verdicts[1])
	assert.Equal(t, UnknownEvent, verdicts[3].Status)
}
