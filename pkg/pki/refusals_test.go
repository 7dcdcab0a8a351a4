package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

func attribute(oid asn1.ObjectIdentifier, value any) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: oid, Value: value}
}

func TestRefusals_ARequestIsExactlyForAUserOnlyIfNothingElseIsInIt(t *testing.T) {
	user := identity.User{Name: "jane", Groups: []string{"dev", "ops"}}
	cn, dev, ops := attribute(oidCommonName, "jane"), attribute(oidOrganization, "dev"), attribute(oidOrganization, "ops")
	for _, test := range []struct {
		about   string
		subject []pkix.AttributeTypeAndValue
		change  func(*Request)
		want    bool
	}{
		{"the user", []pkix.AttributeTypeAndValue{cn, dev, ops}, nil, true},
		{"another order", []pkix.AttributeTypeAndValue{ops, cn, dev}, nil, true},
		{"two common names", []pkix.AttributeTypeAndValue{cn, cn, dev, ops}, nil, false},
		{"no common name", []pkix.AttributeTypeAndValue{dev, ops}, nil, false},
		{"a unit", []pkix.AttributeTypeAndValue{cn, dev, ops, attribute(asn1.ObjectIdentifier{2, 5, 4, 11}, "x")}, nil, false},
		{"a group less", []pkix.AttributeTypeAndValue{cn, dev}, nil, false},
		{"a group more", []pkix.AttributeTypeAndValue{cn, dev, ops, attribute(oidOrganization, "x")}, nil, false},
		{"another name", []pkix.AttributeTypeAndValue{attribute(oidCommonName, "bob"), dev, ops}, nil, false},
		{"an extension", []pkix.AttributeTypeAndValue{cn, dev, ops}, func(r *Request) { r.Extensions = []pkix.Extension{{}} }, false},
		{"an unknown attribute", []pkix.AttributeTypeAndValue{cn, dev, ops}, func(r *Request) { r.UnknownAttributes = []string{"1.2.3"} }, false},
	} {
		request, err := ParseRequest(requestWith(t, &x509.CertificateRequest{Subject: pkix.Name{ExtraNames: test.subject}}))
		if err != nil {
			t.Fatalf("%s: %v", test.about, err)
		}
		if test.change != nil {
			test.change(request)
		}
		if got := request.IsExactly(user); got != test.want {
			t.Errorf("%s: %v", test.about, got)
		}
	}
}

// clientTemplate is of a certificate that logs in, for an hour around now.
func clientTemplate(now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jane", Organization: []string{"dev"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func TestRefusals_OnlyTheCertificateThatWasAskedForMatches(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	key := newTestKey(t)
	user := identity.User{Name: "jane", Groups: []string{"dev"}}
	for _, test := range []struct {
		about  string
		change func(*x509.Certificate)
		want   string // A part of the error; "" if there is none.
	}{
		{"as it was asked for", func(*x509.Certificate) {}, ""},
		{"another user", func(c *x509.Certificate) { c.Subject.CommonName = "bob" }, "O=dev"},
		{"a group more", func(c *x509.Certificate) { c.Subject.Organization = []string{"dev", "system:masters"} }, "system:masters"},
		{"a group less", func(c *x509.Certificate) { c.Subject.Organization = nil }, "is for CN=jane"},
		{"two common names", func(c *x509.Certificate) {
			c.Subject = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{attribute(oidCommonName, "root"), attribute(oidCommonName, "jane"), attribute(oidOrganization, "dev")}}
		}, "CN=root, CN=jane"},
		{"an authority", func(c *x509.Certificate) { c.IsCA = true }, "a CA certificate"},
		{"no usage", func(c *x509.Certificate) { c.ExtKeyUsage = nil }, "no extended key usage"},
		{"server auth", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "not client authentication alone"},
		{"server auth too", func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) }, "not client authentication alone"},
		{"an unknown usage alone", func(c *x509.Certificate) {
			c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, []asn1.ObjectIdentifier{{1, 2, 3}}
		}, "not client authentication alone"},
		{"an unknown usage too", func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}} }, "not client authentication alone"},
		{"expired", func(c *x509.Certificate) { c.NotAfter = now }, "expired"},
		{"valid for a second more", func(c *x509.Certificate) { c.NotAfter = now.Add(time.Second) }, ""},
		{"not valid yet", func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }, "not valid before"},
		{"valid from now on", func(c *x509.Certificate) { c.NotBefore = now }, ""},
		{"never valid", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(time.Minute), now }, "never valid"},
	} {
		template := clientTemplate(now)
		test.change(template)
		der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der}))
		if err != nil {
			t.Fatal(err)
		}
		err = Match(certificate, key.Public(), user, now)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.about, err, test.want)
		}
		if err := Match(certificate, newTestKey(t).Public(), user, now); err == nil || !strings.Contains(err.Error(), "another key") {
			t.Errorf("%s, for another key: %v", test.about, err)
		}
	}
}

func TestRefusals_ACertificatesFileHoldsCertificatesAlone(t *testing.T) {
	key := newTestKey(t)
	template := clientTemplate(time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC))
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	encoded := pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der})
	keyPEM, err := EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		about string
		data  []byte
		want  string
		count int // Certificates that are written again.
	}{
		{"one", encoded, "", 1},
		{"DER", der, "", 1},
		{"text around", slices.Concat([]byte("text\n"), encoded, []byte("text\n")), "", 1},
		{"a chain", slices.Concat(encoded, encoded), "", 2},
		{"nothing", nil, "PEM block not found", 0},
		{"a key in front", slices.Concat(keyPEM, encoded), `PEM block "PRIVATE KEY"`, 0},
		{"a key behind", slices.Concat(encoded, keyPEM), `PEM block "PRIVATE KEY"`, 0},
		{"a second one that is cut off", slices.Concat(encoded, encoded[:100]), "truncated or damaged", 0},
		{"no certificate in it", pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: []byte{1}}), "invalid X.509 certificate", 0},
		{"too much", slices.Concat(encoded, make([]byte, 256<<10)), "at most 262144 are read", 0},
	} {
		certificate, err := ParseCertificate(test.data)
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %q", test.about, err, test.want)
			}
			continue
		}
		if err != nil || strings.Count(string(certificate.PEM), "BEGIN CERTIFICATE") != test.count || strings.Contains(string(certificate.PEM), "text") || certificate.User().Name != "jane" {
			t.Errorf("%s: %v", test.about, err)
		}
	}
	if padded := append(slices.Clone(encoded), strings.Repeat("\n", 256<<10-len(encoded))...); len(padded) != 256<<10 {
		t.Fatal("the test is wrong")
	} else if _, err := ParseCertificate(padded); err != nil {
		t.Errorf("just as many bytes as are read: %v", err)
	}
}

func TestRefusals_ARequestInDERAndUnderTheOlderLabelIsTheSame(t *testing.T) {
	request, err := NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	encoded := string(request.PEM())
	older := strings.ReplaceAll(encoded, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
	for about, data := range map[string]string{
		"itself": encoded, "the older label": older, "a byte order mark": "\uFEFF" + encoded, "CRLF": strings.ReplaceAll(encoded, "\n", "\r\n"), "DER": string(request.DER),
	} {
		read, err := ReadRequest([]byte(data))
		if err != nil || !read.AsksTheSame(request) || string(read.PEM()) != encoded || !read.IsExactly(jane) {
			t.Errorf("%s: %v", about, err)
		}
	}
	key, err := EncodeKey(newTestKey(t))
	if err != nil {
		t.Fatal(err)
	}
	for about, data := range map[string]string{"a private key in front": string(key) + encoded, "a private key behind": encoded + string(key), "a private key alone": string(key)} {
		if got, err := AsRequestPEM([]byte(data)); !errors.Is(err, ErrPrivateKey) || got != nil {
			t.Errorf("%s: %v", about, err)
		}
	}
	if _, err := DecodeRequest([]byte(older)); err == nil {
		t.Error("the API server takes no other label, and neither may what reads its objects")
	}
}

func TestRefusals_AnotherRequestAsksForSomethingElse(t *testing.T) {
	key := newTestKey(t)
	one, err := NewRequest(key, jane)
	if err != nil {
		t.Fatal(err)
	}
	same, err := NewRequest(key, jane)
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	if !one.AsksTheSame(same) || one.AsksTheSame(other) {
		t.Errorf("the same: %v, another key: %v", one.AsksTheSame(same), one.AsksTheSame(other))
	}
}

// crypto/x509 refuses most of this first, so that no whole request can have it.
func TestRefusals_TheWalkRefusesWhatItCannotAccountFor(t *testing.T) {
	marshal := func(value any) []byte {
		der, err := asn1.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	raw := func(tag int, isCompound bool, content ...[]byte) []byte {
		return marshal(asn1.RawValue{Tag: tag, IsCompound: isCompound, Bytes: slices.Concat(content...)})
	}
	sequence := func(content ...[]byte) []byte { return raw(asn1.TagSequence, true, content...) }
	set := func(content ...[]byte) []byte { return raw(asn1.TagSet, true, content...) }
	oid := marshal(oidExtensionRequest)
	text := marshal("x")
	octets := marshal([]byte{1})
	yes := marshal(true)
	for about, der := range map[string][]byte{
		"nothing":                         nil,
		"half an element":                 {0x30},
		"two elements":                    slices.Concat(sequence(), sequence()),
		"no sequence":                     set(sequence(), sequence(), sequence()),
		"two parts":                       sequence(sequence(), sequence()),
		"four parts":                      sequence(sequence(), sequence(), sequence(), sequence()),
		"a text for what is signed":       sequence(text, sequence(), sequence()),
		"three parts of what is signed":   sequence(sequence(text, text, text), sequence(), sequence()),
		"five parts of what is signed":    sequence(sequence(text, text, text, sequence(), text), sequence(), sequence()),
		"half an attribute":               sequence(sequence(text, text, text, raw(0, true, []byte{0x30})), sequence(), sequence()),
		"an attribute that is a text":     sequence(sequence(text, text, text, sequence(text)), sequence(), sequence()),
		"an attribute without a value":    sequence(sequence(text, text, text, sequence(sequence(oid))), sequence(), sequence()),
		"an attribute without a set":      sequence(sequence(text, text, text, sequence(sequence(oid, text))), sequence(), sequence()),
		"an attribute without a type":     sequence(sequence(text, text, text, sequence(sequence(text, set()))), sequence(), sequence()),
		"extensions that are a text":      sequence(sequence(text, text, text, sequence(sequence(oid, set(text)))), sequence(), sequence()),
		"an extension that is a text":     sequence(sequence(text, text, text, sequence(sequence(oid, set(sequence(text))))), sequence(), sequence()),
		"an extension of one part":        sequence(sequence(text, text, text, sequence(sequence(oid, set(sequence(sequence(oid)))))), sequence(), sequence()),
		"an extension of four parts":      sequence(sequence(text, text, text, sequence(sequence(oid, set(sequence(sequence(oid, yes, octets, octets)))))), sequence(), sequence()),
		"an extension without a type":     sequence(sequence(text, text, text, sequence(sequence(oid, set(sequence(sequence(text, octets)))))), sequence(), sequence()),
		"an extension with another flag":  sequence(sequence(text, text, text, sequence(sequence(oid, set(sequence(sequence(oid, text, octets)))))), sequence(), sequence()),
		"an extension without its octets": sequence(sequence(text, text, text, sequence(sequence(oid, set(sequence(sequence(oid, text)))))), sequence(), sequence()),
	} {
		if err := (&Request{DER: der}).walk(); err == nil {
			t.Errorf("%s: it is taken", about)
		}
	}
	known := &Request{DER: sequence(sequence(text, text, text, sequence(
		sequence(oid, set(sequence(sequence(oid, octets), sequence(oid, yes, octets)), sequence(sequence(oid, octets)))),
		sequence(marshal(harmlessAttributes[0]), set(text)), sequence(marshal(harmlessAttributes[1]), set(text)),
		sequence(marshal(asn1.ObjectIdentifier{1, 2, 3}), set(text)),
	)), sequence(), sequence())}
	if err := known.walk(); err != nil || len(known.Extensions) != 3 || known.Extensions[0].Critical || !known.Extensions[1].Critical ||
		string(known.Extensions[2].Value) != "\x01" || !known.Extensions[0].Id.Equal(oidExtensionRequest) || !slices.Equal(known.UnknownAttributes, []string{"1.2.3"}) {
		t.Errorf("%v, %+v", err, known)
	}
	for about, der := range map[string][]byte{
		"nothing":                      nil,
		"half an element":              {0x30},
		"two names":                    slices.Concat(sequence(), sequence()),
		"a set":                        set(),
		"an RDN that is a sequence":    sequence(sequence()),
		"an attribute that is a text":  sequence(set(text)),
		"an attribute without a value": sequence(set(sequence(oid))),
		"an attribute without a type":  sequence(set(sequence(text, text))),
	} {
		if subject, err := parseSubject(der); err == nil {
			t.Errorf("the subject %s: %v", about, subject)
		}
	}
}

func TestRefusals_TextOfASubjectIsOfAStringTypeAlone(t *testing.T) {
	for tag, isText := range map[byte]bool{
		asn1.TagUTF8String: true, asn1.TagPrintableString: true, asn1.TagIA5String: true, asn1.TagT61String: true, asn1.TagNumericString: false,
		asn1.TagOctetString: false, asn1.TagGeneralString: false,
	} {
		encoded := append([]byte{tag, 4}, "jane"...)
		var value asn1.RawValue
		if _, err := asn1.Unmarshal(encoded, &value); err != nil {
			t.Fatal(err)
		}
		text, got := decodeText(value)
		if got != isText || isText && text != "jane" || !isText && text != "" {
			t.Errorf("tag %d: %q, %v", tag, text, got)
		}
		value.IsCompound = true
		if _, got := decodeText(value); got {
			t.Errorf("tag %d: a constructed value is text", tag)
		}
		value.IsCompound, value.Class = false, asn1.ClassContextSpecific
		if _, got := decodeText(value); got {
			t.Errorf("tag %d: a value with a tag of its own is text", tag)
		}
	}
	subject := Subject{{Type: "2.5.4.3", Value: "a\x1b", IsText: true}, {Type: "1.2.3"}, {Type: "2.5.4.11", Value: "x", IsText: true}}
	if got := subject.String(); got != `CN=a\x1b, 1.2.3=(not text), OU=x` {
		t.Errorf("the subject is shown as %s", got)
	}
	if subject[1].IsKnown() || !subject[2].IsKnown() || subject.Count(CommonName) != 1 || subject.Count(Organization) != 0 {
		t.Errorf("%+v", subject)
	}
}

// certificateOf has the given times and nothing else.
func certificateOf(notBefore, notAfter time.Time) *Certificate {
	return &Certificate{Leaf: &x509.Certificate{NotBefore: notBefore, NotAfter: notAfter}}
}

func TestRefusals_TimesOfACertificateFollowFromItsLifetime(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		lifetime, asked, renew, warn, usable time.Duration
	}{
		{12 * time.Hour, 12 * time.Hour, 8 * time.Hour, 11 * time.Hour, 12*time.Hour - time.Minute},
		{8 * time.Hour, 8 * time.Hour, 5*time.Hour + 20*time.Minute, 7*time.Hour + 20*time.Minute, 8*time.Hour - time.Minute},
		{8*time.Hour - time.Second, 8*time.Hour - time.Second - 5*time.Minute, 5*time.Hour + 20*time.Minute, 7*time.Hour + 20*time.Minute, 8*time.Hour - time.Second - time.Minute},
		{10 * time.Minute, 5 * time.Minute, 400 * time.Second, 550 * time.Second, 594 * time.Second},
		{time.Minute, 0, 40 * time.Second, 55 * time.Second, 59 * time.Second},
		{0, 0, 0, 0, -time.Second},
	} {
		c := certificateOf(from, from.Add(test.lifetime))
		if c.Lifetime() != test.lifetime || c.AskedLifetime() != test.asked {
			t.Errorf("%s: lifetime %s, asked %s", test.lifetime, c.Lifetime(), c.AskedLifetime())
		}
		for about, got := range map[string][2]time.Time{
			"renew": {c.RenewFrom(), from.Add(test.renew)}, "warn": {c.WarnFrom(), from.Add(test.warn)}, "usable": {c.UsableUntil(), from.Add(test.usable)},
		} {
			if got[0].Sub(got[1]).Abs() > time.Second {
				t.Errorf("%s: %s from %s, want %s", test.lifetime, about, got[0], got[1])
			}
		}
		if left := c.SecondsLeft(from); left != int64(test.lifetime/time.Second) {
			t.Errorf("%s: %d seconds are left", test.lifetime, left)
		}
	}
	if never := certificateOf(from, from.Add(-time.Hour)); never.Lifetime() != 0 || never.AskedLifetime() != 0 {
		t.Errorf("one that is never valid has a lifetime of %s", never.Lifetime())
	}
	ages := certificateOf(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	if ages.Lifetime() != math.MaxInt64/time.Second*time.Second {
		t.Errorf("the longest lifetime is %s", ages.Lifetime())
	}
	for _, test := range []struct {
		year int
		want bool
	}{{-1, false}, {0, true}, {9999, true}, {10000, false}} {
		at := time.Date(test.year, 6, 1, 0, 0, 0, 0, time.UTC)
		if got := checkTimes(&x509.Certificate{NotBefore: from, NotAfter: at}) == nil && checkTimes(&x509.Certificate{NotBefore: at, NotAfter: from}) == nil; got != test.want {
			t.Errorf("the year %d: %v", test.year, got)
		}
	}
}

func TestRefusals_APairInOneFileIsParted(t *testing.T) {
	block := func(kind string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(kind)}))
	}
	certificate, chain, key, parameters := block("CERTIFICATE"), block("CERTIFICATE"), block("EC PRIVATE KEY"), block("EC PARAMETERS")
	for _, test := range []struct{ about, text, certificate, key string }{
		{"the key first", key + certificate, certificate, key},
		{"the key behind", certificate + key, certificate, key},
		{"the key between", certificate + key + chain, certificate + chain, key},
		{"parameters of the key", certificate + parameters + key, certificate, parameters + key},
		{"a key of another kind", certificate + block("PRIVATE KEY"), certificate, block("PRIVATE KEY")},
		{"text around", "text\n" + certificate + "text\n" + key, certificate, key},
	} {
		gotCertificate, gotKey := SplitPair([]byte(test.text), []byte(test.text))
		if string(gotCertificate) != test.certificate || string(gotKey) != test.key {
			t.Errorf("%s:\n%s\nand\n%s", test.about, gotCertificate, gotKey)
		}
	}
	gotCertificate, gotKey := SplitPair([]byte("text\n"+certificate), []byte("text\n"+key))
	if string(gotCertificate) != "text\n"+certificate || string(gotKey) != "text\n"+key {
		t.Errorf("two files are changed:\n%s\nand\n%s", gotCertificate, gotKey)
	}
}
