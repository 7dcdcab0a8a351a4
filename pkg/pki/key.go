package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// KeyAlgorithm names a kind of private key and its strength, as a person
// writes it: "ecdsa-p256".
type KeyAlgorithm string

// DefaultKeyAlgorithm is what every Kubernetes client and TLS library takes,
// small and fast.
const DefaultKeyAlgorithm KeyAlgorithm = "ecdsa-p256"

// The RSA moduli, in bits, that are strong enough and that crypto/tls takes.
const (
	smallestRSA = 2048
	largestRSA  = 8192
)

// generators holds every key algorithm that logs in to a kube-apiserver.
var generators = []struct {
	algorithm KeyAlgorithm
	generate  func() (crypto.Signer, error)
}{
	{DefaultKeyAlgorithm, ecdsaKey(elliptic.P256())},
	{"ecdsa-p384", ecdsaKey(elliptic.P384())},
	{"ecdsa-p521", ecdsaKey(elliptic.P521())},
	{"ed25519", func() (crypto.Signer, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}},
	{"rsa-2048", rsaKey(2048)},
	{"rsa-3072", rsaKey(3072)},
	{"rsa-4096", rsaKey(4096)},
}

func ecdsaKey(curve elliptic.Curve) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return ecdsa.GenerateKey(curve, rand.Reader) }
}

func rsaKey(bits int) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, bits) }
}

// KeyAlgorithms lists the algorithms NewKey knows, the default first.
func KeyAlgorithms() []string {
	names := make([]string, len(generators))
	for i, g := range generators {
		names[i] = string(g.algorithm)
	}
	return names
}

// ParseKeyAlgorithm reads an algorithm's name; an unknown one is wrong usage.
func ParseKeyAlgorithm(name string) (KeyAlgorithm, error) {
	if !slices.Contains(KeyAlgorithms(), name) {
		return "", outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "unknown key algorithm %q", name),
			"use one of %s", strings.Join(KeyAlgorithms(), ", "))
	}
	return KeyAlgorithm(name), nil
}

// AlgorithmOf is the algorithm that makes keys of a public key's kind and strength.
// Where there is none, it is the default.
func AlgorithmOf(public crypto.PublicKey) KeyAlgorithm {
	switch key := public.(type) {
	case *rsa.PublicKey:
		for _, bits := range []int{2048, 3072, 4096} {
			if key.N.BitLen() == bits {
				return KeyAlgorithm(fmt.Sprintf("rsa-%d", bits))
			}
		}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P384():
			return "ecdsa-p384"
		case elliptic.P521():
			return "ecdsa-p521"
		}
	case ed25519.PublicKey:
		return "ed25519"
	}
	return DefaultKeyAlgorithm
}

// IsOfAlgorithm reports whether an algorithm makes keys of a public key's kind and strength.
func IsOfAlgorithm(public crypto.PublicKey, algorithm KeyAlgorithm) bool {
	if algorithm == DefaultKeyAlgorithm {
		// AlgorithmOf has the default for kinds that it does not know as well.
		key, isECDSA := public.(*ecdsa.PublicKey)
		return isECDSA && key.Curve == elliptic.P256()
	}
	return AlgorithmOf(public) == algorithm
}

// NewKey makes a private key from the operating system's randomness.
func NewKey(algorithm KeyAlgorithm) (crypto.Signer, error) {
	for _, g := range generators {
		if g.algorithm == algorithm {
			return g.generate()
		}
	}
	return nil, fmt.Errorf("unknown key algorithm %q", algorithm)
}

// EncodeKey writes a private key as one PKCS#8 PEM block (RFC 5958, RFC 7468),
// the one form that holds every algorithm.
func EncodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: der}), nil
}

// CheckKeyStrength refuses a public key that a kube-apiserver's TLS does not
// accept from a client, or that is too weak to trust: RSA under 2048 or over
// 8192 bits, and curves other than P-256, P-384, P-521 and Ed25519.
func CheckKeyStrength(public crypto.PublicKey) error {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < smallestRSA || bits > largestRSA {
			return fmt.Errorf("the key is RSA with %d bits; %d to %d are accepted", bits, smallestRSA, largestRSA)
		}
		return nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return fmt.Errorf("the key is on the curve %s, which TLS does not accept", key.Curve.Params().Name)
	case ed25519.PublicKey:
		return nil
	}
	return fmt.Errorf("the key is of a kind (%T) that TLS does not accept", public)
}

// DescribeKey names a public key's algorithm and size for a person, such as
// "ECDSA P-256" or "RSA 2048".
func DescribeKey(public crypto.PublicKey) string {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "unknown"
}

// SamePublicKey reports whether two public keys are one.
func SamePublicKey(a, b crypto.PublicKey) bool {
	withEqual, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && withEqual.Equal(b)
}
