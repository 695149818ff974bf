package examples_test

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	_ "connect-deepcase/cache"
)

var listOfAVariable = regexp.MustCompile(`\[ \$\{[^}]*\} \]`)

// A message that failed before a pipeline goes through all of it untouched, with that error: it is the reason in its dead letter.
func TestTheFirstErrorOfAMessageStays(t *testing.T) {
	files := examples(t)
	for _, pattern := range []string{"../elastic/*.yaml", "../kafka/*.yaml"} {
		more, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, more...)
	}
	tested := 0
	for _, file := range files {
		var config struct {
			Pipeline struct{ Processors []any }
		}
		content := text(t, file)
		// A list of a variable is YAML once the variable is in its place.
		require.NoError(t, yaml.Unmarshal([]byte(listOfAVariable.ReplaceAllString(content, "[]")), &config), file)
		if name := filepath.Base(file); name == "label.yaml" || name == "label_from_kibana.yaml" { // their answers hold the error
			continue
		}
		if strings.HasSuffix(file, "_benthos_test.yaml") || !strings.Contains(content, "deepcase_") || len(config.Pipeline.Processors) == 0 {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			builder := service.NewStreamBuilder()
			builder.SetEnvVarLookupFunc(func(name string) (string, bool) {
				return map[string]string{"MODEL": filepath.Join(t.TempDir(), "model")}[name], name == "MODEL"
			})
			require.NoError(t, builder.SetLoggerYAML("level: NONE"))
			require.NoError(t, builder.AddResourcesYAML("cache_resources: [{label: windows, memory: {}}, {label: audit_events, memory: {}}, {label: state, memory: {}}]\n"+
				"rate_limit_resources: [{label: rate, local: {count: 1000000, interval: 1s}}]"))
			require.NoError(t, builder.AddProcessorYAML(`mapping: 'root = throw("the first cause")'`))
			for _, processor := range config.Pipeline.Processors {
				one, err := yaml.Marshal(processor)
				require.NoError(t, err)
				require.NoError(t, builder.AddProcessorYAML(string(one)))
			}
			send, err := builder.AddBatchProducerFunc()
			require.NoError(t, err)
			contents := []string{"not JSON", `{"a":1}`, `{"score":"1","cluster":1,"deepcase":{"machine":"m","event":"e","context":[null]}}`, "[1,2", "null", "7"}
			var came []*service.Message
			require.NoError(t, builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
				came = append(came, batch...)
				return nil
			}))
			stream, err := builder.Build()
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- stream.Run(ctx) }()
			var batch service.MessageBatch
			for _, content := range contents {
				batch = append(batch, service.NewMessage([]byte(content)))
			}
			require.NoError(t, send(ctx, batch))
			require.NoError(t, stream.Stop(ctx))
			require.NoError(t, <-ended)
			require.Len(t, came, len(contents))
			for i, m := range came {
				require.ErrorContains(t, m.GetError(), "the first cause", contents[i])
				content, err := m.AsBytes()
				require.NoError(t, err)
				if content[0] == '{' {
					require.JSONEq(t, contents[i], string(content))
				} else {
					require.Equal(t, contents[i], string(content))
				}
			}
		})
		tested++
	}
	require.GreaterOrEqual(t, tested, 14)
}
