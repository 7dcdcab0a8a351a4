package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
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

// TestPackage_RPMLeavesNoDirectory installs and upgrades in a system that has what rpm's distributions always have.
func TestPackage_RPMLeavesNoDirectory(t *testing.T) {
	rpm, err := exec.LookPath("rpm")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("installing a package requires rpm and root")
	}
	first, second := made(t), made(t)
	second.Version = "v0.2.0-rc.1"
	packageOf, laterOf := packages(t, first), packages(t, second)
	system := t.TempDir()
	for _, directory := range []string{"usr/bin", "usr/share/licenses", "usr/share/man/man1", "usr/lib/systemd/system"} {
		if err := os.MkdirAll(filepath.Join(system, directory), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	before := treeOf(t, system)
	var installed []string
	for _, arguments := range [][]string{
		{"--install", "--ignorearch", packageOf(plugin, ".rpm"), packageOf(controller, ".rpm")},
		{"--upgrade", "--ignorearch", laterOf(plugin, ".rpm"), laterOf(controller, ".rpm")},
		{"--erase", plugin.Package, controller.Package},
	} {
		// Scripts would run in the system, which has no shell.
		command := exec.CommandContext(t.Context(), rpm, append([]string{"--root", system, "--dbpath", "/var/lib/rpm", "--nodeps", "--noscripts"}, arguments...)...)
		if text, err := command.CombinedOutput(); err != nil {
			t.Fatalf("rpm %q: %v\n%s", arguments, err, text)
		}
		switch now := treeOf(t, system); {
		case arguments[0] == "--install":
			installed = now
		case arguments[0] == "--upgrade" && !slices.Equal(now, installed):
			t.Errorf("after an upgrade, the system has %q, and before it had %q", now, installed)
		}
	}
	if len(installed) == len(before) {
		t.Error("nothing was installed")
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

// TestRelease_NoNameIsChangedByGitHub is for checksums.txt, which names files as they were built:
// GitHub replaces some characters in the names of what is uploaded.
func TestRelease_NoNameIsChangedByGitHub(t *testing.T) {
	s := made(t)
	// As of a tag, and as git describe calls a commit after it.
	for _, s.Version = range []string{"v0.2.0-rc.1", "v0.2.0-rc.1-5-g0123456789ab"} {
		s.Out = t.TempDir()
		packages(t, s)
		images(t, s, plugin)
		images(t, s, controller)
		if err := writeDeployments(s); err != nil {
			t.Fatal(err)
		}
		if err := writeManifests(s, nil); err != nil {
			t.Fatal(err)
		}
		for _, p := range plugin.Platforms {
			for _, name := range []string{plugin.archive(s.Version, p), plugin.base(s.Version, p) + ".cdx.json"} {
				if err := writePublic(filepath.Join(s.Out, name), nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := writeChecksums(s.Out); err != nil {
			t.Error(err)
		}
		named := regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
		entries, err := os.ReadDir(s.Out)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if !named.MatchString(entry.Name()) {
				t.Errorf("GitHub renames %q", entry.Name())
			}
		}
	}
}

func TestRelease_ANameThatGitHubChangesIsRefused(t *testing.T) {
	directory := t.TempDir()
	if err := writePublic(filepath.Join(directory, "package_0.2.0~rc.1_amd64.deb"), nil); err != nil {
		t.Fatal(err)
	}
	if err := writeChecksums(directory); err == nil || !strings.Contains(err.Error(), "~rc.1") {
		t.Errorf("a name with ~: %v", err)
	}
}

// TestPackage_TheControllerIsStoppedBeforeItIsRemoved looks for the scripts where apk and pacman run them. Those
// of dpkg and rpm also run before an upgrade, and ask.
func TestPackage_TheControllerIsStoppedBeforeItIsRemoved(t *testing.T) {
	packageOf := packages(t, made(t))
	for extension, name := range map[string]string{".apk": ".pre-deinstall", ".pkg.tar.zst": ".INSTALL"} {
		script := string(entryOf(t, packageOf(controller, extension), name))
		for _, want := range []string{
			"if [ -d /run/systemd/system ]; then", "csr-onboard-enforcer.service", "csr-onboard-controller@ledger.service", "csr-onboard-controller@approver.service",
		} {
			if !strings.Contains(script, want) {
				t.Errorf("%s of the controller's %s does not contain %q:\n%s", name, extension, want, script)
			}
		}
		// apk and pacman pass a version.
		if strings.Contains(script, `"$1"`) {
			t.Errorf("%s of %s asks what dpkg and rpm pass:\n%s", name, extension, script)
		}
		if found := entryOf(t, packageOf(plugin, extension), name); found != nil {
			t.Errorf("the plugin's %s has a script:\n%s", extension, found)
		}
		if isArch := name == ".INSTALL"; isArch != strings.Contains(script, "function pre_remove()") {
			t.Errorf("the script of %s is not pre_remove:\n%s", extension, script)
		}
	}
}

// TestPackage_AnAPKHasAVersionThatAPKAccepts is for prereleases, which are one word there (apk-tools,
// src/version.c).
func TestPackage_AnAPKHasAVersionThatAPKAccepts(t *testing.T) {
	for version, want := range map[string]string{"v0.2.0": "0.2.0", "v0.2.0-rc.1": "0.2.0_rc1", "v0.2.0-beta2": "0.2.0_beta2"} {
		s := made(t)
		s.Version = version
		path := packages(t, s)(plugin, ".apk")
		if info := string(entryOf(t, path, ".PKGINFO")); !strings.Contains(info, "\npkgver = "+want+"\n") || !strings.Contains(path, "_"+want+"_") {
			t.Errorf("%s: %s has\n%s", version, filepath.Base(path), info)
		}
	}
}

// entryOf reads a file of an apk or Arch package; nil if it has none of that name.
func entryOf(t *testing.T, path, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The parts of an apk package are compressed one after the other, and only the last has the end
	// of an archive.
	var plain io.Reader
	if strings.HasSuffix(path, ".apk") {
		plain, err = gzip.NewReader(bytes.NewReader(data))
	} else {
		plain, err = zstd.NewReader(bytes.NewReader(data))
	}
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(plain)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Name == name {
			content, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			return content
		}
	}
}
