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

// ErrPrivateKey is the error of a file that holds a private key where a request
// was expected.
var ErrPrivateKey = errors.New("it holds a private key")

// AsRequestPEM writes a request as other programs write it (PEM under either name in
// any text form, base64 without the PEM lines, or DER) as PEM under the name that the
// API server reads. What stands around a PEM block stays, for the review to find. The
// request is not decoded.
func AsRequestPEM(data []byte) ([]byte, error) {
	encoded := asPEM(data, requestBlock)
	if bytes.Contains(encoded, []byte("PRIVATE KEY-----")) {
		return nil, ErrPrivateKey
	}
	block, _ := pem.Decode(encoded)
	switch {
	case block == nil:
		if err := formErr(data, aRequest); err != nil {
			return nil, err
		}
		return nil, errors.New("complete PEM block not found")
	case block.Type != requestBlock && block.Type != newRequestBlock:
		return nil, fmt.Errorf("there is a PEM block %q where %q is expected", block.Type, requestBlock)
	}
	return []byte(strings.NewReplacer(
		"-----BEGIN "+newRequestBlock+"-----", "-----BEGIN "+requestBlock+"-----",
		"-----END "+newRequestBlock+"-----", "-----END "+requestBlock+"-----",
	).Replace(string(encoded))), nil
}

// ReadRequest is ParseRequest for a file that another tool may have written or changed:
// it takes the forms that AsRequestPEM takes. The API server does not, so that what it
// has stored is never read by it.
func ReadRequest(data []byte) (*Request, error) {
	encoded, err := AsRequestPEM(data)
	if err != nil {
		return nil, err
	}
	return ParseRequest(encoded)
}

// PEM is the request as the API server takes it, and nothing around it.
func (r *Request) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: requestBlock, Bytes: r.DER})
}

// AsksTheSame reports whether two requests differ in their signatures at most, which
// most algorithms make again each time.
func (r *Request) AsksTheSame(other *Request) bool {
	return bytes.Equal(r.parsed.RawTBSCertificateRequest, other.parsed.RawTBSCertificateRequest)
}
