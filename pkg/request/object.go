// Package request knows CertificateSigningRequest objects
// (certificates.k8s.io/v1): how one is built, what state it is in, what an
// administrator should know about it before they decide, and how a decision is
// written into it.
//
// Everything here is a pure function of the object, so that every command says
// the same about the same object. It trusts what the API server itself wrote
// (spec.username, uid, groups) and the request bytes it decoded; names, labels
// and annotations are the requester's to choose and mean nothing.
package request

import (
	"cmp"
	"crypto"
	"fmt"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Signer is the one signer of Kubernetes' own whose certificates log in to the API
// server, and the one that csr-onboard submits to and approves for unless it is told
// another.
const Signer = certificatesv1.KubeAPIServerClientSignerName

// UserLabel is the label that holds UserLabelValue of the user's name, by which the
// API server can leave out the requests of everybody else. It saves time where the
// request for a key is looked for, and proves nothing: the author of an object chooses
// its labels, so that a search for a user's requests must not rely on it. It is the
// only one: each costs the API server a tenth of its work for a request, in the
// managed fields of every write.
const UserLabel = "csr-onboard.github.io/user"

// UserLabelValue is the value of UserLabel for a user: a hash, because names hold
// characters that labels cannot.
func UserLabelValue(name string) string { return identity.Digest(32, []byte(name)) }

// usages asks for client authentication alone: an allow-list of one. The
// signer permits digital signature and key encipherment too, and TLS 1.3 needs
// neither.
var clientUsages = []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth}

// Terms is what a request object says in addition to the PKCS#10 request in it.
type Terms struct {
	// Lifetime is what to ask for, in whole seconds; the cluster may give less.
	// Required.
	Lifetime time.Duration
	// Signer is who is to sign it (see ParseSigner). Optional; Signer if empty.
	Signer string
	// Name is the object's (see ParseName). Optional; the one that ObjectName derives
	// if empty.
	Name string
}

// Build makes the object to submit: the request in PEM, with exactly the usage "client
// auth".
func Build(wanted *pki.Request, terms Terms) *Request {
	user := wanted.User()
	signer := cmp.Or(terms.Signer, Signer)
	name := cmp.Or(terms.Name, objectNameFor(signer, user, wanted.PublicKey))
	object := NewObject(name, wanted.PEM(), terms.Lifetime)
	object.Spec.SignerName = signer
	object.Labels[UserLabel] = UserLabelValue(user.Name)
	return holding(object, wanted.Alone())
}

// ObjectKind is the kind of a request object.
const ObjectKind = "CertificateSigningRequest"

// NewObject makes an object for Signer, with exactly the usage "client auth", that asks for a lifetime.
// The name may be empty until it is submitted.
func NewObject(name string, requestPEM []byte, lifetime time.Duration) *certificatesv1.CertificateSigningRequest {
	return &certificatesv1.CertificateSigningRequest{
		TypeMeta: metav1.TypeMeta{
			APIVersion: certificatesv1.SchemeGroupVersion.String(),
			Kind:       ObjectKind,
		},
		ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: map[string]string{},
		},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:           requestPEM,
			SignerName:        Signer,
			ExpirationSeconds: ExpirationSeconds(lifetime),
			Usages:            slices.Clone(clientUsages),
		},
	}
}

// ObjectName derives an object's name from what it asks of Signer: the slug of the
// user's name and ten characters of a hash over user, groups, signer and
// public key. It cannot be guessed before the key exists, and the holder of the
// key finds their request again without having kept its name. No name begins
// with "csr-", because Amazon EKS never issues those.
func ObjectName(user identity.User, key crypto.PublicKey) string {
	return objectNameFor(Signer, user, key)
}

func objectNameFor(signer string, user identity.User, key crypto.PublicKey) string {
	parts := [][]byte{[]byte(signer), []byte(pki.Fingerprint(key)), []byte(user.Name)}
	for _, group := range slices.Sorted(slices.Values(user.Groups)) {
		parts = append(parts, []byte(group))
	}
	slug := identity.Slug(user.Name)
	if strings.HasPrefix(slug+"-", neverIssued) {
		slug = "user-" + slug
	}
	return slug + "-" + identity.Digest(10, parts...)
}

// CheckOwn reports whether an object that stands under a name of ours is the
// request we made: the same key, user and groups, signer and usages. The error
// is an outcome.ErrChanged that names the difference.
func CheckOwn(object *Request, key crypto.PublicKey, user identity.User, signer string) error {
	parsed, err := parseFor(object, key)
	switch {
	case err != nil:
		return err
	case !parsed.User().Equal(user):
		return madeOtherwise(object, parsed, "it is for %s", parsed.Subject)
	case object.Spec.SignerName != signer:
		return madeOtherwise(object, parsed, "it is for the signer %q", object.Spec.SignerName)
	case !onlyClientAuth(object.Spec.Usages):
		return madeOtherwise(object, parsed, "its usages are %q", object.Spec.Usages)
	}
	return nil
}

// UserByHand is the user of a request that another tool made with a key, such as openssl
// and kubectl apply: the one that its common name and its organizations say. A request that
// is not for the key, or whose certificate could not log in as that user, is an
// outcome.ErrChanged that names the difference.
func UserByHand(object *Request, key crypto.PublicKey) (identity.User, error) {
	parsed, err := parseFor(object, key)
	if err != nil {
		return identity.User{}, err
	}
	switch names := parsed.Subject.Count(pki.CommonName); {
	case names != 1:
		err = notUsable(object, "its subject %s has %d common names, not one", parsed.Subject, names)
	case !PermittedUsages(object.Spec.Usages):
		err = notUsable(object, "its usages are %q, and \"client auth\" is what logs in", object.Spec.Usages)
	}
	return parsed.User(), err
}

// parseFor is the request in an object, unless it is for another key.
func parseFor(object *Request, key crypto.PublicKey) (*pki.Request, error) {
	parsed, err := object.VerifiedPKCS10()
	var difference string
	switch {
	case err != nil:
		difference = err.Error()
	case !pki.SamePublicKey(parsed.PublicKey, key):
		difference = "it is for the key " + pki.Fingerprint(parsed.PublicKey)
	default:
		return parsed, nil
	}
	return nil, outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "certificate signing request %q was not created with this key: %s", object.Name, difference),
		"somebody else created it; ask an administrator to review it: %s", identity.NewCommand("kubectl describe csr").Argument(object.Name))
}

// madeOtherwise is the error of a request for the right key that asks for something else.
func madeOtherwise(object *Request, parsed *pki.Request, format string, arguments ...any) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "certificate signing request %q was created with this key, but differs: %s", object.Name, fmt.Sprintf(format, arguments...)),
		"to complete that one as it is: %s", identity.NewCommand("kubectl csr-onboard fetch").Argument(parsed.User().Name).Words("--key FILE").Option("--request-name", object.Name))
}

func notUsable(object *Request, format string, arguments ...any) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "certificate signing request %q cannot be used to log in: %s", object.Name, fmt.Sprintf(format, arguments...)),
		"create the request again with one CN, an O for each group, and the usage \"client auth\"")
}

func onlyClientAuth(usages []certificatesv1.KeyUsage) bool {
	return len(usages) == 1 && usages[0] == certificatesv1.UsageClientAuth
}

// PermittedUsages is the kube-apiserver-client signer's own rule (Kubernetes
// pkg/controller/certificates/signer): client auth is required, two others are
// optional, and anything else fails the request after its approval.
func PermittedUsages(usages []certificatesv1.KeyUsage) bool {
	clientAuth := false
	for _, usage := range usages {
		switch usage {
		case certificatesv1.UsageClientAuth:
			clientAuth = true
		case certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment:
		default:
			return false
		}
	}
	return clientAuth
}
