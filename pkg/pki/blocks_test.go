package pki

import (
	"encoding/pem"
	"slices"
	"testing"
)

func TestBlocks_AreThoseOfTypeCertificate(t *testing.T) {
	text := slices.Concat([]byte("text\n"), pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: []byte("one")}),
		pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte("none")}), pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: []byte("two")}))
	var got []string
	for _, block := range CertificateBlocks(text) {
		got = append(got, string(block))
	}
	if !slices.Equal(got, []string{"one", "two"}) || CertificateBlocks(nil) != nil {
		t.Errorf("%q", got)
	}
}
