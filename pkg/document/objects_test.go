package document

import (
	"strings"
	"testing"
)

func TestObjects_EachDocumentAndEachItemOfAListIsAnObject(t *testing.T) {
	for about, test := range map[string]struct {
		text string
		want []string
	}{
		"nothing":              {"", nil},
		"comments":             {"# one\n---\n\n# two\n", nil},
		"one":                  {"kind: A\n", []string{"kind: A"}},
		"several":              {"kind: A\n---\n# nothing\n---\nkind: B\n", []string{"kind: A", "kind: B"}},
		"a list":               {"apiVersion: v1\nkind: List\nmetadata: {resourceVersion: \"\"}\nitems: [{kind: A}, {kind: B, apiVersion: b/v1}]\n", []string{`{"kind":"A"}`, `{"apiVersion":"b/v1","kind":"B"}`}},
		"a list in JSON":       {`{"kind": "List", "apiVersion": "v1", "items": [{"kind": "A"}]}`, []string{`{"kind":"A"}`}},
		"a list of one kind":   {"apiVersion: a/v1\nkind: AList\nitems: [{metadata: {name: x}}]\n", []string{`{"apiVersion":"a/v1","kind":"A","metadata":{"name":"x"}}`}},
		"an empty list":        {"apiVersion: v1\nkind: List\nitems: []\n", nil},
		"a list and another":   {"kind: List\nitems: [{kind: A}]\n---\nkind: B\n", []string{`{"kind":"A"}`, "kind: B"}},
		"a list in a list":     {"kind: List\nitems: [{kind: List, items: [{kind: A}]}]\n", []string{`{"items":[{"kind":"A"}],"kind":"List"}`}},
		"an item that is null": {"kind: List\nitems: [null]\n", []string{"null"}},
		"no YAML":              {"a: [", []string{"a: ["}},
		"no object":            {"kind: [x]\n", []string{"kind: [x]"}},
	} {
		objects, err := Objects([]byte(test.text))
		if err != nil {
			t.Errorf("%s: %v", about, err)
		}
		var got []string
		for _, one := range objects {
			got = append(got, strings.TrimSpace(string(one)))
		}
		if strings.Join(got, ";") != strings.Join(test.want, ";") {
			t.Errorf("%s: %q, want %q", about, got, test.want)
		}
	}
}

func TestObjects_AListThatCannotBeReadIsNotQuoted(t *testing.T) {
	for about, text := range map[string]string{
		"a field that lists do not have": "kind: List\nitems: []\nsecret: x\n",
		"a key twice":                    "kind: List\nitems: []\nitems: [secret]\n",
		"items that are a text":          "kind: List\nitems: secret\n",
		"an item that is a text":         "kind: List\nitems: [secret]\n",
	} {
		objects, err := Objects([]byte(text))
		if err == nil || !strings.Contains(err.Error(), `the list of kind "List" cannot be read`) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v", about, objects, err)
		}
	}
	if _, err := Objects([]byte("&a [" + strings.Repeat("*a,", 10) + "]")); err == nil {
		t.Error("aliases are not bounded")
	}
}
