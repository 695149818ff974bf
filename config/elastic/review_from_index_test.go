package elastic_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	_ "connect-deepcase/input/search"
	_ "connect-deepcase/output/review"
)

// review_from_index.yaml with documents from a file in place of a server's: what is annotated is on the page, the rest becomes a dead letter.
func TestReviewFromAnIndex(t *testing.T) {
	text, err := os.ReadFile("review_from_index.yaml")
	require.NoError(t, err)
	lints, err := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter().
		SetEnvVarLookupFunc(func(context.Context, string) (string, bool) { return "", false }).LintYAML(text)
	require.NoError(t, err)
	require.Empty(t, lints)

	dir := t.TempDir()
	file := filepath.Join(dir, "documents.ndjson")
	at := time.Now().UTC().Format(time.RFC3339)
	require.NoError(t, os.WriteFile(file, []byte(
		`{"@timestamp":"`+at+`","deepcase":{"machine":"web-1","event":"firewall off","context":[null],"status":"unknown_event","send":true,"case":"new-1","case_kind":"new"}}`+"\n"+
			`{"@timestamp":"`+at+`","message":"not annotated"}`+"\n"), 0o600))
	var config map[string]any
	require.NoError(t, yaml.Unmarshal(text, &config))
	delete(config, "http")
	config["input"] = map[string]any{"broker": map[string]any{"inputs": []any{
		map[string]any{"deepcase_files": map[string]any{"paths": []string{file}}},
		map[string]any{"generate": map[string]any{"interval": "1h", "mapping": "root = deleted()"}}, // goes on
	}}}
	encoded, err := yaml.Marshal(config)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	builder := service.NewStreamBuilder()
	builder.SetEnvVarLookupFunc(func(name string) (string, bool) {
		v, ok := map[string]string{"MODEL": filepath.Join(dir, "model"), "STORE": filepath.Join(dir, "review"), "STATE": filepath.Join(dir, "state"),
			"DEAD_LETTERS": filepath.Join(dir, "dead-letters.ndjson"), "PORT": port}[name]
		return v, ok
	})
	require.NoError(t, builder.SetYAML(string(encoded)))
	require.NoError(t, builder.SetLoggerYAML("level: NONE"))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }()
	require.Eventually(t, func() bool {
		response, err := http.Get("http://" + net.JoinHostPort("localhost", port) + "/queue")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		dead, failed := os.ReadFile(filepath.Join(dir, "dead-letters.ndjson"))
		return err == nil && failed == nil && strings.Contains(string(page), "firewall off") && strings.Contains(string(dead), "no annotation")
	}, 2*time.Minute, 20*time.Millisecond, "port %s", port)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	require.NoError(t, stream.Stop(ctx))
	require.NoError(t, <-ended)
}
