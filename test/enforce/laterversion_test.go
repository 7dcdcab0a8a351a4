package enforce

import (
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

// TestLaterVersion_AListOfALaterVersionChangesNothingAndIsSaid has a later version write the list in
// a form of its own: the file of an enforcer of this version stays, and so does who is refused.
func TestLaterVersion_AListOfALaterVersionChangesNothingAndIsSaid(t *testing.T) {
	c := on(t, 1)
	n := c.nodes[0]
	revoked, free := c.user(t, "later-lina"), c.user(t, "later-mo")
	c.untilWell(t)
	c.must(t, "revoke", "later-lina")
	c.untilWell(t)
	before, data := read(t, n.file("authorization.yaml")), c.listData(t)
	configMaps := c.admin(t).CoreV1().ConfigMaps(access.BlockNamespace)
	set := func(format string, data map[string]string) {
		t.Helper()
		stored, err := configMaps.Get(t.Context(), access.BlockName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if delete(stored.Annotations, access.FormatAnnotation); format != "" {
			metav1.SetMetaDataAnnotation(&stored.ObjectMeta, access.FormatAnnotation, format)
		}
		stored.Data = data
		if _, err := configMaps.Update(t.Context(), stored, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(about string) {
		t.Helper()
		c.untilProblem(t, `has the format "2" of a later version of csr-onboard`)
		if read(t, n.file("authorization.yaml")) != before || !isRefusedAt(t, revoked, n.server) || isRefusedAt(t, free, n.server) {
			t.Errorf("%s: refused %v and %v, or another file", about, isRefusedAt(t, revoked, n.server), isRefusedAt(t, free, n.server))
		}
	}
	later := map[string]string{"v2": "refuse later-mo", "user-6c617465722d6d6f": "user:later-mo"}
	set("2", later)
	check("an enforcer that runs")
	n.end()
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	check("an enforcer that starts")
	for _, arguments := range [][]string{{"revoke", "later-mo"}, {"unrevoke", "later-lina"}, {"revocations"}, {"offboard", "later-mo", "--block", "--yes"}} {
		expect(t, c.run(t, c.plane.Kubeconfig, arguments...), 6, `has the format "2" of a later version of csr-onboard`, "#upgrade")
	}
	if now := c.listData(t); !maps.Equal(now, later) {
		t.Errorf("the list was changed: %v", now)
	}
	set("", data)
	c.untilWell(t)
}
