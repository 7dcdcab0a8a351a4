package teamfile

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestYAML_ASyntaxErrorSaysWhatWasExpectedAndWhere(t *testing.T) {
	for text, want := range map[string]Mistake{
		header + "- name: jane\n  groups: [dev\n- name: bob\n": {5, "invalid YAML: did not find expected ',' or ']'"},
		"a: {b: c":   {1, "invalid YAML: did not find expected ',' or '}'"},
		"- a\nb: c":  {2, "invalid YAML: did not find expected '-' indicator"},
		"a: !<tag b": {0, "invalid YAML: did not find the expected '>'"},
		"a: *token":  {0, "invalid YAML: unknown anchor referenced"},
		header + "# R&D, *all*\n- name: jane\n  groups: [dev\n- name: bob\n": {6, "invalid YAML: did not find expected ',' or ']'"},
		"\x7fELF\x01&*\n":               {0, "invalid YAML: control characters are not allowed"},
		header + "- name: a\n---\na: [": {6, "invalid YAML: did not find expected node content"},
	} {
		members, mistakes := Parse([]byte(text))
		if diff := cmp.Diff([]Mistake{want}, mistakes); diff != "" || members != nil {
			t.Errorf("%q: %v %s", text, members, diff)
		}
	}
}

// TestYAML_DocumentsThatHoldNothingDoNotCount is for files that tools write or join.
func TestYAML_DocumentsThatHoldNothingDoNotCount(t *testing.T) {
	team := header + "- name: jane\n  groups: [dev]\n"
	for _, text := range []string{
		team + "---\n", "---\n" + team + "---\n---\n", "---\n# the team\n---\n" + team, team + "...\n", team + "---\nnull\n", "~\n---\n" + team + "--- # nothing\n",
	} {
		members, mistakes := Parse([]byte(text))
		if mistakes != nil || !slices.Equal(namesAndGroups(members), []string{"jane: dev"}) {
			t.Errorf("%q: %v, %v", text, members, mistakes)
		}
	}
	for text, want := range map[string]Mistake{
		"---\n---\n":            {0, "it is empty"},
		"# nothing\n":           {0, "it is empty"},
		team + "---\n---\n{}\n": {8, "it holds more than one document, and a team is one"},
		team + "---\n" + team:   {7, "it holds more than one document, and a team is one"},
	} {
		members, mistakes := Parse([]byte(text))
		if diff := cmp.Diff([]Mistake{want}, mistakes); diff != "" || members != nil {
			t.Errorf("%q: %v %s", text, members, diff)
		}
	}
}
