package enforce

import (
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

func TestRendered_ThePluginPrintsWhatTheEnforcerWrites(t *testing.T) {
	c := on(t, 1)
	n := c.nodes[0]
	c.untilWell(t)
	expect(t, c.run(t, c.plane.Kubeconfig, "revocations", "render", "--authorization-mode", "Node,RBAC"), 4, "was not found", "keep the file")
	yann := c.user(t, "yann")
	c.must(t, "revoke", "yann", "--reason", "left")
	c.must(t, "revoke", "--credential-id", "JTI=00000000-0000-0000-0000-000000000001")
	// Those who have their own tools: the same text, with the flag or the file of the node.
	for _, base := range [][]string{{"--authorization-mode", "Node,RBAC"}, {"--base", n.file("base.yaml")}, {"--base", n.file("authorization.yaml")}} {
		printed := c.must(t, append([]string{"revocations", "render", "--directory", n.directory}, base...)...)
		if text := read(t, n.file("authorization.yaml")); printed.Stdout != text || printed.Stderr != "" {
			t.Errorf("%q: %q\n%s\nwant %s", base, printed.Stderr, printed.Stdout, text)
		}
	}
	// The API server of the node loads it without an enforcer.
	n.end()
	c.run(t, c.plane.Kubeconfig, "unrevoke", "yann", "--timeout", "1s")
	if !isRefusedAt(t, yann, n.server) {
		t.Error("without an enforcer, nothing changes")
	}
	maps := c.admin(t).CoreV1().ConfigMaps(access.BlockNamespace)
	stored, err := maps.Get(t.Context(), access.BlockName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored.Data["user-zz"] = "nobody"
	if _, err := maps.Update(t.Context(), stored, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	printed := c.must(t, "revocations", "render", "--directory", n.directory, "--authorization-mode", "Node,RBAC")
	if !strings.Contains(printed.Stderr, "names nobody") {
		t.Errorf("%q", printed.Stderr)
	}
	next := n.file("next.yaml")
	write(t, next, printed.Stdout)
	if err := os.Rename(next, n.file("authorization.yaml")); err != nil {
		t.Fatal(err)
	}
	until(t, "the file that was distributed is in use", func() bool { return !isRefusedAt(t, yann, n.server) })
}
