package pkg

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"testing"
)

// TestState_NoPackageHasStateOfItsOwn is for a package-level variable that is written to, or that
// remembers something: two runs in one process would share it. The linker's variables of
// main are written by no code.
func TestState_NoPackageHasStateOfItsOwn(t *testing.T) {
	for name, p := range list(t) {
		files, variables := parsed(t, p)
		for _, file := range files {
			for _, declaration := range file.Decls {
				function, isFunction := declaration.(*ast.FuncDecl)
				if !isFunction {
					continue
				}
				for _, written := range writtenIn(function) {
					if variables[written] {
						t.Errorf("%s writes to the package-level variable %q in %s", name, written, function.Name.Name)
					}
				}
			}
			for _, remembering := range rememberingIn(file) {
				t.Errorf("%s has the package-level variable %q, which remembers", name, remembering)
			}
		}
	}
}

// parsed are the files of a package, and the names of its package-level variables.
func parsed(t *testing.T, p listed) (files []*ast.File, variables map[string]bool) {
	t.Helper()
	variables = map[string]bool{}
	for _, path := range p.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		for _, spec := range variablesOf(file) {
			for _, name := range spec.Names {
				variables[name.Name] = true
			}
		}
	}
	return files, variables
}

func variablesOf(file *ast.File) (specs []*ast.ValueSpec) {
	for _, declaration := range file.Decls {
		if general, isGeneral := declaration.(*ast.GenDecl); isGeneral && general.Tok == token.VAR {
			for _, spec := range general.Specs {
				specs = append(specs, spec.(*ast.ValueSpec))
			}
		}
	}
	return specs
}

// writtenIn are the names that a function assigns to, itself or an element or field of, and
// does not declare.
func writtenIn(function *ast.FuncDecl) (names []string) {
	var declared []string
	ast.Inspect(function, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.AssignStmt:
			for _, target := range node.Lhs {
				if node.Tok == token.DEFINE {
					declared = append(declared, baseOf(target))
				} else {
					names = append(names, baseOf(target))
				}
			}
		case *ast.IncDecStmt:
			names = append(names, baseOf(node.X))
		case *ast.RangeStmt:
			for _, variable := range []ast.Expr{node.Key, node.Value} {
				if variable != nil {
					declared = append(declared, baseOf(variable))
				}
			}
		case *ast.ValueSpec:
			for _, name := range node.Names {
				declared = append(declared, name.Name)
			}
		case *ast.Field:
			for _, name := range node.Names {
				declared = append(declared, name.Name)
			}
		}
		return true
	})
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(declared, name) })
}

// baseOf is the name at the beginning of what is assigned to: v of v, v.field and v[i].
func baseOf(target ast.Expr) string {
	switch target := target.(type) {
	case *ast.Ident:
		return target.Name
	case *ast.SelectorExpr:
		return baseOf(target.X)
	case *ast.IndexExpr:
		return baseOf(target.X)
	case *ast.StarExpr:
		return baseOf(target.X)
	}
	return ""
}

// rememberingIn are the package-level variables of a file that package sync or sync/atomic
// makes. A regular expression that is compiled when it is first used is none: it is the same
// for every run.
func rememberingIn(file *ast.File) (names []string) {
	for _, spec := range variablesOf(file) {
		ast.Inspect(spec, func(node ast.Node) bool {
			if _, isFunction := node.(*ast.FuncLit); isFunction {
				return false
			}
			if call, isCall := node.(*ast.CallExpr); isCall && isLaterExpression(call) {
				return false
			}
			selector, isSelector := node.(*ast.SelectorExpr)
			if isSelector && slices.Contains([]string{"sync", "atomic"}, baseOf(selector.X)) {
				names = append(names, spec.Names[0].Name)
			}
			return true
		})
	}
	return names
}

// isLaterExpression reports whether a call is sync.OnceValue of a function that returns a regular
// expression.
func isLaterExpression(call *ast.CallExpr) bool {
	once, isSelector := call.Fun.(*ast.SelectorExpr)
	if !isSelector || baseOf(once.X) != "sync" || once.Sel.Name != "OnceValue" || len(call.Args) != 1 {
		return false
	}
	function, isFunction := call.Args[0].(*ast.FuncLit)
	if !isFunction || function.Type.Results.NumFields() != 1 {
		return false
	}
	pointer, isPointer := function.Type.Results.List[0].Type.(*ast.StarExpr)
	if !isPointer {
		return false
	}
	result, isSelector := pointer.X.(*ast.SelectorExpr)
	return isSelector && baseOf(result.X) == "regexp" && result.Sel.Name == "Regexp"
}
