package resources_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
)

// attempts call the API server in every way.
func attempts(t *testing.T, server *clustertest.Server) map[string]func() error {
	t.Helper()
	client := server.Admin(t).Resources()
	records, err := client.Records()
	if err != nil {
		t.Fatal(err)
	}
	policies, err := client.Policies()
	if err != nil {
		t.Fatal(err)
	}
	ctx, record := t.Context(), &ledger.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Name: "one", UID: "uid"}}
	return map[string]func() error{
		"list": func() error {
			_, err := records.EachPage(ctx, "", func([]*ledger.ClientCertificate) error { return nil })
			return records.WhyNotServed(ctx, err)
		},
		"get":    func() error { _, err := records.Get(ctx, "one"); return err },
		"create": func() error { _, _, err := records.Create(ctx, record); return err },
		"update": func() error { _, err := records.UpdateStatus(ctx, record); return err },
		"list policies": func() error {
			_, err := policies.EachPage(ctx, "", func([]*policy.ApprovalPolicy) error { return nil })
			return policies.WhyNotServed(ctx, err)
		},
	}
}

func TestLaterVersion_IsNotTakenForAResourceThatIsNotInstalled(t *testing.T) {
	for resource, doing := range map[string][]string{
		ledger.Resource: {"list", "get", "create", "update"},
		policy.Resource: {"list policies"},
	} {
		server := clustertest.New(t)
		server.Answer = clustertest.ServedOnlyIn("v1beta1", resource)
		for _, name := range doing {
			err := attempts(t, server)[name]()
			if !errors.Is(err, outcome.ErrRefused) || errors.Is(err, resources.ErrNotInstalled) ||
				!strings.Contains(err.Error(), "serves "+resource+".csr-onboard.github.io in v1beta1 only") || !strings.Contains(outcome.Hint(err), "#upgrade") {
				t.Errorf("%s: %v, hint %q", name, err, outcome.Hint(err))
			}
		}
	}
}

func TestLaterVersion_OfAnotherResourceSaysNothingOfThisOne(t *testing.T) {
	others := clustertest.ServedOnlyIn("v1beta1", "others")
	missing := clustertest.ServedOnlyIn("v1beta1", ledger.Resource)
	for about, isAnswered := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"the later version has another resource": others,
		"the group has no version": func(http.ResponseWriter, *http.Request) bool {
			return false
		},
		"the group cannot be read": func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Count(r.URL.Path, "/") == 2 {
				clustertest.Respond(w, http.StatusForbidden, metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden})
				return true
			}
			return false
		},
	} {
		server := clustertest.New(t)
		server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			return isAnswered(w, r) || strings.Contains(r.URL.Path, ledger.Resource) && missing(w, r)
		}
		if err := attempts(t, server)["list"](); !errors.Is(err, resources.ErrNotInstalled) || !strings.Contains(outcome.Hint(err), "/ledger.md#install") {
			t.Errorf("%s: %v, hint %q", about, err, outcome.Hint(err))
		}
	}
}

// TestLaterVersion_AnAPIServerThatFailsIsNotOneWithoutTheResource is for the approver, to which a ledger that
// is not installed has no certificates.
func TestLaterVersion_AnAPIServerThatFailsIsNotOneWithoutTheResource(t *testing.T) {
	server := clustertest.New(t)
	later := clustertest.ServedOnlyIn("v1beta1", ledger.Resource)
	server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/v1beta1") {
			w.WriteHeader(http.StatusNotImplemented)
			return true
		}
		return later(w, r)
	}
	if err := attempts(t, server)["list"](); err == nil || errors.Is(err, resources.ErrNotInstalled) {
		t.Errorf("%v", err)
	}
}
