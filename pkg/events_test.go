package pkg

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// events are the types of a directory that embed the marker of events, by their names as
// another package writes them.
func events(t *testing.T, directory string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(directory, "events.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, isType := node.(*ast.TypeSpec)
		if !isType {
			return true
		}
		declared, isStruct := spec.Type.(*ast.StructType)
		if !isStruct {
			return true
		}
		for _, field := range declared.Fields.List {
			if len(field.Names) == 0 && strings.HasSuffix(typeName(field.Type), "Marker") {
				names = append(names, file.Name.Name+"."+spec.Name.Name)
			}
		}
		return true
	})
	if len(names) == 0 {
		t.Errorf("%s has no events", directory)
	}
	return names
}

// cases are the types in the cases of the type switches of a file.
func cases(t *testing.T, pattern string) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	found := map[string]bool{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if choice, isSwitch := node.(*ast.TypeSwitchStmt); isSwitch {
				for _, clause := range choice.Body.List {
					for _, each := range clause.(*ast.CaseClause).List {
						name := typeName(each)
						if !strings.Contains(name, ".") {
							name = file.Name.Name + "." + name
						}
						found[name] = true
					}
				}
			}
			return true
		})
	}
	return found
}

func typeName(expression ast.Expr) string {
	switch expression := expression.(type) {
	case *ast.Ident:
		return expression.Name
	case *ast.SelectorExpr:
		return typeName(expression.X) + "." + expression.Sel.Name
	}
	return ""
}

// TestEvents_EveryEventHasItsWords is for an event that is told and printed by nobody.
func TestEvents_EveryEventHasItsWords(t *testing.T) {
	said := cases(t, "render/*.go")
	paths, err := filepath.Glob("onboard/*/events.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "onboard/events.go") {
		for _, event := range events(t, filepath.Dir(path)) {
			if !said[event] {
				t.Errorf("pkg/render has no words for %s", event)
			}
		}
	}
}

// TestEvents_ATeamHasAVerdictOnEveryEvent is for an event of the line of one user that happens to
// each of many: it is told once, told each time, or left to the result, and never forgotten.
func TestEvents_ATeamHasAVerdictOnEveryEvent(t *testing.T) {
	heard := cases(t, "onboard/team/hearing.go")
	for _, event := range slices.Concat(events(t, "onboard"), events(t, "onboard/destination"), events(t, "onboard/team")) {
		if !heard[event] {
			t.Errorf("pkg/onboard/team has no verdict on %s", event)
		}
	}
}
