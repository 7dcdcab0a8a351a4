package identity

import (
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestClusterFlags_EachCommandThatAsksAClusterGetsThemOnce(t *testing.T) {
	flags := ClusterFlags{
		All:        Command{}.Option("--kubeconfig", "a b").Option("--context", "two"),
		WithFiles:  Command{}.Option("--contexts", "two"),
		Kubeconfig: Command{}.Option("--kubeconfig", "a b"),
	}
	const on = "kubectl csr-onboard --kubeconfig 'a b' --context two "
	for _, test := range []struct{ text, want string }{
		{"kubectl csr-onboard approve", on + "approve"},
		{"kubectl csr-onboard offboard 'x; y --context one' --block", on + "offboard 'x; y --context one' --block"},
		{"see: kubectl csr-onboard list; or kubectl csr-onboard ledger release, then wait", "see: " + on + "list; or " + on + "ledger release, then wait"},
		{"review it:\n    kubectl csr-onboard approve jane\n    kubectl get csr --context one", "review it:\n    " + on + "approve jane\n    kubectl get csr --context one"},
		{"look: kubectl csr-onboard doctor --probe; or choose another: --context NAME", "look: " + on + "doctor --probe; or choose another: --context NAME"},
		{"(kubectl csr-onboard unrevoke) --context NAME", "(" + on + "unrevoke) --context NAME"},
		{"kubectl csr-onboard new-user jane --approve", "kubectl csr-onboard --contexts two new-user jane --approve"},
		{"kubectl csr-onboard new-user jane --approve --pin", on + "new-user jane --approve --pin"},
		{"kubectl csr-onboard fetch jane", "kubectl csr-onboard --contexts two fetch jane"},
		{"kubectl csr-onboard status", "kubectl csr-onboard --kubeconfig 'a b' status"},
		{"kubectl csr-onboard renew two", "kubectl csr-onboard --kubeconfig 'a b' renew two"},
		// What has been told which cluster to ask.
		{"kubectl csr-onboard fetch jane --context one", ""},
		{"kubectl csr-onboard approve jane --contexts=one,two", ""},
		{"kubectl csr-onboard renew --kubeconfig file", ""},
		{on + "list", ""},
		// What asks none.
		{"there, kubectl csr-onboard new-user NAME --offline; there, kubectl csr-onboard fetch NAME --from FILE --exec", ""},
		{"kubectl csr-onboard version; kubectl csr-onboard completion install; kubectl csr-onboard sign jane.csr; kubectl csr-onboard options; kubectl csr-onboard help", ""},
		{"see: kubectl csr-onboard approve --help", ""},
		{"kubectl csr-onboard ledger verify FILE --head HASH", ""},
		{"approved by jane with kubectl csr-onboard v1.0.0", ""},
		{"kubectl csr-onboard: the certificate has expired", ""},
		{"kubectl csr-onboard", ""},
		// A name, several, and a command behind them.
		{`the users "kubectl csr-onboard list" and "kubectl csr-onboard show", "kubectl csr-onboard deny": kubectl csr-onboard list`,
			`the users "kubectl csr-onboard list" and "kubectl csr-onboard show", "kubectl csr-onboard deny": ` + on + "list"},
		{`the users "a" and "kubectl csr-onboard approve jane"; kubectl csr-onboard list`, `the users "a" and "kubectl csr-onboard approve jane"; ` + on + "list"},
		{"kubectl csr-onboard offboard 'x --context one' --block", on + "offboard 'x --context one' --block"},
		{"kubectl csr-onboard offboard 'a b' 'c d'; --context one", on + "offboard 'a b' 'c d'; --context one"},
		{`the user "kubectl csr-onboard approve": kubectl csr-onboard list`, `the user "kubectl csr-onboard approve": ` + on + "list"},
	} {
		want := test.want
		if want == "" {
			want = test.text
		}
		got := flags.Complete(test.text)
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", test.text, got, want)
		}
		if again := flags.Complete(got); again != got {
			t.Errorf("%s: again, %s", got, again)
		}
		if got := (ClusterFlags{}).Complete(test.text); got != test.text {
			t.Errorf("%s: without flags, %s", test.text, got)
		}
	}
}

func TestClusterFlags_OneOfSeveralClustersChoosesNoOther(t *testing.T) {
	const hint = "check the network; " + outcome.OtherCluster
	if got := (ClusterFlags{IsOneOfSeveral: true}).Complete(hint); got != "check the network" {
		t.Errorf("%q", got)
	}
	if got := (ClusterFlags{}).Complete(hint); got != hint {
		t.Errorf("%q", got)
	}
}
