package architecture

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checker type-checks the packages of this module from source, each once, and notes what they use of each other.
type checker struct {
	t        *testing.T
	fset     *token.FileSet
	listed   map[string]list
	external types.Importer
	checked  map[string]*types.Package
	used     map[types.Object]bool
}

// Import is for go/types: packages of this module are checked on the way, others come from what the compiler wrote about them.
func (c *checker) Import(name string) (*types.Package, error) {
	if !within(name, module) {
		return c.external.Import(name)
	}
	if c.checked[name] == nil {
		p, ok := c.listed[name]
		if !ok {
			return nil, fmt.Errorf("%s is not listed", name)
		}
		c.checked[name] = c.check(p, name, p.GoFiles, false)
	}
	return c.checked[name], nil
}

// check type-checks files of a package. A package uses what is declared in another folder; examples also use what is declared beside them.
func (c *checker) check(p list, name string, names []string, lenient bool) *types.Package {
	var files []*ast.File
	for _, n := range names {
		file, err := parser.ParseFile(c.fset, filepath.Join(p.Dir, n), nil, parser.SkipObjectResolution)
		require.NoError(c.t, err)
		files = append(files, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: c, FakeImportC: true}
	if lenient {
		config.Error = func(error) {}
	}
	checked, err := config.Check(name, c.fset, files, info)
	if !lenient {
		require.NoError(c.t, err)
	}
	for id, object := range info.Uses {
		if object.Pkg() != nil && within(object.Pkg().Path(), module) && (object.Pkg().Path() != p.ImportPath || inExample(files, id)) {
			c.used[origin(object)] = true
		}
	}
	return checked
}

func inExample(files []*ast.File, id *ast.Ident) bool {
	return slices.ContainsFunc(files, func(f *ast.File) bool {
		return f.FileStart <= id.Pos() && id.Pos() < f.FileEnd && slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
			function, ok := d.(*ast.FuncDecl)
			return ok && strings.HasPrefix(function.Name.Name, "Example") && function.Pos() <= id.Pos() && id.Pos() < function.End()
		})
	})
}

// origin is the declaration behind a field or method of an instance of a generic type.
func origin(o types.Object) types.Object {
	switch o := o.(type) {
	case *types.Func:
		return o.Origin()
	case *types.Var:
		return o.Origin()
	}
	return o
}

// follow marks the types that a used declaration shows to its users.
func (c *checker) follow(t types.Type, seen map[types.Type]bool) {
	if t == nil || seen[t] {
		return
	}
	seen[t] = true
	switch t := t.(type) {
	case *types.Named:
		c.used[t.Origin().Obj()] = true
		for a := range t.TypeArgs().Types() {
			c.follow(a, seen)
		}
		for m := range t.Methods() {
			if c.used[m.Origin()] {
				c.follow(m.Type(), seen)
			}
		}
		c.follow(t.Underlying(), seen)
	case *types.Alias:
		c.used[t.Obj()] = true
		c.follow(types.Unalias(t), seen)
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() {
				c.follow(f.Type(), seen)
			}
		}
	case *types.Signature:
		c.follow(t.Params(), seen)
		c.follow(t.Results(), seen)
	case *types.Tuple:
		for v := range t.Variables() {
			c.follow(v.Type(), seen)
		}
	case *types.Interface:
		for m := range t.ExplicitMethods() {
			c.follow(m.Type(), seen)
		}
	case *types.Map:
		c.follow(t.Key(), seen)
		c.follow(t.Elem(), seen)
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels
		c.follow(t.Elem(), seen)
	}
}

// TestNothingIsExportedWithoutAUser: what is exported is used in another folder, or an Example shows it. Types count as used if something
// used shows them, methods if they make their type an interface that another package declares, constants if one of their type is used.
// Errors that callers can tell apart may be exported in any case. Fields are not looked at: encoders read them.
func TestNothingIsExportedWithoutAUser(t *testing.T) {
	c := &checker{t: t, fset: token.NewFileSet(), checked: map[string]*types.Package{}, used: map[types.Object]bool{}}
	c.listed = packages(t, "-tags=slim,integration", "./...")
	c.external = importer.ForCompiler(c.fset, "gc", exports(t, c.listed))
	for name, p := range c.listed {
		_, err := c.Import(name)
		require.NoError(t, err)
		c.check(p, name, slices.Concat(p.GoFiles, p.TestGoFiles), false)
		c.check(p, name+"_test", p.XTestGoFiles, true) // some use what export_test.go exports
	}
	for name, p := range packages(t, "-tags=gotch,slim", "./...") {
		if !slices.Equal(p.GoFiles, c.listed[name].GoFiles) {
			c.check(p, name, slices.Concat(p.GoFiles, p.TestGoFiles), true) // libtorch need not be there
		}
	}
	seen := map[types.Type]bool{}
	for again := true; again; {
		before := len(c.used) + len(seen)
		for o := range c.used {
			c.follow(o.Type(), seen)
		}
		again = len(c.used)+len(seen) > before
	}
	require.True(t, c.used[c.checked[module+"/sequencer"].Scope().Lookup("CSV")], "uses are seen")
	for name, p := range c.checked {
		if c.listed[name].Name == "main" {
			continue
		}
		for _, o := range c.unused(p) {
			position := c.fset.Position(o.Pos())
			t.Errorf("%s:%d: nothing outside of its package uses %s", strings.TrimPrefix(position.Filename, c.listed[module].Dir+"/"), position.Line, o.Name())
		}
	}
}

var failure = types.Universe.Lookup("error").Type()

// unused gives what a package exports and nobody uses.
func (c *checker) unused(p *types.Package) (unused []types.Object) {
	kinds := map[types.Type]bool{} // types with a constant that is used
	for _, name := range p.Scope().Names() {
		if o, ok := p.Scope().Lookup(name).(*types.Const); ok && c.used[o] {
			kinds[o.Type()] = true
		}
	}
	for _, name := range p.Scope().Names() {
		o := p.Scope().Lookup(name)
		if _, isVar := o.(*types.Var); !o.Exported() || isVar && types.Identical(o.Type(), failure) {
			continue
		}
		if _, ok := o.(*types.Const); !c.used[o] && !(ok && kinds[o.Type()]) {
			unused = append(unused, o)
			continue
		}
		named, ok := o.Type().(*types.Named)
		if _, isType := o.(*types.TypeName); !ok || !isType {
			continue
		}
		for m := range named.Methods() {
			if m.Exported() && !c.used[m] && !c.satisfies(named, m) {
				unused = append(unused, m)
			}
		}
	}
	return unused
}

// satisfies says whether a method is one of an interface of another package that its type implements.
func (c *checker) satisfies(named *types.Named, m *types.Func) bool {
	if slices.Contains([]string{"Unwrap", "Is", "As"}, m.Name()) { // package errors has no names for these interfaces
		return true
	}
	known := map[*types.Package]bool{}
	var look func(p *types.Package) bool
	look = func(p *types.Package) bool {
		if known[p] {
			return false
		}
		known[p] = true
		for _, name := range p.Scope().Names() {
			i, ok := p.Scope().Lookup(name).Type().Underlying().(*types.Interface)
			if ok && p != m.Pkg() && types.NewMethodSet(i).Lookup(nil, m.Name()) != nil && types.Implements(types.NewPointer(named), i) {
				return true
			}
		}
		return slices.ContainsFunc(p.Imports(), look)
	}
	for _, p := range c.checked {
		if look(p) {
			return true
		}
	}
	return false
}

// exports gives what the compiler wrote about the other modules' packages.
func exports(t *testing.T, ours map[string]list) importer.Lookup {
	t.Helper()
	var others []string
	for _, p := range ours {
		for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if !within(i, module) && i != "C" && i != "unsafe" {
				others = append(others, i)
			}
		}
	}
	slices.Sort(others)
	found := packages(t, append([]string{"-export", "-tags=slim,integration"}, slices.Compact(others)...)...)
	return func(name string) (io.ReadCloser, error) { return os.Open(found[name].Export) }
}
