package pkg

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// mostLines are the lines of Go that a package has, without tests, and mostLinesOnboard
	// those of a package of the use cases.
	mostLines        = 2200
	mostLinesOnboard = 1700
	// mostMethods are the methods that a type has.
	mostMethods = 25
)

func TestSizes_NoPackageOrTypeIsTooLarge(t *testing.T) {
	for name, p := range list(t) {
		lines, methods := 0, map[string]int{}
		for _, file := range p.GoFiles {
			source, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			lines += bytes.Count(source, []byte("\n"))
			countMethods(t, source, methods)
		}
		most := mostLines
		if name == "pkg/onboard" || strings.HasPrefix(name, "pkg/onboard/") {
			most = mostLinesOnboard
		}
		if lines > most {
			t.Errorf("%s has %d lines, and at most %d are permitted: split it", name, lines, most)
		}
		for receiver, count := range methods {
			if count > mostMethods {
				t.Errorf("%s.%s has %d methods, and at most %d are permitted: split it", name, receiver, count, mostMethods)
			}
		}
	}
}

// countMethods adds the methods in a source file by the names of their types.
func countMethods(t *testing.T, source []byte, methods map[string]int) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, declaration := range file.Decls {
		function, isFunction := declaration.(*ast.FuncDecl)
		if !isFunction || function.Recv == nil {
			continue
		}
		receiver := function.Recv.List[0].Type
		if pointer, isPointer := receiver.(*ast.StarExpr); isPointer {
			receiver = pointer.X
		}
		if generic, isGeneric := receiver.(*ast.IndexExpr); isGeneric {
			receiver = generic.X
		}
		methods[typeName(receiver)]++
	}
}
