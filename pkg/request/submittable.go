package request

import (
	"slices"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Submittable makes the object that a file has (see package requestfile) ready to be submitted: its request in the
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

// CheckSubmitted reports whether the object that stands under the name of one from a file
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
