package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// packages makes the packages of both programs for amd64, and returns the path of one by its program
// and the end of its name.
func packages(t *testing.T, s settings) func(program, string) string {
	t.Helper()
	for _, b := range []program{plugin, controller} {
		if err := writePackages(s, b, platform{"linux", "amd64"}, binaryOf(b, "amd64"), someFiles, t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	return func(b program, extension string) string {
		found, err := filepath.Glob(filepath.Join(s.Out, b.Package+"?0*"+extension))
		if err != nil || len(found) != 1 {
			t.Fatalf("packages %s of %s: %q, %v", extension, b.Package, found, err)
		}
		return found[0]
	}
}

// TestPackage_RPMLeavesNoDirectory installs into a system that has what rpm's distributions always have.
func TestPackage_RPMLeavesNoDirectory(t *testing.T) {
	rpm, err := exec.LookPath("rpm")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("installing a package requires rpm and root")
	}
	packageOf := packages(t, made(t))
	system := t.TempDir()
	for _, directory := range []string{"usr/bin", "usr/share/licenses", "usr/share/man/man1", "usr/lib/systemd/system"} {
		if err := os.MkdirAll(filepath.Join(system, directory), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	before := treeOf(t, system)
	for _, arguments := range [][]string{
		{"--install", "--ignorearch", packageOf(plugin, ".rpm"), packageOf(controller, ".rpm")},
		{"--erase", plugin.Package, controller.Package},
	} {
		// Scripts would run in the system, which has no shell.
		command := exec.CommandContext(t.Context(), rpm, append([]string{"--root", system, "--dbpath", "/var/lib/rpm", "--nodeps", "--noscripts"}, arguments...)...)
		if text, err := command.CombinedOutput(); err != nil {
			t.Fatalf("rpm %q: %v\n%s", arguments, err, text)
		}
		if installed := len(treeOf(t, system)) > len(before); installed != (arguments[0] == "--install") {
			t.Errorf("after rpm %s, the system has %q", arguments[0], treeOf(t, system))
		}
	}
	if after := treeOf(t, system); !slices.Equal(after, before) {
		t.Errorf("rpm --erase leaves %q of %q", after, before)
	}
}

// treeOf are the files and directories of a system but for rpm's own.
func treeOf(t *testing.T, system string) (paths []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(system), ".", func(path string, _ fs.DirEntry, err error) error {
		if path == "var" {
			return fs.SkipDir
		}
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
