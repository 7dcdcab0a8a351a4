package pkg

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNames_ErrorsAreNamedAsErrors is for a variable such as unread, of which nobody can tell
// that it is an error: errors are called err, …Err or Err….
func TestNames_ErrorsAreNamedAsErrors(t *testing.T) {
	eachName(t, func(_ *types.Package, _ *ast.File, name *ast.Ident, object types.Object) string {
		variable, isVariable := object.(*types.Var)
		if !isVariable || variable.IsField() || !isError(object.Type()) {
			return ""
		}
		if name.Name == "_" || name.Name == "err" || strings.HasSuffix(name.Name, "Err") || strings.HasPrefix(name.Name, "err") || strings.HasPrefix(name.Name, "Err") {
			return ""
		}
		return fmt.Sprintf("the error %q is not called err, …Err or Err…", name.Name)
	})
}

// TestNames_NoVariableShadowsAPackageLevelName is for a variable that hides a type, a function or
// an import of its file, which a reader then takes it for.
func TestNames_NoVariableShadowsAPackageLevelName(t *testing.T) {
	eachName(t, func(p *types.Package, file *ast.File, name *ast.Ident, object types.Object) string {
		variable, isVariable := object.(*types.Var)
		if !isVariable || variable.IsField() || object.Parent() == p.Scope() || name.Name == "_" {
			return ""
		}
		if hidden := p.Scope().Lookup(name.Name); hidden != nil {
			return fmt.Sprintf("the variable %q has the name of %s", name.Name, hidden)
		}
		for _, imported := range file.Imports {
			if name.Name == importName(p, imported) {
				return fmt.Sprintf("the variable %q has the name of the import %s", name.Name, imported.Path.Value)
			}
		}
		if isType := isPredeclaredType(name.Name); isType {
			return fmt.Sprintf("the variable %q has the name of a type", name.Name)
		}
		return ""
	})
}

func isError(t types.Type) bool { return types.Identical(t, types.Universe.Lookup("error").Type()) }

func isPredeclaredType(name string) bool {
	_, isType := types.Universe.Lookup(name).(*types.TypeName)
	return isType
}

func importName(p *types.Package, spec *ast.ImportSpec) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	for _, imported := range p.Imports() {
		if `"`+imported.Path()+`"` == spec.Path.Value {
			return imported.Name()
		}
	}
	return ""
}

// eachName calls a check with every name that the program's packages declare, and reports
// what it returns, if anything.
func eachName(t *testing.T, check func(*types.Package, *ast.File, *ast.Ident, types.Object) string) {
	t.Helper()
	exports := exportsOf(t)
	set := token.NewFileSet()
	config := types.Config{Importer: importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })}
	for name, p := range list(t) {
		var files []*ast.File
		for _, path := range p.GoFiles {
			file, err := parser.ParseFile(set, filepath.Join(p.Dir, path), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		info := types.Info{Defs: map[*ast.Ident]types.Object{}}
		checked, err := config.Check(module+name, set, files, &info)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			ast.Inspect(file, func(node ast.Node) bool {
				if declared, isName := node.(*ast.Ident); isName && info.Defs[declared] != nil {
					if problem := check(checked, file, declared, info.Defs[declared]); problem != "" {
						t.Errorf("%s: %s", set.Position(declared.Pos()), problem)
					}
				}
				return true
			})
		}
	}
}

// exportsOf are the files from which the compiler reads what packages export, by import path.
func exportsOf(t *testing.T) map[string]string {
	t.Helper()
	output, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var p struct{ ImportPath, Export string }
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return exports
		}
		if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
	}
}
