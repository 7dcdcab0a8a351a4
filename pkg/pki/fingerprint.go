package pki

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// fingerprintPrefix names the hash, as ssh does.
const fingerprintPrefix = "SHA256:"

// Fingerprint names a public key so that two people can compare it over
// another channel: "SHA256:" and the unpadded base64 of the SHA-256 of its
// SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7), written as ssh writes its
// own. A key that cannot be encoded has the empty fingerprint.
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
	return formatFingerprint(sum[:])
}

func formatFingerprint(sum []byte) string {
	return fingerprintPrefix + base64.RawStdEncoding.EncodeToString(sum)
}

// FingerprintForms says, for a person, what ParseFingerprint accepts.
const FingerprintForms = "the SHA-256 of the public key (SubjectPublicKeyInfo, DER), as SHA256:BASE64 as new-user prints it, " +
	"as base64, or as 64 hexadecimal digits, which may have colons between the bytes"

var errNotFingerprint = errors.New("not a SHA-256 fingerprint")

// ParseFingerprint reads a fingerprint as people and other programs write it, and
// returns it as Fingerprint does, so that two are equal only if all 32 bytes are. It
// accepts base64 (RFC 4648, section 4) with or without padding, as ssh-keygen and
// "openssl dgst -sha256 -binary | base64" print it, and 64 hexadecimal digits, with a
// colon between all bytes or none, as "openssl dgst -sha256" with or without -c prints
// them; each with or without "SHA256:" before it and white space around it. Anything
// else, such as a part of a fingerprint, is an error.
func ParseFingerprint(text string) (string, error) {
	digits := strings.TrimSpace(text)
	if n := len(fingerprintPrefix); len(digits) >= n && strings.EqualFold(digits[:n], fingerprintPrefix) {
		digits = digits[n:]
	}
	sum, ok := parseHexadecimalSum(digits)
	if !ok {
		sum, ok = parseBase64Sum(digits)
	}
	if !ok {
		return "", errNotFingerprint
	}
	return formatFingerprint(sum), nil
}

func parseHexadecimalSum(digits string) (sum []byte, ok bool) {
	if strings.Contains(digits, ":") {
		octets := strings.Split(digits, ":")
		for _, octet := range octets {
			if len(octet) != hex.EncodedLen(1) {
				return nil, false
			}
		}
		digits = strings.Join(octets, "")
	}
	sum, err := hex.DecodeString(digits)
	return sum, err == nil && len(sum) == sha256.Size
}

func parseBase64Sum(digits string) (sum []byte, ok bool) {
	encoding := base64.RawStdEncoding
	if len(digits) == base64.StdEncoding.EncodedLen(sha256.Size) {
		encoding = base64.StdEncoding
	}
	// Go's decoder passes over line ends.
	if strings.ContainsAny(digits, "\r\n") {
		return nil, false
	}
	sum, err := encoding.Strict().DecodeString(digits)
	return sum, err == nil && len(sum) == sha256.Size
}
