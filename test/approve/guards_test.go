package approve

import (
	"path/filepath"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
)

const approverAccount = "system:serviceaccount:csr-onboard-system:approver"

func isRefused(err error, says string) bool { return err != nil && strings.Contains(err.Error(), says) }

// TestGuards_TheAPIServerRefusesWhatTheySay is for all guard rails of deploy/approver/guards, against
// administrators who can do everything. The approver works with them as without.
func TestGuards_TheAPIServerRefusesWhatTheySay(t *testing.T) {
	c := shared
	guards := filepath.Join("..", "..", "deploy", "approver", "guards")
	if err := c.plane.Kubectl(t.Context(), "", "apply", "-k", guards); err != nil {
		t.Fatal(err)
	}
	masters := []string{"system:masters"}
	admin := c.as(t, "guards-admin", masters, "")
	decidesOwn := func() error {
		own := c.submit(t, ask{user: "guards-own", by: "guards-admin", in: masters, lifetime: hour})
		t.Cleanup(func() { c.deleteAfter(t, []*csr{own}) })
		return approve(t, admin, own)
	}
	// The API server compiles policies a moment after they are stored, and forgets them a moment after.
	until(t, "four eyes", func() bool { return isRefused(decidesOwn(), "somebody else has to decide") })
	defer until(t, "the end of four eyes", func() bool { return decidesOwn() == nil })
	defer func() {
		if err := c.plane.Kubectl(t.Context(), "", "delete", "-k", guards); err != nil {
			t.Error(err)
		}
	}()
	other := c.submit(t, ask{user: "guards-other", lifetime: hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{other}) })
	if err := approve(t, admin, other); err != nil {
		t.Error(err)
	}
	// The one who sees it has every permission.
	result := c.runPlugin(t, "new-user", "guards-plugin", "--approve", "--dir", t.TempDir())
	if result.Code != 1 || !strings.Contains(result.Stderr, "somebody else has to decide") || !strings.Contains(result.Stderr, "hint: the cluster denies this by an admission policy or webhook") {
		t.Errorf("%+v", result)
	}
	for about, test := range map[string]struct {
		ask  ask
		says string
	}{
		"no lifetime":     {ask{user: "guards-forever"}, "a lifetime has to be requested"},
		"a long lifetime": {ask{user: "guards-long", lifetime: 91 * 24 * hour}, "longer than 90 days"},
		"a large request": {ask{user: "guards-" + strings.Repeat("a", 30_000), lifetime: hour}, "larger than 32 KiB"},
	} {
		jane := c.as(t, "guards-jane", nil, "")
		until(t, about, func() bool {
			object, err := jane.CertificatesV1().CertificateSigningRequests().Create(t.Context(), test.ask.object(t), metav1.CreateOptions{})
			if err == nil {
				t.Cleanup(func() { c.deleteAfter(t, []*csr{object}) })
			}
			return isRefused(err, test.says)
		})
	}
	c.guardWriters(t)
	c.guardAccount(t)
	c.apply(t, everything)
	good := c.submit(t, ask{user: "guards-good", lifetime: hour})
	left := c.submit(t, ask{user: "guards-left", groups: []string{"system:nodes"}, lifetime: hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{good, left}) })
	if got := c.await(t, good); got.what != "Approved" {
		t.Errorf("%+v", got)
	}
	if got := c.await(t, left); got.what != "LeftToPeople" {
		t.Errorf("%+v", got)
	}
	until(t, "the status of the policy", func() bool {
		status, _ := c.condition(t, "everything", policy.CompiledCondition)
		return status == "True"
	})
}

// guardWriters has somebody write a policy who can write every policy and approve nothing.
func (c *cluster) guardWriters(t *testing.T) {
	t.Helper()
	if err := c.plane.AddUser(t.Context(), "guards-writer", nil, rbacv1.PolicyRule{APIGroups: []string{policy.Group}, Resources: []string{"*"}, Verbs: []string{"*"}}); err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(c.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "guards-writer"}
	writer, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": policy.APIVersion, "kind": policy.Kind, "metadata": map[string]any{"name": "guards"}, "spec": map[string]any{"action": "Approve"},
	}}
	until(t, "a refusal of the writer", func() bool {
		policies := writer.Resource(policy.GroupVersion.WithResource(policy.Resource))
		_, err := policies.Create(t.Context(), object, metav1.CreateOptions{})
		if err == nil {
			err = policies.Delete(t.Context(), "guards", metav1.DeleteOptions{})
		}
		return isRefused(err, "users who write approval policies must be able to approve")
	})
}

// guardAccount has the approver's account, as a member of system:masters, do what it need not.
func (c *cluster) guardAccount(t *testing.T) {
	t.Helper()
	account := c.as(t, approverAccount, []string{"system:masters"}, "")
	until(t, "a refusal of the account", func() bool {
		maps := account.CoreV1().ConfigMaps("default")
		_, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "guards"}}, metav1.CreateOptions{})
		if err == nil {
			err = maps.Delete(t.Context(), "guards", metav1.DeleteOptions{})
		}
		return isRefused(err, "can only approve and deny requests")
	})
	_, err := account.CertificatesV1().CertificateSigningRequests().Create(t.Context(), ask{user: "guards-account", lifetime: hour}.object(t), metav1.CreateOptions{})
	if !isRefused(err, "can only approve and deny requests") {
		t.Errorf("%v", err)
	}
	foreign := ask{user: "guards-foreign", lifetime: hour, change: func(o *certificatesv1.CertificateSigningRequest) { o.Spec.SignerName = "example.com/signer" }}
	object := c.submit(t, foreign)
	t.Cleanup(func() { c.deleteAfter(t, []*csr{object}) })
	if err := approve(t, account, object); !isRefused(err, "can only decide about requests for client certificates") {
		t.Errorf("%v", err)
	}
	if err := account.CertificatesV1().CertificateSigningRequests().Delete(t.Context(), object.Name, metav1.DeleteOptions{}); !isRefused(err, "can only approve and deny requests") {
		t.Errorf("%v", err)
	}
}
