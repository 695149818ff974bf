package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/licenseclassifier/v2/assets"
)

const mit = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the \"Software\"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:\n\nThe above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.\n\nTHE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.\n"

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func pkg(path, dir string, files ...string) linked {
	p := linked{ImportPath: path, Dir: dir, GoFiles: files}
	p.Module = &struct{ Path, Version, Dir string }{path, "v1.0.0", dir}
	return p
}

func TestAnotherEnterpriseFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.go"), "// Licensed as a Redpanda Enterprise file under the Redpanda Community\n// License\n\npackage a\n")
	write(t, filepath.Join(dir, "b.go"), "package a\n")
	found, err := restrictedFiles([]linked{pkg("example.com/a", dir, "a.go", "b.go")})
	if len(found) != 1 || err == nil || !strings.Contains(err.Error(), "example.com/a/a.go is under an enterprise licence") {
		t.Errorf("found %v, error %v", found, err)
	}
}

func TestAModuleWithoutAnAllowedLicenceIsRefused(t *testing.T) {
	agpl, err := assets.ReadLicenseFile("License/AGPL-3.0/license.txt")
	if err != nil {
		t.Fatal(err)
	}
	none, copyleft, fine := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(copyleft, "COPYING"), string(agpl))
	write(t, filepath.Join(fine, "LICENSE"), mit)
	_, err = licensed([]linked{pkg("example.com/none", none), pkg("example.com/copyleft", copyleft), pkg("example.com/fine", fine)})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"example.com/none v1.0.0: no licence found", "example.com/copyleft v1.0.0: licence AGPL-3.0 is not one of MIT"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "fine") {
		t.Errorf("error %q names a module that is fine", err)
	}
}
