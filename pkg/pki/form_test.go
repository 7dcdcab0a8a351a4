package pki

import (
	"bytes"
	"encoding/asn1"
	"testing"
)

func TestForm_KeyStoresAndBundlesAreRecognized(t *testing.T) {
	element := func(value any) []byte {
		der, err := asn1.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	type contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}
	bundle := func(arcs ...int) []byte {
		return element(contentInfo{arcs, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: []byte{5, 0}}})
	}
	version := []byte{2, 1, 3, 0x30}
	for about, test := range map[string]struct {
		data []byte
		want string
	}{
		"PKCS#12, of a short length":      {append([]byte{0x30, 4}, version...), "it is a PKCS#12 key store, not a private key"},
		"PKCS#12, the longest short":      {append(append([]byte{0x30, 0x7f}, version...), bytes.Repeat([]byte{0}, 0x7f-4)...), "it is a PKCS#12 key store, not a private key"},
		"PKCS#12, of a long length":       {append(append([]byte{0x30, 0x81, 0x80}, version...), bytes.Repeat([]byte{0}, 0x80-4)...), "it is a PKCS#12 key store, not a private key"},
		"PKCS#12, of two bytes of length": {append(append([]byte{0x30, 0x82, 1, 0}, version...), bytes.Repeat([]byte{0}, 0x100-4)...), "it is a PKCS#12 key store, not a private key"},
		"PKCS#12, of no definite length":  {append(append([]byte{0x30, 0x80}, version...), 0, 0, 0, 0), "it is a PKCS#12 key store, not a private key"},
		"of another version":              {[]byte{0x30, 4, 2, 1, 4, 0x30}, ""},
		"PKCS#7, signed data":             {bundle(1, 2, 840, 113549, 1, 7, 2), "it is a PKCS#7 bundle of certificates, not a private key"},
		"PKCS#7, data":                    {bundle(1, 2, 840, 113549, 1, 7, 1), ""},
		"PuTTY":                           {[]byte("PuTTY-User-Key-File-3: ssh-ed25519"), "it is a key of PuTTY's own form, not a private key"},
		"text":                            {[]byte("text"), ""},
	} {
		said := ""
		if err := formErr(test.data, aPrivateKey); err != nil {
			said = err.Error()
		}
		if said != test.want {
			t.Errorf("%s: %q, want %q", about, said, test.want)
		}
	}
}
