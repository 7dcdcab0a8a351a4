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

// program is one of the two programs of a release.
type program struct {
	// Binary is the binary's name without ".exe", and that of its directory in cmd. Its archives
	// and SBOMs begin with it.
	Binary string
	// Package is the name of its packages and of its image.
	Package string
	// Summary says in a line what it is, and Description in a paragraph.
	Summary, Description string
	// Platforms are those that it is built for.
	Platforms []platform
}

var (
	plugin = program{
		Binary: "kubectl-csr_onboard", Package: "kubectl-csr-onboard",
		Summary: "Onboard users with client certificates: a kubectl plugin",
		Description: `From a user name and groups to a kubeconfig that has logged in: creates a private key
and a certificate signing request, shows an approver what is in it, and fetches and
checks the certificate.`,
		Platforms: platforms,
	}
	controller = program{
		Binary: "csr-onboard-controller", Package: "csr-onboard-controller",
		Summary: "Enforce what kubectl csr-onboard decides, on control-plane nodes",
		Description: `Has the API servers of a Kubernetes cluster refuse users and certificates that were
revoked with kubectl csr-onboard revoke.`,
		// It runs on control-plane nodes.
		Platforms: []platform{{"linux", "amd64"}, {"linux", "arm64"}},
	}
)

// isVersion is a semantic version as krew wants it.
var isVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// platform is what a binary is for.
type platform struct{ OS, Arch string }

// platforms are those that most plugins of krew's index are built for.
var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"},
}

// file is the name of the program's binary on a platform.
func (b program) file(p platform) string {
	if p.OS == "windows" {
		return b.Binary + ".exe"
	}
	return b.Binary
}

// base is what the names of the program's files for a platform begin with.
func (b program) base(version string, p platform) string {
	return strings.Join([]string{b.Binary, version, p.OS, p.Arch}, "_")
}

func (b program) archive(version string, p platform) string {
	if p.OS == "windows" {
		return b.base(version, p) + ".zip"
	}
	return b.base(version, p) + ".tar.gz"
}

// inherited are the variables that a build takes from its surroundings: where Go keeps
// things and gets modules from. Nothing that changes what comes out is among them.
var inherited = []string{
	"PATH", "HOME", "TMPDIR", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOTOOLCHAIN", "GOROOT",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "USERPROFILE", "LOCALAPPDATA", "SYSTEMROOT",
}

// build builds a program for a platform into a directory, and returns its path.
func (b program) build(ctx context.Context, s settings, p platform, directory string) (string, error) {
	binary := filepath.Join(directory, b.base(s.Version, p), b.file(p))
	linker := "-s -w -X main.version=" + s.Version
	if b.Binary == plugin.Binary {
		linker += fmt.Sprintf(" -X main.commit=%s -X main.date=%s", s.Commit, s.Date.Format(time.RFC3339))
	}
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linker, "-o", binary, "./cmd/"+b.Binary)
	command.Dir = s.Root
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains(inherited, strings.ToUpper(name)) {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env, "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch, "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0")
	if text, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build of %s for %s/%s: %w\n%s", b.Binary, p.OS, p.Arch, err, text)
	}
	return binary, nil
}
