package ledger

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// exported are the lines of an export of some records, without line feeds.
func exported(t *testing.T, users ...string) [][]byte {
	t.Helper()
	chain := NewChain(now, "admin")
	var lines [][]byte
	add := func(line []byte, err error) {
		if err != nil || !bytes.HasSuffix(line, []byte("\n")) {
			t.Fatalf("%q, %v", line, err)
		}
		lines = append(lines, bytes.TrimSuffix(line, []byte("\n")))
	}
	add(chain.Begin())
	for _, user := range users {
		add(chain.Record(recordOf(user)))
	}
	add(chain.End())
	if head, export := chain.Head(); head != hashOf(lines[len(lines)-1]) || export.Lines != len(lines) || export.By != "admin" {
		t.Errorf("%s, %+v", head, export)
	}
	return lines
}

var now = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)

// recordOf is a record that is valid now.
func recordOf(user string) *ClientCertificate {
	return &ClientCertificate{
		TypeMeta: metav1.TypeMeta{APIVersion: GroupVersion.String(), Kind: Kind}, ObjectMeta: metav1.ObjectMeta{Name: NameOf([]byte(user))},
		Spec: Spec{User: user, NotBefore: metav1.NewTime(now.Add(-time.Hour)), NotAfter: metav1.NewTime(now.Add(2 * time.Hour)), Source: FromCluster, Verified: true},
	}
}

func verify(lines [][]byte) error {
	var verification Verification
	for _, line := range lines {
		if err := verification.Add(line); err != nil {
			return err
		}
	}
	_, _, err := verification.End()
	return err
}

func TestChain_EveryChangedLineIsNamed(t *testing.T) {
	lines := exported(t, "a", "b", "c")
	if err := verify(lines); err != nil {
		t.Fatal(err)
	}
	for i := range lines {
		changed := slices.Clone(lines)
		changed[i] = append([]byte(" "), lines[i]...)
		err := verify(changed)
		if i == len(lines)-1 {
			// Nothing follows that has its hash: the head is for that.
			if err != nil {
				t.Errorf("the last line: %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "line "+string(rune('1'+i))+" was changed") {
			t.Errorf("line %d: %v", i+1, err)
		}
		removed := slices.Delete(slices.Clone(lines), i, i+1)
		if err := verify(removed); err == nil || !strings.Contains(err.Error(), "line "+string(rune('1'+i))+" ") {
			t.Errorf("line %d removed: %v", i+1, err)
		}
	}
}

func TestChain_WhatIsNotAnExportIsRefused(t *testing.T) {
	lines := exported(t, "a", "b")
	swapped := slices.Clone(lines)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	twice := slices.Insert(slices.Clone(lines), 2, lines[1])
	unknown := slices.Clone(lines)
	unknown[1] = bytes.Replace(lines[1], []byte(`"line"`), []byte(`"more":1,"line"`), 1)
	for what, row := range map[string]struct {
		lines [][]byte
		says  string
	}{
		"nothing":      {nil, "the file is empty"},
		"no end":       {lines[:3], "line 4 is missing"},
		"no begin":     {lines[1:], "line 1 is missing"},
		"swapped":      {swapped, "line 2 is missing"},
		"twice":        {twice, "line 3 was moved or added"},
		"after end":    {append(slices.Clone(lines), lines[3]), "line 5 follows the end"},
		"no JSON":      {[][]byte{[]byte("x")}, "line 1 is not a line of an export"},
		"other fields": {unknown, "line 2 is not a line of an export"},
	} {
		if err := verify(row.lines); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
