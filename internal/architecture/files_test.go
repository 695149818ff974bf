package architecture

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sources gives each Go file of the repository that was written by hand, named from its root.
func sources(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	root := os.DirFS("../..")
	require.NoError(t, fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if !bytes.HasPrefix(text, []byte("// Code generated")) {
			files[name] = string(text)
		}
		return err
	}))
	require.Contains(t, files, "model/contextbuilder/torch/engine.go", "build tags do not hide a file")
	return files
}

func TestFilesAreShort(t *testing.T) {
	const most = 400
	for name, text := range sources(t) {
		if n := strings.Count(text, "\n"); n > most {
			t.Errorf("%s has %d lines, more than %d: split it by what it does", name, n, most)
		}
	}
}

// sleepers are the files with tests that wait in real time, and why.
var sleepers = map[string]string{
	"model/decisions/crash_test.go":   "kills a process at a random moment",
	"model/store/crash_test.go":       "kills a process at a random moment",
	"processor/predict_model_test.go": "a slow engine for tests that run in a bubble of synctest",
}

// TestTestsDoNotSleep: time is an argument or testing/synctest's, and what another process or goroutine does is awaited. Tests on real servers
// may sleep.
func TestTestsDoNotSleep(t *testing.T) {
	asleep := map[string]bool{}
	for name, text := range sources(t) {
		if !strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "integration/") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if calls(d, "time", "Sleep") && !calls(d, "synctest", "Test") {
				asleep[name] = true
				if sleepers[name] == "" {
					t.Errorf("%s sleeps", name)
				}
			}
		}
	}
	for name := range sleepers {
		require.True(t, asleep[name], "%s does not sleep: it needs no exception", name)
	}
}

func calls(in ast.Node, pkg, name string) (found bool) {
	ast.Inspect(in, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == name {
			x, ok := s.X.(*ast.Ident)
			found = found || ok && x.Name == pkg
		}
		return !found
	})
	return found
}
