// Package architecture holds the test of who may import whom: docs/architecture.md.
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

const module = "connect-deepcase"

// list describes a package as `go list` does.
type list struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T, arguments ...string) map[string]list {
	t.Helper()
	command := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, arguments...)...)
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

func within(pkg, tree string) bool { return pkg == tree || strings.HasPrefix(pkg, tree+"/") }

const (
	benthos    = "github.com/redpanda-data/benthos/v4"
	components = benthos + "/public/components" // which of them a program has is for the program to say
	connect    = "github.com/redpanda-data/connect/v4"
	gotch      = "github.com/sugarme/gotch"
	torch      = module + "/model/contextbuilder/torch"
)

// forbidden says what a tree of packages must not depend on, not even through others.
var forbidden = map[string][]string{
	module + "/sequencer":                {benthos, connect, module + "/model"},
	module + "/internal/demo":            {benthos, connect, module + "/model", module + "/sequencer"},
	module + "/model":                    {benthos, connect, module + "/sequencer"},
	module + "/model/interpreter":        {module + "/model/store", module + "/model/bundle"},
	module + "/model/contextbuilder":     {module + "/model/interpreter", module + "/model/store", module + "/model/bundle"},
	module + "/model/contextbuilder/cpu": {gotch, torch},
	module + "/processor":                {components, connect, module + "/input", module + "/cache", module + "/internal/cli"},
	module + "/input":                    {components, connect, module + "/processor", module + "/cache", module + "/internal/cli"},
	module + "/cache":                    {components, connect, module + "/processor", module + "/input", module + "/internal/cli", module + "/model", module + "/sequencer"},
	module + "/internal/annotation":      {benthos, connect, module + "/sequencer"},
	module + "/internal/configfield":     {components, connect, module + "/model", module + "/sequencer"},
	module + "/internal/cli":             {connect, module + "/processor", module + "/input", module + "/cache"},
}

func TestWhoMayDependOnWhom(t *testing.T) {
	all := packages(t, "./...")
	require.Contains(t, all, module+"/model")
	for tree, banned := range forbidden {
		for name, p := range all {
			if !within(name, tree) {
				continue
			}
			for _, dependency := range p.Deps {
				for _, b := range banned {
					if within(dependency, b) {
						t.Errorf("%s depends on %s, which %s must not", name, dependency, tree)
					}
				}
			}
		}
	}
}

func TestGotchStaysInTorch(t *testing.T) {
	for name, p := range packages(t, "-tags=gotch", "./...") {
		if within(name, torch) {
			continue
		}
		for _, i := range p.Imports {
			if within(i, gotch) {
				t.Errorf("%s imports %s: only %s may", name, i, torch)
			}
		}
	}
}

func TestPackageNamesSayWhatIsInside(t *testing.T) {
	for name := range packages(t, "./...") {
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "misc"}, path.Base(name)) {
			t.Errorf("%s: name the package after what it holds", name)
		}
	}
}
