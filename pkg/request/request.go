package request

import (
	"bytes"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Request is a CertificateSigningRequest object together with the PKCS#10 request in its
// spec.request, which is decoded once. It is made where an object comes in, from a file or from the
// API server, and travels from there.
//
// It must not be used by several goroutines at the same time.
type Request struct {
	*certificatesv1.CertificateSigningRequest

	// pkcs10 is the decoded request, or decodeErr why it cannot be decoded; both are nil before
	// somebody looks at it. encoded are the bytes that it was decoded from.
	pkcs10    *pki.Request
	decodeErr error
	encoded   []byte
}

// Of is the request in an object, which is decoded when somebody first looks at it: many commands
// never do.
func Of(object *certificatesv1.CertificateSigningRequest) *Request {
	return &Request{CertificateSigningRequest: object}
}

// holding is the request in an object, of which the PKCS#10 request was made or decoded here and
// encoded by its method PEM.
func holding(object *certificatesv1.CertificateSigningRequest, pkcs10 *pki.Request) *Request {
	return &Request{CertificateSigningRequest: object, pkcs10: pkcs10, encoded: object.Spec.Request}
}

// With is the same request in another copy of its object, such as the one that the API server
// returns. It is decoded again only if spec.request has other bytes.
func (r *Request) With(object *certificatesv1.CertificateSigningRequest) *Request {
	if !bytes.Equal(object.Spec.Request, r.Spec.Request) {
		return Of(object)
	}
	return &Request{CertificateSigningRequest: object, pkcs10: r.pkcs10, decodeErr: r.decodeErr, encoded: r.encoded}
}

// PKCS10 is the decoded request. Its signature was not checked (see pki.DecodeRequest for the errors).
// If spec.request was replaced since, it is decoded again.
func (r *Request) PKCS10() (*pki.Request, error) {
	isDecoded := r.pkcs10 != nil || r.decodeErr != nil
	if !isDecoded || !bytes.Equal(r.Spec.Request, r.encoded) {
		r.pkcs10, r.decodeErr = pki.DecodeRequest(r.Spec.Request)
		r.encoded = r.Spec.Request
	}
	return r.pkcs10, r.decodeErr
}

// Forget drops the decoded request, so that a list of thousands does not keep what nobody will look
// at again. PKCS10 decodes it again.
func (r *Request) Forget() { r.pkcs10, r.decodeErr, r.encoded = nil, nil, nil }

// VerifiedPKCS10 is PKCS10 with its signature checked.
func (r *Request) VerifiedPKCS10() (*pki.Request, error) {
	decoded, err := r.PKCS10()
	if err != nil {
		return nil, err
	}
	if err := decoded.Verify(); err != nil {
		return nil, err
	}
	return decoded, nil
}
