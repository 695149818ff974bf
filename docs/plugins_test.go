// Package docs holds the documentation, and the test that the plugins' pages are what their specs say.
package docs

import (
	"bytes"
	_ "embed"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	_ "connect-deepcase/cache"
	_ "connect-deepcase/input/files"
	_ "connect-deepcase/input/search"
	_ "connect-deepcase/input/syslog"
	_ "connect-deepcase/input/train"
	_ "connect-deepcase/output/review"
	_ "connect-deepcase/processor"
)

var update = flag.Bool("update", false, "write the pages in plugins/ anew")

//go:embed plugin.adoc.tmpl
var page string

func TestPluginPagesAreUpToDate(t *testing.T) {
	tmpl := template.Must(template.New("").Funcs(template.FuncMap{"trim": strings.TrimSpace}).Parse(page))
	pages := 0
	check := func(name string, view *service.ConfigView) {
		if !strings.HasPrefix(name, "deepcase_") {
			return
		}
		data, err := view.TemplateData()
		require.NoError(t, err)
		var want bytes.Buffer
		require.NoError(t, tmpl.Execute(&want, data))
		text := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(want.String()) // defaults are JSON as for HTML
		path := filepath.Join("plugins", name+".adoc")
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		}
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(got), "go test ./docs -update writes it anew")
		pages++
	}
	service.GlobalEnvironment().WalkProcessors(check)
	service.GlobalEnvironment().WalkInputs(check)
	service.GlobalEnvironment().WalkOutputs(check)
	service.GlobalEnvironment().WalkCaches(check)
	require.Equal(t, 11, pages)
}
