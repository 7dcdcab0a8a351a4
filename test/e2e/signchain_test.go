package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/youmark/pkcs8"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program/terminal"
)

// passphrase opens the authorities' keys of these tests.
const passphrase = "correct horse battery"

// intermediateOf makes an authority that the one of the shared control plane certifies,
// on a CA server: chain.crt, with the root, issuing.crt, without it, and issuing.key,
// encrypted. The API server has the root alone in --client-ca-file.
func intermediateOf(t *testing.T, ca *session) {
	t.Helper()
	root := authorityFor(t, shared)
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "issuing-ca"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}, root.certificate, key.Public(), root.key)
	if err != nil {
		t.Fatal(err)
	}
	issuing := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	rootPEM, err := os.ReadFile(shared.CertificateAuthority)
	if err != nil {
		t.Fatal(err)
	}
	ca.write("issuing.crt", issuing)
	ca.write("chain.crt", issuing+string(rootPEM))
	ca.write("issuing.key", encrypted(t, key))
	ca.write("passphrase", passphrase+"\n")
}

// encryptedAuthorityOf puts the encrypted key of the authority of the shared control
// plane's clients onto a CA server, and its passphrase.
func encryptedAuthorityOf(ca *session) {
	ca.t.Helper()
	key, isSigner := authorityFor(ca.t, shared).key.(crypto.Signer)
	if !isSigner {
		ca.t.Fatal("the key of the authority does not sign")
	}
	ca.write("ca-encrypted.key", encrypted(ca.t, key))
	ca.write("passphrase", passphrase+"\n")
}

func encrypted(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := pkcs8.MarshalPrivateKey(key, []byte(passphrase), nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}))
}

func TestSignChain_WhatAnIntermediateAuthoritySignsLogsIn(t *testing.T) {
	ca, user := withoutCluster(t, shared), withoutCluster(t, shared)
	intermediateOf(t, ca)
	server := []string{"--server", shared.Server, "--certificate-authority", serverAuthority(t, ca)}
	user.must("new-user", "ines", "-g", "dev", "--offline", "--dir", ".")
	bring(user, ca, "ines.csr")
	for _, certificate := range []string{"chain.crt", "issuing.crt"} {
		t.Run(certificate, func(t *testing.T) {
			sign := []string{"sign", "ines.csr", "--ca-cert", certificate, "--ca-key", "issuing.key", "--passphrase-file", "passphrase", "--yes"}
			handoff := certificate + ".handoff.yaml"
			ca.must(append(append(sign, server...), "--out", handoff)...)
			bring(ca, user, handoff)
			fetched := user.must(append([]string{"fetch", "ines", "--from", handoff, "--dir", "."}, confirmed(t, shared)...)...)
			if !strings.Contains(fetched.Stderr, "logged in: the cluster knows the holder as ines (dev, system:authenticated)") {
				t.Errorf("it says\n%s", fetched.Stderr)
			}
			if name := whoIs(t, user.path("ines.kubeconfig")); name != "ines" {
				t.Errorf("the user is logged in as %q", name)
			}

			bare := certificate + ".signed.crt"
			ca.must(append(sign, "--out", bare)...)
			if parsed, err := pki.ParseCertificate(ca.read(bare)); err != nil || strings.Count(string(parsed.PEM), "BEGIN CERTIFICATE") != 2 {
				t.Errorf("the certificate comes with something else than the intermediate: %v\n%s", err, ca.read(bare))
			}
			bring(ca, user, bare)
			bring(ca, user, "server-ca.crt")
			if fetched := user.must(append([]string{"fetch", "ines", "--from", bare, "--dir", ".", "--out", bare + ".kubeconfig"}, server...)...); !strings.Contains(fetched.Stderr, "logged in") {
				t.Errorf("it says\n%s", fetched.Stderr)
			}
			if status := user.must("status", "--kubeconfig", "ines.kubeconfig"); !strings.Contains(status.Stdout, "ines") || !strings.Contains(status.Stdout, "yes") {
				t.Errorf("status prints\n%s", status.Stdout)
			}
		})
	}
}

func TestSignChain_AnEncryptedAuthorityKeyIsOpenedInMemoryOnly(t *testing.T) {
	ca, user := withoutCluster(t, shared), withoutCluster(t, shared)
	intermediateOf(t, ca)
	user.must("new-user", "ingo", "--offline", "--dir", ".")
	bring(user, ca, "ingo.csr")
	sign := []string{"sign", "ingo.csr", "--ca-cert", "issuing.crt", "--ca-key", "issuing.key", "--yes"}
	isSigned := func(about, output string) {
		t.Helper()
		if certificate, err := pki.ParseCertificate([]byte(output)); err != nil || certificate.User().Name != "ingo" {
			t.Errorf("%s: it prints\n%s", about, output)
		}
	}
	isSigned("a file", ca.must(append(sign, "--passphrase-file", "passphrase")...).Stdout)

	byDescriptor := ca.command(append(sign, "--passphrase-file", "/dev/fd/3")...)
	file, err := os.Open(ca.path("passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // Nothing was written.
	byDescriptor.ExtraFiles = []*os.File{file}
	isSigned("a descriptor", program.Run(t, byDescriptor).Stdout)

	byPipe := ca.command(append(sign, "--passphrase-file", "-")...)
	byPipe.Stdin = strings.NewReader(passphrase + "\n")
	isSigned("a pipe", program.Run(t, byPipe).Stdout)

	keyByPipe := ca.command("sign", "ingo.csr", "--ca-cert", "issuing.crt", "--ca-key", "/dev/stdin", "--passphrase-file", "passphrase", "--yes")
	keyByPipe.Stdin = strings.NewReader(string(ca.read("issuing.key")))
	isSigned("the key in a pipe", program.Run(t, keyByPipe).Stdout)

	screen, code := terminal.Run(t, ca.env, []terminal.Turn{{When: "Passphrase of issuing.key:", Typed: passphrase + "\r"}}, append(sign, "--out", "asked.crt")...)
	if code != 0 || strings.Contains(screen, passphrase) {
		t.Errorf("exit code %d\n%s", code, screen)
	}
	isSigned("a terminal", string(ca.read("asked.crt")))
	signed := len(issued(t, ca))

	ca.write("wrong", "wrong horse\n")
	ca.write("nothing", "")
	for _, test := range []struct {
		arguments []string
		want      expect
	}{
		{append(sign, "--passphrase-file", "wrong"), expect{2, []string{"the passphrase is wrong, or the key is damaged"}}},
		{append(sign, "--passphrase-file", "nothing"), expect{2, []string{"the passphrase is empty"}}},
		{append(sign, "--passphrase-file", "missing"), expect{2, []string{`--passphrase-file: "missing": no such file or directory`}}},
		{sign, expect{2, []string{"no terminal is available to enter its passphrase", "hint: name a file that holds it: --passphrase-file FILE"}}},
		{append(sign, "--passphrase-file", "-", "--ca-key", "/dev/stdin"), expect{2, []string{"--ca-key and --passphrase-file cannot both be read from standard input"}}},
		{[]string{"sign", "ingo.csr", "--ca-cert", "/dev/stdin", "--ca-key", "issuing.key", "--yes"}, expect{2, []string{"--log is missing"}}},
	} {
		result := ca.run(test.arguments...)
		ca.check(result, test.want)
		if strings.Contains(result.Stderr+result.Stdout, "horse") {
			t.Errorf("%q says a passphrase:\n%s", test.arguments, result.Stderr)
		}
	}
	if screen, code := terminal.Run(t, ca.env, []terminal.Turn{{When: "Passphrase of issuing.key:", Typed: "\x03"}}, sign...); code != 130 {
		t.Errorf("Ctrl-C: exit code %d\n%s", code, screen)
	}
	if n := len(issued(t, ca)); n != signed {
		t.Errorf("%d certificates were signed without the passphrase", n-signed)
	}
	if err := os.Chmod(ca.path("passphrase"), 0o644); err != nil { //nolint:gosec // That is what is tested.
		t.Fatal(err)
	}
	if open := ca.must(append(sign, "--passphrase-file", "passphrase")...); !strings.Contains(open.Stderr, "warning: the passphrase in passphrase can be read by others") {
		t.Errorf("it says\n%s", open.Stderr)
	}
	// Nothing but the encrypted key holds a key.
	entries, err := os.ReadDir(ca.env.Directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !entry.IsDir() && entry.Name() != "issuing.key" && strings.Contains(string(ca.read(entry.Name())), "PRIVATE KEY") {
			t.Errorf("%s holds a private key", entry.Name())
		}
	}
}

func TestSignChain_AHandoffThatTrustsTheWrongAuthoritySaysSoWhenItIsSignedAndFetched(t *testing.T) {
	ca, user := withoutCluster(t, shared), withoutCluster(t, shared)
	authority := authorityOf(ca)
	user.must("new-user", "ivan", "--offline", "--dir", ".")
	bring(user, ca, "ivan.csr")
	sign := append([]string{"sign", "ivan.csr", "--yes", "--out", "ivan.handoff.yaml", "--server", strings.Replace(shared.Server, "https", "HTTPS", 1)}, authority...)
	signed := ca.must(sign...)
	for _, text := range []string{"warning: the handoff trusts the certificate authority (CA) that signs, ", "name that one: --certificate-authority FILE"} {
		if !strings.Contains(signed.Stderr, text) {
			t.Errorf("it does not say %q\n%s", text, signed.Stderr)
		}
	}
	bring(ca, user, "ivan.handoff.yaml")
	user.check(user.run("fetch", "ivan", "--from", "ivan.handoff.yaml", "--dir", "."), expect{1, []string{
		"certificate signed by unknown authority",
		"did not sign the API server's certificate: ask for a handoff with the certificate authority (CA) of the API server (sign … --certificate-authority FILE)",
	}})
	if _, exists := user.readIfThere("ivan.kubeconfig"); exists {
		t.Error("a kubeconfig was written")
	}
	sign = append(sign, "--certificate-authority", serverAuthority(t, ca))
	ca.check(ca.run(sign...), expect{1, []string{`the kubeconfig "ivan.handoff.yaml" already exists, and its cluster "kubernetes" would be lost`, "move it away"}})
	if err := os.Remove(ca.path("ivan.handoff.yaml")); err != nil {
		t.Fatal(err)
	}
	if signed := ca.must(sign...); strings.Contains(signed.Stderr, "the handoff trusts") {
		t.Errorf("it says\n%s", signed.Stderr)
	}
	bring(ca, user, "ivan.handoff.yaml")
	user.must(append([]string{"fetch", "ivan", "--from", "ivan.handoff.yaml", "--dir", "."}, confirmed(t, shared)...)...)
	if server := user.load("ivan.kubeconfig").Clusters["kubernetes"].Server; server != shared.Server {
		t.Errorf("the server is written as %q", server)
	}
	if name := whoIs(t, user.path("ivan.kubeconfig")); name != "ivan" {
		t.Errorf("the user is logged in as %q", name)
	}
}
