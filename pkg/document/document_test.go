package document

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestDocument_WhatADocumentExpandsToIsBounded(t *testing.T) {
	text := strings.Repeat("x", 64<<10)
	levels := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		alias := fmt.Sprintf("*a%d", i)
		levels += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(alias+", ", 9)+alias)
	}
	chain := "a0: &a0 []\n"
	for i := range 3_000 {
		chain += fmt.Sprintf("a%d: &a%d [*a%d]\n", i+1, i+1, i)
	}
	for _, test := range []struct{ about, data, says string }{
		{"an ordinary one", "a: b\n", ""},
		{"nothing", "", ""},
		{"a few aliases", "a: &a [dev, ops]\nb: *a\nc: {<<: {d: *a}}\n", ""},
		{"the characters in texts", "a: 'x & y'\nb: '2 * 3'\n", ""},
		{"two documents", "a: &a b\n---\na: &a b\nb: *a\n", ""},
		{"one long text many times", "a: &a " + text + "\nb: [" + strings.Repeat("*a, ", 1_000) + "*a]\n", "more than 16 MiB"},
		{"the same behind a second document", "a: b\n---\na: &a " + text + "\nb: [" + strings.Repeat("*a, ", 1_000) + "*a]\n", "more than 16 MiB"},
		{"one long list many times", "a: &a [" + strings.Repeat("dev,", 5_000) + "]\nb: [" + strings.Repeat("*a, ", 1_000) + "*a]\n", "more than 16 MiB"},
		{"lists of lists", levels, "more than 16 MiB"},
		{"an alias in itself", "a: &a [*a]\n", "within what the alias stands for"},
		{"a chain of aliases, each with all before", chain, "more than 16 MiB"},
		{"an alias as a key", "a: &a " + text + "\nb:\n" + strings.Repeat("- {*a : 1}\n", 1_000), "more than 16 MiB"},
		{"not YAML", "a: &a 'token\nb: *a\n", "invalid YAML in line 2: found unexpected end of stream"},
		{"not YAML in a line", "a: &a b\nb: *a\nc: [d\n", "invalid YAML in line 3: did not find expected ',' or ']'"},
		{"many empty values", "[" + strings.Repeat("{},", MostValues) + "{}]", "values or lines"},
		{"many lines", strings.Repeat("\n", MostValues+1), "values or lines"},
	} {
		begin := time.Now()
		err := Check([]byte(test.data))
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v", test.about, err)
		}
		if err != nil && strings.Contains(err.Error(), "token") {
			t.Errorf("%s: the document is quoted: %v", test.about, err)
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("%s: took %s", test.about, took)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, text := range []string{"a: &a [dev]\nb: *a\n", "a: &a [*a]\n", "&a {*a : 1}", "- &a\n- *a\n---\n*a", "\x00&*", "<<: *a"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(_ *testing.T, data []byte) { _ = Check(data) })
}
