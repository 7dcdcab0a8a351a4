package main

import (
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
)

// source is a package of the program with its types.
type source struct {
	path      string // The import path.
	directory string
	name      string

	files   []*ast.File
	text    map[*ast.File][]byte
	set     *token.FileSet
	info    *types.Info
	checked *types.Package
	imports types.Importer
}

// load parses and checks one package of the module in root, for this platform.
func load(root, path string) (*source, error) {
	imports, err := exportedTypes(root, path)
	if err != nil {
		return nil, err
	}
	listed, err := goCommand(root, "list", "-f", "{{.ImportPath}}\n{{.Dir}}\n{{.Name}}\n{{join .GoFiles \"\\n\"}}", path)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(listed), "\n")
	s := &source{path: lines[0], directory: lines[1], name: lines[2], text: map[*ast.File][]byte{}, set: token.NewFileSet()}
	s.imports = importer.ForCompiler(s.set, "gc", imports)
	for _, name := range lines[3:] {
		file := filepath.Join(s.directory, name)
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		parsed, err := parser.ParseFile(s.set, file, text, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		s.files, s.text[parsed] = append(s.files, parsed), text
	}
	s.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	s.checked, err = (&types.Config{Importer: s.imports}).Check(s.path, s.set, s.files, s.info)
	return s, err
}

// exportedTypes finds what the compiler exports of each package that path, or the
// switch of its mutants, imports.
func exportedTypes(root, path string) (importer.Lookup, error) {
	listed, err := goCommand(root, "list", "-deps", "-export", "-f", "{{.ImportPath}}\t{{.Export}}", path, "os", "strconv", "sync")
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for line := range strings.Lines(listed) {
		imported, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[imported] = file
	}
	return func(imported string) (io.ReadCloser, error) {
		if files[imported] == "" {
			return nil, fmt.Errorf("package %q not found", imported)
		}
		return os.Open(files[imported])
	}, nil
}

// goCommand runs the go command in a directory and returns what it prints.
func goCommand(directory string, arguments ...string) (string, error) {
	command := exec.Command("go", arguments...)
	command.Dir = directory
	var printed, failed strings.Builder
	command.Stdout, command.Stderr = &printed, &failed
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s%s", arguments[0], err, printed.String(), failed.String())
	}
	return printed.String(), nil
}
