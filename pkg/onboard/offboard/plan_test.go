package offboard

import (
	"slices"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

var (
	impersonates = access.Grant{Role: access.Role{IsCluster: true, Name: "impersonates"}}
	takesTokens  = access.Grant{Role: access.Role{IsCluster: true, Name: "takes-tokens"}}
	views        = access.Grant{Role: access.Role{IsCluster: true, Name: "views"}}
	rules        = access.Rules{
		{Role: impersonates.Role}: {{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"users"}}},
		{Role: takesTokens.Role}:  {{Verbs: []string{"create"}, APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}}},
	}
)

func group(name string) access.Holder { return access.Holder{IsGroup: true, Name: name} }

func TestPlan_ImpersonatorsAreThoseWhoCanActAsTheUser(t *testing.T) {
	for about, test := range map[string]struct {
		grants access.Grants
		rules  access.Rules
		want   []access.Holder
	}{
		"nobody":                          {access.Grants{{Name: "sam"}: {views}}, rules, nil},
		"a user and a group":              {access.Grants{{Name: "sam"}: {views, impersonates}, group("ops"): {impersonates}}, rules, []access.Holder{group("ops"), {Name: "sam"}}},
		"the user":                        {access.Grants{{Name: "jane"}: {impersonates}}, rules, nil},
		"a group of the name of the user": {access.Grants{group("jane"): {impersonates}}, rules, []access.Holder{group("jane")}},
		"masters":                         {access.Grants{group(clustertest.Masters): {impersonates}}, rules, nil},
		"a user called as the masters":    {access.Grants{{Name: clustertest.Masters}: {impersonates}}, rules, []access.Holder{{Name: clustertest.Masters}}},
		"by name": {access.Grants{{Name: "sam"}: {impersonates}, {Name: "joe"}: {views}}, access.Rules{
			{Role: impersonates.Role}: {{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{"kim"}}},
			{Role: views.Role}:        {{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{"jane"}}},
		}, []access.Holder{{Name: "joe"}}},
		"by a group": {access.Grants{{Name: "sam"}: {impersonates}, {Name: "joe"}: {views}}, access.Rules{
			{Role: impersonates.Role}: {{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"groups"}, ResourceNames: []string{"dev"}}},
			{Role: views.Role}:        {{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"groups"}, ResourceNames: []string{"ops"}}},
		}, []access.Holder{{Name: "sam"}}},
	} {
		plan := &Plan{User: "jane", Groups: []string{"dev"}, GroupGrants: test.grants, Rules: test.rules}
		if got := plan.Impersonators(); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", about, got, test.want)
		}
	}
}

func TestPlan_WhatRemainsIsOfTheUserTheGroupsAndEverybody(t *testing.T) {
	unissued := &request.Review{User: identity.User{Name: "jane", Groups: []string{"ops", "dev"}}}
	for about, test := range map[string]struct {
		plan                  Plan
		impersonation, tokens []access.Grant
	}{
		"nothing":             {Plan{}, nil, nil},
		"what is kept":        {Plan{Kept: []access.Held{{Grant: impersonates}, {Grant: impersonates}, {Grant: takesTokens}, {Grant: views}}}, []access.Grant{impersonates}, []access.Grant{takesTokens}},
		"what is taken away":  {Plan{TakeAway: []access.Held{{Grant: impersonates}, {Grant: takesTokens}}}, nil, []access.Grant{takesTokens}},
		"a group":             {Plan{Groups: []string{"dev"}, GroupGrants: access.Grants{group("dev"): {impersonates}, group("ops"): {takesTokens}}}, []access.Grant{impersonates}, nil},
		"a user, called so":   {Plan{Groups: []string{"dev"}, GroupGrants: access.Grants{{Name: "dev"}: {impersonates}}}, nil, nil},
		"an approved request": {Plan{Unissued: []*request.Review{unissued}, GroupGrants: access.Grants{group("ops"): {takesTokens}}}, nil, []access.Grant{takesTokens}},
		"everybody":           {Plan{GroupGrants: access.Grants{group(AuthenticatedGroup): {impersonates}}}, []access.Grant{impersonates}, nil},
	} {
		test.plan.User, test.plan.Rules = "jane", rules
		if got := test.plan.GivesImpersonation(); !slices.Equal(got, test.impersonation) {
			t.Errorf("%s: impersonation by %v, want %v", about, got, test.impersonation)
		}
		if got := test.plan.GivesTokens(); !slices.Equal(got, test.tokens) {
			t.Errorf("%s: tokens by %v, want %v", about, got, test.tokens)
		}
	}
	if got := (&Plan{Groups: []string{"dev"}, Unissued: []*request.Review{unissued}}).KnownGroups(); !slices.Equal(got, []string{"dev", "ops"}) {
		t.Errorf("the groups are %q", got)
	}
}

func TestPlan_OnlyCertificatesThatLogInAreSeenAndEachOnce(t *testing.T) {
	server := clustertest.New(t)
	of := func(lifetime time.Duration, groups ...string) *pki.Certificate {
		certificate, err := pki.ParseCertificate(server.CredentialsFor(t, lifetime, "jane", groups...).Certificate)
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
	one, expired := of(time.Hour, "dev"), of(time.Minute, "ops")
	plan := &Plan{User: "jane"}
	plan.see("one", one, time.Now())
	plan.see("again", one, time.Now())
	plan.see("expired", expired, time.Now())
	plan.see("two", of(time.Hour, "dev", "qa"), time.Now())
	if len(plan.Alive) != 2 || plan.Alive[0].Source != "one" || plan.Alive[1].Source != "two" || !slices.Equal(plan.Groups, []string{"dev", "qa"}) {
		t.Errorf("%+v", plan)
	}
	plan = &Plan{}
	plan.see("at its end", one, one.Leaf.NotAfter)
	if len(plan.Alive) != 0 {
		t.Error("a certificate logs in at its end")
	}
}

func TestPlan_WhatIsRememberedIsOfTheUserOrOfTheCertificate(t *testing.T) {
	certificate, err := pki.ParseCertificate(clustertest.New(t).Credentials(t, "jane", "dev").Certificate)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 7, time.FixedZone("", 3600))
	at := time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	id := access.CredentialID(certificate.SHA256())
	for about, test := range map[string]struct {
		in     Input
		blocks access.Blocked
		want   []access.Blocked
	}{
		"leaving":         {Input{User: "jane"}, access.Blocked{}, []access.Blocked{{}}},
		"blocked":         {Input{User: "jane", Block: true}, access.Blocked{User: "jane"}, []access.Blocked{{User: "jane"}, {}}},
		"one certificate": {Input{User: "jane", Block: true, Certificate: certificate}, access.Blocked{CredentialID: id}, []access.Blocked{{CredentialID: id}}},
		"seen":            {Input{User: "jane", Certificate: certificate}, access.Blocked{}, []access.Blocked{{}}},
	} {
		plan := &Plan{User: "jane", CertificateOnly: test.in.Certificate != nil && test.in.Block}
		plan.remember(test.in, "admin", now)
		var got []access.Blocked
		for _, entry := range plan.Remember {
			got = append(got, entry.Blocked)
			if entry.Details.User != "jane" || entry.Details.By != "admin" || !entry.Details.At.Equal(at) {
				t.Errorf("%s: %+v", about, entry.Details)
			}
		}
		if !slices.Equal(got, test.want) || (plan.Block == nil) != (test.blocks == access.Blocked{}) || plan.Block != nil && *plan.Block != test.blocks {
			t.Errorf("%s: remembers %v and blocks %v, want %v and %v", about, got, plan.Block, test.want, test.blocks)
		}
	}
}
