package request

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Import reads what somebody sent to have approved: a PKCS#10 request in any form that
// pki.AsRequestPEM takes, from any tool, or CertificateSigningRequest manifests in
// YAML or JSON, in lists as well (see document.Objects), in any encoding that pki.Text
// takes. A bare request gets the lifetime; a manifest has its own, and may name no signer
// (see AssumeSigner). The objects are what Submittable makes ready; nothing in them was
// looked at yet.
//
// Data that is not a certificate signing request is an error, and so is one that
// holds a private key.
func Import(data []byte, lifetime time.Duration) ([]*Request, error) {
	if !pki.IsEncoded(data) {
		return importManifests(pki.Text(data))
	}
	encoded, err := importBytes(data)
	if err != nil {
		return nil, err
	}
	return imported(newObject("", encoded, lifetime))
}

// SetLifetime has an imported object ask for a lifetime that the administrator names. An
// object that asks for another one itself stays as it is: what its requester wrote is not
// changed. The error is an outcome.ErrUsage that names both.
func SetLifetime(object *Request, lifetime time.Duration) error {
	own := LifetimeOf(object)
	switch own {
	case lifetime:
	case 0:
		seconds := int32(lifetime / time.Second) //nolint:gosec // ParseLifetime keeps it in range.
		object.Spec.ExpirationSeconds = &seconds
	default:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--expiration asks for %s, and the manifest asks for %s itself (spec.expirationSeconds)", FormatLifetime(lifetime), FormatLifetime(own)),
			"leave out --expiration to accept what the manifest asks for, or have its sender change it")
	}
	return nil
}

// importBytes finds the request in the bytes, in PEM.
func importBytes(data []byte) ([]byte, error) {
	encoded, err := pki.AsRequestPEM(data)
	if errors.Is(err, pki.ErrPrivateKey) {
		return nil, outcome.WithHint(err, "a private key must stay with its owner: have the owner create a new one, and send only the request")
	}
	if err != nil {
		return nil, err
	}
	return encoded, nil
}

// imported decodes the request in each object. What is in it is for the review; only data that is
// no request is an error. A request that is too long to be read is for the review, too.
func imported(objects ...*certificatesv1.CertificateSigningRequest) ([]*Request, error) {
	requests := make([]*Request, len(objects))
	for i, object := range objects {
		requests[i] = Of(object)
		if _, err := requests[i].PKCS10(); err != nil && !errors.Is(err, pki.ErrOversized) {
			return nil, err
		}
	}
	return requests, nil
}

func importManifests(data []byte) ([]*Request, error) {
	manifests, err := document.Objects(data)
	if err != nil {
		return nil, err
	}
	var objects []*certificatesv1.CertificateSigningRequest
	for _, manifest := range manifests {
		object, err := importManifest(manifest)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	if len(objects) == 0 {
		return nil, errors.New("it is empty")
	}
	requests, err := imported(objects...)
	if err != nil {
		return nil, fmt.Errorf("the manifest's spec.request: %w", err)
	}
	return requests, nil
}

// removedVersion is the version before v1. It gave a manifest without a signer another
// one, legacy-unknown, so that what it means is not what it says in v1.
const removedVersion = "certificates.k8s.io/v1beta1"

// AssumeSigner gives an imported object that names no signer the one whose certificates
// log in to the API server, as a bare request gets it, and reports whether it did. A
// request for other usages than a user's is left alone: what it is for is unknown.
func AssumeSigner(object *Request) bool {
	if object.Spec.SignerName != "" || !permittedUsages(object.Spec.Usages) {
		return false
	}
	object.Spec.SignerName = Signer
	return true
}

// importManifest takes from a manifest what a requester may say: the name, labels
// and annotations, and of the spec what the API server does not set itself.
func importManifest(text []byte) (*certificatesv1.CertificateSigningRequest, error) {
	var kind metav1.TypeMeta
	if yaml.Unmarshal(text, &kind) != nil {
		// The file may be a kubeconfig, and the text of the YAML library quotes tokens.
		return nil, errors.New("it is neither PEM nor DER nor a manifest: invalid YAML")
	}
	if kind.Kind == objectKind && kind.APIVersion == removedVersion {
		return nil, outcome.WithHint(
			fmt.Errorf("the manifest is of %s, which no API server serves since Kubernetes 1.22", removedVersion),
			"write in it: apiVersion: %s, and below spec: signerName: %s", certificatesv1.SchemeGroupVersion, Signer)
	}
	if kind.APIVersion != certificatesv1.SchemeGroupVersion.String() || kind.Kind != objectKind {
		return nil, fmt.Errorf("it is neither PEM nor DER, and no manifest of a %s of %s: its kind is %q of %q",
			objectKind, certificatesv1.SchemeGroupVersion, kind.Kind, kind.APIVersion)
	}
	var manifest certificatesv1.CertificateSigningRequest
	if err := yaml.UnmarshalStrict(text, &manifest); err != nil {
		err = fmt.Errorf("the manifest cannot be read: %w", err)
		if strings.Contains(err.Error(), "illegal base64") {
			return nil, outcome.WithHint(err, "spec.request is the PEM of the request in base64, in one line: base64 -w0 FILE; or send the PEM itself, without a manifest")
		}
		return nil, err
	}
	encoded, err := importBytes(manifest.Spec.Request)
	if err != nil {
		return nil, fmt.Errorf("the manifest's spec.request: %w", err)
	}
	object := newObject(manifest.Name, encoded, 0)
	maps.Copy(object.Labels, manifest.Labels)
	object.Annotations = manifest.Annotations
	object.Spec.SignerName = manifest.Spec.SignerName
	object.Spec.Usages = manifest.Spec.Usages
	object.Spec.ExpirationSeconds = manifest.Spec.ExpirationSeconds
	return object, nil
}

// Submittable makes an imported object ready to be submitted: its request in the
// one form that the API server takes, with nothing around it, the name that is
// derived from it unless it has one, and the label by which it is found. The
// request has to be decodable.
func Submittable(object *Request) (*Request, error) {
	parsed, err := object.PKCS10()
	if err != nil {
		return nil, err
	}
	ready := object.DeepCopy()
	ready.Spec.Request = parsed.PEM()
	if ready.Name == "" {
		ready.Name = ObjectName(parsed.User(), parsed.PublicKey)
	}
	ready.Labels[UserLabel] = UserLabelValue(parsed.User().Name)
	// The API server says who submitted it.
	ready.Spec.Username, ready.Spec.Groups = "", nil
	return holding(ready, parsed.Alone()), nil
}

// CheckSubmitted reports whether the object that stands under an imported one's name
// asks for the same: the same subject, key and extensions to the byte, signer and
// usages. Its lifetime may be another, for its review to show. The error is an
// outcome.ErrChanged that names the difference.
func CheckSubmitted(stored, wanted *Request) error {
	var different string
	switch {
	case !AskTheSame(stored, wanted):
		different = "the request itself"
	case stored.Spec.SignerName != wanted.Spec.SignerName:
		different = "the signer"
	case !slices.Equal(stored.Spec.Usages, wanted.Spec.Usages):
		different = "the usages"
	default:
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "certificate signing request %q already exists and is another one: %s is not the same", stored.Name, different),
		"look at it: %s", identity.NewCommand("kubectl csr-onboard approve").Argument(stored.Name).Words("--dry-run=client"))
}

// AskTheSame reports whether two requests can be decoded, and differ in their signatures at most.
func AskTheSame(a, b *Request) bool {
	first, err := a.PKCS10()
	if err != nil {
		return false
	}
	second, err := b.PKCS10()
	return err == nil && first.AsksTheSame(second)
}
