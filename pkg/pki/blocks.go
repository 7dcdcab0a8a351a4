package pki

import "encoding/pem"

// CertificateBlocks are the certificates in a PEM text, such as status.certificate of a request,
// in DER and not parsed. Whatever else is there is passed over.
func CertificateBlocks(data []byte) (blocks [][]byte) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return blocks
		}
		if block.Type == certificateBlock {
			blocks = append(blocks, block.Bytes)
		}
	}
}
