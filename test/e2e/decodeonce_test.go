package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// TestDecodeOnce_ARequestInAFileIsDecodedOnce counts how often a request is decoded on its way from a file to a
// handoff, with a program that counts. The approver cannot list requests, so that the one in the file
// is the only one that the program sees.
func TestDecodeOnce_ARequestInAFileIsDecodedOnce(t *testing.T) {
	s := newSession(t, shared)
	counting := filepath.Join(t.TempDir(), program.Name)
	root := filepath.Join("..", "..")
	build := exec.CommandContext(t.Context(), "go", "build", "-cover", "-covermode=atomic", "-coverpkg=./pkg/pki,./cmd/"+program.Name, "-o", counting, "./cmd/"+program.Name)
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build -cover: %v\n%s", err, output)
	}
	asItIs := func(encoded string) string { return encoded }
	for i, test := range []struct {
		about     string
		form      func(encoded string) string
		arguments []string
	}{
		{"its own form", asItIs, nil},
		{"with a handoff", asItIs, []string{"--out", "-"}},
		{"a form that the API server does not read", func(encoded string) string { return "\uFEFF" + strings.ReplaceAll(encoded, "\n", "\r\n") }, []string{"--out", "-"}},
		{"text around it", func(encoded string) string { return "For the new colleague\n" + encoded }, []string{"--out", "-", "--allow", "outside-pem"}},
		{"a server's dry run", asItIs, []string{"--dry-run=server"}},
	} {
		t.Run(test.about, func(t *testing.T) {
			name := fmt.Sprintf("once-%d", i)
			s.must("new-user", name, "--offline", "--dir", ".")
			words := append(s.byFingerprint(name+".csr"), test.arguments...)
			s.write(name+".csr", test.form(string(s.read(name+".csr"))))
			for _, about := range []string{"it is submitted", "it exists on the cluster"} {
				counts := t.TempDir()
				approve := s.as(sender).env.Command(t.Context(), counting, words...)
				approve.Env = append(approve.Env, "GOCOVERDIR="+counts)
				if result := program.Run(t, approve); result.Code != 0 {
					t.Fatalf("%s: %q: exit code %d\n%s", about, words, result.Code, result.Stderr)
				}
				if got := timesCalled(t, root, counts, "pkg/pki/request.go", "func decodeRequest("); got != 1 {
					t.Errorf("%s: the request was decoded %d times", about, got)
				}
			}
		})
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
