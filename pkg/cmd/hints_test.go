package cmd

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// commandInHint matches a command of csr-onboard up to its end.
var commandInHint = regexp.MustCompile(`kubectl csr-onboard [^;)\n]*`)

// namesCluster checks that a command line, which has to end with a code, says something of csr-onboard to
// run next, and each time with a flag.
func (d *threeClusters) namesCluster(t *testing.T, code int, line, flag string, parts ...string) {
	t.Helper()
	out, errOut := d.runs(t, code, line)
	said := commandInHint.FindAllString(out+errOut, -1)
	if len(said) == 0 {
		t.Errorf("%s says nothing to run:\n%s%s", line, out, errOut)
	}
	for _, command := range said {
		if strings.Count(command, flag) != 1 {
			t.Errorf("%s says to run %q without %q", line, command, flag)
		}
	}
	for _, part := range parts {
		if !strings.Contains(out+errOut, part) {
			t.Errorf("%s: %q is missing in\n%s%s", line, part, out, errOut)
		}
	}
}

func TestHints_CommandsToRunNextAskTheSameCluster(t *testing.T) {
	d := newThreeClusters(t)
	// The current context is another one's, or none.
	const on, second = "kubectl csr-onboard --context prod-us ", "--context prod-us"
	if err := os.WriteFile("team.csv", []byte("name,groups\nrob,dev\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.namesCluster(t, 0, "new-user rob --dir rob --context prod-us", second, on+"approve rob-")
	d.namesCluster(t, 0, "new-user -f team.csv --dir team --context prod-us", second, on+"approve\n")
	d.namesCluster(t, 0, "new-user -f team.csv --dir teams --contexts dev,prod-us", "--contexts dev,prod-us", "approve --all --contexts")
	d.namesCluster(t, 0, "offboard rob --context prod-us --dry-run=client", second, on+"revoke rob", on+"offboard rob --block")
	d.namesCluster(t, 0, "offboard rob --contexts prod-us,dev --dry-run=client", "--context ", on+"revoke rob", "kubectl csr-onboard --context dev revoke rob")
	d.namesCluster(t, 4, "offboard zzz --yes --context prod-us", second, on+"offboard zzz --block")
	d.namesCluster(t, 4, "offboard zzz --yes --contexts prod-us,dev", "--context ", on+"offboard zzz --block")
	d.namesCluster(t, 1, "revoke gus --context prod-us", second, on+"offboard gus --block")
	d.namesCluster(t, 2, "approve --all --yes --context prod-us", second, on+"approve rob --fingerprint")
	d.namesCluster(t, 0, "doctor --context prod-us", second, on+"doctor --probe")
	d.namesCluster(t, 0, "doctor --contexts prod-us,dev", "--context ", on+"doctor --probe")
	d.namesCluster(t, 0, "doctor --context prod-us -o json", second)
	d.namesCluster(t, 0, "doctor --context prod-us --as admin --as-group system:masters", "--as admin", on+"--as admin --as-group system:masters doctor")
	d.says(t, 0, "offboard gus --block --yes --context prod-us")
	d.namesCluster(t, 6, "new-user gus --group a --dir gus --approve --context prod-us", second, on+"new-user gus --group a --approve --pin")
}

func TestHints_WhoIsMeantIsNamed(t *testing.T) {
	d := newDesk(t)
	d.says(t, 0, "revocations accept", "nothing to accept")
	d.says(t, 1, "fetch nosuchuser", "kubectl csr-onboard new-user nosuchuser;")
	d.says(t, 0, "new-user gus --dir gus --approve")
	d.says(t, 0, "offboard gus --yes")
	d.says(t, 6, "new-user gus --dir gus2 --approve", "kubectl csr-onboard approve gus --allow user-offboarded")
	d.says(t, 0, "new-user kim --dir kim --approve")
	d.says(t, 1, "revoke --certificate kim/kim.kubeconfig", "kubectl csr-onboard offboard kim --block --certificate kim/kim.kubeconfig")
	d.says(t, 0, "offboard kim --block --yes --certificate kim/kim.kubeconfig")
	out, _ := d.runs(t, 0, "offboard kim --unblock --certificate kim/kim.kubeconfig")
	if !strings.HasPrefix(out, "the certificate X509SHA256=") || !strings.HasSuffix(out, " of kim unblocked\n") {
		t.Errorf("it is said that %s", out)
	}
	d.says(t, 0, "revocations accept", "already accepted")
	d.says(t, 0, "offboard gus --block --yes")
	d.says(t, 0, "unrevoke gus --dry-run=client", `not revoked, but blocked: unblocked the user "gus"`)
	d.says(t, 0, "unrevoke gus", `not revoked, but blocked: unblocked the user "gus"`)
}

func TestHints_NoneNamesAFlagThatSeveralClustersRefuse(t *testing.T) {
	d := newThreeClusters(t)
	admin, err := os.ReadFile("admin.kubeconfig")
	if err == nil {
		// Nothing listens there.
		err = os.WriteFile("admin.kubeconfig", bytes.ReplaceAll(admin, []byte(d.servers["prod-us"].Endpoint.Server), []byte("https://127.0.0.1:1")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	const other = "--context, --kubeconfig and --server choose another cluster"
	d.says(t, 1, "list --context prod-us", "; "+other)
	for _, line := range []string{"list --contexts prod-us", "list --contexts prod-us,dev", "approve --all --yes --contexts prod-us,dev", "offboard rob --yes --contexts prod-us,dev", "new-user kim --dir kim --contexts prod-us,dev", "fetch kim --dir kim --contexts prod-us"} {
		out, errOut := d.runs(t, 1, line)
		if strings.Contains(out+errOut, other) || !strings.Contains(errOut, "nothing listens there: check the address") {
			t.Errorf("%s says\n%s%s", line, out, errOut)
		}
	}
}

func TestHints_WithoutFlagsNoneAreAdded(t *testing.T) {
	d := newDesk(t)
	for line, code := range map[string]int{"new-user rob --dir rob": 0, "offboard zzz --yes": 4, "revoke gus": 1, "doctor": 0} {
		out, errOut := d.runs(t, code, line)
		for _, command := range commandInHint.FindAllString(out+errOut, -1) {
			if strings.Contains(command, "csr-onboard -") || strings.Contains(command, "csr-onboard  ") {
				t.Errorf("%s says to run %q", line, command)
			}
		}
	}
}

func TestHints_NoCredentialIsInThem(t *testing.T) {
	d := newThreeClusters(t)
	_, errOut := d.runs(t, 1, "revoke gus --context prod-us --token hidden-token --as a;b")
	if strings.Contains(errOut, "hidden-token") {
		t.Errorf("a token is told:\n%s", errOut)
	}
}

func TestHints_WhichFlagsACommandAcceptsIsKnownOfEach(t *testing.T) {
	flags := identity.ClusterFlags{All: identity.NewCommand("ALL"), WithFiles: identity.NewCommand("ALL"), Kubeconfig: identity.NewCommand("FILE")}
	for _, command := range commands {
		want := "kubectl csr-onboard ALL " + command.name
		switch {
		case slices.Contains([]string{"renew", "status"}, command.name):
			want = "kubectl csr-onboard FILE " + command.name
		case slices.Contains([]string{"credential", "sign", "completion", "options", "version"}, command.name):
			want = "kubectl csr-onboard " + command.name
		}
		if got := flags.Complete("kubectl csr-onboard " + command.name); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestHints_FlagsBeforeTheCommandAreRead(t *testing.T) {
	d := newThreeClusters(t)
	d.says(t, 0, "--context prod-us new-user jane --dir jane", "submitted")
	d.says(t, 0, "--contexts prod-us,dev list", "prod-us   jane-")
	d.says(t, 0, "--contexts prod-us new-user kim --dir kim", "submitted")
	d.says(t, 0, "--kubeconfig admin.kubeconfig status", "prod-us")
	d.says(t, 0, "--context prod-us ledger", "")
}
