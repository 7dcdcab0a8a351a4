package newuser

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli/clitest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// ownKey is where the key of the user jane is without --dir.
var ownKey = filepath.Join(clitest.Home, ".kube", "csr-onboard", "jane", "jane.key")

// asked is what new-user asks for jane without any flag, with a change.
func asked(change func(*onboard.NewUserInput)) onboard.NewUserInput {
	in := onboard.NewUserInput{
		User: identity.User{Name: "jane"}, KeyAlgorithm: pki.DefaultKeyAlgorithm, Lifetime: request.DefaultLifetime,
		Signer: request.Signer, DryRun: onboard.DryRunNone,
	}
	if change != nil {
		change(&in)
	}
	return in
}

func TestInput_TheInputOfANewUserIsWhatWasTyped(t *testing.T) {
	for _, test := range []struct {
		arguments []string
		want      onboard.NewUserInput
		key       string
	}{
		{[]string{"jane"}, asked(nil), ownKey},
		{[]string{"jane", "--dir", "d", "--wait"}, asked(nil), filepath.Join("d", "jane.key")},
		{[]string{"jane", "-g", "dev", "--group", "ops", "--approve"}, asked(func(in *onboard.NewUserInput) { in.User.Groups = []string{"dev", "ops"} }), ownKey},
		{[]string{"jane", "--key-algorithm", "ed25519", "--expiration", "8h"}, asked(func(in *onboard.NewUserInput) {
			in.KeyAlgorithm, in.RequireAlgorithm, in.Lifetime = "ed25519", true, 8*time.Hour
			in.LifetimeSource = "--expiration"
		}), ownKey},
		{[]string{"jane", "--key", "k.pem", "--request-name", "r", "--signer-name", "example.com/s"}, asked(func(in *onboard.NewUserInput) {
			in.KeyFile, in.RequestName, in.Signer = "k.pem", "r", "example.com/s"
		}), ownKey},
		{[]string{"jane", "--dry-run=client"}, asked(func(in *onboard.NewUserInput) { in.DryRun = onboard.DryRunClient }), ownKey},
		{[]string{"jane", "--dry-run=server"}, asked(func(in *onboard.NewUserInput) { in.DryRun = onboard.DryRunServer }), ownKey},
	} {
		o, err := clitest.Run[*newUserOptions](t, New, test.arguments...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
			continue
		}
		checkInput(t, test.arguments, o.input, test.want, test.key)
	}
}

func TestInput_NothingIsOnAClusterOffline(t *testing.T) {
	o, err := clitest.Run[*newUserOptions](t, New, "jane", "--offline")
	if err != nil {
		t.Fatal(err)
	}
	checkInput(t, []string{"--offline"}, o.offlineInput(), asked(func(in *onboard.NewUserInput) { in.DryRun = onboard.DryRunClient }), ownKey)
}

func checkInput(t *testing.T, arguments []string, got, want onboard.NewUserInput, key string) {
	t.Helper()
	if got.Directory.KeyPath() != key {
		t.Errorf("%q: the key is in %q, not in %q", arguments, got.Directory.KeyPath(), key)
	}
	got.Directory = store.UserDirectory{}
	if len(got.User.Groups) == 0 {
		got.User.Groups = nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q:\n got %+v\nwant %+v", arguments, got, want)
	}
}

func TestInput_TheFetchOfANewUserIsWhatWasTyped(t *testing.T) {
	for _, test := range []struct {
		arguments     []string
		name, resumes string
		want          destination.Input
	}{
		{[]string{"jane", "--wait"}, "jane", "kubectl csr-onboard fetch jane", destination.Input{}},
		{[]string{"jane", "--approve", "--request-name", "r", "--dir", "d"}, "r", "kubectl csr-onboard fetch r --dir d", destination.Input{}},
		{[]string{"jane", "--wait", "--out", "f", "--overwrite"}, "jane", "kubectl csr-onboard fetch jane", destination.Input{Path: "f", Overwrite: true}},
		{[]string{"jane", "--wait", "--certificate-only"}, "jane", "kubectl csr-onboard fetch jane --certificate-only", destination.Input{CertificateOnly: true}},
		{[]string{"jane", "--approve", "--context-name", "x", "--default-namespace", "n"}, "jane", "kubectl csr-onboard fetch jane", destination.Input{ContextName: "x", Namespace: "n"}},
	} {
		o, err := clitest.Run[*newUserOptions](t, New, test.arguments...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
			continue
		}
		got := o.fetchInput()
		submitted := "jane-abc"
		if o.RequestName != "" {
			submitted = o.RequestName
		}
		if resumes := got.ResumeRequest(submitted); resumes != test.resumes {
			t.Errorf("%q: it is resumed by %q, want %q", test.arguments, resumes, test.resumes)
		}
		if got.Name != test.name || got.Resume != test.resumes || !reflect.DeepEqual(got.Kubeconfig, test.want) {
			t.Errorf("%q: got %q, %q, %+v\nwant %q, %q, %+v", test.arguments, got.Name, got.Resume, got.Kubeconfig, test.name, test.resumes, test.want)
		}
	}
}

// TestInput_AWaitForAnotherSignerIsResumedByTheRequestsName is for a request that fetch does not find by
// its user: the user can have one for the signer of the cluster as well.
func TestInput_AWaitForAnotherSignerIsResumedByTheRequestsName(t *testing.T) {
	o, err := clitest.Run[*newUserOptions](t, New, "jane", "--wait", "--signer-name", "example.com/s")
	if err != nil {
		t.Fatal(err)
	}
	if got := o.fetchInput().ResumeRequest("jane-abc"); got != "kubectl csr-onboard fetch jane-abc" {
		t.Errorf("it is resumed by %q", got)
	}
}

func TestInput_TheInputOfATeamIsTheFileAndWhatWasTyped(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"open.yaml": "",
		"said.yaml": "  groups: [ops]\n  expiration: 8h\n  keyAlgorithm: ed25519\n  clusterRoles: [view]\n",
	} {
		const head = "apiVersion: csr-onboard.github.io/v1alpha1\nkind: Team\nusers:\n- name: jane\n"
		if err := os.WriteFile(name, []byte(head+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	view := access.Grant{Role: access.Role{IsCluster: true, Name: "view"}}
	said := func(in *onboard.NewUserInput) {
		in.User.Groups, in.Lifetime, in.KeyAlgorithm, in.RequireAlgorithm = []string{"ops"}, 8*time.Hour, "ed25519", true
		in.LifetimeSource = "the file"
	}
	for _, test := range []struct {
		arguments []string
		want      team.Input
		member    onboard.NewUserInput
		grants    []access.Grant
	}{
		{[]string{"-f", "open.yaml"}, team.Input{DryRun: onboard.DryRunNone}, asked(nil), nil},
		{[]string{"-f", "open.yaml", "--wait", "--group", "dev", "--timeout", "1m"}, team.Input{Fetch: true, Timeout: time.Minute, DryRun: onboard.DryRunNone}, asked(func(in *onboard.NewUserInput) { in.User.Groups = []string{"dev"} }), nil},
		{[]string{"-f", "said.yaml", "--approve", "--renewable", "--cluster-name", "c"}, team.Input{Approve: true, Kubeconfig: destination.Input{ClusterName: "c"}, DryRun: onboard.DryRunNone}, asked(said), []access.Grant{view, access.RenewableGrant}},
		{[]string{"-f", "open.yaml", "--offline"}, team.Input{DryRun: onboard.DryRunClient}, asked(nil), nil},
		{[]string{"-f", "open.yaml", "--dry-run=client"}, team.Input{KeepObjects: true, DryRun: onboard.DryRunClient}, asked(func(in *onboard.NewUserInput) { in.DryRun = onboard.DryRunClient }), nil},
		{[]string{"-f", "open.yaml", "--approve", "--dry-run=server", "--clusterrole", "view"}, team.Input{Approve: true, KeepObjects: true, DryRun: onboard.DryRunServer}, asked(func(in *onboard.NewUserInput) { in.DryRun = onboard.DryRunServer }), []access.Grant{view}},
	} {
		o, err := clitest.Run[*newUserOptions](t, New, test.arguments...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
			continue
		}
		got := o.teamInput()
		if len(got.Members) != 1 {
			t.Errorf("%q: %d members", test.arguments, len(got.Members))
			continue
		}
		member := got.Members[0]
		checkInput(t, test.arguments, member.NewUserInput, test.member, ownKey)
		if member.Line != 4 || !reflect.DeepEqual(member.Grants.Grants, test.grants) {
			t.Errorf("%q: line %d, %+v, want %+v", test.arguments, member.Line, member.Grants.Grants, test.grants)
		}
		got.Members = nil
		test.want.Signer, test.want.VerifyLogin = request.Signer, true
		if test.want.Timeout == 0 {
			test.want.Timeout = 10 * time.Minute
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q:\n got %+v\nwant %+v", test.arguments, got, test.want)
		}
	}
}

func TestInput_EachClusterHasAKeyUnlessThereIsOneForAll(t *testing.T) {
	clitest.Contexts(t)
	for _, test := range []struct {
		arguments  []string
		given, key string
	}{
		{[]string{"jane", "--contexts", "*"}, "", ""},
		{[]string{"jane", "--contexts", "*", "--one-key", "--approve"}, "one.key", "one.key"},
		{[]string{"jane", "--contexts", "*", "--key", "k.pem"}, "", "k.pem"},
	} {
		o, err := clitest.Run[*newUserOptions](t, New, test.arguments...)
		if err != nil || len(o.clusters.Each) != 2 {
			t.Errorf("%q: %v", test.arguments, err)
			continue
		}
		for i, name := range []string{"dev", "prod"} {
			on := onCluster(o, o.clusters.Each[i], test.given)
			want := filepath.Join(filepath.Dir(ownKey), "clusters", name, "jane.key")
			if on.input.KeyFile != test.key || on.input.Directory.KeyPath() != want || *on.Flags.Context != name {
				t.Errorf("%q on %s: the key %q, a copy of %q", test.arguments, name, on.input.Directory.KeyPath(), on.input.KeyFile)
			}
		}
	}
}
