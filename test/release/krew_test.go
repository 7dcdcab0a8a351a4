package release

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// krewUser is a person with a home of their own, kubectl, and krew.
type krewUser struct {
	t    *testing.T
	home string
	env  []string
}

// newKrewUser makes one whose krew has the given index as its default, and looks for
// plugins of a platform.
func newKrewUser(t *testing.T, index, system, arch string) *krewUser {
	t.Helper()
	binaries, err := controlplane.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	root := filepath.Join(home, ".krew")
	path := []string{filepath.Join(root, "bin"), tools(t), filepath.Dir(binaries.Path(controlplane.Kubectl)), filepath.Dir(git(t))}
	return &krewUser{t: t, home: home, env: []string{
		"HOME=" + home, "KREW_ROOT=" + root, "PATH=" + strings.Join(path, string(os.PathListSeparator)),
		"KREW_DEFAULT_INDEX_URI=" + index, "KREW_NO_UPGRADE_CHECK=1", "KREW_OS=" + system, "KREW_ARCH=" + arch,
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
	}}
}

// git is git's path; krew itself runs it, and nothing else of this repository's needs it.
func git(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("git")
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatal(err)
	case err != nil:
		t.Skip("there is no git")
	}
	return path
}

func (u *krewUser) run(name string, arguments ...string) program.Result {
	u.t.Helper()
	path := name
	for _, variable := range u.env {
		if list, isPath := strings.CutPrefix(variable, "PATH="); isPath {
			for _, directory := range filepath.SplitList(list) {
				if _, err := os.Stat(filepath.Join(directory, name)); err == nil && path == name {
					path = filepath.Join(directory, name)
				}
			}
		}
	}
	command := exec.CommandContext(u.t.Context(), path, arguments...)
	command.Env, command.Dir = u.env, u.home
	return program.Run(u.t, command)
}

func (u *krewUser) must(name string, arguments ...string) program.Result {
	u.t.Helper()
	result := u.run(name, arguments...)
	if result.Code != 0 {
		u.t.Fatalf("%s %q: exit code %d\n%s%s", name, arguments, result.Code, result.Stdout, result.Stderr)
	}
	return result
}

// indexOf makes an index of krew's of a manifest: this repository as it is after a
// release.
func indexOf(t *testing.T, manifest []byte) (address string) {
	t.Helper()
	index := t.TempDir()
	readme, err := os.ReadFile(filepath.Join(checkout, "plugins", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"README.md": readme, "csr-onboard.yaml": manifest} {
		if err := os.MkdirAll(filepath.Join(index, "plugins"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(index, "plugins", name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git := git(t)
	for _, arguments := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "-A"},
		{"-c", "user.name=release", "-c", "user.email=release@example.com", "commit", "-q", "-m", "release"},
	} {
		if err := runProgram(index, nil, git, arguments...); err != nil {
			t.Fatal(err)
		}
	}
	return "file://" + index
}

func manifest(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dist(t), "csr-onboard.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestKrew_KrewInstallsEachArchiveByItsManifest(t *testing.T) {
	index := indexOf(t, manifest(t))
	for _, p := range platforms {
		t.Run(p.os+"/"+p.arch, func(t *testing.T) {
			u := newKrewUser(t, index, p.os, p.arch)
			u.must("kubectl", "krew", "install", "--manifest="+filepath.Join(dist(t), "csr-onboard.yaml"), "--archive="+filepath.Join(dist(t), archiveOf(p.os, p.arch)))
			if _, err := os.Stat(filepath.Join(u.home, ".krew", "store", "csr-onboard", version, "LICENSE")); err != nil {
				t.Error(err)
			}
			if !isThisPlatform(p.os, p.arch) {
				return
			}
			says := u.must("kubectl", "csr-onboard", "version", "--client")
			if want := "kubectl csr-onboard " + version + " (" + commit + " of " + date + "), go"; !strings.HasPrefix(says.Stdout, want) {
				t.Errorf("it says %q, want %q", says.Stdout, want)
			}
			// krew uninstalls only where it has an index.
			u.must("kubectl", "krew", "update")
			u.must("kubectl", "krew", "uninstall", "csr-onboard")
			if gone := u.run("kubectl", "csr-onboard", "version", "--client"); gone.Code == 0 {
				t.Error("it runs after it was uninstalled")
			}
		})
	}
}

func TestKrew_ThisRepositoryIsAnIndexOfKrews(t *testing.T) {
	index := indexOf(t, manifest(t))
	u := newKrewUser(t, index, "linux", "amd64")
	u.must("kubectl", "krew", "index", "add", "onboard", index)
	if found := u.must("kubectl", "krew", "search", "csr-onboard"); !strings.Contains(found.Stdout, "onboard/csr-onboard") || !strings.Contains(found.Stdout, "Onboard users with client certificates") {
		t.Errorf("krew search finds %q", found.Stdout)
	}
	// Downloaded from where the manifest says.
	u.must("kubectl", "krew", "install", "onboard/csr-onboard")
	if listed := u.must("kubectl", "krew", "list"); !strings.Contains(listed.Stdout, "onboard/csr-onboard") {
		t.Errorf("krew list has %q", listed.Stdout)
	}
	if says := u.must("kubectl", "csr-onboard", "version", "--client"); !strings.Contains(says.Stdout, version) {
		t.Errorf("it says %q", says.Stdout)
	}
}

func TestKrew_CompletionIsInstalledBesideKrewsLink(t *testing.T) {
	u := newKrewUser(t, indexOf(t, manifest(t)), "linux", "amd64")
	u.must("kubectl", "krew", "install", "--manifest="+filepath.Join(dist(t), "csr-onboard.yaml"), "--archive="+filepath.Join(dist(t), archiveOf("linux", "amd64")))
	installed := u.must("kubectl", "csr-onboard", "completion", "install")
	if want := filepath.Join(u.home, ".krew", "bin", "kubectl_complete-csr_onboard") + "\n"; installed.Stdout != want || installed.Stderr != "" {
		t.Errorf("it was installed as %q, want %q\n%s", installed.Stdout, want, installed.Stderr)
	}
	u.env = append(u.env, "KUBECONFIG="+os.DevNull)
	if offered := u.must("kubectl", "__complete", "csr-onboard", "appr"); !strings.HasPrefix(offered.Stdout, "approve\t") {
		t.Errorf("appr is completed as %q", offered.Stdout)
	}
}

func TestKrew_ATamperedArchiveIsRefused(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(dist(t), archiveOf("linux", "amd64")))
	if err != nil {
		t.Fatal(err)
	}
	tampered := filepath.Join(t.TempDir(), archiveOf("linux", "amd64"))
	data[len(data)/2] ^= 1
	if err := os.WriteFile(tampered, data, 0o600); err != nil {
		t.Fatal(err)
	}
	u := newKrewUser(t, indexOf(t, manifest(t)), "linux", "amd64")
	refused := u.run("kubectl", "krew", "install", "--manifest="+filepath.Join(dist(t), "csr-onboard.yaml"), "--archive="+tampered)
	if refused.Code == 0 || !strings.Contains(refused.Stderr, "checksum does not match") {
		t.Errorf("exit code %d\n%s", refused.Code, refused.Stderr)
	}
}

func TestKrew_KrewsOwnValidatorAcceptsTheManifest(t *testing.T) {
	u := newKrewUser(t, indexOf(t, manifest(t)), "linux", "amd64")
	// With all archives downloaded and installed, for every platform.
	u.must("validate-krew-manifest", "-manifest", filepath.Join(dist(t), "csr-onboard.yaml"))
}

func TestKrew_TheManifestKeepsKrewsStyle(t *testing.T) {
	text := string(manifest(t))
	_, description, found := strings.Cut(text, "\n  description: |\n")
	if !found {
		t.Fatal("there is no description")
	}
	description, _, _ = strings.Cut(description, "\n  platforms:")
	for line := range strings.Lines(description) {
		if len(strings.TrimRight(line, "\n")) > 4+80 {
			t.Errorf("a line of the description is longer than 80: %q", line)
		}
	}
	_, short, _ := strings.Cut(text, "\n  shortDescription: ")
	short, _, _ = strings.Cut(short, "\n")
	if len(short) > 50 || strings.HasSuffix(short, ".") || strings.Contains(strings.ToLower(short), "kube") {
		t.Errorf("the short description is %q", short)
	}
	if bytes.Contains(manifest(t), []byte("{{")) || strings.HasPrefix(text, "#") {
		t.Errorf("the manifest is not rendered:\n%s", text)
	}
}
