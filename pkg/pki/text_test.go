package pki

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// asUTF16 is a text as Windows programs save it.
func asUTF16(text string, order binary.ByteOrder, withMark bool) []byte {
	if withMark {
		text = "\uFEFF" + text
	}
	var encoded bytes.Buffer
	_ = binary.Write(&encoded, order, utf16.Encode([]rune(text)))
	return encoded.Bytes()
}

func indented(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }

func base64Of(data []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(data)) }

// texts are the forms in which other tools hand on a PEM text, with the same content.
func texts(encoded []byte) map[string][]byte {
	text := string(encoded)
	return map[string][]byte{
		"as it is":                        encoded,
		"a byte order mark":               []byte("\uFEFF" + text),
		"CRLF":                            []byte(strings.ReplaceAll(text, "\n", "\r\n")),
		"CR":                              []byte(strings.ReplaceAll(text, "\n", "\r")),
		"spaces after each line":          []byte(strings.ReplaceAll(text, "\n", " \t\n")),
		"indented":                        []byte(indented(text)),
		"indented by tabs, with CRLF":     []byte("\t" + strings.ReplaceAll(text, "\n", "\r\n\t")),
		"no line feed at the end":         bytes.TrimSpace(encoded),
		"UTF-16, big endian":              asUTF16(text, binary.BigEndian, true),
		"UTF-16, little endian":           asUTF16(text, binary.LittleEndian, true),
		"UTF-16 without a mark":           asUTF16(text, binary.LittleEndian, false),
		"UTF-16, indented, with CRLF":     asUTF16(strings.ReplaceAll(indented(text), "\n", "\r\n"), binary.BigEndian, true),
		"base64 of the PEM, on one line":  base64Of(encoded),
		"base64 of the PEM, without =":    bytes.TrimRight(base64Of(encoded), "="),
		"base64 of the base64 of the PEM": base64Of(base64Of(encoded)),
	}
}

func TestText_TheFormOfATextIsNotPartOfARequest(t *testing.T) {
	made, err := NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	forms := texts(made.PEM())
	forms["DER"] = made.DER
	forms["base64 of DER"] = base64Of(made.DER)
	forms["base64 of DER, in lines"] = []byte(indented(string(base64Of(made.DER)[:64])) + "\n" + string(base64Of(made.DER)[64:]))
	forms["keytool's label"] = []byte(strings.ReplaceAll(string(made.PEM()), "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"))
	for name, data := range forms {
		if !IsEncoded(data) {
			t.Errorf("%s: it is taken for a manifest", name)
		}
		request, err := ReadRequest(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(request.DER, made.DER) || request.OutsidePEM {
			t.Errorf("%s: another request, or one with something around it (%t)", name, request.OutsidePEM)
		}
	}
}

func TestText_WhatStandsAroundARequestStaysInEveryForm(t *testing.T) {
	made, err := NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	around := map[string]string{
		"text before":    "for bob\n" + string(made.PEM()),
		"text after":     string(made.PEM()) + "for bob\n",
		"a second block": string(made.PEM()) + string(made.PEM()),
	}
	for what, text := range around {
		for name, data := range texts([]byte(text)) {
			if request, err := ReadRequest(data); err != nil || !request.OutsidePEM {
				t.Errorf("%s, %s: it is not reported (%v)", what, name, err)
			}
		}
	}
}

// An API server finds a block at the beginning of a line only. If what it has stored were
// read in more forms than it reads, a review could show another request than is signed.
func TestText_WhatTheAPIServerStoredIsReadAsItReadsIt(t *testing.T) {
	hidden, err := NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	request, err := DecodeRequest([]byte(indented(string(hidden.PEM())) + "\n" + string(signed.PEM())))
	if err != nil || !bytes.Equal(request.DER, signed.DER) || !request.OutsidePEM {
		t.Errorf("another request is read than the API server signs: %v", err)
	}
	for _, data := range [][]byte{base64Of(hidden.PEM()), asUTF16(string(hidden.PEM()), binary.BigEndian, true), hidden.DER} {
		if _, err := DecodeRequest(data); err == nil {
			t.Errorf("%.20q is read, which no API server reads", data)
		}
	}
}

func TestText_TheFormOfATextIsNotPartOfACertificate(t *testing.T) {
	authority := newTestAuthority(t, "kubernetes", nil)
	leaf := authority.sign(t, nil)
	chain := append(bytes.Clone(leaf.PEM), authority.pem()...)
	joined := []byte("\uFEFF" + string(leaf.PEM) + "\uFEFF" + string(authority.pem()))
	for name, data := range texts(chain) {
		if certificate, err := ParseCertificate(data); err != nil || !bytes.Equal(certificate.PEM, chain) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if certificate, err := ParseCertificate(joined); err != nil || !bytes.Equal(certificate.PEM, chain) {
		t.Errorf("two files with byte order marks, joined: %v", err)
	}
	if certificate, err := ParseCertificate(leaf.Leaf.Raw); err != nil || !bytes.Equal(certificate.PEM, leaf.PEM) {
		t.Errorf("DER: %v", err)
	}
	truncated := chain[:len(chain)-40]
	if _, err := ParseCertificate(truncated); err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("a chain that is cut off: %v", err)
	}
}

func TestText_AManifestIsNotTakenForWhatIsInIt(t *testing.T) {
	made, err := NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a field in PEM":         "apiVersion: v1\nkind: X\nspec:\n  request: |\n" + indented(string(made.PEM())),
		"JSON":                   `{"apiVersion": "v1", "x": "` + "\n" + indented(string(made.PEM())) + `"}`,
		"a word that is base64":  "jane",
		"a kubeconfig's comment": "# \n    -----BEGIN X-----\napiVersion: v1\n",
	} {
		if IsEncoded([]byte(text)) {
			t.Errorf("%s is taken for PEM", name)
		}
	}
}

func TestText_WhatHasToBeConvertedIsNamedWithItsCommand(t *testing.T) {
	made, err := NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	certificate := newTestAuthority(t, "kubernetes", nil).sign(t, nil)
	pkcs12 := []byte{0x30, 0x82, 0x01, 0x00, 0x02, 0x01, 0x03, 0x30, 0x82, 0x00, 0xf0}
	key := func(data []byte) error { _, err := ParseKey(data); return err }
	chain := func(data []byte) error { _, err := ParseCertificate(data); return err }
	request := func(data []byte) error { _, err := ReadRequest(data); return err }
	for _, test := range []struct {
		about      string
		parse      func([]byte) error
		data       []byte
		want, hint string
	}{
		{"PKCS#12 for a key", key, pkcs12, "PKCS#12 key store", "openssl pkcs12 -in FILE -nocerts -nodes -out KEY"},
		{"PKCS#12 of indefinite length", key, []byte{0x30, 0x80, 2, 1, 3, 0x30, 0x80}, "PKCS#12 key store", "openssl pkcs12"},
		{"PKCS#12 for a certificate", chain, pkcs12, "PKCS#12 key store", "-nokeys"},
		{"PKCS#12 for a request", request, pkcs12, "PKCS#12 key store", ""},
		{"JKS", key, []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"), "Java key store", "keytool -importkeystore"},
		{"PuTTY", key, []byte("PuTTY-User-Key-File-3: ssh-ed25519\r\n"), "PuTTY", "puttygen"},
		{"an SSH public key", key, []byte("ssh-ed25519 AAAA jane"), "an SSH public key", ""},
		{"a request for a key", key, made.DER, "it is a certificate signing request, not a private key", ""},
		{"a certificate for a request", request, certificate.Leaf.Raw, "it is a certificate, not a certificate signing request", ""},
		{"a request for a certificate", chain, made.DER, "it is a certificate signing request, not a certificate", ""},
	} {
		err := test.parse(test.data)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(outcome.Hint(err), test.hint) {
			t.Errorf("%s: %v, hint %q", test.about, err, outcome.Hint(err))
		}
	}
}
