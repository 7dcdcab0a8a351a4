package destination

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// testAuthority is a certificate authority of a name.
type testAuthority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newTestAuthority(t *testing.T, name string) *testAuthority {
	t.Helper()
	a := &testAuthority{key: newTestKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err == nil {
		a.certificate, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newTestKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// pair is a new pair of a user's, valid for a time.
func (a *testAuthority) pair(t *testing.T, user identity.User, lifetime time.Duration, endpoint kubeconfig.Endpoint) *pair.Cached {
	t.Helper()
	key := newTestKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: user.Name, Organization: user.Groups},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pki.ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return &pair.Cached{Held: pair.Held{Certificate: certificate, Key: key}, Endpoint: endpoint}
}

func TestCache_ACachedPairIsKeptOnlyIfItFollowsTheFetchedOne(t *testing.T) {
	ours, namesake := newTestAuthority(t, "kubernetes"), newTestAuthority(t, "kubernetes")
	here := kubeconfig.Endpoint{Server: "https://here", CertificateAuthority: []byte("here")}
	elsewhere := kubeconfig.Endpoint{Server: "https://here", CertificateAuthority: []byte("elsewhere")}
	jane := identity.User{Name: "jane", Groups: []string{"dev"}}
	fetched := ours.pair(t, jane, 10*time.Hour, here).Certificate
	for about, test := range map[string]struct {
		held *pair.Cached
		want bool
	}{
		"renewed":                           {ours.pair(t, jane, 20*time.Hour, here), true},
		"expires earlier":                   {ours.pair(t, jane, 5*time.Hour, here), false},
		"another user":                      {ours.pair(t, identity.User{Name: "admin", Groups: jane.Groups}, 20*time.Hour, here), false},
		"more groups":                       {ours.pair(t, identity.User{Name: "jane", Groups: []string{"dev", "ops"}}, 20*time.Hour, here), false},
		"no groups":                         {ours.pair(t, identity.User{Name: "jane"}, 20*time.Hour, here), false},
		"another authority of the name":     {namesake.pair(t, jane, 20*time.Hour, here), false},
		"renewed, by another endpoint":      {ours.pair(t, jane, 20*time.Hour, elsewhere), true},
		"another name of the authority too": {newTestAuthority(t, "mallory").pair(t, jane, 20*time.Hour, here), false},
	} {
		if got := isLaterPairOf(test.held, fetched, time.Now()); got != test.want {
			t.Errorf("%s: %v, want %v", about, got, test.want)
		}
	}
}

// TestCache_APairThatAppearsBeforeTheFirstOneIsWrittenIsJudged is about a cache in which there was
// nothing that could be read.
func TestCache_APairThatAppearsBeforeTheFirstOneIsWrittenIsJudged(t *testing.T) {
	server := clustertest.New(t)
	credentials := server.CredentialsFor(t, time.Hour, "jane")
	directory, err := store.UserDirectoryOf(t.TempDir(), "", "jane")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := directory.CredentialCache([]byte("jane"))
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pki.ParseCertificate(credentials.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	f := &filling{
		run:   Run{UserAgent: "test", Now: time.Now, Tell: func(event.Event) {}},
		cache: cache, endpoint: server.Endpoint, names: kubeconfig.Names{Cluster: "c", Context: "x"},
		credentials: credentials, certificate: certificate,
	}
	for _, isEmpty := range []bool{true, false} {
		if _, isFilled, err := f.fillAfter(t.Context(), nil); err != nil || isFilled != isEmpty {
			t.Errorf("into a cache that is empty (%v): %v, %v", isEmpty, isFilled, err)
		}
	}
}
