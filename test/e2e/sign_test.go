package e2e

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// authorityOf copies the authority of the shared control plane's clients to a CA
// server, and returns the flags that name it.
func authorityOf(ca *session) []string {
	ca.t.Helper()
	certificate := shared.CertificateAuthority
	for from, to := range map[string]string{certificate: "ca.crt", strings.TrimSuffix(certificate, ".crt") + ".key": "ca.key"} {
		data, err := os.ReadFile(from)
		if err != nil {
			ca.t.Fatal(err)
		}
		if err := os.WriteFile(ca.path(to), data, 0o600); err != nil {
			ca.t.Fatal(err)
		}
	}
	return []string{"--ca-cert", "ca.crt", "--ca-key", "ca.key"}
}

func TestSign_ACertificateSignedOnACAServerLogsIn(t *testing.T) {
	ca, user := withoutCluster(t, shared), withoutCluster(t, shared)
	authority := authorityOf(ca)
	user.must("new-user", "sarah", "-g", "dev", "--offline", "--dir", ".")
	bring(user, ca, "sarah.csr")
	signed := program.Run(t, withoutSockets(t, ca.command(append(authority, "sign", "sarah.csr", "--yes", "--out", "sarah.crt")...)))
	if signed.Code != 0 || signed.Stdout != "sarah.crt\n" {
		t.Fatalf("exit code %d\n%s%s", signed.Code, signed.Stdout, signed.Stderr)
	}
	certificate, err := pki.ParseCertificate(ca.read("sarah.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.read("ca.crt"))
	if _, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if openssl, err := exec.LookPath("openssl"); err == nil {
		text, err := exec.Command(openssl, "verify", "-purpose", "sslclient", "-CAfile", ca.path("ca.crt"), ca.path("sarah.crt")).CombinedOutput()
		if err != nil {
			t.Errorf("openssl verify: %s", text)
		}
	}
	if !issued(t, ca)[hex.EncodeToString(certificate.SHA256())] {
		t.Error("the log does not know the certificate")
	}
	ca.check(ca.run(append(authority, "sign", "sarah.csr", "--yes", "--out", "sarah.crt")...), expect{1, []string{`the file "sarah.crt" already exists`}})
	if n := len(issued(t, ca)); n != 1 {
		t.Errorf("the log knows %d certificates", n)
	}

	server := []string{"--server", shared.Server, "--certificate-authority", serverAuthority(t, ca), "--cluster-name", "site"}
	handoff := ca.must(append(append(authority, server...), "sign", "sarah.csr", "--yes", "--expiration", "8h")...)
	fetch := user.command(append([]string{"fetch", "sarah", "--from", "-", "--dir", "."}, confirmed(t, shared)...)...)
	fetch.Stdin = strings.NewReader(handoff.Stdout)
	if fetched := program.Run(t, fetch); fetched.Code != 0 || !strings.Contains(fetched.Stderr, "logged in: the cluster knows the holder as sarah (dev, system:authenticated)") {
		t.Errorf("exit code %d\n%s", fetched.Code, fetched.Stderr)
	}
	if name := selfSubjectReview(t, clientOf(t, user.path("sarah.kubeconfig"))); name != "sarah" {
		t.Errorf("the user is logged in as %q", name)
	}
	if n := len(issued(t, ca)); n != 2 {
		t.Errorf("the log knows %d certificates", n)
	}
}

// serverAuthority writes the authority of the API server's own certificate to the
// CA server.
func serverAuthority(t *testing.T, ca *session) string {
	t.Helper()
	config, err := shared.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	data := config.CAData
	if len(data) == 0 {
		if data, err = os.ReadFile(config.CAFile); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(ca.path("server-ca.crt"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return "server-ca.crt"
}

// issued are the hashes of the certificates that the log of a CA server knows.
func issued(t *testing.T, ca *session) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for scanner := bufio.NewScanner(bytes.NewReader(ca.read("csr-onboard-issued.jsonl"))); scanner.Scan(); {
		var line struct{ SHA256, User, Serial, NotAfter, Fingerprint string }
		// A line that a killed run left is not JSON.
		if err := json.Unmarshal(scanner.Bytes(), &line); err == nil {
			known[line.SHA256] = true
		}
	}
	return known
}

func TestSign_WhatACAServerDoesNotSign(t *testing.T) {
	ca, user := withoutCluster(t, shared), withoutCluster(t, shared)
	authority := authorityOf(ca)
	user.must("new-user", "silke", "--offline", "--dir", ".")
	bring(user, ca, "silke.csr")
	requests := filepath.Join("..", "fixture", "requests")
	for _, name := range []string{"system-masters.csr", "system-node.csr", "signature-flipped-bit.csr"} {
		data, err := os.ReadFile(filepath.Join(requests, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(ca.path(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sign := func(arguments ...string) []string {
		return append(append([]string{"sign"}, arguments...), authority...)
	}
	for _, test := range []struct {
		about     string
		arguments []string
		want      expect
	}{
		{"system:masters", sign("system-masters.csr", "--yes", "--allow", "system-group"), expect{6, []string{"is refused: system-group"}}},
		{"a node", sign("system-node.csr", "--yes"), expect{6, []string{"is refused: system-user, system-group"}}},
		{"a bad signature", sign("signature-flipped-bit.csr", "--yes"), expect{6, []string{"is refused: bad-signature"}}},
		{"another fingerprint", sign("silke.csr", "--yes", "--fingerprint", "SHA256:"+strings.Repeat("A", 43)), expect{5, []string{`the request in "silke.csr" is for the key SHA256:`}}},
		{"nobody to ask", sign("silke.csr"), expect{2, []string{`no terminal is available to confirm that "silke.csr" is to be signed`}}},
		{"no authority", []string{"sign", "silke.csr", "--yes"}, expect{2, []string{"--ca-cert is missing"}}},
		{"no authority's certificate", []string{"sign", "silke.csr", "--yes", "--ca-cert", "silke.csr", "--ca-key", "ca.key"}, expect{2, []string{"the CA certificate cannot be used: there is a PEM block"}}},
		{"no authority's key", []string{"sign", "silke.csr", "--yes", "--ca-cert", "ca.crt", "--ca-key", "ca.crt"}, expect{2, []string{"the CA's private key cannot be used"}}},
		{"a passphrase for a key that needs none", sign("silke.csr", "--yes", "--passphrase-file", "silke.csr"), expect{2, []string{`--passphrase-file does nothing: --ca-key "ca.key" is not encrypted`}}},
		{"a log that cannot be written", sign("silke.csr", "--yes", "--log", "missing/log"), expect{1, []string{"so none was issued"}}},
		{"a directory that is not there", sign("silke.csr", "--yes", "--out", "missing/silke.crt"), expect{1, []string{`directory "missing" not found`}}},
		{"no file", sign("missing.csr", "--yes"), expect{1, []string{`"missing.csr": no such file or directory`}}},
		{"no request", sign("ca.crt", "--yes"), expect{1, []string{`no certificate signing request in "ca.crt"`}}},
		{"flags for a kubeconfig that is not written", sign("silke.csr", "--yes", "--cluster-name", "x"), expect{2, []string{"--cluster-name does nothing without --server"}}},
	} {
		t.Run(test.about, func(t *testing.T) {
			result := ca.run(test.arguments...)
			ca.check(result, test.want)
			if result.Stdout != "" {
				t.Errorf("standard output holds %q", result.Stdout)
			}
		})
	}
	if _, exists := ca.readIfThere("csr-onboard-issued.jsonl"); exists {
		t.Error("something was issued")
	}
	if err := os.Chmod(ca.path("ca.key"), 0o644); err != nil { //nolint:gosec // That is what is tested.
		t.Fatal(err)
	}
	if open := ca.must(sign("silke.csr", "--yes")...); !strings.Contains(open.Stderr, "warning: the CA's private key ca.key can be read by others") || !strings.HasPrefix(open.Stdout, "-----BEGIN CERTIFICATE-----\n") {
		t.Errorf("it prints\n%s%s", open.Stdout, open.Stderr)
	}
}

// signKillings is how often sign is killed at a random moment.
const signKillings = 100

func TestSign_NoCertificateIsWithoutItsLogLine(t *testing.T) {
	ca, user := withoutCluster(t, shared), withoutCluster(t, shared)
	authority := authorityOf(ca)
	user.must("new-user", "sonja", "--offline", "--dir", ".")
	bring(user, ca, "sonja.csr")
	sign := func(out string) []string {
		return append([]string{"sign", "sonja.csr", "--yes", "--out", out}, authority...)
	}
	whole := duration(t, ca, sign("probe.crt")...)
	killed, written := 0, 0
	for run := 0; killed < signKillings; run++ {
		out := fmt.Sprintf("killed-%d.crt", run)
		if ca.env.KillAfter(t, time.Duration(rand.Int64N(int64(whole))), sign(out)...) { //nolint:gosec // Nothing secret.
			killed++
		}
		encoded, exists := ca.readIfThere(out)
		if !exists {
			continue
		}
		written++
		certificate, err := pki.ParseCertificate([]byte(encoded))
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if !issued(t, ca)[hex.EncodeToString(certificate.SHA256())] {
			t.Fatalf("the log does not know %s", out)
		}
	}
	t.Logf("%d runs were killed; %d certificates were written, and the log knows %d", killed, written, len(issued(t, ca)))
	ca.must(sign("last.crt")...)
}
