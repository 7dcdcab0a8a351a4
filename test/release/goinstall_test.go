package release

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// modulePath is what go install is given.
const modulePath = "github.com/csr-onboard/kubectl-csr-onboard"

// proxyOf makes a module proxy in the file system that has this checkout as a version, and returns
// its address (https://go.dev/ref/mod#goproxy-protocol).
func proxyOf(t *testing.T, release string) string {
	t.Helper()
	source := filepath.Join(t.TempDir(), "source")
	copyCheckout(t, source)
	proxy := t.TempDir()
	versions := filepath.Join(proxy, modulePath, "@v")
	if err := os.MkdirAll(versions, 0o700); err != nil {
		t.Fatal(err)
	}
	goMod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"list": []byte(release + "\n"), release + ".mod": goMod,
		release + ".info": []byte(`{"Version":"` + release + `","Time":"` + date + `"}`),
	} {
		if err := os.WriteFile(filepath.Join(versions, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	archive, err := os.Create(filepath.Join(versions, release+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	err = zip.CreateFromDir(archive, module.Version{Path: modulePath, Version: release}, source)
	if err := errors.Join(err, archive.Close()); err != nil {
		t.Fatal(err)
	}
	return "file://" + filepath.ToSlash(proxy)
}

func goEnv(t *testing.T, variable string) string {
	t.Helper()
	value, err := exec.Command("go", "env", variable).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}

func TestGoInstall_BothProgramsSayTheVersionThatWasInstalled(t *testing.T) {
	const tagged = "v0.1.7"
	proxy := proxyOf(t, tagged)
	cache, modules := goEnv(t, "GOMODCACHE"), t.TempDir()
	for _, requested := range []string{tagged, "latest"} {
		directory := t.TempDir()
		// What the programs depend on is in the module cache, because they were built before, and
		// with -trimpath it is not compiled again.
		err := runProgram(directory, []string{
			"GOBIN=" + directory, "GOFLAGS=-modcacherw -trimpath", "GOPROXY=" + proxy + ",file://" + filepath.ToSlash(filepath.Join(cache, "cache", "download")),
			"GOMODCACHE=" + modules, "GONOSUMDB=*", "GOWORK=off",
		}, "go", "install", modulePath+"/cmd/kubectl-csr_onboard@"+requested, modulePath+"/cmd/csr-onboard-controller@"+requested)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"kubectl-csr_onboard": "kubectl csr-onboard " + tagged, "csr-onboard-controller": "csr-onboard-controller version " + tagged} {
			arguments := []string{"version", "--client"}
			if name == "csr-onboard-controller" {
				arguments = []string{"--version"}
			}
			says := program.Run(t, exec.CommandContext(t.Context(), filepath.Join(directory, name), arguments...))
			if first, _, _ := strings.Cut(strings.TrimSpace(says.Stdout), ","); first != want {
				t.Errorf("%s, installed as %s, says %q, want %q", name, requested, says.Stdout+says.Stderr, want)
			}
		}
	}
}
