package revoke

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli/clitest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

func TestInput_WhoIsRevokedIsWhatWasTyped(t *testing.T) {
	t.Chdir(t.TempDir())
	credentials := clustertest.New(t).Credentials(t, "jane", "dev")
	certificate, err := pki.ParseCertificate(credentials.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("jane.crt", credentials.Certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	notAfter, until := certificate.Leaf.NotAfter.UTC(), time.Date(2126, 1, 31, 12, 0, 0, 0, time.UTC)
	token := "JTI=9e0c7a2b-5d53-4a6f-8f3e-0f6f0c1d2e3f" //nolint:gosec // It is the id of a token, which is not a secret.
	for _, test := range []struct {
		arguments []string
		want      access.Entry
		dryRun    onboard.DryRun
		timeout   time.Duration
	}{
		{[]string{"jane"}, access.Entry{Blocked: access.Blocked{User: "jane"}, Details: access.Details{User: "jane"}}, onboard.DryRunNone, revoke.DefaultPatience},
		{
			[]string{"jane", "--reason", "left", "--until", "2126-01-31T12:00:00Z", "--dry-run=server"},
			access.Entry{Blocked: access.Blocked{User: "jane"}, Details: access.Details{User: "jane", Reason: "left", Until: &until}}, onboard.DryRunServer, revoke.DefaultPatience,
		},
		{
			[]string{"--certificate", "jane.crt", "--timeout", "1m"},
			access.Entry{
				Blocked: access.Blocked{CredentialID: access.CredentialID(certificate.SHA256())}, Details: access.Details{User: "jane", Groups: []string{"dev"}, NotAfter: &notAfter},
			}, onboard.DryRunNone, time.Minute,
		},
		{[]string{"--credential-id", token}, access.Entry{Blocked: access.Blocked{CredentialID: token}}, onboard.DryRunNone, revoke.DefaultPatience},
	} {
		o, err := clitest.Run[*revokeOptions](t, New, test.arguments...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
			continue
		}
		if !reflect.DeepEqual(o.entry, test.want) || o.isUndo || o.dryRun != test.dryRun || o.Timeout != test.timeout {
			t.Errorf("%q:\n got %+v, %s, %s\nwant %+v, %s, %s", test.arguments, o.entry, o.dryRun, o.Timeout, test.want, test.dryRun, test.timeout)
		}
	}
	temporary, err := clitest.Run[*revokeOptions](t, New, "jane", "--until", "1w2d")
	if err != nil || temporary.until == nil || time.Until(*temporary.until).Round(time.Hour) != 9*24*time.Hour {
		t.Errorf("%+v, %v", temporary, err)
	}
	o, err := clitest.Run[*revokeOptions](t, NewUndo, "jane", "--dry-run=client")
	if err != nil || !o.isUndo || o.entry.Blocked != (access.Blocked{User: "jane"}) || o.dryRun != onboard.DryRunClient {
		t.Errorf("%+v, %v", o, err)
	}
	if err := os.WriteFile("base.yaml", []byte(baseFile), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range [][]string{{"--authorization-mode", "Node,RBAC", "--directory", "/d"}, {"--base", "base.yaml", "--directory", "/d"}} {
		printed, err := clitest.Run[*renderOptions](t, newRender, arguments...)
		if err != nil || printed.base.String() != "Node, RBAC" || printed.Directory != "/d" {
			t.Errorf("%q: %+v, %v", arguments, printed, err)
		}
	}
	accepted, err := clitest.Run[*acceptOptions](t, newAccept, "--timeout", "1m")
	if err != nil || accepted.Timeout != time.Minute || accepted.dryRun != onboard.DryRunNone {
		t.Errorf("%+v, %v", accepted, err)
	}
	list, err := clitest.Run[*revocationsOptions](t, NewList, "-o", "json")
	if err != nil || list.Output != "json" {
		t.Errorf("%+v, %v", list, err)
	}
}

const baseFile = `{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration",
 "authorizers": [{"type": "Node", "name": "node"}, {"type": "RBAC", "name": "rbac"}]}`

func TestInput_NoFileIsRenderedForAnImpossibleBase(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("text", []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ arguments, says string }{
		{"", "exactly one of --authorization-mode and --base"},
		{"--authorization-mode RBAC --base text", "exactly one of --authorization-mode and --base"},
		{"--authorization-mode RBAC,Webhook", "depends on further flags"},
		{"--authorization-mode rbac", "--authorization-mode \"rbac\""},
		{"--authorization-mode RBAC --directory here", "not an absolute path"},
		{"--authorization-mode RBAC --directory=", "not an absolute path"},
		{"--base missing", "missing"},
		{"--base text", "--base \"text\": invalid AuthorizationConfiguration"},
	} {
		if o, err := clitest.Run[*renderOptions](t, newRender, strings.Fields(test.arguments)...); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %+v, %v, want %q", test.arguments, o, err, test.says)
		}
	}
}

func TestInput_WhatIsNotMeantIsNotRevoked(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("text", []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ arguments, says string }{
		{"", "exactly one of NAME"},
		{"jane --credential-id JTI=1", "exactly one of NAME"},
		{"jane sam", "accepts one NAME, got 2"},
		{"jane --until soon", "neither a time nor a duration"},
		{"jane --until 2006-01-02T15:04:05Z", "is in the past"},
		{"jane --until -1h", "is in the past"},
		{"jane --timeout 0s", "--timeout"},
		{"jane --timeout 1m --dry-run=server", "--timeout does nothing in a dry run"},
		{"--credential-id nothing", "invalid credential id"},
		{"--certificate missing", "missing"},
		{"--certificate text", "--certificate"},
		{"--service-account-token text", "--service-account-token"},
		{"--service-account-token missing", "missing"},
	} {
		if o, err := clitest.Run[*revokeOptions](t, New, strings.Fields(test.arguments)...); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %+v, %v, want %q", test.arguments, o, err, test.says)
		}
	}
}

func TestInput_RevokeRunsOnTheContextsThatAreNamed(t *testing.T) {
	clitest.Contexts(t)
	o, err := clitest.Run[*revokeOptions](t, New, "jane", "--contexts", "prod,d*")
	if err != nil || len(o.clusters.Each) != 2 || o.clusters.Each[0].Cluster != "prod" || *o.clusters.Each[1].Flags.Context != "dev" {
		t.Errorf("%v, %+v", err, o)
	}
}
