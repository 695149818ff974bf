package processor

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	_ "connect-deepcase/input/files"
)

// logText is a log that a test reads while a plugin works in the background.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logText) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

// parse reads a processor's config as its constructor gets it.
func parse(t testing.TB, spec *service.ConfigSpec, yaml string) *service.ParsedConfig {
	t.Helper()
	conf, err := spec.ParseYAML(yaml, nil)
	require.NoError(t, err)
	return conf
}

func messages(contents ...string) (batch service.MessageBatch) {
	for _, content := range contents {
		batch = append(batch, service.NewMessage([]byte(content)))
	}
	return batch
}

// process gives a batch to a processor and checks that all its messages come back in their places.
func process(t testing.TB, p service.BatchProcessor, batch service.MessageBatch) service.MessageBatch {
	t.Helper()
	out, err := p.ProcessBatch(context.Background(), batch)
	require.NoError(t, err)
	require.Len(t, out, 1)
	require.Len(t, out[0], len(batch))
	return out[0]
}

func text(t testing.TB, m *service.Message) string {
	t.Helper()
	content, err := m.AsBytes()
	require.NoError(t, err)
	return string(content)
}

// at is the object at the default target.
func at(t testing.TB, m *service.Message) map[string]any {
	t.Helper()
	require.NoError(t, m.GetError())
	var document struct{ Deepcase map[string]any }
	require.NoError(t, json.Unmarshal([]byte(text(t, m)), &document))
	return document.Deepcase
}

// badConfig is a config that lint refuses, or the constructor, or both.
type badConfig struct {
	yaml  string
	lint  string // "" where lint cannot know
	build string // "" if it runs
}

func testBadConfigs(t *testing.T, name string, configs []badConfig) {
	linter := service.GlobalEnvironment().NewComponentConfigLinter()
	for _, c := range configs {
		t.Run(c.yaml, func(t *testing.T) {
			yaml := name + ":\n  " + strings.ReplaceAll(c.yaml, "\n", "\n  ")
			lints, err := linter.LintProcessorYAML([]byte(yaml))
			require.NoError(t, err)
			var found []string
			for _, l := range lints {
				found = append(found, l.What)
			}
			if c.lint == "" {
				assert.Empty(t, found)
			} else {
				assert.Equal(t, []string{c.lint}, found)
			}
			builder := service.NewStreamBuilder()
			builder.DisableLinting()
			builder.SetLogger(slog.New(slog.DiscardHandler))
			require.NoError(t, builder.AddInputYAML("generate: {count: 1, interval: '', mapping: 'root = {}'}"))
			require.NoError(t, builder.AddOutputYAML("drop: {}"))
			require.NoError(t, builder.AddProcessorYAML(yaml))
			stream, err := builder.Build()
			if err == nil {
				err = stream.Run(t.Context())
			}
			if c.build != "" {
				require.ErrorContains(t, err, c.build)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestExamplesLint(t *testing.T) {
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter()
	for _, name := range []string{"deepcase_template", "deepcase_sequence", "deepcase_predict", "deepcase_case", "deepcase_label"} {
		view, ok := service.GlobalEnvironment().GetProcessorConfig(name)
		require.True(t, ok)
		data, err := view.TemplateData()
		require.NoError(t, err)
		require.NotEmpty(t, data.Examples, name)
		assert.Equal(t, "0.1.0", data.Version)
		assert.NotEmpty(t, data.Summary)
		for _, example := range data.Examples {
			lints, err := linter.LintYAML([]byte(example.Config))
			require.NoError(t, err)
			assert.Empty(t, lints, "%s: %s", name, example.Title)
			if strings.Contains(example.Config, "deepcase_sequence:") {
				assert.Contains(t, example.Config, "\n  threads: 1 ", "%s: with more, events of a machine overtake each other", example.Title)
			}
		}
	}
}

// collector gathers the messages that reach the end of a stream.
type collector struct {
	mu       sync.Mutex
	came     *sync.Cond
	messages []*service.Message
}

func newCollector() *collector {
	c := &collector{}
	c.came = sync.NewCond(&c.mu)
	return c
}

func (c *collector) add(_ context.Context, m *service.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, m)
	c.came.Broadcast()
	return nil
}

// await gives the n messages that come next.
func (c *collector) await(n int) []*service.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := len(c.messages)
	for len(c.messages) < first+n {
		c.came.Wait()
	}
	return c.messages[first : first+n]
}

// stream builds a stream with a producer at its head and a collector at its end.
func stream(t testing.TB, env *service.Environment, threads int, processors ...string) (*service.Stream, service.MessageBatchHandlerFunc, *collector) {
	t.Helper()
	builder := env.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.DiscardHandler))
	builder.SetThreads(threads)
	for _, yaml := range processors {
		require.NoError(t, builder.AddProcessorYAML(yaml))
	}
	produce, err := builder.AddBatchProducerFunc()
	require.NoError(t, err)
	end := newCollector()
	require.NoError(t, builder.AddConsumerFunc(end.add))
	s, err := builder.Build()
	require.NoError(t, err)
	return s, produce, end
}
