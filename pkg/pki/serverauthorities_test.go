package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestServerAuthorities_EachIsReadAndAnythingElseIsRefused(t *testing.T) {
	first, second := newTestAuthority(t, "first", nil), newTestAuthority(t, "second", nil)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	for about, test := range map[string]struct {
		data  []byte
		names []string
		says  string
	}{
		"two, with text around": {slices.Concat([]byte("# first\n"), first.pem(), []byte("text\n"), second.pem(), []byte("end")), []string{"first", "second"}, ""},
		"nothing":               {nil, nil, "PEM block not found"},
		"text":                  {[]byte("text"), nil, "PEM block not found"},
		"a key after one":       {slices.Concat(first.pem(), block("PRIVATE KEY", []byte("x"))), nil, "not of type"},
		"damaged":               {slices.Concat(first.pem(), block(certificateBlock, second.certificate.Raw[:40])), nil, "not an X.509 certificate"},
	} {
		authorities, err := ParseAuthorities(test.data)
		var names []string
		for _, authority := range authorities {
			names = append(names, authority.Subject.CommonName)
		}
		if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) || !slices.Equal(names, test.names) {
			t.Errorf("%s: %q, %v", about, names, err)
		}
	}
}

// TestServerAuthorities_AreNamedAsByKubeadm compares with the definition of
// --discovery-token-ca-cert-hash: SHA-256 of the SubjectPublicKeyInfo.
func TestServerAuthorities_AreNamedAsByKubeadm(t *testing.T) {
	authority := newTestAuthority(t, "ca", nil).certificate
	der, err := x509.MarshalPKIXPublicKey(authority.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	if want := "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]); AuthorityFingerprint(authority) != want {
		t.Errorf("%s, want %s", AuthorityFingerprint(authority), want)
	}
}

func TestServerAuthorities_ACertificateIsSignedByOneOfThem(t *testing.T) {
	root, other := newTestAuthority(t, "root", nil), newTestAuthority(t, "root", nil)
	intermediate := newTestAuthority(t, "intermediate", root)
	clientAuth := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	direct, indirect := root.sign(t, clientAuth), intermediate.sign(t, clientAuth, intermediate.pem())
	now := time.Now()
	for about, is := range map[string]bool{
		"by the root":                     direct.IsSignedBy(root.certificate, now),
		"through an intermediate":         indirect.IsSignedBy(root.certificate, now),
		"not by another of the same name": !direct.IsSignedBy(other.certificate, now),
		"not without the intermediate":    !intermediate.sign(t, clientAuth).IsSignedBy(root.certificate, now),
		"not after it has expired":        !direct.IsSignedBy(root.certificate, now.Add(2*time.Hour)),
		"not for servers":                 !root.sign(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}).IsSignedBy(root.certificate, now),
	} {
		if !is {
			t.Error(about)
		}
	}
}
