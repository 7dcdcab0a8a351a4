package renewal

import (
	"bytes"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

func TestUseCache_APairThatIsRenewedWhileTheCacheMovesMovesAsWell(t *testing.T) {
	w := onboardtest.New(t)
	p := w.As(t, "jane")
	directory, err := store.UserDirectoryOf(t.TempDir(), "", "jane")
	if err != nil {
		t.Fatal(err)
	}
	before := p.Cluster.Endpoint()
	before.ServerName = "before"
	cache, err := destination.CacheFor(directory, before, identity.User{Name: "jane"})
	if err != nil {
		t.Fatal(err)
	}
	put := func() *pair.Cached {
		encoded, err := kubeconfig.Encode(kubeconfig.Assemble(before, w.Server.Credentials(t, "jane"), kubeconfig.Names{Cluster: "test", Context: "jane"}, ""))
		if err == nil {
			err = cache.Prepare()
		}
		if err == nil {
			err = cache.UpdateKubeconfig(t.Context(), func([]byte) ([]byte, error) { return encoded, nil })
		}
		if err != nil {
			t.Fatal(err)
		}
		held, err := pair.ReadCache(cache)
		if err != nil {
			t.Fatal(err)
		}
		return held
	}
	seen, renewed := put(), put()
	if isMoved, err := moveHeld(t.Context(), p, cache, seen); err != nil || isMoved {
		t.Errorf("a pair that is not there any more is moved: %v, %v", isMoved, err)
	}
	if told := onboardtest.Told[CacheMoved](w); len(told) != 0 {
		t.Errorf("%+v", told)
	}
	if err := moveCache(t.Context(), p, cache); err != nil {
		t.Fatal(err)
	}
	held, err := pair.ReadCache(cache)
	if err != nil || !bytes.Equal(held.Credentials.Key, renewed.Credentials.Key) || held.Endpoint.DifferenceTo(p.Cluster.Endpoint()) != "" {
		t.Errorf("%+v, %v", held, err)
	}
	if told := onboardtest.Told[CacheMoved](w); len(told) != 1 {
		t.Errorf("%+v", told)
	}
}
