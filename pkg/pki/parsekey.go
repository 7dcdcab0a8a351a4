package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/youmark/pkcs8"
	"golang.org/x/crypto/ssh"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// The types of PEM blocks that hold private keys in a form of their own. Every other
// type that ends in PRIVATE KEY is read by its content, as crypto/tls X509KeyPair does.
const (
	privateKeyBlock          = "PRIVATE KEY"
	encryptedPrivateKeyBlock = "ENCRYPTED PRIVATE KEY"
	openSSHPrivateKeyBlock   = "OPENSSH PRIVATE KEY"
)

var (
	// ErrEncryptedKey is the error of a private key that only a passphrase opens.
	ErrEncryptedKey = errors.New("the key is encrypted, and kubeconfigs hold no passphrases")
	// ErrWrongPassphrase is the error of a passphrase that does not open a key.
	ErrWrongPassphrase = errors.New("the passphrase is wrong, or the key is damaged")

	errUnsupportedKey = errors.New("the private key in it is damaged or of a kind that is not supported")
)

// Passphrase gets the passphrase of a private key, and is called only for a key that is
// encrypted.
type Passphrase func() ([]byte, error)

// ParseKey reads an unencrypted private key in the forms that other tools write: PKCS#8,
// PKCS#1, SEC1 (with or without the EC PARAMETERS that openssl writes before it) or
// OpenSSH's own, in PEM, or the first three in DER or base64. Which of them it is is
// told by the content, as other tools do not agree on the label. Certificates and text
// around the key, as openssl pkcs12 writes them, are passed over.
//
// The key must be the only one, and one that a kube-apiserver accepts (see
// CheckKeyStrength). What is wrong is said by kind: encrypted (ErrEncryptedKey), a
// certificate, a public key, a key store, truncated, too weak.
func ParseKey(data []byte) (crypto.Signer, error) { return ParseKeyWithPassphrase(data, nil) }

// ParseKeyWithPassphrase is ParseKey for a key that may be encrypted: PKCS#8 by PBES2
// (RFC 8018), OpenSSH's own form, or the legacy form of openssl (Proc-Type: 4,ENCRYPTED).
// A passphrase that does not open it is ErrWrongPassphrase.
func ParseKeyWithPassphrase(data []byte, passphrase Passphrase) (crypto.Signer, error) {
	block, err := onlyKeyBlock(data)
	if err != nil {
		return nil, err
	}
	parsed, err := parseKeyBlock(block, passphrase)
	if err != nil {
		return nil, err
	}
	key, err := asSigner(parsed)
	if err != nil {
		return nil, err
	}
	return key, CheckKeyStrength(key.Public())
}

// onlyKeyBlock finds the one private key in data.
func onlyKeyBlock(data []byte) (*pem.Block, error) {
	var found *pem.Block
	other := ""
	text := asPEM(data, privateKeyBlock)
	damaged := countPEM(text)
	for rest := text; ; damaged-- {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch isKey := strings.HasSuffix(block.Type, privateKeyBlock); {
		case isKey && found != nil:
			return nil, errors.New("there is more than one key in it")
		case isKey:
			found = block
		case block.Type != "EC PARAMETERS":
			other = block.Type
		}
	}
	switch {
	case damaged > 0:
		return nil, errors.New("the PEM block in it is truncated or damaged")
	case found != nil:
		return found, nil
	case other != "":
		return nil, fmt.Errorf("it holds a PEM block %q, not a private key", other)
	}
	if err := formErr(data, aPrivateKey); err != nil {
		return nil, err
	}
	return nil, errors.New("PEM block not found")
}

// parseKeyBlock decodes a private key by its form, and decrypts it where a passphrase
// is to be had.
func parseKeyBlock(block *pem.Block, passphrase Passphrase) (any, error) {
	decrypt, convert := decryption(block)
	if decrypt == nil {
		if block.Type == openSSHPrivateKeyBlock {
			return parseOpenSSH(block, nil)
		}
		return parseKeyDER(block.Bytes)
	}
	if passphrase == nil {
		return nil, outcome.WithHint(ErrEncryptedKey, "decrypt it into a file of your own: %s", convert)
	}
	secret, err := passphrase()
	if err != nil {
		return nil, err
	}
	if len(secret) == 0 {
		return nil, errors.New("the passphrase is empty")
	}
	return decrypt(secret)
}

// decryption is how to decrypt a block, and the command that does it outside of this
// program; nil for a block that is not encrypted.
func decryption(block *pem.Block) (decrypt func(passphrase []byte) (any, error), convert string) {
	const byOpenSSL = "openssl pkey -in ENCRYPTED -out KEY"
	_, isLegacy := block.Headers["DEK-Info"]
	switch {
	case isLegacy:
		return func(passphrase []byte) (any, error) { return decryptLegacy(block, passphrase) }, byOpenSSL
	case block.Type == encryptedPrivateKeyBlock, isEncryptedPKCS8(block.Bytes):
		return func(passphrase []byte) (any, error) { return decryptPKCS8(block.Bytes, passphrase) }, byOpenSSL
	case block.Type == openSSHPrivateKeyBlock:
		var missingErr *ssh.PassphraseMissingError
		if _, err := ssh.ParseRawPrivateKey(pem.EncodeToMemory(block)); errors.As(err, &missingErr) {
			return func(passphrase []byte) (any, error) { return parseOpenSSH(block, passphrase) },
				"cp ENCRYPTED KEY && ssh-keygen -p -N '' -f KEY"
		}
	}
	return nil, ""
}

// parseKeyDER tells PKCS#8, PKCS#1 and SEC1 by their content.
func parseKeyDER(der []byte) (any, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if err := formErr(der, aPrivateKey); err != nil {
		return nil, err
	}
	return nil, errUnsupportedKey
}

func parseOpenSSH(block *pem.Block, passphrase []byte) (key any, err error) {
	encoded := pem.EncodeToMemory(block)
	if passphrase == nil {
		key, err = ssh.ParseRawPrivateKey(encoded)
	} else {
		key, err = ssh.ParseRawPrivateKeyWithPassphrase(encoded, passphrase)
	}
	switch {
	case errors.Is(err, x509.IncorrectPasswordError):
		return nil, ErrWrongPassphrase
	case err != nil:
		return nil, errUnsupportedKey
	}
	return key, nil
}

// decryptLegacy opens what openssl wrote before version 1.0.0, and still writes with
// -traditional. It has no integrity check: a wrong passphrase may show only in
// what comes out.
func decryptLegacy(block *pem.Block, passphrase []byte) (any, error) {
	der, err := x509.DecryptPEMBlock(block, passphrase) //nolint:staticcheck // No other library reads the legacy form.
	if err != nil {
		return nil, ErrWrongPassphrase
	}
	key, err := parseKeyDER(der)
	if err != nil {
		return nil, ErrWrongPassphrase
	}
	return key, nil
}

// decryptPKCS8 opens an EncryptedPrivateKeyInfo (RFC 5958). The library panics on
// parameters of a wrong length.
func decryptPKCS8(der, passphrase []byte) (key any, err error) {
	defer func() {
		if recover() != nil {
			key, err = nil, errUnsupportedKey
		}
	}()
	key, err = pkcs8.ParsePKCS8PrivateKey(der, passphrase)
	switch {
	case err == nil:
		return key, nil
	case strings.Contains(err.Error(), "only P") || strings.Contains(err.Error(), "unsupported"):
		return nil, outcome.WithHint(fmt.Errorf("the key is encrypted in a way that is not supported: %s", strings.TrimPrefix(err.Error(), "pkcs8: ")),
			"encrypt it again, as PKCS#8 with AES-256: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out KEY")
	}
	return nil, ErrWrongPassphrase
}

// asSigner is a private key of a kind that signs requests.
func asSigner(parsed any) (crypto.Signer, error) {
	switch key := parsed.(type) {
	case *ecdsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	case *ed25519.PrivateKey:
		return *key, nil
	case *rsa.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("it holds a private key of a kind (%T) that cannot sign a request", parsed)
}

// FirstLine is the passphrase in a file that holds one: its first line, as for openssl's
// -passin file:.
func FirstLine(data []byte) []byte {
	line, _, _ := bytes.Cut(Text(data), []byte("\n"))
	return line
}
