package grant

import (
	"os"
	"reflect"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli/clitest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/offboard"
)

func TestInput_TheInputOfAGrantIsWhatWasTyped(t *testing.T) {
	view := access.Role{IsCluster: true, Name: "view"}
	for _, test := range []struct {
		arguments []string
		user      string
		dryRun    onboard.DryRun
		want      onboard.GrantInput
	}{
		{[]string{"jane", "--clusterrole", "view"}, "jane", onboard.DryRunNone, onboard.GrantInput{Grants: []access.Grant{{Role: view}}}},
		{
			[]string{"jane", "--clusterrole", "view", "--role", "r", "-n", "dev", "--renewable"}, "jane", onboard.DryRunNone,
			onboard.GrantInput{Grants: []access.Grant{{Role: view, Namespace: "dev"}, {Role: access.Role{Name: "r"}, Namespace: "dev"}, access.RenewableGrant}},
		},
		{[]string{"jane", "--renewable", "--to-group"}, "jane", onboard.DryRunNone, onboard.GrantInput{Grants: []access.Grant{access.RenewableGrant}, ToGroup: true}},
		{[]string{"--group", "dev", "--clusterrole", "view"}, "", onboard.DryRunNone, onboard.GrantInput{Grants: []access.Grant{{Role: view}}, Group: "dev"}},
		{
			[]string{"jane", "--clusterrole", "view", "--dry-run=server", "--allow", "user-offboarded"}, "jane", onboard.DryRunServer,
			onboard.GrantInput{Grants: []access.Grant{{Role: view}}, Allow: []string{"user-offboarded"}},
		},
		{[]string{"jane", "--renewable", "--dry-run=client"}, "jane", onboard.DryRunClient, onboard.GrantInput{Grants: []access.Grant{access.RenewableGrant}}},
	} {
		o, err := clitest.Run[*grantOptions](t, New, test.arguments...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
			continue
		}
		if got := o.input(); !reflect.DeepEqual(got, test.want) || o.user.Name != test.user || o.dryRun != test.dryRun {
			t.Errorf("%q:\n got %+v for %q, %s\nwant %+v for %q, %s", test.arguments, got, o.user.Name, o.dryRun, test.want, test.user, test.dryRun)
		}
	}
}

func TestInput_TheInputOfAnOffboardingIsWhatWasTyped(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("jane.crt", []byte(certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		arguments []string
		want      offboard.Input
		common    string
	}{
		{[]string{"jane"}, offboard.Input{User: "jane", DryRun: onboard.DryRunNone}, ""},
		{[]string{"jane", "--yes"}, offboard.Input{User: "jane", DryRun: onboard.DryRunNone}, ""},
		{[]string{"jane", "--block", "--yes"}, offboard.Input{User: "jane", Block: true, DryRun: onboard.DryRunNone}, ""},
		{[]string{"jane", "--unblock", "--dry-run=server"}, offboard.Input{User: "jane", Unblock: true, DryRun: onboard.DryRunServer}, ""},
		{[]string{"jane", "--dry-run=client"}, offboard.Input{User: "jane", DryRun: onboard.DryRunClient}, ""},
		{[]string{"jane", "--block", "--certificate", "jane.crt"}, offboard.Input{User: "jane", Block: true, Source: "jane.crt", DryRun: onboard.DryRunNone}, "jane"},
	} {
		o, err := clitest.Run[*offboardOptions](t, NewOffboard, test.arguments...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
			continue
		}
		got, common := o.input, ""
		if got.Certificate != nil {
			common = got.Certificate.Leaf.Subject.CommonName
		}
		if got.Confirm == nil {
			t.Errorf("%q: nobody is asked", test.arguments)
		}
		got.Confirm, got.Certificate = nil, nil
		if !reflect.DeepEqual(got, test.want) || common != test.common {
			t.Errorf("%q:\n got %+v, the certificate of %q\nwant %+v, of %q", test.arguments, got, common, test.want, test.common)
		}
	}
}

// certificate is self-signed, of the user jane.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUGTMBu2tTMZq+ND7o5jQhwM5evWUwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEamFuZTAgFw0yNjExMjYyMjMzMzFaGA8yMTI2MTEwMjIyMzMz
MVowDzENMAsGA1UEAwwEamFuZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAp5
bdVmz103PIkiFqDKAylMQeZGNS8lvUNQb11r8/qCle0tqSxGlWoh0us9LyoD3Vqf
tvUNBbfVcnds274pF0ejUzBRMB0GA1UdDgQWBBQeOQR3xuYEuLtxbNYLFg4Hqc+b
wzAfBgNVHSMEGDAWgBQeOQR3xuYEuLtxbNYLFg4Hqc+bwzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQCfu36gFIkrMnRtAYrnFIjVMFQd/Wc4tjtN
OQDxuw1aAwIhAJa3sCX4ef2HXmBzPe2fXYvZoxU8ekbsGCiegG97OLj5
-----END CERTIFICATE-----
`

func TestInput_OffboardRunsOnTheContextsThatAreNamed(t *testing.T) {
	clitest.Contexts(t)
	o, err := clitest.Run[*offboardOptions](t, NewOffboard, "jane", "--contexts", "prod,d*")
	if err != nil || len(o.clusters.Each) != 2 || o.clusters.Each[0].Cluster != "prod" || *o.clusters.Each[1].Flags.Context != "dev" {
		t.Errorf("%v, %+v", err, o)
	}
}
