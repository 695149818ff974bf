package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"connect-deepcase/model"
)

var scans = model.ClusterContext{Context: []string{"", "scan", "login", "scan"}, Attention: []float32{0.3, 0.25, 0.004, 0.446}, Count: 7}

func TestContextTextSumsTheAttention(t *testing.T) {
	assert.Equal(t, "scan (70 %); no event (30 %)", contextText(scans))
	assert.Empty(t, contextText(model.ClusterContext{}))
}

func TestExamplesAreShortenedByCharacters(t *testing.T) {
	short, long := strings.Repeat("é", longestExample), strings.Repeat("é", longestExample+1)
	texts := exampleTexts(model.Cluster{Examples: []json.RawMessage{json.RawMessage(short), json.RawMessage(long)}})
	assert.Equal(t, []string{short, short + "…"}, texts)
}

func TestTechniquesOfExamples(t *testing.T) {
	assert.Equal(t, "T1021.004 × 1; T1110 × 2", techniques(model.Cluster{Examples: []json.RawMessage{
		json.RawMessage(`{"rule":{"mitre":{"id":["T1110"]}}}`), json.RawMessage(`{"tags":["attack.t1021.004","attack.t1110"]}`), json.RawMessage(`{}`)}}))
	assert.Empty(t, techniques(model.Cluster{}))
}
