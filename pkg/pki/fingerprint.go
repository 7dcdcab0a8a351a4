package pki

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
)

// Fingerprint names a public key so that two people can compare it over
// another channel: "SHA256:" and the unpadded base64 of the SHA-256 of its
// SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7), written as ssh writes its
// own. A key that can't be encoded has the empty fingerprint.
func Fingerprint(public crypto.PublicKey) string {
	info, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return ""
	}
	return fingerprintOf(info)
}

// Fingerprint names the request's public key. Of a kind of key that crypto/x509
// does not know, it is the bytes' that stand in the request.
func (r *Request) Fingerprint() string {
	if fingerprint := Fingerprint(r.PublicKey); fingerprint != "" {
		return fingerprint
	}
	return fingerprintOf(r.parsed.RawSubjectPublicKeyInfo)
}

func fingerprintOf(subjectPublicKeyInfo []byte) string {
	sum := sha256.Sum256(subjectPublicKeyInfo)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}
