package enforce

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// set puts data in the place of the list's.
func (c *cluster) set(t *testing.T, data map[string]string) {
	t.Helper()
	maps := c.admin(t).CoreV1().ConfigMaps(access.BlockNamespace)
	stored, err := maps.Get(t.Context(), access.BlockName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored.Data = data
	if _, err := maps.Update(t.Context(), stored, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func keyOf(prefix, name string) string { return prefix + hex.EncodeToString([]byte(name)) }

// systemUsers are the users that Kubernetes' control plane logs in as, or could.
var systemUsers = []string{
	"system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", "system:anonymous", "system:admin",
	"system:serviceaccount:kube-system:certificate-controller", "system:serviceaccount:kube-system:namespace-controller",
	"system:serviceaccount:kube-system:generic-garbage-collector", "system:serviceaccount:kube-system:clusterrole-aggregation-controller",
}

// TestLimits_TheControlPlaneWorksWhateverIsOnTheList has the list as long as a ConfigMap can be.
func TestLimits_TheControlPlaneWorksWhateverIsOnTheList(t *testing.T) {
	c := on(t, 1)
	n := c.nodes[0]
	c.untilWell(t)
	free, dora := c.user(t, "eve"), c.user(t, "dan")
	c.must(t, "revoke", "dan")

	// 10,000 users.
	users := program.Times(10_000, 1000)
	data := map[string]string{keyOf("user-", "dan"): "user:dan"}
	for i := range users {
		name := fmt.Sprintf("u%d", i)
		data[keyOf("user-", name)] = "user:" + name
	}
	c.set(t, data)
	c.untilWell(t)
	if reports := c.reports(t); reports[0].Entries != users+1 {
		t.Errorf("%d entries are in force", reports[0].Entries)
	}
	if isRefusedAt(t, free, n.server) || !isRefusedAt(t, dora, n.server) {
		t.Errorf("with %d entries", users)
	}

	// 5,000 certificates, the control plane's own among them, and every user of its: more than the
	// plugin puts on the list.
	data = map[string]string{keyOf("user-", "dan"): "user:dan"}
	own := credentialID(t, filepath.Join(c.plane.Directory, "controller-manager.kubeconfig"))
	data[keyOf("credential-", own)] = "credential:" + own
	for _, name := range systemUsers {
		data[keyOf("user-", name)] = "user:" + name
	}
	for i := range 5000 {
		id := fmt.Sprintf("X509SHA256=%064x", i)
		data[keyOf("credential-", id)] = "credential:" + id
	}
	c.set(t, data)
	c.untilProblem(t, "never refused")
	until(t, "in force", func() bool { return isRefusedAt(t, dora, n.server) && c.reports(t)[0].Entries == 5002 })
	if isRefusedAt(t, free, n.server) {
		t.Error("who is not on the list is refused")
	}
	// The controllers work: a request is signed, a namespace goes, what belongs to nothing is
	// collected.
	c.must(t, "new-user", "fay", "--approve", "--dir", t.TempDir())
	admin := c.admin(t)
	if _, err := admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "passing"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := admin.CoreV1().Namespaces().Delete(t.Context(), "passing", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "a namespace is gone", func() bool {
		_, err := admin.CoreV1().Namespaces().Get(t.Context(), "passing", metav1.GetOptions{})
		return err != nil
	})

	// The plugin refuses to add to it, and everything else stays as it is.
	expect(t, c.run(t, c.plane.Kubeconfig, "revoke", "--credential-id", fmt.Sprintf("X509SHA256=%064x", 99_999)), 6, "a ConfigMap has at most", "hint: ")
	if !isRefusedAt(t, dora, n.server) {
		t.Error("the list is not in force any more")
	}
}
