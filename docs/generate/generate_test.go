package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGenerate_AStalePageIsFound(t *testing.T) {
	docs := t.TempDir()
	if err := run(docs, true); err == nil {
		t.Error("pages that are not there are not missed")
	}
	if err := run(docs, false); err != nil {
		t.Fatal(err)
	}
	if err := run(docs, true); err != nil {
		t.Errorf("what was written just now is stale: %v", err)
	}
	page := filepath.Join(docs, "commands", "kubectl_csr-onboard_approve.md")
	for about, spoil := range map[string]func() error{
		"an edited page":  func() error { return os.WriteFile(page, []byte("edited\n"), 0o600) },
		"a missing page":  func() error { return os.Remove(page) },
		"a leftover page": func() error { return os.WriteFile(filepath.Join(docs, "man", "gone.1"), nil, 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if err := run(docs, true); err == nil || !strings.Contains(err.Error(), "make docs") {
			t.Errorf("%s is not found: %v", about, err)
		}
		if err := run(docs, false); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGenerate_PagesHoldNothingOfTheMachine(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("KUBECONFIG", filepath.Join(home, "config"))
	docs := t.TempDir()
	if err := run(docs, false); err != nil {
		t.Fatal(err)
	}
	for _, directory := range []string{"commands", "man", "schema"} {
		entries, err := os.ReadDir(filepath.Join(docs, directory))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			page, err := os.ReadFile(filepath.Join(docs, directory, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(page), home) {
				t.Errorf("%s holds a path of this machine", entry.Name())
			}
		}
	}
}
