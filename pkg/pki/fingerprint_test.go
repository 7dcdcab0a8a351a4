package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func TestFingerprint_AFingerprintIsReadInEveryFormThatItIsPrintedIn(t *testing.T) {
	key, err := NewKey(DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(encoded)
	withColons := strings.ReplaceAll(fmt.Sprintf("% x", sum[:]), " ", ":")
	want := Fingerprint(key.Public())
	for _, text := range []string{
		want,
		want + "=",
		"sha256:" + base64.StdEncoding.EncodeToString(sum[:]),
		base64.RawStdEncoding.EncodeToString(sum[:]),
		base64.StdEncoding.EncodeToString(sum[:]),
		base64.StdEncoding.EncodeToString(sum[:]) + "\n",
		" " + want + " ",
		hex.EncodeToString(sum[:]),
		strings.ToUpper(hex.EncodeToString(sum[:])),
		"SHA256:" + hex.EncodeToString(sum[:]),
		withColons,
		strings.ToUpper(withColons),
		"SHA256:" + withColons,
	} {
		if got, err := ParseFingerprint(text); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestFingerprint_WhatIsNotAWholeFingerprintIsRefused(t *testing.T) {
	sum := sha256.Sum256([]byte("a key"))
	whole, digits := base64.RawStdEncoding.EncodeToString(sum[:]), hex.EncodeToString(sum[:])
	for about, text := range map[string]string{
		"nothing":                      "",
		"a prefix alone":               "SHA256:",
		"another hash":                 "MD5:" + digits[:32],
		"the beginning":                "SHA256:" + whole[:20],
		"all but the last character":   whole[:42],
		"the beginning in hexadecimal": digits[:62],
		"more than all":                digits + "00",
		"too much padding":             whole + "==",
		"bits that are not of the sum": whole[:42] + "/",
		"two fingerprints":             whole + "\n" + whole,
		"a line end inside":            whole[:20] + "\n" + whole[20:],
		"the alphabet of URLs":         strings.Repeat("_", 43),
		"colons in other places":       digits[:31] + ":" + digits[31:],
		"a colon at the end":           strings.ReplaceAll(fmt.Sprintf("% x", sum[:]), " ", ":") + ":",
		"two prefixes":                 "SHA256:SHA256:" + whole,
		"an ellipsis":                  "SHA256:…",
	} {
		if got, err := ParseFingerprint(text); err == nil {
			t.Errorf("%s: %q was read as %q", about, text, got)
		}
	}
}
