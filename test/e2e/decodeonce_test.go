package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// TestARequestInAFileIsDecodedOnce counts how often a request is decoded on its way from a file to a
// handoff: with a binary that counts, on a cluster with no other request.
func TestARequestInAFileIsDecodedOnce(t *testing.T) {
	s := newSession(t, controlplane.Start(t))
	s.must("new-user", "once", "--group", "dev", "--offline", "--dir", ".")

	counting, counts := filepath.Join(t.TempDir(), program.Name), t.TempDir()
	root := filepath.Join("..", "..")
	build := exec.CommandContext(t.Context(), "go", "build", "-cover", "-covermode=count", "-coverpkg=./pkg/pki,./cmd/"+program.Name, "-o", counting, "./cmd/"+program.Name)
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build -cover: %v\n%s", err, output)
	}
	approve := s.env.Command(t.Context(), counting, "approve", "-f", "once.csr", "--yes", "--out", "once.handoff.yaml")
	approve.Env = append(approve.Env, "GOCOVERDIR="+counts)
	if result := program.Run(t, approve); result.Code != 0 {
		t.Fatalf("approve -f: exit code %d\n%s", result.Code, result.Stderr)
	}
	if got := timesCalled(t, root, counts, "pkg/pki/request.go", "func decodeRequest("); got != 1 {
		t.Errorf("the request was decoded %d times", got)
	}
}

// timesCalled is how often a function was called by a program whose counts are in a directory.
func timesCalled(t *testing.T, root, counts, file, function string) int {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(source), "\n"+function)
	if !found {
		t.Fatalf("%s has no %q", file, function)
	}
	profile := filepath.Join(t.TempDir(), "profile")
	if output, err := exec.CommandContext(t.Context(), "go", "tool", "covdata", "textfmt", "-i="+counts, "-o="+profile).CombinedOutput(); err != nil {
		t.Fatalf("go tool covdata: %v\n%s", err, output)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	// A function's first block begins on the line of its signature.
	block := regexp.MustCompile(fmt.Sprintf(`(?m)%s:%d\.\d+,\S+ \d+ (\d+)$`, regexp.QuoteMeta(file), strings.Count(before, "\n")+2))
	match := block.FindSubmatch(text)
	if match == nil {
		t.Fatalf("there is no count for %q", function)
	}
	var count int
	if _, err := fmt.Sscan(string(match[1]), &count); err != nil {
		t.Fatal(err)
	}
	return count
}
