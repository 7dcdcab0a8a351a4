package identity

import "testing"

func TestCommand_ANameIsNeverAnOption(t *testing.T) {
	deletion := NewCommand("kubectl delete csr")
	for _, test := range []struct {
		command Command
		want    string
	}{
		{deletion.Argument("jane-x"), "kubectl delete csr jane-x"},
		{deletion.Argument("--all"), "kubectl delete csr -- --all"},
		{deletion.Argument("-A").Words("--wait=false"), "kubectl delete csr --wait=false -- -A"},
		{deletion.Argument("-"), "kubectl delete csr -- -"},
		{deletion.Argument("--kubeconfig=/tmp/evil").Argument("jane"), "kubectl delete csr -- --kubeconfig=/tmp/evil jane"},
		{deletion.Argument("a b").Argument(""), "kubectl delete csr 'a b' ''"},
		{deletion.Argument("--x y"), "kubectl delete csr -- '--x y'"},
		{deletion.Option("-n", "dev").Argument("jane"), "kubectl delete csr -n dev jane"},
		{deletion.Option("-n", "--all").Option("--as", "-x;reboot"), "kubectl delete csr -n=--all --as='-x;reboot'"},
		{deletion.Option("--filename", "-"), "kubectl delete csr --filename -"},
		{NewCommand("chmod 600").File("-R"), "chmod 600 ./-R"},
		{NewCommand("chmod 600").File("/home/jane/-R"), "chmod 600 /home/jane/-R"},
		{Command{}.Option("--allow", "sans-present"), "--allow sans-present"},
	} {
		if got := test.command.String(); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

func TestCommand_CommandsThatBeginAlikeAreApart(t *testing.T) {
	begin := NewCommand("kubectl get csr").Argument("a")
	first, second := begin.Words("-o yaml"), begin.Words("-w")
	if first.String() != "kubectl get csr a -o yaml" || second.String() != "kubectl get csr a -w" || begin.String() != "kubectl get csr a" {
		t.Errorf("%s; %s; %s", begin, first, second)
	}
}
