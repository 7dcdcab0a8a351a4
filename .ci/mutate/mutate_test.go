package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMutate_WhatTheTestsOfASampleDoNotNotice(t *testing.T) {
	root, err := filepath.Abs("testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	mutants, fates, err := judge(root, ".", nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, mutant := range mutants {
		if fates[i] != killed {
			got = append(got, fmt.Sprintf("%d: %s%s", mutant.where.Line, mutant.change, map[fate]string{notExecuted: " (not executed)"}[fates[i]]))
		}
	}
	const want = `12: limit is limit - 1
12: > is >=
13: 0 is 0 + 1
13: 0 is 0 - 1
16: 0 is 0 + 1
16: 0 is 0 - 1
16: >= is >
17: returns the zero value for n
25: 1 is 1 + 1 (not executed)
25: 1 is 1 - 1 (not executed)
25: > is >= (not executed)
25: the condition is negated (not executed)
25: 0 is 0 + 1 (not executed)
25: 0 is 0 - 1 (not executed)
25: < is <= (not executed)
25: the condition is negated (not executed)
25: || is && (not executed)
31: false is the other`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("of %d changes:\n%s", len(mutants), text)
	}
}

// TestMutate_AnotherFunctionLeavesTheChoice is for scores of one change of several, which must not fall
// because a package grows.
func TestMutate_AnotherFunctionLeavesTheChoice(t *testing.T) {
	const every = 3
	text, err := os.ReadFile("testdata/sample/sample.go")
	if err != nil {
		t.Fatal(err)
	}
	before := chosen(t, string(text), every)
	after := chosen(t, strings.Replace(string(text), "// Check", "func isNew(a, b int) bool { return a+1 > 2 || b < 3 || a == b }\n\n// Check", 1), every)
	after = slices.DeleteFunc(after, func(key string) bool { return strings.Contains(key, "isNew") })
	if all := chosen(t, string(text), 1); !slices.Equal(before, after) || len(before) == 0 || len(before) == len(all) {
		t.Errorf("%d of %d changes: %q, then %q", len(before), len(all), before, after)
	}
}

// chosen are the keys of the mutants of a file that are tried when one of so many is.
func chosen(t *testing.T, text string, every int) []string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module sample\n", "sample.go": text} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := load(root, ".")
	if err != nil {
		t.Fatal(err)
	}
	_, mutants, err := rewrite(s)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, mutant := range mutants {
		if mutant.isChosen(every) {
			keys = append(keys, mutant.key)
		}
	}
	return keys
}

func TestScores_AreReadAsTheyAreWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "scores.txt")
	want := []score{{"pki", 87, 1}, {"onboard/...", 55, 10}}
	if err := writeScores(file, want); err != nil {
		t.Fatal(err)
	}
	if got, err := readScores(file); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"pki\n", "pki many\n", "pki 87 few\n", "pki 87 10 1\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readScores(file); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
