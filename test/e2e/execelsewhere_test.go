package e2e

import (
	"os"
	"strings"
	"testing"
)

const worksHereOnly = "warning: a kubeconfig with --exec works on this machine only"

func TestExecElsewhere_AnAdministratorIsToldThatAnExecKubeconfigIsOfThisMachine(t *testing.T) {
	admin := newSession(t, shared)
	made := admin.must("new-user", "exec-elsewhere", "--approve", "--exec", "--out", "exec-elsewhere.kubeconfig")
	if n := strings.Count(made.Stderr, worksHereOnly); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, made.Stderr)
	}

	// Copied to the user's machine, where the cache is not.
	user := withoutCluster(t, shared)
	bring(admin, user, "exec-elsewhere.kubeconfig")
	if err := os.RemoveAll(admin.path(".kube")); err != nil {
		t.Fatal(err)
	}
	if whoami := user.kubectl("--kubeconfig", "exec-elsewhere.kubeconfig", "auth", "whoami"); whoami.Code == 0 || !strings.Contains(whoami.Stderr, "new-user NAME --offline") {
		t.Errorf("exit code %d, and the way that works is not said:\n%s", whoami.Code, whoami.Stderr)
	}

	// That way works.
	user.must("new-user", "exec-elsewhere", "--offline", "--dir", ".")
	bring(user, admin, "exec-elsewhere.csr")
	admin.must(append(admin.byFingerprint("exec-elsewhere.csr"), "--out", "exec-elsewhere.handoff.yaml")...)
	bring(admin, user, "exec-elsewhere.handoff.yaml")
	if fetched := user.must(append([]string{"fetch", "exec-elsewhere", "--from", "exec-elsewhere.handoff.yaml", "--dir", ".", "--exec", "--out", "own.kubeconfig"}, confirmed(t, shared)...)...); strings.Contains(fetched.Stderr, worksHereOnly) {
		t.Errorf("the user is warned of their own machine:\n%s", fetched.Stderr)
	}
	if whoami := user.kubectl("--kubeconfig", "own.kubeconfig", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); whoami.Stdout != "exec-elsewhere" {
		t.Errorf("the user is logged in as %q\n%s", whoami.Stdout, whoami.Stderr)
	}
}

func TestExecElsewhere_ATeamsExecKubeconfigsAreOfThisMachineAndThatIsSaidOnce(t *testing.T) {
	admin := newSession(t, shared)
	admin.write("team.csv", "name\nexec-team-1\nexec-team-2\nexec-team-3\n")
	made := admin.must("new-user", "-f", "team.csv", "--approve", "--exec", "--dir", "team")
	if n := strings.Count(made.Stderr, worksHereOnly); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, made.Stderr)
	}
}
