// Package release tests what users of krew get: a release as `make dist` builds it,
// installed by the real krew from a real index, without any network beyond loopback.
package release

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

const (
	version = "v0.1.2"
	commit  = "0123456789ab"
	date    = "2026-01-02T03:04:05Z"
)

// built is where the release that the tests look at is, and krew with its validator, once a test
// has asked for them.
var built struct {
	dist, tools string
	// address is where the archives can be downloaded from.
	address string
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	directory, err := os.MkdirTemp("", "csr-onboard-release-test-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(directory) //nolint:errcheck // It is a temporary directory.
	built.dist, built.tools = filepath.Join(directory, "dist"), filepath.Join(directory, "tools")
	server := httptest.NewServer(http.FileServer(http.Dir(built.dist)))
	defer server.Close()
	built.address = server.URL + "/"
	return m.Run(), nil
}

// dist is the directory of the release, which is built once for all tests.
func dist(t *testing.T) string {
	t.Helper()
	if err := buildRelease(); err != nil {
		t.Fatal(err)
	}
	return built.dist
}

var buildRelease = sync.OnceValue(func() error { return makeRelease(checkout, built.dist, nil, "-url", built.address) })

// tools is the directory of krew and its validator.
func tools(t *testing.T) string {
	t.Helper()
	if err := buildTools(); err != nil {
		t.Fatal(err)
	}
	return built.tools
}

var buildTools = sync.OnceValue(func() error {
	if err := runProgram(filepath.Join(checkout, ".ci", "krew"), nil, "go", "build", "-o", built.tools+string(os.PathSeparator), "tool"); err != nil {
		return err
	}
	// As krew installs itself, for its validator and for kubectl.
	return os.Symlink("krew", filepath.Join(built.tools, "kubectl-krew"))
})

// checkout is the repository's root.
var checkout = func() string {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		panic(err)
	}
	return root
}()

// makeRelease builds a release of a checkout into a directory.
func makeRelease(root, dist string, env []string, flags ...string) error {
	arguments := append([]string{"run", ".", "-version", version, "-commit", commit, "-date", date, "-out", dist}, flags...)
	return runProgram(filepath.Join(root, ".ci", "release"), env, "go", arguments...)
}

// runProgram runs a program to its end.
func runProgram(directory string, env []string, name string, arguments ...string) error {
	command := exec.CommandContext(context.Background(), name, arguments...)
	command.Dir = directory
	command.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if text, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, arguments, err, text)
	}
	return nil
}
