package pkg

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

var (
	// formatsCommand matches a format that puts something into a command, as in
	// "see: kubectl get csr %s".
	formatsCommand = regexp.MustCompile(`(?m)\b(kubectl|chmod|rm) [^;:,"\n]*%[a-z]|(--|\B-)[a-z][a-z-]*[ =]%s`)
	// opensCommand matches a text to which the rest of a command is added.
	opensCommand = regexp.MustCompile(`\b(kubectl|chmod|rm)( [^;:,"\n]*)? $`)
)

// notToCopy are texts that look like commands and are none.
var notToCopy = map[string]bool{
	"%s by %s with kubectl csr-onboard %s":        true,
	"#!/bin/sh\n# Made by: kubectl csr-onboard  ": true,
	"--timeout %s leaves no time to wait":         true,
	"--out - and -o %s both want standard output": true,
}

// TestCommands_CommandsToCopyAreMadeByIdentity searches the program for commands that are put
// together in any other way than by identity.Command, which alone sees to it that a name
// such as --all is not an option in them.
func TestCommands_CommandsToCopyAreMadeByIdentity(t *testing.T) {
	for name, p := range list(t) {
		if name == "pkg/identity" {
			continue
		}
		for _, file := range p.GoFiles {
			for _, found := range commandsIn(t, filepath.Join(p.Dir, file)) {
				// Completion compares a name with its word.
				if name == "pkg/cmd/cli" && file == "completion.go" && found.text == "identity.ShellWord" {
					continue
				}
				t.Errorf("%s: use identity.NewCommand for %q", found.position, found.text)
			}
		}
	}
}

func TestCommands_TheSearchForCommandsFindsThem(t *testing.T) {
	for _, text := range []string{
		"delete it: kubectl delete csr %s", "(kubectl delete csr %q)", "kubectl csr-onboard approve %s --wait", "make it private: chmod 600 %v", "rm %s",
		"if you know that this is right: --allow %s", "kubectl get roles -n %s",
	} {
		if !formatsCommand.MatchString(text) {
			t.Errorf("%q is taken for harmless", text)
		}
	}
	for _, text := range []string{"ask for it: %s", "kubectl is missing: %s", "%s -- %s", "see: kubectl get csr"} {
		if formatsCommand.MatchString(text) {
			t.Errorf("%q is taken for a command with something in it", text)
		}
	}
	for _, text := range []string{"the administrator runs: kubectl csr-onboard approve ", "kubectl "} {
		if !opensCommand.MatchString(text) {
			t.Errorf("%q is taken for harmless", text)
		}
	}
}

type foundCommand struct {
	position token.Position
	text     string
}

func commandsIn(t *testing.T, path string) []foundCommand {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []foundCommand
	report := func(node ast.Node, text string) {
		found = append(found, foundCommand{files.Position(node.Pos()), text})
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SelectorExpr:
			if receiver, isName := node.X.(*ast.Ident); isName && receiver.Name == "identity" && node.Sel.Name == "ShellWord" {
				report(node, "identity.ShellWord")
			}
		case *ast.BasicLit:
			if text := textOf(node); formatsCommand.MatchString(text) && !notToCopy[text] {
				report(node, text)
			}
		case *ast.BinaryExpr:
			before := endOf(node.X)
			if _, addsText := node.Y.(*ast.BasicLit); node.Op == token.ADD && !addsText && opensCommand.MatchString(before) && !notToCopy[before] {
				report(node, before)
			}
		}
		return true
	})
	return found
}

// endOf is what a concatenation ends with, where that is known: the program's own name
// is the constant program of package cmd.
func endOf(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.BasicLit:
		return textOf(e)
	case *ast.Ident:
		if e.Name == "program" {
			return "kubectl csr-onboard "
		}
	case *ast.BinaryExpr:
		return endOf(e.X) + endOf(e.Y)
	}
	return ""
}

func textOf(literal *ast.BasicLit) string {
	if literal.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return text
}
