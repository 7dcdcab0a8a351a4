package pkg

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fileInProse is a path of this repository as prose names it: in backquotes.
var fileInProse = regexp.MustCompile("`((?:pkg|cmd|test|docs|bench|\\.ci)/[^`\\s]+)`")

// TestDocuments_TheDocumentationNamesFilesThatExist is for a file that was moved, and is still looked
// for where it was.
func TestDocuments_TheDocumentationNamesFilesThatExist(t *testing.T) {
	for _, document := range []string{"SECURITY.md", "CONTRIBUTING.md", "docs/architecture.md"} {
		found := fileInProse.FindAllStringSubmatch(readDocument(t, document), -1)
		if len(found) == 0 {
			t.Errorf("%s names no file", document)
		}
		for _, named := range found {
			path := named[1]
			if strings.Contains(path, "…") {
				continue
			}
			if matches, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(path))); err != nil || len(matches) == 0 {
				t.Errorf("%s names %s, which does not exist", document, path)
			}
		}
	}
}

// TestDocuments_ThePolicyMakesEachPromiseOnce is for a row that was changed and also kept as it was.
func TestDocuments_ThePolicyMakesEachPromiseOnce(t *testing.T) {
	made := map[string]bool{}
	for line := range strings.Lines(readDocument(t, "SECURITY.md")) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || strings.Trim(cells[1], " -") == "" {
			continue
		}
		if promise := strings.TrimSpace(cells[1]); made[promise] {
			t.Errorf("SECURITY.md has two rows for: %s", promise)
		} else {
			made[promise] = true
		}
	}
	if len(made) < 10 {
		t.Errorf("SECURITY.md has %d rows", len(made))
	}
}

func readDocument(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
