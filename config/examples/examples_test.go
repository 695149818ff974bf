// Package examples_test lints the examples, runs them as a user does, and looks at what they make of real logs.
package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	_ "connect-deepcase/input/files"
	_ "connect-deepcase/input/syslog"
	_ "connect-deepcase/input/train"
	_ "connect-deepcase/output/review"
	_ "connect-deepcase/processor"
)

// examples are the files of the examples, without their tests.
func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	var found []string
	for _, f := range files {
		if !strings.HasSuffix(f, "_benthos_test.yaml") {
			found = append(found, f)
		}
	}
	require.GreaterOrEqual(t, len(found), 10)
	return found
}

func text(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(content)
}

func TestExamplesLint(t *testing.T) {
	nothingSet := func(context.Context, string) (string, bool) { return "", false }
	for _, file := range examples(t) {
		linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter().
			SetEnvVarLookupFunc(nothingSet).SetRejectDeprecated(true)
		lints, err := linter.LintYAML([]byte(text(t, file)))
		require.NoError(t, err, file)
		require.Empty(t, lints, file)
	}
}

func TestExamplesHaveTestsAndAParagraph(t *testing.T) {
	index := text(t, "README.md")
	for _, file := range examples(t) {
		require.FileExists(t, strings.TrimSuffix(file, ".yaml")+"_benthos_test.yaml")
		require.Contains(t, index, "`"+file+"`", "README.md")
	}
}

// An example is copied as one file, so two of them hold the same mapping: it must not drift apart.
func TestSyslogExamplesReadLinesAlike(t *testing.T) {
	for _, section := range [][2]string{{"- label: parse_syslog", "        # "}, {"- label: name_by_template", "- label: sequence"}} {
		cut := func(file string) string {
			_, rest, found := strings.Cut(text(t, file), section[0])
			require.True(t, found, file)
			within, _, found := strings.Cut(rest, section[1])
			require.True(t, found, file)
			return within
		}
		require.Equal(t, cut("source_authlog.yaml"), cut("score_syslog.yaml"), "from %q", section[0])
	}
}

// start runs an example with these variables set; stop ends it and waits for that.
func start(t *testing.T, file string, variables map[string]string) (done <-chan error, stop func()) {
	t.Helper()
	builder := service.NewStreamBuilder()
	builder.SetEnvVarLookupFunc(func(name string) (string, bool) { v, ok := variables[name]; return v, ok })
	require.NoError(t, builder.SetYAML(text(t, file)), file)
	require.NoError(t, builder.SetLoggerYAML("level: NONE"))
	stream, err := builder.Build()
	require.NoError(t, err, file)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(ctx) }()
	return ended, func() {
		defer cancel()
		closing, release := context.WithTimeout(context.Background(), 2*time.Minute)
		defer release()
		require.NoError(t, stream.Stop(closing), file)
		require.NoError(t, <-ended, file)
	}
}

// run runs an example that ends by itself.
func run(t *testing.T, file string, variables map[string]string) {
	t.Helper()
	done, _ := start(t, file, variables)
	require.NoError(t, <-done, file)
}

// annotated is what the tests look at in a document that an example wrote.
type annotated struct {
	Deepcase struct {
		Machine, Event, Status string
		Context                []*string
		Score                  *float64
	}
	Error, Document, Base64 string // in a dead letter
}

// lines reads a file of NDJSON; one that was never written has none.
func lines[T any](t *testing.T, file string) (found []T) {
	t.Helper()
	content, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	scanner := bufio.NewScanner(bytes.NewReader(content))
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		var d T
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &d), scanner.Text())
		found = append(found, d)
	}
	require.NoError(t, scanner.Err())
	return found
}
