package clusterjson

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

func TestJSON(t *testing.T) {
	scans := model.ClusterContext{Context: []string{"", "scan", "login", "scan"}, Attention: []float32{0.3, 0.25, 0.004, 0.446}, Count: 7}
	c := model.Cluster{ID: 3, Event: "a<b", Size: 9, Score: interpreter.NoScore, Contexts: []model.ClusterContext{scans, scans}}
	line, err := New(c, "v1", 1).JSON()
	require.NoError(t, err)
	assert.Equal(t, `{"cluster":3,"event":"a<b","size":9,"attended":{"login":0.004,"scan":0.696},"contexts":[{"count":7,"context":[null,"scan","login","scan"],`+
		`"attention":[0.3,0.25,0.004,0.446],"attended":{"login":0.004,"scan":0.696}}],"examples":[],"model":"v1"}`, string(line))

	c.MachineCount, c.Machines, c.ContextCount = 2, []model.MachineCount{{Machine: "web", Count: 8}}, 4
	c.FirstSeen, c.LastSeen = time.Unix(0, 0).UTC(), time.Unix(60, 0).UTC()
	c.HourlyMax, c.Labels = 4, []interpreter.Label{{Vector: 0, Score: 2, Count: 1}, {Vector: 1, Score: 0, Count: 5}, {Vector: 1, Score: 2, Count: 2}}
	c.Score, c.Contexts, c.Examples = 2, nil, []json.RawMessage{json.RawMessage(`{"id": 12345678901234567890}`)}
	line, err = New(c, "v1", 1).JSON()
	require.NoError(t, err)
	assert.Equal(t, `{"cluster":3,"event":"a<b","size":9,"score":2,"mixed":[{"score":0,"count":5},{"score":2,"count":3}],"machine_count":2,"machines":[{"machine":"web","count":8}],`+
		`"first_seen":"1970-01-01T00:00:00Z","last_seen":"1970-01-01T00:01:00Z","hourly_max":4,"context_count":4,"attended":{},"contexts":[],"examples":[{"id":12345678901234567890}],"model":"v1"}`, string(line))

	c.Score, c.Labels = 0, []interpreter.Label{{Vector: 0, Score: 0, Count: 9}}
	line, err = New(c, "v1", 1).JSON()
	require.NoError(t, err)
	assert.Contains(t, string(line), `"score":0,"machine_count"`, "labels that agree are not mixed")

	c.Examples = []json.RawMessage{json.RawMessage(`{"rule":{"mitre":{"id":["T1110"]}}}`), json.RawMessage(`{"tags":["attack.t1110","attack.t1021.004"]}`)}
	line, err = New(c, "v1", 1).JSON()
	require.NoError(t, err)
	assert.Contains(t, string(line), `,"techniques":[{"technique":"T1021.004","count":1},{"technique":"T1110","count":2}],"model":"v1"}`)

	c.Examples = []json.RawMessage{json.RawMessage(`{`)}
	_, err = New(c, "v1", 1).JSON()
	assert.Error(t, err)
}

func TestSharesAreRoundedOnceSummed(t *testing.T) {
	x := model.ClusterContext{Context: []string{"a", "a", "a"}, Attention: []float32{0.00004, 0.00004, 0.00004}, Count: 1}
	shown := New(model.Cluster{Contexts: []model.ClusterContext{x}}, "", 3).Contexts[0]
	assert.Equal(t, map[string]float64{"a": 0.0001}, shown.Attended)
	assert.Equal(t, []float64{0, 0, 0}, shown.Attention)
}

func TestAttendedWeighsContextsByTheirCounts(t *testing.T) {
	x := func(name string, count int) model.ClusterContext {
		return model.ClusterContext{Context: []string{name}, Attention: []float32{1}, Count: count}
	}
	shown := New(model.Cluster{Contexts: []model.ClusterContext{x("a", 3), x("b", 1)}}, "", 0)
	assert.Equal(t, map[string]float64{"a": 0.75, "b": 0.25}, shown.Attended, "also of contexts that are not listed")
}
