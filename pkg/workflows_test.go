package pkg

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const repositoryRoot = ".."

// workflows are the texts of the workflows, by the names of their files.
func workflows(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, file := range filesBelow(t, ".github/workflows", ".yaml") {
		text, err := os.ReadFile(filepath.Join(repositoryRoot, file))
		if err != nil {
			t.Fatal(err)
		}
		texts[path.Base(file)] = string(text)
	}
	if len(texts) == 0 {
		t.Fatal("workflows not found")
	}
	return texts
}

func TestWorkflows_ActionsArePinnedByCommit(t *testing.T) {
	uses := regexp.MustCompile(`(?m)^\s*(?:- )?uses: (.*)$`)
	pinned := regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for name, text := range workflows(t) {
		for _, match := range uses.FindAllStringSubmatch(text, -1) {
			if !pinned.MatchString(match[1]) {
				t.Errorf("%s: %q does not name a commit and the version in a comment", name, match[1])
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
	for name, text := range workflows(t) {
		setups := strings.Count(text, "actions/setup-go@")
		if name == "ci.yaml" {
			// docs/install.md promises this version of Go or later.
			if strings.Count(text, "          go-version: stable\n          check-latest: true\n") != 1 {
				t.Errorf("%s does not have one job with the newest Go", name)
			}
			setups--
		}
		if setups != strings.Count(text, want) {
			t.Errorf("%s: a step with setup-go does not have\n%s", name, want)
		}
	}
}

func TestWorkflows_EveryModuleIsLintedAndUpdated(t *testing.T) {
	var modules []string
	for _, file := range filesBelow(t, ".", "go.mod") {
		modules = append(modules, path.Dir(file))
	}
	slices.Sort(modules)
	read := func(file string) string {
		text, err := os.ReadFile(filepath.Join(repositoryRoot, filepath.FromSlash(file)))
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
