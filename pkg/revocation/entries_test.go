package revocation

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func idOf(i int) string { return fmt.Sprintf("X509SHA256=%064x", i) }

func of(user string) access.Entry {
	return access.Entry{Blocked: access.Blocked{User: user}, Details: access.Details{User: user, By: "admin", At: now}}
}

func certificateOf(user, id string) access.Entry {
	return access.Entry{Blocked: access.Blocked{CredentialID: id}, Details: access.Details{User: user, At: now}}
}

// groupOf is the group of a pin.
func groupOf(i byte) string { return access.PinGroup([16]byte{15: i}) }

func pinOf(user, group string) access.Entry {
	return access.Entry{Blocked: access.Blocked{User: user, IsPin: true}, Details: access.Details{User: user, PinGroup: group, At: now}}
}

// listWith is a list with entries and with further data.
func listWith(t *testing.T, data map[string]string, entries ...access.Entry) access.List {
	t.Helper()
	change, err := access.ListOf(nil).Add(now, entries...)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for key, value := range change {
		all[key] = *value
	}
	for key, value := range data {
		all[key] = value
	}
	return access.ListOf(all)
}

func hexOf(name string) string { return fmt.Sprintf("%x", name) }

func TestEntries_WhatIsOnTheListIsReadByAllowList(t *testing.T) {
	ended, later := now.Add(-time.Minute), now.Add(time.Hour)
	longExpired := now.Add(-time.Hour)
	temporary := of("temporary")
	temporary.Details.Until = &ended
	still := of("still")
	still.Details.Until = &later
	expired := certificateOf("jane", idOf(1))
	expired.Details.NotAfter = &longExpired
	justExpired := certificateOf("jane", idOf(2))
	justExpired.Details.NotAfter = &ended
	for about, test := range map[string]struct {
		list     access.List
		entries  []access.Blocked
		problems []string
	}{
		"an empty list":                   {access.ListOf(nil), nil, nil},
		"a user":                          {listWith(t, nil, of("jane")), []access.Blocked{{User: "jane"}}, nil},
		"a certificate":                   {listWith(t, nil, certificateOf("jane", idOf(1))), []access.Blocked{{CredentialID: idOf(1)}}, nil},
		"a service account token":         {listWith(t, nil, certificateOf("", "JTI=7e4-a")), []access.Blocked{{CredentialID: "JTI=7e4-a"}}, nil},
		"a pin":                           {listWith(t, nil, pinOf("jane", groupOf(1))), []access.Blocked{{User: "jane", IsPin: true}}, nil},
		"what the version before wrote":   {access.ListOf(map[string]string{"user.x": "user:jane", "anything": "credential:" + idOf(3)}), []access.Blocked{{CredentialID: idOf(3)}, {User: "jane"}}, nil},
		"who was offboarded":              {listWith(t, nil, access.Entry{Details: access.Details{User: "jane"}}), nil, nil},
		"what ended":                      {listWith(t, nil, temporary, still), []access.Blocked{{User: "still"}}, nil},
		"a certificate long expired":      {listWith(t, map[string]string{"details-credential-" + hexOf(idOf(1)): `{"notAfter":"2020-01-01T00:00:00Z"}`}, certificateOf("jane", idOf(1))), nil, nil},
		"an expired one and a late clock": {listWith(t, map[string]string{"details-credential-" + hexOf(idOf(2)): `{"notAfter":"2026-11-27T11:59:00Z"}`}, certificateOf("jane", idOf(2))), []access.Blocked{{CredentialID: idOf(2)}}, nil},
		"a value that was garbled":        {access.ListOf(map[string]string{"user-" + hexOf("jane"): "\x00\x1b[2J"}), []access.Blocked{{User: "jane"}}, []string{"same identity"}},
		"key and value of two users":      {access.ListOf(map[string]string{"user-" + hexOf("jane"): "user:bob"}), []access.Blocked{{User: "jane"}, {User: "bob"}}, []string{"same identity"}},
		"a key of nobody":                 {access.ListOf(map[string]string{"user-zz": "x", "pin-": "", "credential-6A": "x"}), nil, []string{"names nobody", "names nobody", "names nobody"}},
		"keys of somebody else":           {access.ListOf(map[string]string{"note": "kept", "details-x": "{", "offboarded-6a": "{"}), nil, nil},
		"the control plane":               {listWith(t, nil, of("system:kube-controller-manager"), certificateOf("system:kube-scheduler", idOf(4)), of("jane")), []access.Blocked{{User: "jane"}}, []string{"never refused", "never refused"}},
		"a kubelet":                       {listWith(t, nil, of("system:node:worker")), []access.Blocked{{User: "system:node:worker"}}, nil},
		"an id that no server gives":      {listWith(t, nil, certificateOf("jane", "X509SHA256="+strings.Repeat("A", 64)), certificateOf("", "JTI=a'b"), certificateOf("", "JTI=")), nil, []string{"invalid credential id", "invalid credential id", "invalid credential id"}},
		"details that are not JSON":       {listWith(t, map[string]string{"details-user-" + hexOf("jane"): "{"}, of("jane")), []access.Blocked{{User: "jane"}}, []string{"not valid JSON"}},
		"a pin without readable details":  {listWith(t, map[string]string{"details-pin-" + hexOf("jane"): `{"pinGroup":"x'"}`}, pinOf("jane", "")), []access.Blocked{{User: "jane", IsPin: true}}, []string{"invalid group of a pin"}},
		"hostile names":                   {listWith(t, nil, of("a'] || true || request.user in ['"), of("\n\x00\u202e佐藤😀")), []access.Blocked{{User: "\n\x00\u202e佐藤😀"}, {User: "a'] || true || request.user in ['"}}, nil},
		"a mark of csr-onboard's own":     {listWith(t, nil, of(markPrefix+"x")), nil, []string{"own"}},
	} {
		entries, problems := Entries(test.list, now)
		var got []access.Blocked
		for _, entry := range entries {
			got = append(got, entry.Blocked)
		}
		if fmt.Sprint(got) != fmt.Sprint(test.entries) {
			t.Errorf("%s: entries %q, want %q", about, got, test.entries)
		}
		if len(problems) != len(test.problems) {
			t.Errorf("%s: problems %q, want %q", about, problems, test.problems)
			continue
		}
		for i, problem := range problems {
			if !strings.Contains(problem.String(), test.problems[i]) || strings.ContainsAny(problem.String(), "\x00\x1b") {
				t.Errorf("%s: problem %q, want %q", about, problem, test.problems[i])
			}
		}
	}
}

func TestEntries_WhatCannotBeRevokedIsRefused(t *testing.T) {
	masters := certificateOf("root", idOf(1))
	masters.Details.Groups = []string{"system:masters"}
	verbose := of("jane")
	verbose.Details.Reason = strings.Repeat("x", MaximumReason+1)
	for about, entry := range map[string]access.Entry{
		"nobody":                    {},
		"the controller manager":    of("system:kube-controller-manager"),
		"anonymous":                 of("system:anonymous"),
		"its certificate":           certificateOf("system:kube-controller-manager", idOf(1)),
		"a certificate of masters":  masters,
		"a name that is not UTF-8":  of("\xff"),
		"a name that is too long":   of(strings.Repeat("x", access.MaximumBlockedName+1)),
		"a user and a certificate":  {Blocked: access.Blocked{User: "jane", CredentialID: idOf(1)}},
		"a reason that is too long": verbose,
		"a pin of another group":    pinOf("jane", "system:masters"),
	} {
		if err := Check(entry); !errors.Is(err, outcome.ErrRefused) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func TestEntries_TheNextEndIsTheEarliest(t *testing.T) {
	if end, exists := NextEnd([]access.Entry{of("jane")}); exists {
		t.Errorf("an entry without an end ends at %s", end)
	}
	first, second := now.Add(time.Hour), now.Add(2*time.Hour)
	temporary, certificate := of("jane"), certificateOf("jane", idOf(1))
	temporary.Details.Until, certificate.Details.NotAfter = &second, &first
	if end, exists := NextEnd([]access.Entry{temporary, certificate}); !exists || !end.Equal(first.Add(clockSkew)) {
		t.Errorf("the next end is %s", end)
	}
}
