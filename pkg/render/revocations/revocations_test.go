package revocations

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// full is a cluster with one entry of each kind, two API servers and a problem.
func full() *revoke.Status {
	until, notAfter := now.Add(time.Hour), now.Add(24*time.Hour)
	return &revoke.Status{
		Exists: true,
		Entries: []access.Entry{
			{Blocked: access.Blocked{User: "jane"}, Details: access.Details{By: "admin", At: now.Add(-time.Minute), IsRevoked: true, Reason: "left\x1b", Until: &until}},
			{Blocked: access.Blocked{User: "bob"}},
			{Blocked: access.Blocked{CredentialID: access.CredentialID([]byte{0xab})}, Details: access.Details{User: "kim", By: "admin", At: now, IsRevoked: true, NotAfter: &notAfter}},
			{Blocked: access.Blocked{CredentialID: "JTI=1"}, Details: access.Details{IsRevoked: true}},
			{Blocked: access.Blocked{User: "lee", IsPin: true}, Details: access.Details{PinGroup: "csr-onboard:pin:1"}},
		},
		Problems: []revocation.Problem{{Key: "user-zz", Says: "it names nobody"}},
		Servers: []revocation.Server{
			{Node: "one", Report: &revocation.Report{Entries: 1, Version: "v0.1.0", ProvenUntil: now.Add(-time.Second), File: "abc"}},
			{Node: "two", Why: "not proven", Report: &revocation.Report{Entries: 2, Version: "v0.1.0", Problems: []string{"disk full"}}},
		},
	}
}

func TestList_EveryEntryAndAPIServerIsALine(t *testing.T) {
	none := &revocation.Report{}
	kept := &revocation.Report{Kept: 1}
	for about, test := range map[string]struct {
		status *revoke.Status
		want   []string
	}{
		"no list":       {&revoke.Status{}, []string{"nobody is revoked: the list does not exist\n", "no enforcer reports, so users and certificates cannot be revoked until enforcers are set up; see "}},
		"a lost list":   {&revoke.Status{Servers: []revocation.Server{{Node: "one", Report: kept}}}, []string{"the list does not exist; what the last one refused stays refused\n", "in force at 1 of 1 API server:\n", "  one: in force (0 entries, enforcer )\n"}},
		"an empty list": {&revoke.Status{Exists: true, Servers: []revocation.Server{{Node: "one", Report: none}}}, []string{"nobody is revoked\n", "in force at 1 of 1 API server:\n"}},
		"no enforcer":   {&revoke.Status{Exists: true, Entries: full().Entries[:1]}, []string{`the user "jane"`, "no enforcer reports, so no revocation on the list is known to be in force; see "}},
		"only a block": {&revoke.Status{Exists: true, Entries: []access.Entry{{Blocked: access.Blocked{User: "jane"}, Details: access.Details{User: "jane"}}}},
			[]string{`the user "jane" (blocked; refused altogether where enforcers run)`, "no enforcer reports, so who is blocked is refused what they write, by the admission policy alone; see "}},
		"a full list": {full(), []string{
			`the user "jane", 60s ago by "admin", until 2026-11-28T13:00:00Z: left\x1b` + "\n",
			`the user "bob" (blocked; refused altogether where enforcers run)` + "\n",
			`of "kim", 0s ago by "admin", expires 2026-11-29T12:00:00Z` + "\n",
			`JTI=1 (its user is unknown, and it still works if that is not a service account)` + "\n",
			"which are in the group csr-onboard:pin:1\n",
			"cannot be enforced: user-zz: it names nobody\n",
			"in force at 1 of 2 API servers:\n",
			"  one: in force (1 entry, enforcer v0.1.0, proven 1s ago)\n",
			"  two: NOT in force: not proven (2 entries, enforcer v0.1.0)\n    problem: disk full\n",
		}},
	} {
		var out bytes.Buffer
		if err := List(&out, "", test.status, now); err != nil {
			t.Errorf("%s: %v", about, err)
		}
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is missing in\n%s", about, want, out.String())
			}
		}
	}
}

func TestList_ScriptsReadTheSame(t *testing.T) {
	var out bytes.Buffer
	if err := List(&out, "json", full(), now); err != nil {
		t.Fatal(err)
	}
	var form revocationList
	if err := json.Unmarshal(out.Bytes(), &form); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, item := range form.Items {
		kinds = append(kinds, item.Kind+" "+item.User+item.CredentialID)
	}
	if got, want := strings.Join(kinds, ", "), "user jane, user bob, certificate kimX509SHA256=ab, token JTI=1, pin lee"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(form.Servers) != 2 || !form.Servers[0].InForce || form.Servers[1].InForce || *form.Servers[1].Entries != 2 || form.Servers[1].ProvenUntil != nil || len(form.Problems) != 1 {
		t.Errorf("%+v", form)
	}
	if _, isKnown := Forms()[form.Kind]; !isKnown {
		t.Errorf("the form %s is not documented", form.Kind)
	}
}

func TestResults_WhatWasDoneIsALine(t *testing.T) {
	jane := access.Blocked{User: "jane"}
	one := &revoke.Result{WasListed: true, Took: 1500 * time.Millisecond, Servers: []revocation.Server{{Node: "one"}}}
	unknown := &revoke.Result{IsUserUnknown: true, Servers: one.Servers}
	dry := &revoke.Result{WasListed: true}
	for want, write := range map[string]func(io.Writer) error{
		`revoked the user "jane": refused by 1 of 1 API server in 1.5s`: func(out io.Writer) error { return Revoked(out, jane, one, "") },
		"revoked the certificate X509SHA256=ab: refused by 1 of 1 API server in 0.0s; its user is unknown, and it still works if that is a system: user other than a kubelet, or a member of system:masters": func(out io.Writer) error {
			return Revoked(out, access.Blocked{CredentialID: access.CredentialID([]byte{0xab})}, unknown, "")
		},
		"revoked the service account token JTI=1: refused by 1 of 1 API server in 0.0s; its user is unknown, and it still works if that is not a service account": func(out io.Writer) error {
			return Revoked(out, access.Blocked{CredentialID: "JTI=1"}, unknown, "")
		},
		`revoked the user "jane" (dry run)`:                                         func(out io.Writer) error { return Revoked(out, jane, dry, " (dry run)") },
		`unrevoked the user "jane": no longer refused by 1 of 1 API server in 1.5s`: func(out io.Writer) error { return Unrevoked(out, jane, one, "") },
		`unrevoked the user "jane" (dry run)`:                                       func(out io.Writer) error { return Unrevoked(out, jane, dry, " (dry run)") },
		`the user "jane" is not revoked`:                                            func(out io.Writer) error { return Unrevoked(out, jane, &revoke.Result{}, "") },
		`not revoked, but blocked: unblocked the user "jane"`: func(out io.Writer) error {
			return Unrevoked(out, jane, &revoke.Result{WasListed: true, WasOnlyBlocked: true}, "")
		},
		`not revoked, but blocked: unblocked the user "jane": no longer refused by 1 of 1 API server in 0.0s`: func(out io.Writer) error {
			return Unrevoked(out, jane, &revoke.Result{WasListed: true, WasOnlyBlocked: true, Servers: one.Servers}, "")
		},
		"nothing to accept: the list was not found":                            func(out io.Writer) error { return Accepted(out, &revoke.Result{IsMissing: true}, "") },
		"accepted the list: it alone is in force at 1 of 1 API server in 1.5s": func(out io.Writer) error { return Accepted(out, one, "") },
		"accepted the list (dry run)":                                          func(out io.Writer) error { return Accepted(out, dry, " (dry run)") },
		"the list is already accepted":                                         func(out io.Writer) error { return Accepted(out, &revoke.Result{}, "") },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil || out.String() != want+"\n" {
			t.Errorf("%q, %v; want %q", out.String(), err, want)
		}
		if err := write(fullDisk{}); !errors.Is(err, errFull) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

var errFull = errors.New("no space left on device")

// fullDisk is an output that cannot be written.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
