package main

import (
	"fmt"
	"path/filepath"
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
