package pki

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// newRequestBlock is the older name of a request's PEM block, which the API
// server does not take and other programs still write (RFC 7468, section 7).
const newRequestBlock = "NEW CERTIFICATE REQUEST"

// byteOrderMark is what some Windows programs begin a text with.
var byteOrderMark = []byte("\xef\xbb\xbf")

// ErrPrivateKey is the error of a file that holds a private key where a request
// was expected.
var ErrPrivateKey = errors.New("it holds a private key")

// IsDER says whether data looks like DER: a SEQUENCE, and no text.
func IsDER(data []byte) bool { return len(data) > 1 && data[0] == 0x30 && data[1]&0x80 != 0 }

// IsPEM says whether data holds a PEM block.
func IsPEM(data []byte) bool {
	data = bytes.TrimPrefix(data, byteOrderMark)
	return bytes.HasPrefix(data, []byte("-----BEGIN ")) || bytes.Contains(data, []byte("\n-----BEGIN "))
}

// AsRequestPEM writes a request as other programs write it (PEM under either
// name, with or without a byte order mark, or bare DER) as PEM under the name
// that the API server reads. What stands around a PEM block stays, for the review
// to find. The bytes are not decoded.
func AsRequestPEM(data []byte) ([]byte, error) {
	if IsDER(data) {
		return pem.EncodeToMemory(&pem.Block{Type: requestBlock, Bytes: data}), nil
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return nil, ErrPrivateKey
	}
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, errors.New("there is no whole PEM block")
	case block.Type != requestBlock && block.Type != newRequestBlock:
		return nil, fmt.Errorf("there is a PEM block %q where %q is expected", block.Type, requestBlock)
	}
	return []byte(strings.NewReplacer(
		"-----BEGIN "+newRequestBlock+"-----", "-----BEGIN "+requestBlock+"-----",
		"-----END "+newRequestBlock+"-----", "-----END "+requestBlock+"-----",
	).Replace(string(data))), nil
}

// PEM is the request as the API server takes it, and nothing around it.
func (r *Request) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: requestBlock, Bytes: r.DER})
}

// AsksTheSame says whether two requests differ in their signatures at most, which
// most algorithms make anew each time.
func (r *Request) AsksTheSame(other *Request) bool {
	return bytes.Equal(r.parsed.RawTBSCertificateRequest, other.parsed.RawTBSCertificateRequest)
}
