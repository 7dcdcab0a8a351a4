package pkg

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// word is an expression that readers of kubernetes.io do not expect or search for.
type word struct {
	expression *regexp.Regexp
	instead    string
}

func words(alternatives, instead string) word {
	return word{regexp.MustCompile(`(?i)\b(` + alternatives + `)\b`), instead}
}

// unwantedWords are kept out of texts, comments and documentation.
var unwantedWords = []word{
	words(`she|hers?|herself|he|him|his|himself`, "the user, they, you"),
	words(`mends?|mended|mending`, "fix"),
	words(`(is|are) no|there (is|are|was|were) no`, "invalid …, … not found, does not"),
	words(`whoever|who may|you may not`, "users who can, forbidden: you cannot"),
	words(`anew`, "again, recreate"),
	words(`beside`, "next to"),
	words(`folders?`, "directory"),
	words(`(go|goes|going|went) on`, "continue"),
	words(`this program`, "csr-onboard"),
	words(`(can|won|does|did|is|are|has|have)n?'t`, "cannot, does not"),
	words(`is there already|are there already`, "already exists"),
	words(`colours?|behaviours?|licences?|honours?|favours?|centres?|neighbours?|cancelled|mislabelled`, "American spelling"),
}

// acceptedWords are lines that need such a word: a path and a part of the line.
var acceptedWords = [][2]string{}

// TestWords_AreThoseOfKubernetes keeps words out that readers of kubernetes.io do not search for.
func TestWords_AreThoseOfKubernetes(t *testing.T) {
	used := map[[2]string]bool{}
	check := func(path string, line int, text string) {
		for _, w := range unwantedWords {
			if found := w.expression.FindString(text); found != "" && !isAcceptedWord(path, text, used) {
				t.Errorf("%s:%d: %q; write %s: %s", path, line, found, w.instead, strings.TrimSpace(text))
			}
		}
	}
	for _, path := range documentation(t) {
		source, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(source), "\n") {
			check(path, i+1, line)
		}
	}
	for _, path := range filesBelow(t, ".", ".go") {
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, filepath.Join("..", path), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range parsed.Comments {
			for _, comment := range group.List {
				check(path, set.Position(comment.Pos()).Line, comment.Text)
			}
		}
		if strings.HasSuffix(path, "_test.go") {
			// What tests compare with is a text of the program, or hostile on purpose.
			continue
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			if literal, isLiteral := node.(*ast.BasicLit); isLiteral && literal.Kind == token.STRING {
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				check(path, set.Position(literal.Pos()).Line, text)
			}
			return true
		})
	}
	for _, exception := range acceptedWords {
		if !used[exception] {
			t.Errorf("the exception %q is not needed", exception)
		}
	}
}

func isAcceptedWord(path, text string, used map[[2]string]bool) bool {
	for _, exception := range acceptedWords {
		if exception[0] == path && strings.Contains(text, exception[1]) {
			used[exception] = true
			return true
		}
	}
	return false
}

// documentation are the pages that people read, by their paths in the repository.
func documentation(t *testing.T) []string {
	t.Helper()
	// krew shows the description in its manifest.
	pages := []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "krew-manifest.yaml"}
	return append(pages, filesBelow(t, "docs", ".md")...)
}

// filesBelow are those of a directory with an ending, by their paths in the repository. What
// is built or installed, and the data of tests, are not among them.
func filesBelow(t *testing.T, directory, ending string) []string {
	t.Helper()
	root := os.DirFS(repositoryRoot)
	var found []string
	err := fs.WalkDir(root, directory, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{"testdata", ".git", "bin", "dist", "node_modules"}, entry.Name()):
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(path, ending):
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
