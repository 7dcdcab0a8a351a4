package e2e

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// A request may be called like an option. Every command that the program tells to copy
// is about that request alone, for kubectl as for csr-onboard.
func TestOptionLike_ARequestCalledLikeAnOptionIsNoOption(t *testing.T) {
	s := newSession(t, shared)
	requests := s.client().CertificatesV1().CertificateSigningRequests()
	const name = "--all"
	bystander := create(t, s, "option-like-bystander", identity.User{Name: "option-like-bystander"})
	create(t, s, name, identity.User{Name: "option-like"})
	t.Cleanup(func() { _ = requests.Delete(context.Background(), name, metav1.DeleteOptions{}) })

	if review := s.run("approve", "--dry-run=client", "--", name); review.Code != 6 || !strings.Contains(review.Stdout, identity.OptionLikeName) {
		t.Errorf("exit code %d, and the review is\n%s%s", review.Code, review.Stdout, review.Stderr)
	}
	if refused := s.run("approve", "--yes", "--", name); refused.Code != 6 || !strings.Contains(refused.Stderr, identity.OptionLikeName) {
		t.Errorf("exit code %d\n%s", refused.Code, refused.Stderr)
	}
	denied := s.run("deny", "--yes", "--message", "no", "--", name)
	if denied.Code != 0 {
		t.Fatalf("exit code %d\n%s", denied.Code, denied.Stderr)
	}
	object, err := requests.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if request.StateOf(request.Of(object)) != request.Denied {
		t.Errorf("it is %s", request.StateOf(request.Of(object)))
	}
	// As package request tells it of a denied request.
	s.shell(identity.NewCommand("kubectl delete csr").Argument(name).String())
	if _, err := requests.Get(t.Context(), name, metav1.GetOptions{}); err == nil {
		t.Error("the command to copy has not deleted it")
	}
	if _, err := requests.Get(t.Context(), bystander.Name, metav1.GetOptions{}); err != nil {
		t.Errorf("the command to copy has deleted another request: %v", err)
	}
	if refused := s.run("new-user", "--", "--kubeconfig=/tmp/evil"); refused.Code != 6 || !strings.Contains(refused.Stderr, identity.OptionLikeName) {
		t.Errorf("exit code %d\n%s", refused.Code, refused.Stderr)
	}
}
