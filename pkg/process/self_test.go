package process

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSelf_OnlyThisProgramIsItself(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	link, foreign := filepath.Join(directory, "own"), filepath.Join(directory, "kubectl-csr_onboard")
	if err := os.Symlink(self, link); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(foreign, []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // It stands for a program.
		t.Fatal(err)
	}
	t.Setenv("PATH", directory)
	t.Chdir(directory)
	for command, want := range map[string]bool{
		self:                    true,
		link:                    true,
		"own":                   true,
		foreign:                 false,
		"kubectl-csr_onboard":   false,
		"./own":                 false,
		"none":                  false,
		"":                      false,
		directory:               false,
		filepath.Dir(directory): false,
	} {
		if IsSelf(command) != want {
			t.Errorf("%q is taken for this program: %t", command, !want)
		}
	}
}
