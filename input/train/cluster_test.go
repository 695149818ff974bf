package train

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/clusterjson"
	"connect-deepcase/model"
)

func TestClusterMessageIsTheLineOfTheCommandLine(t *testing.T) {
	c := model.Cluster{ID: 2, Event: "copy", Size: 3, Contexts: []model.ClusterContext{
		{Context: []string{"a", "a", "a"}, Attention: []float32{0.00004, 0.00004, 0.00004}, Count: 3}}}
	message := clusterMessage(c, "v1")
	require.NoError(t, message.GetError())
	text, err := message.AsBytes()
	require.NoError(t, err)
	line, err := clusterjson.New(c, "v1", 10).JSON()
	require.NoError(t, err)
	assert.Equal(t, string(line), string(text))
	assert.Contains(t, string(text), `"attended":{"a":0.0001}`)
}
