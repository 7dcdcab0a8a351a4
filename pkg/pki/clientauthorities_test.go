package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// testAuthority is an authority for certificates of tests.
type testAuthority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// newTestAuthority makes an authority, signed by another or, without one, by itself.
func newTestAuthority(t *testing.T, name string, by *testAuthority) *testAuthority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}
	made := &testAuthority{certificate: template, key: newTestKey(t)}
	if by == nil {
		by = made
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, made.key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	if made.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return made
}

func (a *testAuthority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: a.certificate.Raw})
}

// sign makes jane's certificate, for an hour and for what usage says, with what
// intermediates come with it.
func (a *testAuthority) sign(t *testing.T, usage []x509.ExtKeyUsage, intermediates ...[]byte) *Certificate {
	t.Helper()
	subject, err := encodeSubject(identity.User{Name: "jane"})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), RawSubject: subject, NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: usage}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, newTestKey(t).Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der})
	certificate, err := ParseCertificate(append(leaf, bytes.Join(intermediates, nil)...))
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestClientAuthorities_TheAuthorityOfACertificateIsTheOneThatTheAPIServerTakesItBy(t *testing.T) {
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	first, second := newTestAuthority(t, "first", nil), newTestAuthority(t, "second", nil)
	namesake := newTestAuthority(t, "first", nil)
	between := newTestAuthority(t, "between", second)
	accepted := ParseClientAuthorities(append(append([]byte("# of two clusters\n"), first.pem()...), second.pem()...))
	now := time.Now()
	for _, test := range []struct {
		about       string
		certificate *Certificate
		at          time.Time
		authority   *testAuthority
	}{
		{"of the first", first.sign(t, client), now, first},
		{"of the second", second.sign(t, client), now, second},
		{"through an intermediate that came with it", between.sign(t, client, between.pem()), now, second},
		{"through an intermediate that did not", between.sign(t, client), now, nil},
		{"of one of the first's name", namesake.sign(t, client), now, nil},
		{"of one of the first's name, which came with it", namesake.sign(t, client, namesake.pem()), now, nil},
		{"for servers", first.sign(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}), now, nil},
		{"that has ended", first.sign(t, client), now.Add(2 * time.Hour), nil},
	} {
		authority, err := accepted.AuthorityOf(test.certificate, test.at)
		switch {
		case test.authority == nil && err == nil:
			t.Errorf("a certificate %s is of %s", test.about, authority.Subject)
		case test.authority != nil && (err != nil || !authority.Equal(test.authority.certificate)):
			t.Errorf("a certificate %s: %v, %v", test.about, authority, err)
		}
	}
}

func TestClientAuthorities_WhereNoClientAuthoritiesAre(t *testing.T) {
	for _, data := range []string{"", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if ParseClientAuthorities([]byte(data)) != nil {
			t.Errorf("%q has authorities", data)
		}
	}
}

// dated makes an authority and a certificate of its that are valid for an hour from the
// given times.
func dated(t *testing.T, authorityFrom, leafFrom time.Time) (*ClientAuthorities, *Certificate) {
	t.Helper()
	key := newTestKey(t)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "dated"}, NotBefore: authorityFrom, NotAfter: authorityFrom.Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "jane"}, NotBefore: leafFrom, NotAfter: leafFrom.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, leaf, authority, newTestKey(t).Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: signed}))
	if err != nil {
		t.Fatal(err)
	}
	return ParseClientAuthorities(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der})), certificate
}

func TestClientAuthorities_AnAuthorityThatIsYoungerThanItsCertificateIsTheAuthorityAllTheSame(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		about              string
		authority, leaf    time.Time
		isEverItsAuthority bool
	}{
		{"the certificate is dated back by five minutes, and the authority was made a second ago", now.Add(-time.Second), now.Add(-5 * time.Minute), true},
		{"this machine's clock is behind the authority's beginning", now.Add(time.Minute), now.Add(-4 * time.Minute), true},
		{"both have expired", now.Add(-3 * time.Hour), now.Add(-2*time.Hour - time.Minute), true},
		{"at no time are both valid", now.Add(-3 * time.Hour), now, false},
	} {
		authorities, certificate := dated(t, test.authority, test.leaf)
		if authority, err := authorities.EverAuthorityOf(certificate); (err == nil) != test.isEverItsAuthority {
			t.Errorf("%s: %v, %v", test.about, authority, err)
		}
	}
	_, certificate := dated(t, now, now)
	others, _ := dated(t, now, now)
	if authority, err := others.EverAuthorityOf(certificate); err == nil {
		t.Errorf("the certificate of another authority of the same name is of %s", authority.Subject)
	}
}
