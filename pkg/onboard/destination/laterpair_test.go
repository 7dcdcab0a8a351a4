package destination

import (
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

func TestLaterPair_APairThatDoesNotExpireEarlierIsLater(t *testing.T) {
	authority, jane := newTestAuthority(t, "kubernetes"), identity.User{Name: "jane"}
	standing := authority.pair(t, jane, 10*time.Hour, kubeconfig.Endpoint{}).Certificate
	later := authority.pair(t, jane, 10*time.Hour, kubeconfig.Endpoint{}).Certificate
	for about, test := range map[string]struct {
		difference time.Duration
		want       bool
	}{
		"expires earlier":            {time.Second, false},
		"expires in the same second": {0, true},
		"expires later":              {-time.Second, true},
	} {
		incoming := *later.Leaf
		incoming.NotAfter = standing.Leaf.NotAfter.Add(test.difference)
		other := *later
		other.Leaf = &incoming
		if got := isLater(standing, &other); got != test.want {
			t.Errorf("%s: %v, want %v", about, got, test.want)
		}
		if text := laterPairKept(standing, &other, "it").Error(); test.difference == 0 && !strings.Contains(text, "expires when the new one does") {
			t.Errorf("it says %q", text)
		}
	}
	if isLater(standing, standing) {
		t.Error("a pair is later than itself")
	}
}
