// Package pki makes and reads the three things a client certificate is made
// from: private keys, PKCS#10 certification requests (RFC 2986) and X.509
// certificates (RFC 5280), and checks that they belong together.
//
// It promises that what it reads is parsed by allow-list: one kind of PEM
// block, DER consumed to its last byte, signatures verified, subjects walked
// attribute by attribute as they stand in the DER, because Go's pkix.Name keeps
// only the last common name, merges multi-valued RDNs and drops what it does
// not know.
//
// It touches no disk, network or clock. Errors never hold key material.
package pki
