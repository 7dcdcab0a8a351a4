package request

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"reflect"
	"slices"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

var standingNow = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// listWith is the list after entries were added to an empty one.
func listWith(t *testing.T, entries ...access.Entry) access.List {
	t.Helper()
	change, err := access.ListOf(nil).Add(standingNow.Add(-time.Hour), entries...)
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{}
	for key, value := range change {
		data[key] = *value
	}
	return access.ListOf(data)
}

// certificate is a valid one of jane's; the later the number, the newer.
func certificate(id, key, renews string, number int, groups ...string) validCertificate {
	return validCertificate{id: id, key: key, renews: renews, groups: groups, source: "request " + id,
		notBefore: standingNow.Add(time.Duration(number) * time.Minute), notAfter: standingNow.Add(time.Hour)}
}

func TestStanding_WhatIsKnownOfAUserWhoMayHaveLeft(t *testing.T) {
	details := access.Details{User: "jane", By: "admin", At: standingNow}
	expiry, expired := standingNow.Add(time.Hour), standingNow.Add(-time.Minute)
	blocked := access.Entry{Blocked: access.Blocked{User: "jane"}, Details: details}
	offboarded := access.Entry{Details: details}
	pinned := access.Entry{Blocked: access.Blocked{User: "jane", IsPin: true}, Details: access.Details{User: "jane", PinGroup: "pin"}}
	stolen := access.Entry{Blocked: access.Blocked{CredentialID: "stolen"}, Details: access.Details{User: "jane", NotAfter: &expiry, Groups: []string{"dev"}}}
	gone := access.Entry{Blocked: access.Blocked{CredentialID: "gone"}, Details: access.Details{User: "jane", NotAfter: &expired}}
	view := access.Grant{Role: access.Role{IsCluster: true, Name: "view"}, Namespace: "default"}
	toName := []access.Wanted{{Holder: access.Holder{Name: "jane"}, Grant: view}}
	toGroup := func(group string) []access.Wanted {
		return []access.Wanted{{Holder: access.Holder{IsGroup: true, Name: group}, Grant: view}}
	}
	old, renewed := certificate("old", "k1", "", 1, "dev"), certificate("renewed", "k2", "old", 2, "dev")
	other := certificate("other", "k3", "", 3, "dev")
	for about, test := range map[string]struct {
		entries      []access.Entry
		certificates []validCertificate
		claim        Claim
		want         []string
	}{
		"nothing":                                    {nil, nil, Claim{Key: "k1", Gives: toName}, nil},
		"blocked":                                    {[]access.Entry{blocked}, nil, Claim{Key: "k1"}, []string{"refused user-blocked"}},
		"blocked and offboarded is blocked":          {[]access.Entry{blocked, offboarded}, nil, Claim{}, []string{"refused user-blocked"}},
		"pinned, and without the group":              {[]access.Entry{pinned}, nil, Claim{Key: "k1", User: identity.User{Groups: []string{"dev"}}}, []string{"refused user-blocked"}},
		"pinned, and with the group":                 {[]access.Entry{pinned}, nil, Claim{Key: "k1", User: identity.User{Groups: []string{"dev", "pin"}}}, nil},
		"a grant to who is pinned":                   {[]access.Entry{pinned}, nil, Claim{Gives: toName}, nil},
		"offboarded":                                 {[]access.Entry{offboarded}, nil, Claim{}, []string{"refused user-offboarded"}},
		"asked with a blocked certificate":           {[]access.Entry{stolen}, nil, Claim{Key: "k9", Renews: "stolen"}, []string{"refused user-blocked", "warning other-certificate-valid"}},
		"a blocked certificate, and no role":         {[]access.Entry{stolen}, nil, Claim{Key: "k9"}, []string{"warning other-certificate-valid"}},
		"a blocked certificate, role to the name":    {[]access.Entry{stolen}, nil, Claim{Gives: toName}, []string{"refused other-certificate-valid"}},
		"a blocked certificate, role to its group":   {[]access.Entry{stolen}, nil, Claim{Gives: toGroup("dev")}, []string{"refused other-certificate-valid"}},
		"a blocked certificate, role to a new group": {[]access.Entry{stolen}, nil, Claim{Gives: toGroup("dev-2")}, []string{"warning other-certificate-valid"}},
		"a blocked certificate that has expired":     {[]access.Entry{gone}, nil, Claim{Gives: toName}, nil},
		"the same key":                               {nil, []validCertificate{old}, Claim{Key: "k1", Gives: toName, User: identity.User{Groups: []string{"dev"}}}, nil},
		"another key":                                {nil, []validCertificate{old}, Claim{Key: "k9", Gives: toName}, []string{"refused other-certificate-valid"}},
		"another key, and no role":                   {nil, []validCertificate{old}, Claim{Key: "k9"}, []string{"warning other-certificate-valid"}},
		"a renewal":                                  {nil, []validCertificate{old}, Claim{Key: "k9", Renews: "old", Gives: toName}, nil},
		"a renewal of a renewal":                     {nil, []validCertificate{old, renewed}, Claim{Key: "k9", Renews: "renewed", Gives: toName}, nil},
		"a renewal whose first was collected":        {nil, []validCertificate{renewed}, Claim{Key: "k1", Gives: toName, Renews: "old"}, nil},
		"a grant to who has one certificate":         {nil, []validCertificate{old}, Claim{Gives: toName}, nil},
		"a grant to who has renewed it":              {nil, []validCertificate{old, renewed}, Claim{Gives: toName}, nil},
		"a grant to who has two":                     {nil, []validCertificate{old, renewed, other}, Claim{Gives: toName}, []string{"refused other-certificate-valid", "refused other-certificate-valid"}},
		"a grant to a group of only the newest":      {nil, []validCertificate{old, certificate("newest", "k4", "", 4, "dev-2")}, Claim{Gives: toGroup("dev-2")}, []string{"warning other-certificate-valid"}},
	} {
		t.Run(about, func(t *testing.T) {
			test.claim.User.Name = "jane"
			standing := &Standing{List: listWith(t, test.entries...), Now: standingNow, certificates: map[string][]validCertificate{"jane": test.certificates}}
			var got []string
			for _, finding := range standing.Examine(test.claim) {
				got = append(got, string(finding.Severity)+" "+finding.Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
			test.claim.User.Name = "somebody-else"
			test.claim.Renews = ""
			if found := standing.Examine(test.claim); len(found) > 0 {
				t.Errorf("of another user: %v", found)
			}
		})
	}
}

// TestStanding_AnEarlierCertificateOfTheKeyWithMoreGroupsIsNamed is for users whom a group is taken from.
func TestStanding_AnEarlierCertificateOfTheKeyWithMoreGroupsIsNamed(t *testing.T) {
	const until = ` logs in until 2026-11-26T13:00:00Z (request old)`
	view := access.Grant{Role: access.Role{IsCluster: true, Name: "view"}}
	toName := []access.Wanted{{Holder: access.Holder{Name: "jane"}, Grant: view}}
	old := certificate("old", "k1", "", 1, "dev", "ops", "qa")
	for about, test := range map[string]struct {
		certificates []validCertificate
		claim        Claim
		want         []string
	}{
		"a group less":                 {[]validCertificate{old}, Claim{Key: "k1", User: identity.User{Groups: []string{"qa", "dev"}}, Gives: toName}, []string{`another certificate of the user, which also has the group "ops",` + until}},
		"no group":                     {[]validCertificate{old}, Claim{Key: "k1"}, []string{`another certificate of the user, which also has the groups "dev", "ops", "qa",` + until}},
		"the same groups":              {[]validCertificate{old}, Claim{Key: "k1", User: identity.User{Groups: []string{"ops", "qa", "dev"}}}, nil},
		"a group more":                 {[]validCertificate{old}, Claim{Key: "k1", User: identity.User{Groups: []string{"new", "ops", "qa", "dev"}}}, nil},
		"run again, with a group less": {[]validCertificate{old, certificate("new", "k1", "", 2, "dev", "ops")}, Claim{Key: "k1", User: identity.User{Groups: []string{"dev", "ops"}}}, []string{`another certificate of the user, which also has the group "qa",` + until}},
		"a renewal that has lost one":  {[]validCertificate{old}, Claim{Key: "k9", Renews: "old", User: identity.User{Groups: []string{"dev"}}}, nil},
		"a grant":                      {[]validCertificate{old}, Claim{Gives: toName}, nil},
		"a group of an earlier pin":    {[]validCertificate{certificate("old", "k1", "", 1, "dev", "csr-onboard:pin:00000000000000000000000000000001")}, Claim{Key: "k1", User: identity.User{Groups: []string{"dev", "csr-onboard:pin:00000000000000000000000000000002"}}}, nil},
	} {
		test.claim.User.Name = "jane"
		standing := &Standing{Now: standingNow, certificates: map[string][]validCertificate{"jane": test.certificates}}
		var got []string
		for _, finding := range standing.Examine(test.claim) {
			if finding.IsRefused() || finding.Name != OtherCertificateValid {
				t.Errorf("%s: %+v", about, finding)
			}
			got = append(got, finding.Sentence)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", about, got, test.want)
		}
	}
}

func TestStanding_StandingTakesInWhatTheRequestsOnTheClusterSay(t *testing.T) {
	key := newTestKey(t)
	issue := func(notAfter time.Time, change ...func(*Request)) *Request {
		return stored(t, key, jane, append(change, func(object *Request) {
			object.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue}}
			object.Status.Certificate = certificatePEM(t, key, jane, standingNow.Add(-time.Hour), notAfter)
		})...)
	}
	asked := func(username string, credentials ...string) func(*Request) {
		return func(object *Request) {
			object.Spec.Username, object.Spec.Extra = username, map[string]certificatesv1.ExtraValue{access.CredentialIDKey: credentials}
		}
	}
	pending := issue(standingNow.Add(time.Hour))
	pending.Status = certificatesv1.CertificateSigningRequestStatus{}
	broken := issue(standingNow.Add(time.Hour))
	broken.Status.Certificate = []byte("nothing")
	for about, test := range map[string]struct {
		object *Request
		renews string
		seen   bool
	}{
		"an issued one":              {issue(standingNow.Add(time.Hour)), "", true},
		"a renewal":                  {issue(standingNow.Add(time.Hour), asked("jane", "old")), "old", true},
		"a renewal by another user":  {issue(standingNow.Add(time.Hour), asked("eve", "old")), "", true},
		"with two credentials":       {issue(standingNow.Add(time.Hour), asked("jane", "old", "other")), "", true},
		"an expired one":             {issue(standingNow), "", false},
		"a pending one":              {pending, "", false},
		"one that cannot be decoded": {broken, "", false},
	} {
		standing := &Standing{Now: standingNow}
		standing.See(test.object)
		var want []validCertificate
		if test.seen {
			want = []validCertificate{{
				source: "request " + test.object.Name, id: credentialIDOf(t, test.object), key: pki.Fingerprint(key.Public()),
				notBefore: standingNow.Add(-time.Hour), notAfter: standingNow.Add(time.Hour), groups: jane.Groups, renews: test.renews,
			}}
		}
		if got := standing.certificates["jane"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", about, got, want)
		}
	}
}

// certificatePEM is a client certificate that its own key has signed.
func certificatePEM(t *testing.T, key crypto.Signer, user identity.User, notBefore, notAfter time.Time) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: user.Name, Organization: user.Groups},
		NotBefore: notBefore, NotAfter: notAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func credentialIDOf(t *testing.T, object *Request) string {
	t.Helper()
	certificate, err := pki.ParseCertificate(object.Status.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return access.CredentialID(certificate.SHA256())
}

// TestStanding_AStolenCertificateIsNotForgivenWhenItExpires: a pending request outlives it.
func TestStanding_AStolenCertificateIsNotForgivenWhenItExpires(t *testing.T) {
	notAfter := standingNow.Add(time.Second)
	list := listWith(t, access.Entry{Blocked: access.Blocked{CredentialID: "stolen"}, Details: access.Details{User: "jane", NotAfter: &notAfter, IsRevoked: true}})
	for _, after := range []time.Duration{0, 2 * time.Second} {
		standing := &Standing{List: list, Now: standingNow.Add(after)}
		found := standing.Examine(Claim{User: identity.User{Name: "jane"}, Key: "thief", Renews: "stolen"})
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Name == UserBlocked }) {
			t.Errorf("after %s: %+v", after, found)
		}
	}
}
