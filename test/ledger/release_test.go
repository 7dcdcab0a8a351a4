package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	controllers "github.com/csr-onboard/kubectl-csr-onboard/pkg/controller"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

// TestRelease_AfterAnUninstallNoRequestIsHeld has a control plane of its own.
func TestRelease_AfterAnUninstallNoRequestIsHeld(t *testing.T) {
	c, err := launch(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	requests := c.admin.CertificatesV1().CertificateSigningRequests()
	isHeld := func(name string) bool {
		object, err := requests.Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && slices.Contains(object.Finalizers, ledger.Finalizer)
	}
	for i := range 5 {
		submit(t, c.admin, fmt.Sprintf("held-%d", i), "held")
	}
	until(t, "all held", func() bool {
		for i := range 5 {
			if !isHeld(fmt.Sprintf("held-%d", i)) {
				return false
			}
		}
		return true
	})
	// Requests are held by the API server, also before the recorder leads.
	until(t, "a recorder leads", func() bool {
		lease, err := c.admin.CoordinationV1().Leases(ledger.Namespace).Get(t.Context(), controllers.LeaseName("ledger"), metav1.GetOptions{})
		return err == nil && lease.Spec.RenewTime != nil
	})
	if result := c.run(t, "ledger", "release"); result.Code != 6 || !strings.Contains(result.Stderr, "a recorder runs") {
		t.Errorf("while the recorder runs: %+v", result)
	}
	c.kill()
	// What waits for a recorder that never comes back.
	decide(t, c.admin, "held-0", certificatesv1.CertificateApproved)
	c.issued(t, "held-0")
	for i := range 3 {
		if err := requests.Delete(t.Context(), fmt.Sprintf("held-%d", i), metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// As if it had been silent for long enough.
	long := metav1.NewMicroTime(time.Now().Add(-time.Hour)).Format("2006-01-02T15:04:05.000000Z")
	patch := fmt.Appendf(nil, `{"spec":{"renewTime":%q}}`, long)
	if _, err := c.admin.CoordinationV1().Leases(ledger.Namespace).Patch(t.Context(), controllers.LeaseName("ledger"), types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	c.done(t, "ledger", "release")
	found, err := requests.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, object := range found.Items {
		names = append(names, object.Name)
		if slices.Contains(object.Finalizers, ledger.Finalizer) {
			t.Errorf("%s is held", object.Name)
		}
	}
	if !slices.Equal(names, []string{"held-3", "held-4"}) {
		t.Errorf("%v", names)
	}
	// Nor is a new one.
	until(t, "a new request that is not held", func() bool {
		name := fmt.Sprintf("after-%d", time.Now().UnixNano())
		submit(t, c.admin, name, "after")
		held := isHeld(name)
		if err := requests.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		return !held
	})
	c.done(t, "ledger", "release")
	if left, err := requests.List(t.Context(), metav1.ListOptions{}); err != nil || len(left.Items) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}
