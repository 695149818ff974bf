package train

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
)

// sequenced are alerts with machine, event and context of 3 at at.deepcase, time and id.
func sequenced(t *testing.T, alerts []string) (lines []string) {
	t.Helper()
	context := []any{nil, nil, nil}
	for i, line := range alerts {
		if i%3 == 0 {
			context = []any{nil, nil, nil}
		}
		var document map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &document))
		content, err := json.Marshal(map[string]any{
			"at":        map[string]any{"deepcase": map[string]any{"machine": document["machine"], "event": document["event"], "context": context}},
			"timestamp": document["timestamp"], "id": document["id"],
		})
		require.NoError(t, err)
		lines = append(lines, string(content))
		context = append(context[1:], document["event"])
	}
	return lines
}

// The same events give the same model, whether the mapping or deepcase_sequence's object gives the context.
func TestTrainFromSequencedDocuments(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	run(t, fromFile(write(t, alerts(20)...), plain, ""))
	lines := sequenced(t, alerts(20))
	withContexts := filepath.Join(t.TempDir(), "sequenced")
	run(t, fromFile(write(t, lines...), withContexts, "    target: at.deepcase"))
	_, want := current(t, plain)
	_, got := current(t, withContexts)
	assert.Equal(t, want.Names, got.Names)
	assert.Equal(t, want.Weights, got.Weights)
	assert.Len(t, got.Clusters, len(want.Clusters))
	assert.Equal(t, want.VectorCluster, got.VectorCluster)
}

// The model knows which templates named its events, also those that were named in the pipeline of the training.
func TestTrainWritesDownTheTemplates(t *testing.T) {
	lines := sequenced(t, alerts(20))
	for i, line := range lines[:40] {
		lines[i] = strings.Replace(line, `"event"`, `"templates":"00ff00ff00ff00ff","event"`, 1)
	}
	dir := filepath.Join(t.TempDir(), "model")
	run(t, fromFile(write(t, lines...), dir, "    target: at.deepcase"))
	_, m := current(t, dir)
	assert.Equal(t, []string{"00ff00ff00ff00ff"}, m.Templates)

	dir = filepath.Join(t.TempDir(), "plain")
	config := fromFile(write(t, alerts(20)...), dir, "")
	run(t, strings.Replace(config, "\n    model:", "\n      processors: [ mapping: 'meta deepcase_templates = if this.machine.has_suffix(\"1\") { \"ab12cd34ef560789\" } else { \"x\" }' ]\n    model:", 1))
	_, m = current(t, dir)
	assert.Equal(t, []string{"ab12cd34ef560789"}, m.Templates)

	dir = filepath.Join(t.TempDir(), "none")
	run(t, fromFile(write(t, alerts(20)...), dir, ""))
	_, m = current(t, dir)
	assert.Empty(t, m.Templates)
}

// With ids, the same command after a training that was interrupted learns from each event once, also from those with a context.
func TestTrainRecognisesSequencedDocuments(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	lines := sequenced(t, alerts(20))
	run(t, fromFile(write(t, append(lines, lines[:50]...)...), dir, "    target: at.deepcase\n    id: ${! json(\"id\") }"))
	_, m := current(t, dir)
	assert.Equal(t, 120, m.Samples)
}
