// Package architecture tests how this module is built: who may import whom (docs/architecture.md), what may be exported, how long a file is.
package architecture

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module  = "connect-deepcase"
	benthos = "github.com/redpanda-data/benthos/v4"
	connect = "github.com/redpanda-data/connect/v4"
	gotch   = "github.com/sugarme/gotch"
)

// list describes a package as `go list` does.
type list struct {
	ImportPath, Name, Dir, Export            string
	GoFiles, TestGoFiles, XTestGoFiles       []string
	Imports, TestImports, XTestImports, Deps []string
}

func packages(t *testing.T, arguments ...string) map[string]list {
	t.Helper()
	fields := "-json=ImportPath,Name,Dir,Export,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports,Deps"
	command := exec.Command("go", append([]string{"list", fields}, arguments...)...)
	command.Dir = "../.."
	out, err := command.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %s", failed.Stderr)
	}
	require.NoError(t, err)
	found := map[string]list{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p list
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[p.ImportPath] = p
	}
}

// within says whether a package is in a tree of packages; those of this module are named without the module's name.
func within(pkg, tree string) bool {
	if tree != module && !strings.HasPrefix(tree, "github.com/") {
		tree = module + "/" + tree
	}
	return pkg == tree || strings.HasPrefix(pkg, tree+"/")
}

func withinAny(pkg string, trees []string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool { return within(pkg, tree) })
}

var (
	programs = []string{"cmd/connect-deepcase", "bench"}
	plugins  = []string{"processor", "input", "output", "cache"}
	nobody   = []string{}
)

// importers says who may import a tree of packages. Go itself sees to it that model/contextbuilder/cpu/internal is the CPU engine's alone.
var importers = map[string][]string{
	benthos:                      slices.Concat(programs, plugins, []string{"internal/configfield", "internal/mapping", "internal/redeliver"}),
	connect:                      {"cmd/connect-deepcase"},
	gotch:                        {"model/contextbuilder/torch"},
	"processor":                  programs,
	"input":                      programs,
	"output":                     programs,
	"cache":                      programs,
	"internal/review/server":     {"output/review", "internal/cli"},
	"internal/review/page":       {"internal/review/server"},
	"internal/review/gate":       {"internal/review/server", "internal/review/page", "internal/cli", "output/review"},
	"internal/review/desk":       {"internal/review/server", "internal/review/page"},
	"internal/review/board":      {"internal/review/server", "internal/review/desk", "internal/cli", "output/review"},
	"internal/review/database":   {"internal/review/server", "internal/review/desk", "internal/review/board"},
	"internal/review/chart":      {"internal/review/page"},
	"internal/cli":               {"cmd/connect-deepcase"},
	"internal/demo":              {"internal/cli"},
	"internal/report":            {"internal/cli", "internal/drift", "internal/stream"},
	"internal/drift":             {"internal/cli", "internal/review/desk"},
	"internal/stream":            {"internal/cli"},
	"internal/configfield":       plugins,
	"internal/mapping":           plugins,
	"internal/redeliver":         {"input"},
	"internal/spool":             {"input/train"},
	"internal/logline":           {"input/syslog", "internal/cli"},
	"model/original":             {"internal/cli"},
	"model/engine":               slices.Concat(programs, []string{"processor", "input", "output", "internal/cli"}),
	"model/contextbuilder/cpu":   {"model/engine", "model/contextbuilder/cpu", "internal/modeltest", "bench"},
	"internal/modeltest":         nobody, // but tests
	"model/contextbuilder/torch": {"model/engine", "model/contextbuilder/torch"},
	"bench":                      {"bench"},
	"cmd":                        nobody,
	"config":                     nobody,
	"deploy":                     nobody,
	"docs":                       nobody,
	"integration":                nobody,
	"internal/architecture":      nobody,
}

// A plugin imports no other, and what needs no connector does not come to know one.
func TestWhoMayImportWhom(t *testing.T) {
	all := packages(t, "-tags=gotch", "./...")
	for tree, may := range importers {
		known := false
		for name, p := range all {
			known = known || within(name, tree)
			for _, i := range p.Imports {
				known = known || within(i, tree)
				if within(i, tree) && !withinAny(name, may) {
					t.Errorf("%s imports %s: only %q may import %s", name, i, may, tree)
				}
			}
		}
		require.True(t, known || tree == "integration", "there is no %s", tree)
	}
}

// independent says what a tree of packages must not depend on, not even through others.
var independent = map[string][]string{
	"sequencer":                {benthos, connect, "model"},
	"model":                    {benthos, connect, "sequencer"},
	"model/contextbuilder":     {"model/interpreter", "model/bundle", "model/store"},
	"model/contextbuilder/cpu": {gotch, "model/contextbuilder/torch"},
	"model/interpreter":        {"model/bundle", "model/store", "model/engine"},
	"model/store":              {"model/engine", "model/contextbuilder/cpu", "model/contextbuilder/torch"},
	"internal/annotation":      {benthos, connect, "sequencer"},
	"internal/cases":           {benthos, connect, "sequencer", "internal/annotation"},
	"internal/cli":             {benthos, connect, "processor", "input", "output", "cache"},
	"internal/drift":           {benthos, connect, "sequencer", "model/engine"},
	"internal/review":          {benthos, connect, "sequencer", "model/engine"},
	"internal/review/board":    {"internal/review/desk"},
	"internal/review/desk":     {"internal/review/page", "internal/review/gate"},
	"internal/review/gate":     {"internal/review/desk", "internal/review/board"},
}

// foundation is what everything may stand on: it imports nothing of this module but its own.
var foundation = []string{
	"internal/attack", "internal/auditrecord", "internal/cef", "internal/cell", "internal/configfield", "internal/demo", "internal/disk", "internal/excerpt",
	"internal/field", "internal/homenet", "internal/jsontext", "internal/keyvalue", "internal/leef", "internal/logline", "internal/redeliver",
	"internal/report", "internal/snapshot", "internal/spool", "internal/textfile",
}

func TestWhoMayDependOnWhom(t *testing.T) {
	all := packages(t, "-tags=gotch", "./...")
	for tree, banned := range independent {
		require.Contains(t, all, module+"/"+tree)
		for name, p := range all {
			for _, b := range banned {
				if within(name, tree) && slices.ContainsFunc(p.Deps, func(d string) bool { return within(d, b) }) {
					t.Errorf("%s depends on %s, which %s must not", name, b, tree)
				}
			}
		}
	}
	for _, name := range foundation {
		require.Contains(t, all, module+"/"+name)
		for _, i := range all[module+"/"+name].Imports {
			if within(i, module) && !withinAny(i, foundation) {
				t.Errorf("%s imports %s, which is not of the foundation", name, i)
			}
		}
	}
}

func TestPackageNamesSayWhatIsInside(t *testing.T) {
	for name := range packages(t, "./...") {
		if slices.Contains([]string{"base", "common", "helper", "helpers", "lib", "misc", "shared", "tools", "types", "util", "utils"}, path.Base(name)) {
			t.Errorf("%s: name the package after what it holds", name)
		}
	}
}
