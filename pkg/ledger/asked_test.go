package ledger

import (
	"math"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// recorded is a record that holds its request.
func recorded() *ClientCertificate {
	created, decided := metav1.NewTime(time.Unix(1000, 0)), metav1.NewTime(time.Unix(1001, 0))
	return &ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Name: "ab"},
		Spec: Spec{
			User: "jane", Groups: []string{"dev"}, Key: Key{Fingerprint: "SHA256:x", Algorithm: "ECDSA P-256"},
			Request:   &Request{Name: "jane-1", UID: "uid-1", CreatedAt: &created, DecidedAt: &decided, LifetimeSeconds: 3600},
			Requester: &Requester{User: "jane", Groups: []string{"dev", "ops"}, CredentialID: "X509SHA256=cd"}, //nolint:gosec // It names a certificate, and is not a secret.
			Decision:  &Decision{Reason: request.PolicyApprovedReason, Message: "approved", Policy: "renewals"},
		},
	}
}

func TestAsked_AReviewHasWhatTheRecordHolds(t *testing.T) {
	review, isKnown := recorded().ReviewOfRequest()
	if !isKnown || !review.IsDecoded() || review.User.Name != "jane" || !slices.Equal(review.User.Groups, []string{"dev"}) || review.Key != "ECDSA P-256" ||
		review.Requester != "jane" || review.Lifetime != time.Hour || review.State != request.Issued || len(review.Findings) != 0 {
		t.Fatalf("%v, %+v", isKnown, review)
	}
	object := review.Object
	if object.Name != "jane-1" || object.UID != "uid-1" || !object.CreationTimestamp.Time.Equal(time.Unix(1000, 0)) || object.Spec.SignerName != request.Signer ||
		!slices.Equal(object.Spec.Groups, []string{"dev", "ops"}) || object.Spec.Extra["authentication.kubernetes.io/credential-id"][0] != "X509SHA256=cd" {
		t.Errorf("%+v", object.CertificateSigningRequest)
	}
	if at := policy.ApprovedAt(object); !at.Equal(time.Unix(1001, 0)) {
		t.Errorf("approved by a policy at %s", at)
	}
}

func TestAsked_WhoAskedForWhomIsReviewed(t *testing.T) {
	record := recorded()
	record.Spec.User, record.Spec.Groups, record.Spec.Request.LifetimeSeconds = "system:admin", []string{"admins"}, 0
	review, _ := record.ReviewOfRequest()
	var names []string
	for _, finding := range review.Findings {
		names = append(names, finding.Name)
	}
	for _, want := range []string{"system-user", request.RequestedByOther, request.MoreThanRequester, request.NoLifetime} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing: %q", want, names)
		}
	}
}

func TestAsked_WithoutWhoAskedForWhatThereIsNoRequest(t *testing.T) {
	for about, change := range map[string]func(*Spec){
		"no request":           func(s *Spec) { s.Request = nil },
		"no time":              func(s *Spec) { s.Request.CreatedAt = nil },
		"no requester":         func(s *Spec) { s.Requester = nil },
		"no name of them":      func(s *Spec) { s.Requester.User = "" },
		"no key":               func(s *Spec) { s.Key.Fingerprint = "" },
		"another key":          func(s *Spec) { s.Problems = []string{AnotherKey} },
		"another subject":      func(s *Spec) { s.Problems = []string{RequestNotSeen, AnotherSubject} },
		"unreadable":           func(s *Spec) { s.Problems = []string{Unreadable} },
		"several certificates": func(s *Spec) { s.Problems = []string{SeveralCertificates} },
	} {
		record := recorded()
		change(&record.Spec)
		if review, isKnown := record.ReviewOfRequest(); isKnown {
			t.Errorf("%s: %+v", about, review)
		}
	}
}

func TestAsked_ALifetimeThatDoesNotFitIsTheLongest(t *testing.T) {
	record := recorded()
	record.Spec.Request.LifetimeSeconds = math.MaxInt64
	if review, _ := record.ReviewOfRequest(); review.Lifetime != math.MaxInt32*time.Second {
		t.Errorf("%s", review.Lifetime)
	}
}
