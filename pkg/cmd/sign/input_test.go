package sign

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli/clitest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/sign"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// writeRequest writes a request of the user jane, and a file that holds none.
func writeRequest(t *testing.T) {
	t.Helper()
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	made, err := pki.NewRequest(key, identity.User{Name: "jane"})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"jane.csr": string(made.PEM()), "bad.csr": "text",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInput_TheInputOfASignatureIsWhatWasTyped(t *testing.T) {
	t.Chdir(t.TempDir())
	writeRequest(t)
	fingerprint := "SHA256:" + strings.Repeat("A", 43)
	needed := []string{"jane.csr", "--ca-cert", filepath.Join("ca", "ca.crt"), "--ca-key", "ca.key"}
	log := filepath.Join("ca", issuanceLog)
	for _, test := range []struct {
		arguments []string
		want      sign.Input
	}{
		{nil, sign.Input{Log: log, Path: "-"}},
		{[]string{"--expiration", "8h", "--out", "jane.crt", "--yes"}, sign.Input{Lifetime: 8 * time.Hour, Log: log, Path: "jane.crt"}},
		{[]string{"--log", "l", "--passphrase-file", "p", "--allow", "sans-present", "--fingerprint", fingerprint}, sign.Input{
			Log: "l", Path: "-", PassphraseFile: "p", Allow: []string{"sans-present"}, Fingerprint: fingerprint,
		}},
		{[]string{"--server", "https://k8s.example.com"}, sign.Input{Log: log, Path: "-", Endpoint: &kubeconfig.Endpoint{Cluster: "kubernetes", Server: "https://k8s.example.com"}}},
		{[]string{"--server", "https://k8s.example.com", "--cluster-name", "c", "--tls-server-name", "n", "--insecure-skip-tls-verify"}, sign.Input{
			Log: log, Path: "-", Endpoint: &kubeconfig.Endpoint{Cluster: "c", Server: "https://k8s.example.com", ServerName: "n", InsecureSkipVerify: true},
		}},
	} {
		o, err := clitest.Run[*signOptions](t, New, append(needed, test.arguments...)...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
			continue
		}
		got := o.input()
		if got.Object == nil || got.Confirm == nil || got.AskPassphrase == nil || got.Fetch == nil || request.LifetimeOf(got.Object) != got.Lifetime {
			t.Errorf("%q: %+v", test.arguments, got)
		}
		test.want.Source, test.want.CertificateFile, test.want.KeyFile = "jane.csr", filepath.Join("ca", "ca.crt"), "ca.key"
		if test.want.Lifetime == 0 {
			test.want.Lifetime = request.DefaultLifetime
		}
		got.Object, got.Confirm, got.AskPassphrase, got.Fetch, got.Inputs = nil, nil, nil, nil, test.want.Inputs
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q:\n got %+v\nwant %+v", test.arguments, got, test.want)
		}
	}
}

func TestInput_WhatCannotBeSignedIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	writeRequest(t)
	for _, test := range []struct{ arguments, says string }{
		{"", "accepts one FILE, got 0"},
		{"jane.csr jane.csr", "accepts one FILE, got 2"},
		{"jane.csr --ca-key k", "--ca-cert is missing"},
		{"jane.csr --ca-cert c", "--ca-key is missing"},
		{"missing.csr --ca-cert c --ca-key k", "missing.csr"},
		{"bad.csr --ca-cert c --ca-key k", "bad.csr"},
		{"jane.csr --ca-cert c --ca-key k --expiration soon", "soon"},
		{"jane.csr --ca-cert c --ca-key k --server http://k8s.example.com", "not a valid address"},
		{"jane.csr --ca-cert c --ca-key k --cluster-name c", "without --server"},
		{"jane.csr --ca-cert c --ca-key k --server https://k8s.example.com --certificate-authority missing", "--certificate-authority"},
		{"jane.csr --ca-cert c --ca-key k --allow nothing", "nothing"},
		{"- --ca-cert - --ca-key k", "cannot both be read from standard input"},
		{"jane.csr --ca-cert c --ca-key k --out=", "--out is empty"},
		{"jane.csr --ca-cert /dev/stdin --ca-key k", "--log is missing"},
	} {
		if o, err := clitest.Run[*signOptions](t, New, strings.Fields(test.arguments)...); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %v, %v, want %q", test.arguments, o, err, test.says)
		}
	}
}
