package pair_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// files is a directory with the files of the user jane, and of another.
type files struct {
	directory       string
	endpoint        kubeconfig.Endpoint
	jane, otherPair kubeconfig.Credentials
}

func newFiles(t *testing.T) *files {
	t.Helper()
	server := clustertest.New(t)
	f := &files{directory: t.TempDir(), endpoint: server.Endpoint, jane: server.Credentials(t, "jane", "dev"), otherPair: server.Credentials(t, "jane")}
	for name, text := range map[string][]byte{
		"jane.crt": f.jane.Certificate, "jane.key": f.jane.Key, "other.key": f.otherPair.Key, "bad": []byte("text"),
		"both.pem": append(bytes.Clone(f.jane.Key), f.jane.Certificate...),
	} {
		f.write(t, name, text)
	}
	return f
}

func (f *files) write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.directory, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// user writes a kubeconfig with a user entry, and is that user.
func (f *files) user(t *testing.T, entry *clientcmdapi.AuthInfo) pair.KubeconfigUser {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.AuthInfos["jane"] = entry
	encoded, err := kubeconfig.Encode(config)
	if err != nil {
		t.Fatal(err)
	}
	f.write(t, "config", encoded)
	return pair.KubeconfigUser{Context: "jane@test", Path: filepath.Join(f.directory, "config"), Entry: "jane"}
}

func TestPair_APairIsReadInEveryForm(t *testing.T) {
	f := newFiles(t)
	for about, entry := range map[string]*clientcmdapi.AuthInfo{
		"in the kubeconfig": {ClientCertificateData: f.jane.Certificate, ClientKeyData: f.jane.Key},
		"in files":          {ClientCertificate: "jane.crt", ClientKey: "jane.key"},
		"in one file":       {ClientCertificate: "both.pem", ClientKey: "both.pem"},
		"at a path":         {ClientCertificate: filepath.Join(f.directory, "jane.crt"), ClientKeyData: f.jane.Key},
	} {
		held, err := f.user(t, entry).Read(time.Now)
		if err != nil || held.Certificate.User().Name != "jane" || !pki.SamePublicKey(held.Key.Public(), held.Certificate.Leaf.PublicKey) {
			t.Errorf("%s: %v", about, err)
			continue
		}
		if !bytes.Equal(held.Credentials.Certificate, f.jane.Certificate) || !bytes.Equal(held.Credentials.Key, f.jane.Key) {
			t.Errorf("%s: other credentials are read", about)
		}
	}
}

func TestPair_WhatIsNoPairIsAnError(t *testing.T) {
	f := newFiles(t)
	for about, test := range map[string]struct {
		entry *clientcmdapi.AuthInfo
		says  string
	}{
		"the key of another certificate": {&clientcmdapi.AuthInfo{ClientCertificateData: f.jane.Certificate, ClientKey: "other.key"}, "its private key is not the one of its client certificate"},
		"no certificate":                 {&clientcmdapi.AuthInfo{ClientCertificate: "bad", ClientKey: "jane.key"}, "its client certificate cannot be used"},
		"no key":                         {&clientcmdapi.AuthInfo{ClientCertificate: "jane.crt", ClientKey: "bad"}, "its private key cannot be used"},
		"a missing certificate":          {&clientcmdapi.AuthInfo{ClientCertificate: "missing", ClientKey: "jane.key"}, "missing"},
		"a missing key":                  {&clientcmdapi.AuthInfo{ClientCertificate: "jane.crt", ClientKey: "missing"}, "missing"},
		"a token":                        {&clientcmdapi.AuthInfo{Token: "t"}, "does not log in with a client certificate"},
	} {
		if _, err := f.user(t, test.entry).Read(time.Now); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", about, err, test.says)
		}
	}
	user := f.user(t, &clientcmdapi.AuthInfo{Token: "t"})
	user.Entry = "sam"
	if _, err := user.Read(time.Now); err == nil || !strings.Contains(err.Error(), `has no user "sam"`) {
		t.Errorf("%v", err)
	}
	f.write(t, "config", []byte("text"))
	if _, err := user.Read(time.Now); err == nil || !strings.Contains(err.Error(), "is not a kubeconfig") {
		t.Errorf("%v", err)
	}
	if _, err := pair.UserOf("c", "p", "e", &clientcmdapi.AuthInfo{Token: "t"}); !errors.Is(err, pair.ErrNoCertificate) {
		t.Errorf("%v", err)
	}
	if user, err := pair.UserOf("c", "p", "e", &clientcmdapi.AuthInfo{ClientCertificate: "jane.crt", ClientKey: "jane.key"}); err != nil || user.Cache != nil || user.Path != "p" || user.Entry != "e" {
		t.Errorf("%+v, %v", user, err)
	}
}

// cache is a filled credential cache, and a user entry that logs in from it.
func (f *files) cache(t *testing.T, credentials kubeconfig.Credentials) *clientcmdapi.AuthInfo {
	t.Helper()
	directory := filepath.Join(f.directory, "cache")
	encoded, err := kubeconfig.Encode(kubeconfig.Assemble(f.endpoint, credentials, kubeconfig.Names{Cluster: "test", Context: "jane@test"}, ""))
	if err == nil {
		err = os.MkdirAll(directory, 0o700)
	}
	if err == nil {
		err = os.WriteFile(store.CredentialCacheAt(directory).KubeconfigPath(), encoded, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig.ExecUser("kubectl-csr_onboard", directory)
}

func TestPair_ACacheIsOfOneServer(t *testing.T) {
	f := newFiles(t)
	entry := f.cache(t, f.jane)
	user, err := pair.UserOf("jane@test", "p", "e", entry)
	if err != nil || user.Cache == nil || user.Entry != "jane@test" || user.Path != user.Cache.KubeconfigPath() {
		t.Fatalf("%+v, %v", user, err)
	}
	if err := pair.CheckCacheOf(user, f.endpoint); err != nil {
		t.Errorf("%v", err)
	}
	for about, change := range map[string]func(*kubeconfig.Endpoint){
		"another server": func(e *kubeconfig.Endpoint) { e.Server = "https://other.example.com" },
		"another authority": func(e *kubeconfig.Endpoint) {
			e.CertificateAuthority = clustertest.New(t).Endpoint.CertificateAuthority
		},
	} {
		endpoint := f.endpoint
		change(&endpoint)
		if err := pair.CheckCacheOf(user, endpoint); err == nil || !strings.Contains(err.Error(), "was created for the API server") {
			t.Errorf("%s: %v", about, err)
		}
	}
	if err := pair.CheckCacheOf(pair.KubeconfigUser{}, f.endpoint); err != nil {
		t.Errorf("without a cache: %v", err)
	}
	if got := pair.CachedCertificate(entry); !bytes.Equal(got, f.jane.Certificate) {
		t.Error("the certificate in the cache is another one")
	}
	f.cache(t, kubeconfig.Credentials{Certificate: f.jane.Certificate, Key: f.otherPair.Key})
	if _, err := pair.UserOf("jane@test", "p", "e", entry); err == nil || !strings.Contains(err.Error(), "cannot be used") {
		t.Errorf("a cache with another key: %v", err)
	}
	if got := pair.CachedCertificate(entry); got != nil {
		t.Errorf("%s", got)
	}
	if pair.CachedCertificate(nil) != nil || pair.CachedCertificate(&clientcmdapi.AuthInfo{}) != nil {
		t.Error("a certificate comes from nowhere")
	}
	// The certificate alone is read where the key is not the one.
	if certificate := pair.ReadCertificate(entry); certificate == nil || certificate.User().Name != "jane" {
		t.Errorf("%v", certificate)
	}
}

func TestPair_ACertificateIsReadAlone(t *testing.T) {
	f := newFiles(t)
	t.Chdir(f.directory)
	for about, test := range map[string]struct {
		entry *clientcmdapi.AuthInfo
		want  bool
	}{
		"in the kubeconfig": {&clientcmdapi.AuthInfo{ClientCertificateData: f.jane.Certificate}, true},
		"in a file":         {&clientcmdapi.AuthInfo{ClientCertificate: "jane.crt"}, true},
		"with its key":      {&clientcmdapi.AuthInfo{ClientCertificate: "both.pem"}, true},
		"missing":           {&clientcmdapi.AuthInfo{ClientCertificate: "missing"}, false},
		"bad":               {&clientcmdapi.AuthInfo{ClientCertificate: "bad"}, false},
		"no cache":          {kubeconfig.ExecUser("c", filepath.Join(f.directory, "nowhere")), false},
		"nobody":            {nil, false},
	} {
		if got := pair.ReadCertificate(test.entry); (got != nil) != test.want {
			t.Errorf("%s: %v", about, got)
		}
	}
}

func TestPair_ValidityIsToldByTheClock(t *testing.T) {
	certificate, err := pki.ParseCertificate(newFiles(t).jane.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	before, after := certificate.Leaf.NotBefore.Add(-time.Second), certificate.Leaf.NotAfter.Add(time.Second)
	if err := pair.CheckBegun(certificate, before); err == nil || outcome.Hint(err) == "" {
		t.Errorf("%v", err)
	}
	for _, now := range []time.Time{certificate.Leaf.NotBefore, after} {
		if err := pair.CheckBegun(certificate, now); err != nil {
			t.Errorf("at %s: %v", now, err)
		}
	}
	if err := pair.Expired(pair.KubeconfigUser{Context: "c"}, certificate, after); !strings.Contains(err.Error(), `the certificate of "jane" in the context "c" expired`) || !strings.Contains(outcome.Hint(err), "new-user") {
		t.Errorf("%v (%s)", err, outcome.Hint(err))
	}
}
