package processor

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A run that failed as a whole ends like any other: the log tells, and how loudly depends on how much failed.
func TestTheEndOfARunSaysWhatFailed(t *testing.T) {
	const good, bad = `{"machine":"m","event":"e","timestamp":1}`, `{"machine":"m"}`
	for _, c := range []struct {
		contents        []string
		processor, want string
	}{
		{[]string{good, good}, "deepcase_sequence: {}", `level=INFO msg="2 events read, 0 failed"`},
		{[]string{good, bad}, "deepcase_sequence: {}", `level=WARN msg="2 events read, 1 failed: they got an error and no context"`},
		{[]string{bad, bad, good}, "deepcase_sequence: {}", `level=ERROR msg="3 events read, 2 failed: they got an error and no context"`},
		{[]string{good, good}, "deepcase_predict: { model: " + t.TempDir() + " }", `level=ERROR msg="2 events read, 2 failed: they got an error and no verdict"`},
		{[]string{good, good}, "deepcase_label: { model: " + t.TempDir() + " }", `level=ERROR msg="2 events read, 2 failed: they got an error and change nothing"`},
	} {
		var log logText
		builder := service.NewStreamBuilder()
		builder.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, builder.AddProcessorYAML(c.processor))
		produce, err := builder.AddBatchProducerFunc()
		require.NoError(t, err)
		require.NoError(t, builder.AddOutputYAML("drop: {}"))
		stream, err := builder.Build()
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- stream.Run(t.Context()) }()
		require.NoError(t, produce(t.Context(), messages(c.contents...)))
		require.NoError(t, stream.Stop(t.Context()))
		require.NoError(t, <-ended)
		assert.Equal(t, 1, strings.Count(log.String(), c.want), "%s: %s", c.want, log.String())
	}
}

// An event that failed before is not counted again by what comes after.
func TestAnEventFailsOnce(t *testing.T) {
	batch := messages("a", "b", "c")
	batch[0].SetError(errors.New("before"))
	var o outcome
	counted := o.count(batch)
	batch[1].SetError(errors.New("here"))
	counted()
	assert.EqualValues(t, 2, o.seen.Load())
	assert.EqualValues(t, 1, o.failed.Load())
}
