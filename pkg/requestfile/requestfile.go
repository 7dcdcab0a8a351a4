// Package requestfile reads what people send to have approved: PKCS#10 requests from any tool, and
// manifests of CertificateSigningRequest objects.
//
// A file is hostile. What is taken from a manifest is what a requester may say, by an allow-list; the
// rest, and what is in the request itself, is for the review (see request.ReviewOfFile). Text that is
// neither a request nor a manifest is not in an error, because it may be a kubeconfig or a private key.
package requestfile

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Parse reads what somebody sent to have approved: a PKCS#10 request in any form that
// pki.AsRequestPEM takes, from any tool, or CertificateSigningRequest manifests in
// YAML or JSON, in lists as well (see document.Objects), in any encoding that pki.Text
// takes. A bare request gets the lifetime; a manifest has its own, and may name no signer
// (see AssumeSigner). The objects are what request.Submittable makes ready; nothing in them was
// looked at yet.
//
// Data that is not a certificate signing request is an error, and so is one that
// holds a private key.
func Parse(data []byte, lifetime time.Duration) ([]*request.Request, error) {
	if !pki.IsEncoded(data) {
		return parseManifests(pki.Text(data))
	}
	encoded, err := parseBytes(data)
	if err != nil {
		return nil, err
	}
	return decoded(request.NewObject("", encoded, lifetime))
}

// SetLifetime has an object from a file ask for a lifetime that the administrator names. An
// object that asks for another one itself stays as it is: what its requester wrote is not
// changed. The error is an outcome.ErrUsage that names both.
func SetLifetime(object *request.Request, lifetime time.Duration) error {
	own := request.LifetimeOf(object)
	switch own {
	case lifetime:
	case 0:
		seconds := int32(lifetime / time.Second) //nolint:gosec // ParseLifetime keeps it in range.
		object.Spec.ExpirationSeconds = &seconds
	default:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--expiration asks for %s, and the manifest asks for %s itself (spec.expirationSeconds)", request.FormatLifetime(lifetime), request.FormatLifetime(own)),
			"leave out --expiration to accept what the manifest asks for, or have its sender change it")
	}
	return nil
}

// AssumeSigner gives an object from a file that names no signer the one whose certificates
// log in to the API server, as a bare request gets it, and reports whether it did. A
// request for other usages than a user's is left alone: what it is for is unknown.
func AssumeSigner(object *request.Request) bool {
	if object.Spec.SignerName != "" || !request.PermittedUsages(object.Spec.Usages) {
		return false
	}
	object.Spec.SignerName = request.Signer
	return true
}

// parseBytes finds the request in the bytes, in PEM.
func parseBytes(data []byte) ([]byte, error) {
	encoded, err := pki.AsRequestPEM(data)
	if errors.Is(err, pki.ErrPrivateKey) {
		return nil, outcome.WithHint(err, "a private key must stay with its owner: have the owner create a new one, and send only the request")
	}
	if err != nil {
		return nil, err
	}
	return encoded, nil
}

// decoded decodes the request in each object. What is in it is for the review; only data that is
// no request is an error. A request that is too long to be read is for the review, too.
func decoded(objects ...*certificatesv1.CertificateSigningRequest) ([]*request.Request, error) {
	requests := make([]*request.Request, len(objects))
	for i, object := range objects {
		requests[i] = request.Of(object)
		if _, err := requests[i].PKCS10(); err != nil && !errors.Is(err, pki.ErrOversized) {
			return nil, err
		}
	}
	return requests, nil
}

func parseManifests(data []byte) ([]*request.Request, error) {
	manifests, err := document.Objects(data)
	if err != nil {
		return nil, err
	}
	var objects []*certificatesv1.CertificateSigningRequest
	for _, manifest := range manifests {
		object, err := parseManifest(manifest)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	if len(objects) == 0 {
		return nil, errors.New("it is empty")
	}
	requests, err := decoded(objects...)
	if err != nil {
		return nil, fmt.Errorf("the manifest's spec.request: %w", err)
	}
	return requests, nil
}

// removedVersion is the version before v1. It gave a manifest without a signer another
// one, legacy-unknown, so that what it means is not what it says in v1.
const removedVersion = "certificates.k8s.io/v1beta1"

// parseManifest takes from a manifest what a requester may say: the name, labels
// and annotations, and of the spec what the API server does not set itself.
func parseManifest(text []byte) (*certificatesv1.CertificateSigningRequest, error) {
	var kind metav1.TypeMeta
	if yaml.Unmarshal(text, &kind) != nil {
		// The file may be a kubeconfig, and the text of the YAML library quotes tokens.
		return nil, errors.New("it is neither PEM nor DER nor a manifest: invalid YAML")
	}
	if kind.Kind == request.ObjectKind && kind.APIVersion == removedVersion {
		return nil, outcome.WithHint(
			fmt.Errorf("the manifest is of %s, which no API server serves since Kubernetes 1.22", removedVersion),
			"write in it: apiVersion: %s, and below spec: signerName: %s", certificatesv1.SchemeGroupVersion, request.Signer)
	}
	if kind.APIVersion != certificatesv1.SchemeGroupVersion.String() || kind.Kind != request.ObjectKind {
		return nil, fmt.Errorf("it is neither PEM nor DER, and no manifest of a %s of %s: its kind is %q of %q",
			request.ObjectKind, certificatesv1.SchemeGroupVersion, kind.Kind, kind.APIVersion)
	}
	var manifest certificatesv1.CertificateSigningRequest
	if err := yaml.UnmarshalStrict(text, &manifest); err != nil {
		err = fmt.Errorf("the manifest cannot be read: %w", err)
		if strings.Contains(err.Error(), "illegal base64") {
			return nil, outcome.WithHint(err, "spec.request is the PEM of the request in base64, in one line: base64 -w0 FILE; or send the PEM itself, without a manifest")
		}
		return nil, err
	}
	encoded, err := parseBytes(manifest.Spec.Request)
	if err != nil {
		return nil, fmt.Errorf("the manifest's spec.request: %w", err)
	}
	object := request.NewObject(manifest.Name, encoded, 0)
	maps.Copy(object.Labels, manifest.Labels)
	object.Annotations = manifest.Annotations
	object.Spec.SignerName = manifest.Spec.SignerName
	object.Spec.Usages = manifest.Spec.Usages
	object.Spec.ExpirationSeconds = manifest.Spec.ExpirationSeconds
	return object, nil
}
