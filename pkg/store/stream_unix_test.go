//go:build unix

package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// TestKind_StandardOutputIsNotToBeMovedAway is about /dev/stdout, which is a symbolic link, and root
// would have moved it.
func TestKind_StandardOutputIsNotToBeMovedAway(t *testing.T) {
	const stdout, away = "to write to standard output: --out -", "move it away, or name another place"
	directory := t.TempDir()
	write(t, filepath.Join(directory, "target"), "", 0o600)
	for name, target := range map[string]string{"null": "/dev/null", "pipe": pipeAt(t), "file": "target", "nowhere": "missing"} {
		path := filepath.Join(directory, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		want := away
		if name == "null" || name == "pipe" {
			want = stdout
		}
		for _, k := range []*Kind{UserKubeconfig, Certificate, SignedCertificate, Handoff} {
			info, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if hint := outcome.Hint(k.judgeOwn(path, info)); hint != want {
				t.Errorf("a %s at a link to %s: %q, want %q", k.name, target, hint, want)
			}
		}
		if _, err := ReadFileOf(privateKey, path); outcome.Hint(err) != away {
			t.Errorf("a private key at a link to %s: %v, %q", target, err, outcome.Hint(err))
		}
	}
}
