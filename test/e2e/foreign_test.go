package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	utf16bytes "encoding/binary"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/crypto/ssh"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// utf16Of is a text as Windows programs save it.
func utf16Of(text string) string {
	var encoded []byte
	for _, unit := range utf16.Encode([]rune("\uFEFF" + text)) {
		encoded = utf16bytes.BigEndian.AppendUint16(encoded, unit)
	}
	return string(encoded)
}

func TestForeign_RequestsAreApprovedInEveryFormOfAText(t *testing.T) {
	s, user := newSession(t, shared), withoutCluster(t, shared)
	indent := func(text string) string { return "    " + strings.ReplaceAll(text, "\n", "  \r\n    ") }
	for i, test := range []struct {
		about string
		form  func(encoded string) string
	}{
		{"UTF-16", utf16Of},
		{"indented, with spaces after the lines", indent},
		{"base64 of DER", func(encoded string) string {
			block, _ := pem.Decode([]byte(encoded))
			return base64.StdEncoding.EncodeToString(block.Bytes)
		}},
		{"base64 of the PEM", func(encoded string) string { return base64.StdEncoding.EncodeToString([]byte(encoded)) }},
		{"a manifest in UTF-16, without a signer", func(encoded string) string {
			return utf16Of("apiVersion: certificates.k8s.io/v1\r\nkind: CertificateSigningRequest\r\nmetadata:\r\n  name: foreign-manifest\r\nspec:\r\n  request: " +
				base64.StdEncoding.EncodeToString([]byte(indent(encoded))) + "\r\n  usages:\r\n  - client auth\r\n")
		}},
	} {
		t.Run(test.about, func(t *testing.T) {
			name := fmt.Sprintf("form-%d", i)
			user.must("new-user", name, "--offline", "--dir", ".")
			s.write(name, test.form(string(user.read(name+".csr"))))
			approved := s.must("approve", "-f", name, "--yes", "--out", name+".handoff.yaml")
			if stored := s.object(approved.Stdout); request.ReviewOf(stored).User.Name != name || !bytes.Equal(stored.Spec.Request, user.read(name+".csr")) {
				t.Errorf("something else was submitted than the request in its own form:\n%s", stored.Spec.Request)
			}
			if told := strings.Contains(approved.Stderr, "has no spec.signerName; using "+request.Signer); told != strings.Contains(test.about, "signer") {
				t.Errorf("the signer is assumed, or said so: %t\n%s", told, approved.Stderr)
			}
			// The way back passes the same programs.
			user.write(name+".handoff.yaml", utf16Of(string(s.read(name+".handoff.yaml"))))
			user.must(append([]string{"fetch", name, "--from", name + ".handoff.yaml", "--dir", "."}, confirmed(t, shared)...)...)
			if who := whoIs(t, user.path(name+".kubeconfig")); who != name {
				t.Errorf("the kubeconfig logs in as %q", who)
			}
		})
	}
}

// TestForeign_AListThatKubectlPrintsIsReviewedAndApproved reads requests from where kubectl put them.
func TestForeign_AListThatKubectlPrintsIsReviewedAndApproved(t *testing.T) {
	s := newSession(t, shared)
	var names []string
	for _, name := range []string{"listed-a", "listed-b"} {
		names = append(names, objectName(s.must("new-user", name, "--dir", name).Stdout))
	}
	s.write("list.yaml", s.kubectl(append([]string{"get", "csr", "-o", "yaml"}, names...)...).Stdout)
	shown := s.must("show", "-f", "list.yaml").Stdout
	for _, want := range []string{"listed-a", "listed-b"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%s is not shown:\n%s", want, shown)
		}
	}
	approved := s.must("approve", "-f", "list.yaml", "--yes").Stdout
	for _, name := range names {
		if !strings.Contains(approved, name+" approved\n") {
			t.Errorf("%s is not approved:\n%s", name, approved)
		}
	}
	s.must("fetch", "listed-b", "--dir", "listed-b")
}

func TestForeign_KeysOfOtherToolsLogIn(t *testing.T) {
	s := newSession(t, shared)
	for i, algorithm := range []pki.KeyAlgorithm{"ed25519", "ecdsa-p256"} {
		key, err := pki.NewKey(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		block, err := ssh.MarshalPrivateKey(key, "laptop")
		if err != nil {
			t.Fatal(err)
		}
		forms := map[string]string{"openssh": string(pem.EncodeToMemory(block))}
		if key, isECDSA := key.(*ecdsa.PrivateKey); isECDSA {
			der, err := x509.MarshalECPrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			sec1 := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
			forms["sec1-mislabeled"] = "\uFEFF" + strings.ReplaceAll(sec1, "\n", "\r\n")
			forms["pkcs12-text"] = "Bag Attributes\n    friendlyName: x\n" + sec1 + "Bag Attributes\n    localKeyID: 01\n" + string(authorityPEM(t))
		}
		for form, text := range forms {
			name := fmt.Sprintf("%s-%d", form, i)
			t.Run(name, func(t *testing.T) {
				s.write(name+".pem", text)
				s.must("new-user", name, "--key", name+".pem", "--approve", "--dir", "given")
				if who := whoIs(t, s.path("given", name+".kubeconfig")); who != name {
					t.Errorf("the kubeconfig logs in as %q", who)
				}
				// A key that was put where the program keeps it, too.
				put := name + "-put"
				if err := os.MkdirAll(s.path("put"), 0o700); err != nil {
					t.Fatal(err)
				}
				s.write("put/"+put+".key", text)
				s.must("new-user", put, "--approve", "--dir", "put")
				if who := whoIs(t, s.path("put", put+".kubeconfig")); who != put {
					t.Errorf("the kubeconfig logs in as %q", who)
				}
				if string(s.read("put", put+".key")) != text {
					t.Error("the key's file was changed")
				}
			})
		}
	}
	s.write("store.p12", "\x30\x82\x01\x00\x02\x01\x03\x30\x82\x00\xf0")
	s.check(s.run("new-user", "stored", "--key", "store.p12", "--dir", "given"), expect{2, []string{
		"it is a PKCS#12 key store, not a private key", "hint: convert it: openssl pkcs12 -in FILE -nocerts -nodes -out KEY",
	}})
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	s.write("encrypted.pem", encrypted(t, key))
	s.check(s.run("new-user", "locked", "--key", "encrypted.pem", "--dir", "given"), expect{2, []string{
		"the key is encrypted", "hint: decrypt it into a file of your own: openssl pkey -in ENCRYPTED -out KEY",
	}})
}

func authorityPEM(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(shared.CertificateAuthority)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestForeign_AServerInCapitalsIsTheSameServer(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "capital", "--approve", "--dir", "D", "--external-server", strings.Replace(shared.Server, "https", "HTTPS", 1))
	text := string(s.read("D", "capital.kubeconfig"))
	if !strings.Contains(text, "server: "+shared.Server) {
		t.Errorf("the server is not written as everywhere:\n%s", text)
	}
	s.write("capitals", strings.Replace(text, "server: https", "server: HTTPS", 1))
	if status := s.must("status", "--kubeconfig", "capitals"); !strings.Contains(status.Stdout, "yes") {
		t.Errorf("status prints\n%s", status.Stdout)
	}
	// The same cluster in capitals is not another cluster to merge with, and may be replaced.
	s.must("fetch", "capital", "--dir", "D", "--out", "capitals")
	config := s.loadFrom(shared.Kubeconfig)
	for _, cluster := range config.Clusters {
		cluster.Server = strings.Replace(cluster.Server, "https", "HTTPS", 1)
	}
	if err := clientcmd.WriteToFile(*config, s.path("admin")); err != nil {
		t.Fatal(err)
	}
	admin := *s
	admin.env.Kubeconfig = s.path("admin")
	admin.must("list")
	admin.must("fetch", "capital", "--dir", "D", "--merge")
	if merged := s.load("admin"); len(merged.Clusters) != len(config.Clusters) {
		t.Errorf("there are %d clusters", len(merged.Clusters))
	}
}

func TestForeign_StatusReadsAKubeconfigFromAPipeOnce(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "piped", "--approve", "--dir", "D")
	command := s.command("status", "--kubeconfig", "/dev/stdin")
	command.Stdin = bytes.NewReader(s.read("D", "piped.kubeconfig"))
	status := program.Run(t, command)
	if status.Code != 0 || !strings.Contains(status.Stdout, "piped") || !strings.Contains(status.Stdout, "yes") || strings.Contains(status.Stderr, "warning") {
		t.Errorf("exit code %d\n%s%s", status.Code, status.Stdout, status.Stderr)
	}
	failing := s.command("status", "--kubeconfig", "/dev/stdin", "--fail-within", "60d")
	failing.Stdin = bytes.NewReader(s.read("D", "piped.kubeconfig"))
	s.check(program.Run(t, failing), expect{1, []string{"1 of 1 context"}})
	// What would have to be written back is refused as before.
	renewing := s.command("renew", "--kubeconfig", "/dev/stdin")
	renewing.Stdin = bytes.NewReader(s.read("D", "piped.kubeconfig"))
	s.check(program.Run(t, renewing), expect{1, []string{"is not a regular file"}})
}

func TestForeign_ATeamIsReadAsASpreadsheetWroteIt(t *testing.T) {
	s := newSession(t, shared)
	for name, text := range map[string]string{
		"semicolons.csv": "sep=;\r\nname;groups;;\r\nsheet-a;\"dev;ops\";;\r\n;;;\r\n",
		"utf16.csv":      utf16Of("name\tgroups\r\nsheet-b\tdev\r\n"),
		"cr.csv":         "name,groups,\rsheet-c,dev,\r,,\r",
	} {
		s.write(name, text)
		made := s.must("new-user", "-f", name, "--approve", "--dir", "team")
		if strings.Count(made.Stdout, ".kubeconfig") != 1 {
			t.Errorf("%s: it prints\n%s%s", name, made.Stdout, made.Stderr)
		}
	}
	for _, user := range []string{"sheet-a", "sheet-b", "sheet-c"} {
		if who := whoIs(t, s.path("team", user+".kubeconfig")); who != user {
			t.Errorf("the kubeconfig of %s logs in as %q", user, who)
		}
	}
	s.write("team.xlsx", "PK\x03\x04\x14\x00\x06\x00")
	s.check(s.run("new-user", "-f", "team.xlsx", "--approve", "--dir", "team"), expect{2, []string{"it is a workbook of a spreadsheet program: save it as CSV UTF-8"}})
}

func TestForeign_ADirectorysOtherFilesAreNamed(t *testing.T) {
	s, user := newSession(t, shared), withoutCluster(t, shared)
	if err := os.Mkdir(s.path("in"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"directory-a": "a.csr", "directory-b": "b.pem", "directory-c": "c.csr.txt"} {
		user.must("new-user", name, "--offline", "--dir", ".")
		s.write("in/"+file, string(user.read(name+".csr")))
	}
	approved := s.must("approve", "-f", "in", "--yes", "--out", "out/")
	if strings.Count(approved.Stdout, " approved\n") != 2 || !strings.Contains(approved.Stderr, `warning: not read in "in", by their names: "b.pem"; to read one, name it: --filename FILE`) {
		t.Errorf("it prints\n%s%s", approved.Stdout, approved.Stderr)
	}
	s.must("approve", "-f", "in/b.pem", "--yes")
}
