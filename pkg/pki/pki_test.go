package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

var jane = identity.User{Name: "jane", Groups: []string{"dev", "the ops team"}}

func newTestKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := NewKey(DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestPKI_EveryKeyAlgorithmSurvivesItsFileAndSignsItsRequest(t *testing.T) {
	for _, name := range KeyAlgorithms() {
		t.Run(name, func(t *testing.T) {
			algorithm, err := ParseKeyAlgorithm(name)
			if err != nil {
				t.Fatal(err)
			}
			key, err := NewKey(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := EncodeKey(key)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseKey(encoded)
			if err != nil {
				t.Fatal(err)
			}
			if !SamePublicKey(key.Public(), again.Public()) {
				t.Error("another key came back")
			}
			made, err := NewRequest(again, jane)
			if err != nil {
				t.Fatal(err)
			}
			request, err := ParseRequest(made.PEM())
			if err != nil {
				t.Fatal(err)
			}
			if !SamePublicKey(request.PublicKey, key.Public()) || !request.IsExactly(jane) || request.OutsidePEM {
				t.Errorf("the request is %+v", request)
			}
			if described := strings.ToLower(strings.ReplaceAll(DescribeKey(key.Public()), " ", "-")); strings.ReplaceAll(described, "p-", "p") != name {
				t.Errorf("the key is described as %q", described)
			}
		})
	}
	if _, err := ParseKeyAlgorithm("dsa"); outcome.Hint(err) == "" {
		t.Errorf("an unknown algorithm: %v, without the known ones as a hint", err)
	}
}

func TestPKI_ParseKeyTakesTheOlderForms(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}})
	block := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})
	for name, data := range map[string][]byte{"SEC1": block, "SEC1 as openssl writes it": append(parameters, block...), "PKCS#1": pkcs1} {
		if _, err := ParseKey(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPKI_ParseKeySaysWhatIsWrong(t *testing.T) {
	encoded, err := EncodeKey(newTestKey(t))
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // To be refused.
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	for _, test := range []struct {
		about string
		data  []byte
		want  string
	}{
		{"nothing", nil, "PEM block not found"},
		{"a truncated file", encoded[:len(encoded)-30], "truncated"},
		{"a certificate", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}), `"CERTIFICATE", not a private key`},
		{"an encrypted key", pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}), "encrypted"},
		{"a key encrypted the old way", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte{1}}), "encrypted"},
		{"damaged DER", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1, 2, 3}}), "damaged"},
		{"two keys", append(bytes.Clone(encoded), encoded...), "more than one key"},
		{"a second key that is cut off", append(bytes.Clone(encoded), encoded[:60]...), "truncated"},
		{"1024 bits of RSA", pkcs8(weak), "RSA with 1024 bits"},
		{"the curve P-224", pkcs8(p224), "P-224"},
	} {
		if _, err := ParseKey(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q in it", test.about, err, test.want)
		}
	}
}

func TestPKI_TheFingerprintIsOpenSSHsFormOverTheSubjectPublicKeyInfo(t *testing.T) {
	// Made with:
	//   openssl pkey -pubin -in key.pub -outform DER | openssl dgst -sha256 -binary | base64
	const public = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----`
	block, _ := pem.Decode([]byte(public))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Fingerprint(key), "SHA256:BuP9j9opu2CrWVV95h7bCuzbIxE0vjDnW0Vfjht5L6k"; got != want {
		t.Errorf("the fingerprint is %q, want %q", got, want)
	}
	if strings.HasSuffix(Fingerprint(key), "=") {
		t.Error("the fingerprint is padded")
	}
}

func TestPKI_TheSubjectIsOneAttributeAnRDN(t *testing.T) {
	request, err := NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := request.Subject.String(), "CN=jane, O=dev, O=the ops team"; got != want {
		t.Errorf("the subject is %q, want %q", got, want)
	}
	if diff := cmp.Diff(jane, request.User()); diff != "" {
		t.Error(diff)
	}
	if len(request.Extensions) != 0 {
		t.Errorf("there are extensions: %v", request.Extensions)
	}
}

// requestWith signs a request for a template, to try what NewRequest never makes.
func requestWith(t *testing.T, template *x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, template, newTestKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: requestBlock, Bytes: der})
}

func TestPKI_TheSubjectIsWalkedAttributeByAttribute(t *testing.T) {
	organizationalUnit := asn1.ObjectIdentifier{2, 5, 4, 11}
	unknown := asn1.ObjectIdentifier{1, 2, 3, 4}
	subject, err := asn1.Marshal(pkix.RDNSequence{
		{{Type: oidCommonName, Value: "first"}},
		{{Type: oidOrganization, Value: "dev"}, {Type: organizationalUnit, Value: "unit"}},
		{{Type: unknown, Value: "x"}},
		{{Type: oidOrganization, Value: 7}},
		{{Type: oidCommonName, Value: "last"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	request, err := ParseRequest(requestWith(t, &x509.CertificateRequest{RawSubject: subject}))
	if err != nil {
		t.Fatal(err)
	}
	want := Subject{
		{Type: "2.5.4.3", Value: "first", IsText: true},
		{Type: "2.5.4.10", Value: "dev", IsText: true},
		{Type: "2.5.4.11", Value: "unit", IsText: true},
		{Type: "1.2.3.4", Value: "x", IsText: true},
		{Type: "2.5.4.10"},
		{Type: "2.5.4.3", Value: "last", IsText: true},
	}
	if diff := cmp.Diff(want, request.Subject); diff != "" {
		t.Error(diff)
	}
	if request.Subject.Count(CommonName) != 2 || request.User().Name != "last" {
		t.Errorf("the user is %v", request.User())
	}
	if want[3].IsKnown() || want[3].Name() != "1.2.3.4" || want[2].Name() != "OU" {
		t.Error("attribute types have the wrong names")
	}
}

func TestPKI_ParseRequestRefusesWhatTheAPIServerRefuses(t *testing.T) {
	good := requestWith(t, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "jane"}})
	block, _ := pem.Decode(good)
	badSignature := bytes.Clone(block.Bytes)
	badSignature[len(badSignature)-1] ^= 1
	encode := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	for _, test := range []struct {
		about string
		data  []byte
		want  string
	}{
		{"nothing", nil, "PEM block not found"},
		{"raw DER", block.Bytes, "PEM block not found"},
		{"another block type", encode("NEW CERTIFICATE REQUEST", block.Bytes), `"NEW CERTIFICATE REQUEST"`},
		{"trailing DER", encode(requestBlock, append(bytes.Clone(block.Bytes), 0)), "invalid certificate signing request"},
		{"a bad signature", encode(requestBlock, badSignature), "signature"},
		{"a pathological size", bytes.Repeat([]byte("-----BEGIN "), 100_000), "bytes; at most"},
	} {
		if _, err := ParseRequest(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q in it", test.about, err, test.want)
		}
	}
}

func TestPKI_ParseRequestSeesWhatStandsAroundTheBlock(t *testing.T) {
	good := string(requestWith(t, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "jane"}}))
	withHeader := strings.Replace(good, "REQUEST-----\n", "REQUEST-----\nSubject: bob\n\n", 1)
	for _, test := range []struct {
		about, data string
		want        bool
	}{
		{"the block alone", good, false},
		{"CRLF", strings.ReplaceAll(good, "\n", "\r\n"), false},
		{"white space around", "\n\n" + good + "\n", false},
		{"text before", "CN=bob\n" + good, true},
		{"text after", good + "CN=bob\n", true},
		{"a second block", good + good, true},
		{"a broken block before", "-----BEGIN NOTHING-----\n" + good, true},
		{"a header", withHeader, true},
	} {
		request, err := ParseRequest([]byte(test.data))
		if err != nil {
			t.Errorf("%s: %v", test.about, err)
			continue
		}
		if request.OutsidePEM != test.want {
			t.Errorf("%s: OutsidePEM is %v, want %v", test.about, request.OutsidePEM, test.want)
		}
	}
}

// certificateFor is a certificate as a signer should make it for jane, changed
// by one mutation.
func certificateFor(t *testing.T, key crypto.PublicKey, mutate func(*x509.Certificate)) []byte {
	t.Helper()
	authority := newTestKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "jane", Organization: []string{"the ops team", "dev"}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if mutate != nil {
		mutate(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}}, key, authority)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der})
}

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestPKI_MatchTakesNothingOnTrust(t *testing.T) {
	key := newTestKey(t)
	other := newTestKey(t)
	for _, test := range []struct {
		about  string
		key    crypto.PublicKey
		mutate func(*x509.Certificate)
		want   string
	}{
		{"what was asked for", key.Public(), nil, ""},
		{"another key", other.Public(), nil, "another key"},
		{"another user", key.Public(), func(c *x509.Certificate) { c.Subject.CommonName = "bob" }, "CN=bob, not for jane"},
		{"a group more", key.Public(), func(c *x509.Certificate) {
			c.Subject.Organization = []string{"dev", "the ops team", "system:masters"}
		}, "O=system:masters"},
		{"a group less", key.Public(), func(c *x509.Certificate) { c.Subject.Organization = []string{"dev"} }, "not for jane"},
		{"two common names", key.Public(), func(c *x509.Certificate) {
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{
				{Type: oidCommonName, Value: "bob"}, {Type: oidCommonName, Value: "jane"},
				{Type: oidOrganization, Value: "dev"}, {Type: oidOrganization, Value: "the ops team"},
			}
		}, "CN=bob"},
		{"an authority's", key.Public(), func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, "CA certificate"},
		{"a server's", key.Public(), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "client authentication"},
		{"a server's as well", key.Public(), func(c *x509.Certificate) {
			c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		}, "client authentication alone"},
		{"any usage", key.Public(), func(c *x509.Certificate) { c.ExtKeyUsage = nil }, "client authentication"},
		{"not valid yet", key.Public(), func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) }, "not valid before 2026-11-23T12:01:00Z, and this machine's clock says 2026-11-23T12:00:00Z"},
		{"expired", key.Public(), func(c *x509.Certificate) { c.NotAfter = now }, "expired 2026-11-23T12:00:00Z"},
		{"expired before it begins", key.Public(), func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(time.Hour), now.Add(time.Minute) },
			"never valid: it expires 2026-11-23T12:01:00Z, before it begins 2026-11-23T13:00:00Z"},
	} {
		t.Run(test.about, func(t *testing.T) {
			certificate, err := ParseCertificate(certificateFor(t, test.key, test.mutate))
			if err != nil {
				t.Fatal(err)
			}
			err = Match(certificate, key.Public(), jane, now)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q in it", err, test.want)
			}
		})
	}
}

func TestPKI_ParseCertificateKeepsTheChainAndDropsText(t *testing.T) {
	key := newTestKey(t)
	leaf, intermediate := certificateFor(t, key.Public(), nil), certificateFor(t, newTestKey(t).Public(), nil)
	data := append(append([]byte("a comment\n"), leaf...), intermediate...)
	certificate, err := ParseCertificate(append(data, "more text\n"...))
	if err != nil {
		t.Fatal(err)
	}
	if want := append(bytes.Clone(leaf), intermediate...); !bytes.Equal(certificate.PEM, want) {
		t.Errorf("the PEM is\n%s", certificate.PEM)
	}
	if !SamePublicKey(certificate.Leaf.PublicKey, key.Public()) {
		t.Error("the leaf is not the first certificate")
	}
	for about, data := range map[string][]byte{
		"nothing":         nil,
		"a key beside it": append(bytes.Clone(leaf), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}})...),
		"broken DER":      pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: []byte{0x30}}),
		"too much of it":  bytes.Repeat(leaf, 1000),
	} {
		if _, err := ParseCertificate(data); err == nil {
			t.Errorf("%s: accepted", about)
		}
	}
}
