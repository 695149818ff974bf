package cli

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

var scans = model.ClusterContext{Context: []string{"", "scan", "login", "scan"}, Attention: []float32{0.3, 0.25, 0.004, 0.446}, Count: 7}

func TestContextTextSumsTheAttention(t *testing.T) {
	assert.Equal(t, "scan (70 %); nothing (30 %)", contextText(scans))
	assert.Empty(t, contextText(model.ClusterContext{}))
}

func TestClusterIsPrintedAsByTheTrainer(t *testing.T) {
	c := model.Cluster{ID: 3, Event: "copy", Size: 9, Score: interpreter.NoScore, Contexts: []model.ClusterContext{scans, scans}}
	text, err := json.Marshal(clusterOf(c, "v1", 1))
	require.NoError(t, err)
	assert.JSONEq(t, `{"cluster": 3, "event": "copy", "size": 9, "model": "v1", "examples": [], "contexts": [
		{"count": 7, "context": [null, "scan", "login", "scan"], "attention": [0.3, 0.25, 0.004, 0.446], "attended": {"scan": 0.696, "login": 0.004}}]}`,
		string(text))
	c.Score = 0
	assert.Zero(t, *clusterOf(c, "v1", 1).Score)
}

func TestCellsAreNoFormulas(t *testing.T) {
	for text, want := range map[string]string{"": "", "a=b": "a=b", "=1+1": "'=1+1", "@x": "'@x", "-x": "'-x", "+x": "'+x"} {
		assert.Equal(t, want, cell(text))
	}
}
