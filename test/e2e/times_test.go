package e2e

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

func TestTimes_ACertificateOfSeventyYearsIsRenewedForAsLongAsCanBeAsked(t *testing.T) {
	user := identity.User{Name: "seventy-years"}
	s := holder(t, shared, user, time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), time.Now().AddDate(70, 0, 0))
	result := s.run("renew", "--wait=false")
	if want := "a request can ask for at most 68y"; result.Code != 0 || !strings.Contains(result.Stderr, want) {
		t.Fatalf("exit %d, want %q in: %s", result.Code, want, result.Stderr)
	}
	requests := submittedBy(t, s.client(), user.Name)
	if len(requests) != 1 || requests[0].Spec.ExpirationSeconds == nil || *requests[0].Spec.ExpirationSeconds != math.MaxInt32 {
		t.Errorf("the requests are %+v", requests)
	}
	for _, arguments := range [][]string{{"status"}, {"status", "-o", "json"}, {"renew", "--exec", "--within", "1s"}} {
		s.must(arguments...)
	}
	if got := s.whoami(); got.Stdout != user.Name {
		t.Errorf("from the cache, kubectl is %q: %s", got.Stdout, got.Stderr)
	}
}
