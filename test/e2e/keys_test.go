package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

func TestKeys_EveryKeyAlgorithmLogsIn(t *testing.T) {
	for _, algorithm := range pki.KeyAlgorithms() {
		t.Run(algorithm, func(t *testing.T) {
			s := newSession(t, shared)
			s.must("new-user", "key-"+algorithm, "--key-algorithm", algorithm, "--approve", "--dir", "D")
			if who := whoIs(t, s.path("D", "key-"+algorithm+".kubeconfig")); who != "key-"+algorithm {
				t.Errorf("the kubeconfig logs in as %q", who)
			}
		})
	}
}

func TestKeys_EveryNameLogsIn(t *testing.T) {
	for _, name := range []string{"jane@example.com", "Jane_Doe", "jane_doe", "佐藤花子", "..", "a/b", `DOMAIN\jane`, "https://issuer#x", strings.Repeat("long", 50)} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, shared)
			printed := s.must("new-user", name, "-g", "team:blue", "-g", "the ops team", "--approve", "--dir", "D")
			kubeconfig := strings.TrimSpace(printed.Stdout)
			if who := whoIs(t, s.path(kubeconfig)); who != name {
				t.Errorf("the kubeconfig %q logs in as %q", kubeconfig, who)
			}
			entries, err := os.ReadDir(s.path("D"))
			if err != nil || len(entries) != 3 {
				t.Errorf("the directory holds %v, %v", entries, err)
			}
		})
	}
}

func TestKeys_AGivenKeyIsUsedAndStaysAsItIs(t *testing.T) {
	s := newSession(t, shared)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encoded := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	s.write("mine.pem", encoded)
	said := s.must("new-user", "given", "--key", "mine.pem", "--approve", "--dir", "D").Stderr
	if !strings.Contains(said, "copied the private key mine.pem to D/given.key (RSA") || strings.Contains(said, "created a private key") {
		t.Errorf("of the key it says\n%s", said)
	}
	if who := whoIs(t, s.path("D", "given.kubeconfig")); who != "given" {
		t.Errorf("the kubeconfig logs in as %q", who)
	}
	if string(s.read("mine.pem")) != encoded {
		t.Error("the given key was changed")
	}
	kept, err := pki.ParseKey(s.read("D", "given.key"))
	if err != nil || !pki.SamePublicKey(kept.Public(), key.Public()) {
		t.Errorf("the directory holds another key: %v", err)
	}

	if again := s.must("new-user", "given", "--key", "mine.pem", "--dir", "D").Stderr; !strings.Contains(again, "using the existing private key: D/given.key") {
		t.Errorf("the second time it says\n%s", again)
	}
	s.must("new-user", "other", "--dir", "D")
	s.check(s.run("new-user", "other", "--key", "mine.pem", "--dir", "D"), expect{2, []string{`--key "mine.pem" is another key than "D/other.key", which already exists`}})
	if err := os.Chmod(s.path("mine.pem"), 0o640); err != nil { //nolint:gosec // Too open on purpose.
		t.Fatal(err)
	}
	s.check(s.run("new-user", "open", "--key", "mine.pem", "--dir", "D"), expect{2, []string{"can be read by others than its owner (mode 0640)", "chmod 600 mine.pem"}})
	s.check(s.run("new-user", "none", "--key", "nowhere.pem", "--dir", "E"), expect{2, []string{`--key "nowhere.pem": no such file or directory`}})
	if _, err := os.Stat(s.path("E")); !os.IsNotExist(err) {
		t.Error("a key that cannot be used left a directory")
	}
	s.check(s.run("new-user", "both", "--key", "mine.pem", "--key-algorithm", "ed25519", "--dir", "D"), expect{2, []string{"exclude each other"}})
}
