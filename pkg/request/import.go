package request

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Import reads what somebody sent to have approved: a PKCS#10 request in PEM or
// DER, whoever made it, or CertificateSigningRequest manifests in YAML or JSON. A
// bare request gets the lifetime; a manifest has its own. The objects are what
// Submittable makes ready; nothing in them was looked at yet.
//
// Data that is no certificate signing request is an error, and so is one that
// holds a private key.
func Import(data []byte, lifetime time.Duration) ([]*certificatesv1.CertificateSigningRequest, error) {
	if !pki.IsPEM(data) && !pki.IsDER(data) {
		return importManifests(data)
	}
	encoded, err := importBytes(data)
	if err != nil {
		return nil, err
	}
	return []*certificatesv1.CertificateSigningRequest{newObject("", encoded, lifetime)}, nil
}

// importBytes checks that the bytes are a request; what is in it, is the
// review's. One that is too long to be looked into is left to the review, too.
func importBytes(data []byte) ([]byte, error) {
	encoded, err := pki.AsRequestPEM(data)
	if errors.Is(err, pki.ErrPrivateKey) {
		return nil, outcome.WithHint(err, "a private key is for its owner's eyes only: have her make a new one, and send the request alone")
	}
	if err != nil {
		return nil, err
	}
	if _, err := pki.DecodeRequest(encoded); err != nil && !errors.Is(err, pki.ErrOversized) {
		return nil, err
	}
	return encoded, nil
}

func importManifests(data []byte) ([]*certificatesv1.CertificateSigningRequest, error) {
	if err := document.Check(data); err != nil {
		return nil, err
	}
	var objects []*certificatesv1.CertificateSigningRequest
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		manifest, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(manifest)) == 0 {
			continue
		}
		object, err := importManifest(manifest)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	if len(objects) == 0 {
		return nil, errors.New("it is empty")
	}
	return objects, nil
}

// importManifest takes from a manifest what a requester may say: the name, labels
// and annotations, and of the spec what the API server does not set itself.
func importManifest(document []byte) (*certificatesv1.CertificateSigningRequest, error) {
	var kind metav1.TypeMeta
	if yaml.Unmarshal(document, &kind) != nil {
		// The file may be a kubeconfig, and the text of the YAML library quotes tokens.
		return nil, errors.New("it is neither PEM nor DER nor a manifest: invalid YAML")
	}
	if kind.APIVersion != certificatesv1.SchemeGroupVersion.String() || kind.Kind != objectKind {
		return nil, fmt.Errorf("it is neither PEM nor DER, and no manifest of a %s of %s: its kind is %q of %q",
			objectKind, certificatesv1.SchemeGroupVersion, kind.Kind, kind.APIVersion)
	}
	var manifest certificatesv1.CertificateSigningRequest
	if err := yaml.UnmarshalStrict(document, &manifest); err != nil {
		return nil, fmt.Errorf("the manifest can't be read: %w", err)
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
func Submittable(object *certificatesv1.CertificateSigningRequest) (*certificatesv1.CertificateSigningRequest, error) {
	parsed, err := pki.DecodeRequest(object.Spec.Request)
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
	return ready, nil
}

// CheckSubmitted says whether the object that stands under an imported one's name
// asks for the same: the same subject, key and extensions to the byte, signer and
// usages. Its lifetime may be another, for its review to show. The error is an
// outcome.ErrChanged that names the difference.
func CheckSubmitted(stored, wanted *certificatesv1.CertificateSigningRequest) error {
	var different string
	switch {
	case !sameRequest(stored.Spec.Request, wanted.Spec.Request):
		different = "the request itself"
	case stored.Spec.SignerName != wanted.Spec.SignerName:
		different = "the signer"
	case !slices.Equal(stored.Spec.Usages, wanted.Spec.Usages):
		different = "the usages"
	default:
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "certificate signing request %q is there already and is another one: %s is not the same", stored.Name, different),
		"look at it: %s", identity.NewCommand("kubectl csr-onboard approve").Argument(stored.Name).Words("--dry-run=client"))
}

func sameRequest(a, b []byte) bool {
	first, err := pki.DecodeRequest(a)
	if err != nil {
		return false
	}
	second, err := pki.DecodeRequest(b)
	return err == nil && first.AsksTheSame(second)
}
