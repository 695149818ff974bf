// Command licences writes NOTICE: the licence of every module that is linked into connect-deepcase, and its text. It fails if a module has
// no licence, or one that is not on the list below, or if a linked file has a header of Redpanda's enterprise licence that is not known.
//
//	go run . [-tags slim] [-notice FILE] MODULE_ROOT
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// allowed are the licences that may be linked.
var allowed = []string{"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "MPL-2.0", "Zlib", "Unlicense", "CC0-1.0", "0BSD"}

// elsewhere are licences, of modules, of files that the module's licence text names although it does not have them.
var elsewhere = map[string][]string{
	// Apache Thrift's text: aclocal/ax_boost_base.m4. The module has Thrift's Go library only.
	"go.opentelemetry.io/otel/exporters/jaeger": {"GNU-All-permissive-Copying-License"},
}

// enterprise are linked files under the Redpanda Community License, as they are in upstream's own bundle under the Apache licence.
var enterprise = []string{"github.com/redpanda-data/connect/v4/internal/serviceaccount/oauth2.go"}

var (
	enterpriseHeader = regexp.MustCompile(`(?i)redpanda (enterprise file|community license)|licenses/rcl|business source license`)
	licenceFile      = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense|apache-2\.0)([.-].*)?$`)
	noticeFile       = regexp.MustCompile(`(?i)^notice([.-].*)?$`)
)

// linked is a package as `go list` describes it.
type linked struct {
	ImportPath, Dir string
	Standard        bool
	Module          *struct{ Path, Version, Dir string }

	GoFiles, CgoFiles, CFiles, CXXFiles, HFiles, SFiles, EmbedFiles []string
}

// module is a linked module with what its licence files say.
type module struct {
	path, version string
	licences      []string // SPDX, sorted
	texts         []string // of licence and notice files
}

func main() {
	tags := flag.String("tags", "", "build tags")
	notice := flag.String("notice", "", "file to write; nothing is written without it")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *tags, *notice); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(root, tags, notice string) error {
	packages, err := list(root, tags)
	if err != nil {
		return err
	}
	restricted, err := restrictedFiles(packages)
	if err != nil {
		return err
	}
	modules, err := licensed(packages)
	if err != nil {
		return err
	}
	fmt.Printf("tags %q: %d modules; files under Redpanda's enterprise licence: %d\n", tags, len(modules), len(restricted))
	for _, file := range restricted {
		fmt.Println("  " + file)
	}
	if notice == "" {
		return nil
	}
	return os.WriteFile(notice, render(modules, restricted), 0o644)
}

// list gives the packages that are linked into the command, those of the standard library and of this module left out.
func list(root, tags string) ([]linked, error) {
	command := exec.Command("go", "list", "-deps", "-json", "-tags", tags, "./cmd/connect-deepcase")
	command.Dir, command.Stderr = root, os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var found []linked
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p linked
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if !p.Standard && p.Module != nil && p.Module.Version != "" {
			found = append(found, p)
		}
	}
}

// restrictedFiles lists the linked files that carry an enterprise licence; one that is not known, or a known one that is gone, is an error.
func restrictedFiles(packages []linked) (found []string, err error) {
	for _, p := range packages {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.CFiles, p.CXXFiles, p.HFiles, p.SFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return nil, err
			}
			if enterpriseHeader.Match(text[:min(len(text), 2048)]) {
				found = append(found, p.ImportPath+"/"+name)
			}
		}
	}
	for _, file := range found {
		if !slices.Contains(enterprise, file) {
			err = errors.Join(err, fmt.Errorf("%s is under an enterprise licence: it must not be linked", file))
		}
	}
	return found, err
}

// licensed classifies the licence files of every linked module: those beside its go.mod and, for parts under a licence of their own, those
// in the folders of linked packages and above them.
func licensed(packages []linked) ([]module, error) {
	classify, err := assets.DefaultClassifier()
	if err != nil {
		return nil, err
	}
	byPath, folders := map[string]*module{}, map[string]bool{}
	for _, p := range packages {
		m := byPath[p.Module.Path]
		if m == nil {
			m = &module{path: p.Module.Path, version: p.Module.Version}
			byPath[m.path] = m
			if err := m.read(classify, filepath.Join(p.Module.Dir, "licenses")); err != nil {
				return nil, err
			}
		}
		for dir := p.Dir; ; dir = filepath.Dir(dir) {
			if !folders[dir] {
				folders[dir] = true
				if err := m.read(classify, dir); err != nil {
					return nil, err
				}
			}
			if len(dir) <= len(p.Module.Dir) {
				break
			}
		}
	}
	var modules []module
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	library := &module{path: "Go", version: "(standard library)"} // whichever version builds it
	if err := library.read(classify, strings.TrimSpace(string(goroot))); err != nil {
		return nil, err
	}
	byPath[library.path] = library
	for _, m := range byPath {
		slices.Sort(m.licences)
		m.licences = slices.Compact(m.licences)
		if len(m.licences) == 0 {
			err = errors.Join(err, fmt.Errorf("%s %s: no licence found", m.path, m.version))
		}
		for _, name := range m.licences {
			if !slices.Contains(allowed, name) && !slices.Contains(elsewhere[m.path], name) {
				err = errors.Join(err, fmt.Errorf("%s %s: licence %s is not one of %s", m.path, m.version, name, strings.Join(allowed, ", ")))
			}
		}
		modules = append(modules, *m)
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return modules, err
}

// read adds the licence and notice files of a folder, which need not exist.
func (m *module) read(classify *classifier.Classifier, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		licence := licenceFile.MatchString(e.Name())
		if e.IsDir() || !licence && !noticeFile.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if licence {
			for _, match := range classify.Match(text).Matches {
				if match.MatchType == "License" || match.MatchType == "Header" { // of a licence: go-jmespath has no more than that
					m.licences = append(m.licences, match.Name)
				}
			}
		}
		m.texts = append(m.texts, strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
	}
	return nil
}

// render writes the list of modules and, once each, the texts.
func render(modules []module, restricted []string) []byte {
	var out bytes.Buffer
	fmt.Fprint(&out, "connect-deepcase is under the MIT licence, see LICENSE. The binary also contains the modules below.\nWritten by `make notice`.\n\n")
	if len(restricted) > 0 {
		fmt.Fprint(&out, "These files are under the Redpanda Community License (https://github.com/redpanda-data/connect/blob/main/licenses/rcl.md). Redpanda links\nthem into its own bundle under the Apache licence, too. They are in builds with Kafka; `make slim` has none of them.\n\n")
		for _, file := range restricted {
			fmt.Fprintf(&out, "    %s\n", file)
		}
		fmt.Fprintln(&out)
	}
	users, order := map[string][]string{}, []string{}
	for _, m := range modules {
		fmt.Fprintf(&out, "%s %s: %s\n", m.path, m.version, strings.Join(m.licences, ", "))
		for _, text := range m.texts {
			if !slices.Contains(users[text], m.path) {
				if users[text] == nil {
					order = append(order, text)
				}
				users[text] = append(users[text], m.path)
			}
		}
	}
	for _, text := range order {
		fmt.Fprintf(&out, "\n%s\n%s\n\n%s\n", strings.Repeat("-", 80), strings.Join(users[text], "\n"), text)
	}
	return out.Bytes()
}
