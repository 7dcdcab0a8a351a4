package audit_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// TestRelease_ARecorderThatStartsMeanwhileEndsIt is for a recorder that adds the finalizer again as often
// as it is removed.
func TestRelease_ARecorderThatStartsMeanwhileEndsIt(t *testing.T) {
	w := onboardtest.New(t)
	if _, _, err := w.NewUser(t.Context(), onboardtest.Asked(t, "jane")); err != nil {
		t.Fatal(err)
	}
	requests := w.Cluster.Requests()
	name := w.Server.Names("certificatesigningrequests")[0]
	object, err := requests.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := requests.SetFinalizers(t.Context(), object, []string{ledger.Finalizer}); err != nil {
		t.Fatal(err)
	}
	w.Server.Answer = func(response http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, name) {
			return false
		}
		now := metav1.NewMicroTime(w.Now())
		w.Server.Put(t, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: ledger.RecorderLease, Namespace: ledger.RecorderNamespace},
			Spec:       coordinationv1.LeaseSpec{RenewTime: &now},
		})
		response.WriteHeader(http.StatusConflict)
		return true
	}
	if _, err := audit.Release(t.Context(), w.Program); !errors.Is(err, outcome.ErrRefused) {
		t.Errorf("%v", err)
	}
}
