package pki

import (
	"encoding/pem"
	"strings"
)

// SplitPair parts a client certificate from its private key where one text holds both,
// as one file may for kubectl: of each, what belongs to the other is left out (crypto/tls
// X509KeyPair). Texts that hold one of them are returned as they are.
func SplitPair(certificate, key []byte) (certificateAlone, keyAlone []byte) {
	isOfKey := func(block *pem.Block) bool {
		return strings.HasSuffix(block.Type, "PRIVATE KEY") || block.Type == "EC PARAMETERS"
	}
	isOfCertificate := func(block *pem.Block) bool { return block.Type == certificateBlock }
	return withoutBlocks(certificate, isOfKey), withoutBlocks(key, isOfCertificate)
}

func withoutBlocks(data []byte, unwanted func(*pem.Block) bool) []byte {
	var wanted []byte
	found := false
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if unwanted(block) {
			found = true
			continue
		}
		wanted = append(wanted, pem.EncodeToMemory(block)...)
	}
	if !found {
		return data
	}
	return wanted
}
