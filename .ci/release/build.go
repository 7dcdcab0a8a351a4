package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// programName is the binary's, and pluginName krew's.
	programName = "kubectl-csr_onboard"
	pluginName  = "csr-onboard"
)

// isVersion is a semantic version as krew wants it.
var isVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// platform is what a binary is for.
type platform struct{ OS, Arch string }

// platforms are those that most plugins of krew's index are built for.
var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"},
}

func (p platform) binary() string {
	if p.OS == "windows" {
		return programName + ".exe"
	}
	return programName
}

func (p platform) base(version string) string {
	return strings.Join([]string{programName, version, p.OS, p.Arch}, "_")
}

func (p platform) archive(version string) string {
	if p.OS == "windows" {
		return p.base(version) + ".zip"
	}
	return p.base(version) + ".tar.gz"
}

// inherited are the variables that a build takes from its surroundings: where Go keeps
// things and gets modules from. Nothing that changes what comes out is among them.
var inherited = []string{
	"PATH", "HOME", "TMPDIR", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOTOOLCHAIN", "GOROOT",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "USERPROFILE", "LOCALAPPDATA", "SYSTEMROOT",
}

// build builds the program for a platform into a folder, and returns its path.
func build(ctx context.Context, s settings, p platform, folder string) (string, error) {
	binary := filepath.Join(folder, p.base(s.Version), p.binary())
	linker := fmt.Sprintf("-s -w -X main.version=%s -X main.commit=%s -X main.date=%s", s.Version, s.Commit, s.Date.Format(time.RFC3339))
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linker, "-o", binary, "./cmd/"+programName)
	command.Dir = s.Root
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains(inherited, strings.ToUpper(name)) {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env, "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch, "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0")
	if text, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build for %s/%s: %w\n%s", p.OS, p.Arch, err, text)
	}
	return binary, nil
}
