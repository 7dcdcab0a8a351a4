package enforce

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

// deleteList deletes the list.
func (c *cluster) deleteList(t *testing.T) {
	t.Helper()
	if err := c.admin(t).CoreV1().ConfigMaps(access.BlockNamespace).Delete(t.Context(), access.BlockName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestRecreated_ANewListReplacesNothingUntilItIsAccepted(t *testing.T) {
	c := on(t, 1)
	n, admin := c.nodes[0], c.plane.Kubeconfig
	c.untilWell(t)
	viola, wanda, xenia := c.user(t, "viola"), c.user(t, "wanda"), c.user(t, "xenia")
	c.must(t, "revoke", "viola")
	c.must(t, "revoke", "wanda")
	ended := c.watchFor(t, viola)
	check := func(about string, want map[string]bool) {
		t.Helper()
		for kubeconfig, isWanted := range want {
			if isRefusedAt(t, kubeconfig, n.server) != isWanted {
				t.Errorf("%s: %s refused: %v", about, kubeconfig, !isWanted)
			}
		}
	}

	c.deleteList(t)
	c.untilProblem(t, "does not exist; what the last one refused stays refused")
	expect(t, c.run(t, admin, "revocations"), 1, "the list does not exist; what the last one refused stays refused", "hint: ", "revocations accept")
	expect(t, c.run(t, admin, "unrevoke", "viola"), 1, "is not on the list, but", "revocations accept")
	expect(t, c.run(t, admin, "revocations", "accept"), 4, "was not found", "backup")

	// A block creates the list. It does not permit anything to those who were revoked before.
	expect(t, c.must(t, "offboard", "xenia", "--block", "--yes"), 0, "blocked")
	c.untilProblem(t, `still refused, though not on the new list: the user "viola", the user "wanda"`)
	check("a list that a block created", map[string]bool{viola: true, wanda: true, xenia: true})

	// Also where the enforcer did not see the deletion.
	n.end()
	c.deleteList(t)
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	c.untilProblem(t, "does not exist; what the last one refused stays refused")
	n.end()
	expect(t, c.run(t, admin, "revoke", "wanda", "--timeout", "1s"), 1, "not known to be in force")
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	c.untilProblem(t, `still refused, though not on the new list: the user "viola", the user "xenia"`)
	check("a list of which the enforcer saw no more", map[string]bool{viola: true, wanda: true, xenia: true})
	expect(t, c.must(t, "revoke", "somebody else"), 0, "refused by 1 of 1", "what it refused is still refused at node-1")

	// Who is on the new list is unrevoked as always, and nobody is said to be who is not.
	expect(t, c.run(t, admin, "unrevoke", "wanda", "--timeout", "2s"), 1, "more than the list is in force: 2 entries of one that was deleted")
	check("unrevoked", map[string]bool{viola: true, wanda: false, xenia: true})
	expect(t, c.run(t, admin, "unrevoke", "viola"), 1, "is not on the list, but", "revocations accept")
	expect(t, c.run(t, admin, "doctor"), 1, "what it refused is still refused")

	expect(t, c.must(t, "revoke", "viola"), 0, "refused by 1 of 1")
	expect(t, c.must(t, "revocations", "accept", "--dry-run=client"), 0, "accepted the list (dry run)")
	expect(t, c.must(t, "revocations", "accept", "--dry-run=server"), 0, "accepted the list (server dry run)")
	check("a dry run", map[string]bool{xenia: true})
	expect(t, c.must(t, "revocations", "accept", "--timeout", "20s"), 0, "accepted the list: it alone is in force at 1 of 1 API server")
	check("accepted", map[string]bool{viola: true, wanda: false, xenia: false})
	expect(t, c.must(t, "revocations", "accept"), 0, "the list is already accepted")
	expect(t, c.must(t, "revocations"), 0, "in force at 1 of 1 API server")
	if passed := ended(); passed > 0 {
		t.Errorf("the revoked user passed %d times", passed)
	}

	// A copy of the list that was accepted is not accepted, so a backup ends nothing.
	stored, err := c.admin(t).CoreV1().ConfigMaps(access.BlockNamespace).Get(t.Context(), access.BlockName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.deleteList(t)
	stored.ResourceVersion, stored.UID, stored.Data = "", "", nil
	if _, err := c.admin(t).CoreV1().ConfigMaps(access.BlockNamespace).Create(t.Context(), stored, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.untilProblem(t, `still refused, though not on the new list: the user "somebody else", the user "viola"`)
	check("a copy without entries", map[string]bool{viola: true, wanda: false})
}
