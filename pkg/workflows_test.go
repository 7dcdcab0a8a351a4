package pkg

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const repositoryRoot = ".."

func TestWorkflows_ActionsArePinnedByCommit(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(repositoryRoot, ".github", "workflows", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("workflows not found: %v", err)
	}
	uses := regexp.MustCompile(`(?m)^\s*(?:- )?uses: (.*)$`)
	pinned := regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range uses.FindAllStringSubmatch(string(text), -1) {
			if !pinned.MatchString(match[1]) {
				t.Errorf("%s: %q does not name a commit and the version in a comment", filepath.Base(path), match[1])
			}
		}
	}
}

// TestWorkflows_GoIsTheNewestPatch is for releases: go.mod names the oldest Go that builds the program, whose
// library has errors that are fixed since.
func TestWorkflows_GoIsTheNewestPatch(t *testing.T) {
	goMod, err := os.ReadFile(filepath.Join(repositoryRoot, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	minor := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(goMod))[1]
	want := "          go-version: \"" + minor + ".x\"\n          check-latest: true\n"
	paths, err := filepath.Glob(filepath.Join(repositoryRoot, ".github", "workflows", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if setups := strings.Count(string(text), "actions/setup-go@"); setups != strings.Count(string(text), want) {
			t.Errorf("%s: a step with setup-go does not have\n%s", filepath.Base(path), want)
		}
	}
}

func TestWorkflows_EveryModuleIsLintedAndUpdated(t *testing.T) {
	var modules []string
	err := filepath.WalkDir(repositoryRoot, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch entry.Name() {
		case "testdata", ".git", "bin", "dist", "node_modules":
			if entry.IsDir() {
				return filepath.SkipDir
			}
		case "go.mod":
			relative, err := filepath.Rel(repositoryRoot, filepath.Dir(path))
			if err != nil {
				return err
			}
			modules = append(modules, filepath.ToSlash(relative))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(modules)
	read := func(path string) string {
		text, err := os.ReadFile(filepath.Join(repositoryRoot, filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, linted, _ := strings.Cut(read("Makefile"), "\nMODULES := ")
	linted, _, _ = strings.Cut(linted, "\n")
	if got := slices.Sorted(slices.Values(strings.Fields(linted))); !slices.Equal(got, modules) {
		t.Errorf("MODULES in the Makefile are %q, want %q", got, modules)
	}
	var updated []string
	for _, match := range regexp.MustCompile(`(?m)^      - /(.*)$`).FindAllStringSubmatch(read(".github/dependabot.yml"), -1) {
		updated = append(updated, filepath.ToSlash(filepath.Clean(match[1])))
	}
	slices.Sort(updated)
	if !slices.Equal(updated, modules) {
		t.Errorf("dependabot updates %q, want %q", updated, modules)
	}
}
