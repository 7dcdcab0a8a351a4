package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// rsaOf is a public key of so many bits, which nobody has the private key of.
func rsaOf(bits uint) crypto.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int), int(bits)-1, 1), E: 65537}
}

func ecdsaOf(curve elliptic.Curve) crypto.PublicKey { return &ecdsa.PublicKey{Curve: curve} }

func TestKey_AlgorithmsAreDescribedRecognizedAndAccepted(t *testing.T) {
	for _, test := range []struct {
		public      crypto.PublicKey
		description string
		algorithm   KeyAlgorithm
		// refused is why an API server does not accept it.
		refused string
	}{
		{ecdsaOf(elliptic.P256()), "ECDSA P-256", "ecdsa-p256", ""},
		{ecdsaOf(elliptic.P384()), "ECDSA P-384", "ecdsa-p384", ""},
		{ecdsaOf(elliptic.P521()), "ECDSA P-521", "ecdsa-p521", ""},
		{ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)), "Ed25519", "ed25519", ""},
		{rsaOf(2048), "RSA 2048", "rsa-2048", ""},
		{rsaOf(3072), "RSA 3072", "rsa-3072", ""},
		{rsaOf(4096), "RSA 4096", "rsa-4096", ""},
		{rsaOf(8192), "RSA 8192", "", ""},
		{rsaOf(8193), "RSA 8193", "", "the key is RSA with 8193 bits; 2048 to 8192 are accepted"},
		{rsaOf(2047), "RSA 2047", "", "the key is RSA with 2047 bits; 2048 to 8192 are accepted"},
		{ecdsaOf(elliptic.P224()), "ECDSA P-224", "", "the key is on the curve P-224, which TLS does not accept"},
		{"a key", "unknown", "", "the key is of a kind (string) that TLS does not accept"},
	} {
		if got := DescribeKey(test.public); got != test.description {
			t.Errorf("%s is described as %s", test.description, got)
		}
		refused := ""
		if err := CheckKeyStrength(test.public); err != nil {
			refused = err.Error()
		}
		if refused != test.refused {
			t.Errorf("%s is refused: %q, want %q", test.description, refused, test.refused)
		}
		known := test.algorithm
		if known == "" {
			known = DefaultKeyAlgorithm
		}
		if got := AlgorithmOf(test.public); got != known {
			t.Errorf("%s is of the algorithm %s", test.description, got)
		}
		for _, name := range KeyAlgorithms() {
			if is := IsOfAlgorithm(test.public, KeyAlgorithm(name)); is != (test.algorithm == KeyAlgorithm(name)) {
				t.Errorf("%s is of the algorithm %s: %t", test.description, name, is)
			}
		}
	}
}

func TestKey_AlgorithmsAreNamedAndOthersAreWrongUsage(t *testing.T) {
	want := []string{"ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "rsa-2048", "rsa-3072", "rsa-4096"}
	if got := KeyAlgorithms(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, name := range want {
		if algorithm, err := ParseKeyAlgorithm(name); err != nil || string(algorithm) != name {
			t.Errorf("%s: %q, %v", name, algorithm, err)
		}
	}
	if _, err := ParseKeyAlgorithm("dsa"); !errors.Is(err, outcome.ErrUsage) || outcome.Hint(err) == "" {
		t.Errorf("%v", err)
	}
	if key, err := NewKey("dsa"); err == nil || key != nil {
		t.Errorf("%v, %v", key, err)
	}
}
