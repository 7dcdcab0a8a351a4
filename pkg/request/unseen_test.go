package request

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestUnseen_WhatIsApprovedUnseen(t *testing.T) {
	key := newTestKey(t)
	requestedBy := func(name string, groups ...string) *Review {
		return ReviewOf(stored(t, key, jane, func(object *Request) {
			object.Spec.Username, object.Spec.Groups = name, groups
		}))
	}
	fromFile := func() *Review {
		object := stored(t, key, jane)
		object.UID = ""
		return ReviewOfFile(object, "jane.csr")
	}
	nothing := Circumstances{Approver: "admin"}
	own := KnownUsers{Requests: map[string][]Reference{"jane": {{"jane-x", "uid-1"}}}}
	bound := Circumstances{Approver: "admin", Known: own, Grants: access.Grants{{Name: "jane"}: {{Role: access.Role{IsCluster: true, Name: "view"}}}}}
	another := Circumstances{Approver: "admin", Known: KnownUsers{Requests: map[string][]Reference{"jane": {{"jane-x", "uid-1"}, {"jane-y", "uid-2"}, {"jane-z", "uid-3"}}}}}
	unbound := Circumstances{Approver: "admin", GrantsUnread: "rolebindings is forbidden"}
	unlisted := Circumstances{Approver: "admin", Known: KnownUsers{RequestsUnread: "list is forbidden"}}
	able := bound
	able.Known.RequesterCanApprove = map[types.UID]bool{"uid-1": true}
	otherAble := bound
	otherAble.Known.RequesterCanApprove = map[types.UID]bool{"uid-2": true}
	inAnotherFile := Circumstances{Approver: "admin", Known: KnownUsers{Files: map[string]int{"jane": 2}}}
	inThisFile := Circumstances{Approver: "admin", Known: KnownUsers{Files: map[string]int{"jane": 1}}}
	boundGroup := Circumstances{Approver: "admin", Grants: access.Grants{{IsGroup: true, Name: "dev"}: {{Role: access.ClusterAdmin}}}}
	groupOfThatName := Circumstances{Approver: "admin", Grants: access.Grants{{IsGroup: true, Name: "jane"}: {{Role: access.ClusterAdmin}}}}

	for _, test := range []struct {
		name    string
		review  *Review
		in      Circumstances
		refused string
		asked   bool
	}{
		{"a new user's, by anybody", requestedBy("mallory"), nothing, "", true},
		{"a new user's, and it is the only request", requestedBy("mallory"), Circumstances{Known: own}, "", true},
		{"a new user's, called like a group", requestedBy("mallory"), groupOfThatName, "", true},
		{"a known user's own", requestedBy("jane"), bound, "", false},
		{"a known user's, by whoever approves it", requestedBy("admin"), bound, "", false},
		{"a known user's, by a member of system:masters", requestedBy("root", "system:masters"), bound, "", false},
		{"a known user's, by somebody who could approve it", requestedBy("robot"), able, "", false},
		{"a known user's, by somebody else, with a binding", requestedBy("mallory"), bound, `the user "jane" is already known (role bindings name that user), and "mallory", who submitted it, is neither that user nor somebody who is known to be able to approve it`, true},
		{"a known user's, by somebody else, with requests", requestedBy("mallory"), another, `the user "jane" is already known (request "jane-y", 1 more request), and "mallory"`, true},
		{"a known user's, where another requester could approve", requestedBy("mallory"), otherAble, "already known", true},
		{"a known user's, by a name that differs in case", requestedBy("Jane"), bound, "already known", true},
		{"a known user's, by nobody", requestedBy(""), bound, "already known", true},
		{"where nobody says who approves", requestedBy(""), Circumstances{Grants: bound.Grants}, "already known", true},
		{"where role bindings cannot be read", requestedBy("mallory"), unbound, `whether the user "jane" is already known could not be checked (rolebindings is forbidden), and "mallory"`, true},
		{"where requests cannot be read", requestedBy("mallory"), unlisted, "could not be checked (list is forbidden)", true},
		{"the user's own, where nothing can be read", requestedBy("jane"), unbound, "", false},
		{"a new user's in a group with rights, by somebody else", requestedBy("mallory"), boundGroup, `the user "jane" may already be known (role bindings name the group "dev"), and "mallory"`, true},
		{"a new user's in a group with rights, by that user", requestedBy("jane"), boundGroup, "", false},
		{"a new user's in a group with rights, by whoever approves it", requestedBy("admin"), boundGroup, "", false},
		{"a file for a new user in a group with rights", fromFile(), boundGroup, "", false},
		{"a file for a new user", fromFile(), nothing, "", false},
		{"the only file for a new user", fromFile(), inThisFile, "", false},
		{"one of two files for a new user", fromFile(), inAnotherFile, `is already known (another file), and a file does not say who sent it`, false},
		{"a file for a known user", fromFile(), bound, "a file does not say who sent it", false},
		{"a file for a user with a request", fromFile(), Circumstances{Approver: "jane", Known: own}, `request "jane-x"`, false},
		{"a file, where role bindings cannot be read", fromFile(), unbound, "could not be checked", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if asked := test.review.DependsOnRequester(test.in); asked != test.asked {
				t.Errorf("the requester's rights are asked for: %t", asked)
			}
			test.review.Consider(test.in)
			err := test.review.CheckUnseen()
			said := ""
			for _, finding := range test.review.Findings {
				if finding.Name == KnownUser {
					said = finding.Sentence
				}
			}
			switch {
			case test.refused == "" && err != nil:
				t.Errorf("it is refused: %v", err)
			case test.refused != "" && (!errors.Is(err, outcome.ErrUsage) || !strings.Contains(err.Error(), "has to be shown to a person: known-user") || !strings.Contains(said, test.refused)):
				t.Errorf("the error is %v, and it says %q", err, said)
			case err != nil && !strings.Contains(outcome.Hint(err), "without --yes"):
				t.Errorf("the hint is %q", outcome.Hint(err))
			}
			for _, finding := range test.review.Findings {
				if finding.Name == KnownUser && finding.Severity != identity.Warning {
					t.Error("a person who was shown it could not approve it")
				}
			}
		})
	}
}

func TestUnseen_AnObjectIsForTheUserInItAndInItsCertificate(t *testing.T) {
	object := stored(t, newTestKey(t), jane, func(object *Request) {
		object.Labels = map[string]string{UserLabel: UserLabelValue("mallory")}
		object.Name = "mallory"
	})
	if users := UsersOf(object); len(users) != 1 || users[0] != "jane" {
		t.Errorf("it is for %q", users)
	}
	object.Spec.Request = []byte("nothing")
	object.Status.Certificate = []byte("nothing")
	if users := UsersOf(Of(object.CertificateSigningRequest)); len(users) != 0 {
		t.Errorf("an object that cannot be decoded is for %q", users)
	}
}
