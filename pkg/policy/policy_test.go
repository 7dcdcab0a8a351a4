package policy

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// ownID is the credential id of the certificate that jane has.
var ownID = access.CertificateIDPrefix + strings.Repeat("a1", 32)

// keys are made once for all tests.
var keys = sync.OnceValue(func() []crypto.Signer {
	var made []crypto.Signer
	for _, algorithm := range []pki.KeyAlgorithm{"ecdsa-p256", "ecdsa-p256", "ed25519", "ecdsa-p384"} {
		key, err := pki.NewKey(algorithm)
		if err != nil {
			panic(err)
		}
		made = append(made, key)
	}
	return made
})

// factsOf are the facts of a request that jane, who is in dev, submits to renew a
// certificate; change makes another one of it.
func factsOf(t *testing.T, user identity.User, change ...func(*Facts, *certificatesv1.CertificateSigningRequest)) *Facts {
	t.Helper()
	return factsFor(t, keys()[0], user, change...)
}

func factsFor(t *testing.T, key crypto.Signer, user identity.User, change ...func(*Facts, *certificatesv1.CertificateSigningRequest)) *Facts {
	t.Helper()
	made, err := pki.NewRequest(key, user)
	if err != nil {
		t.Fatal(err)
	}
	object := request.Build(made, request.Terms{Lifetime: 8 * time.Hour}).CertificateSigningRequest
	object.UID, object.ResourceVersion, object.CreationTimestamp = "uid-1", "7", metav1.NewTime(now)
	object.Spec.Username, object.Spec.Groups = "jane", []string{"dev", "ops", "system:authenticated"}
	object.Spec.Extra = map[string]certificatesv1.ExtraValue{access.CredentialIDKey: {ownID}}
	facts := &Facts{
		Approver: "system:serviceaccount:csr-onboard-system:approver", Now: now, Grants: access.Grants{}, Reaches: access.Reaches{}, List: access.ListOf(nil),
		Certificates: Certificates{ownID: {
			CredentialID: ownID, User: identity.User{Name: "jane", Groups: []string{"dev", "ops"}}, Key: pki.Fingerprint(keys()[1].Public()),
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		}},
		MayUse:     func(string) (bool, error) { return true, nil },
		CanApprove: func() (bool, error) { return false, nil },
	}
	for _, each := range change {
		each(facts, object)
	}
	facts.Review = request.ReviewOf(request.Of(object))
	return facts
}

// otherID is the credential id of another certificate.
var otherID = access.CertificateIDPrefix + strings.Repeat("c3", 32)

type change = func(*Facts, *certificatesv1.CertificateSigningRequest)

var jane = identity.User{Name: "jane", Groups: []string{"dev"}}

// values is a program of which the conditions have these values.
type values []Evaluated

func (v values) Evaluate(*Facts) []Evaluated { return v }
func (v values) DependsOnTime() bool         { return false }

// everything is the most permissive policy that can be written.
func everything() *Compiled {
	return &Compiled{Policy: &Policy{Name: "everything", Action: Approve, Accept: Acceptable()}, Program: values{}}
}

func TestPolicy_AnOrdinaryRenewalIsApproved(t *testing.T) {
	decision := Decide(factsOf(t, jane), []*Compiled{everything()})
	if decision.Outcome != Approved || decision.By == nil || decision.By.Name != "everything" {
		t.Errorf("%+v", decision)
	}
}

// listOf is the list of who is blocked with some entries.
func listOf(t *testing.T, entries ...access.Entry) access.List {
	t.Helper()
	changed, err := access.ListOf(nil).Add(now, entries...)
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{}
	for key, value := range changed {
		data[key] = *value
	}
	return access.ListOf(data)
}

// TestPolicy_NoPolicyLiftsAFloor attacks each floor with the most permissive policy.
func TestPolicy_NoPolicyLiftsAFloor(t *testing.T) {
	other := func(f *Facts, o *certificatesv1.CertificateSigningRequest) {
		o.Spec.Username = "lead"
		f.Certificates = nil
	}
	bob := identity.User{Name: "bob", Groups: []string{"dev"}}
	held := func(grants ...access.Grant) []access.Grant { return grants }
	clusterRole := func(name string) access.Grant {
		return access.Grant{Role: access.Role{IsCluster: true, Name: name}}
	}
	listed := func(entries ...access.Entry) change {
		return func(f *Facts, _ *certificatesv1.CertificateSigningRequest) { f.List = listOf(t, entries...) }
	}
	for _, test := range []struct {
		about string
		user  identity.User
		floor string
		do    change
	}{
		{"another signer", jane, FloorSigner, func(_ *Facts, o *certificatesv1.CertificateSigningRequest) {
			o.Spec.SignerName = "kubernetes.io/kubelet-serving"
		}},
		{"a signer of almost that name", jane, FloorSigner, func(_ *Facts, o *certificatesv1.CertificateSigningRequest) {
			o.Spec.SignerName = "kubernetes.io/kube-apiserver-client "
		}},
		{"the usages of a server", jane, FloorUsages, func(_ *Facts, o *certificatesv1.CertificateSigningRequest) {
			o.Spec.Usages = append(o.Spec.Usages, certificatesv1.UsageServerAuth)
		}},
		{"no usage", jane, FloorUsages, func(_ *Facts, o *certificatesv1.CertificateSigningRequest) { o.Spec.Usages = nil }},
		{"a component", identity.User{Name: "system:kube-controller-manager"}, FloorIdentity, nil},
		{"a component in capitals", identity.User{Name: "SYSTEM:admin"}, FloorIdentity, nil},
		{"a group of nodes", identity.User{Name: "jane", Groups: []string{"dev", "system:nodes"}}, FloorIdentity, nil},
		{"system:masters", identity.User{Name: "jane", Groups: []string{"system:masters"}}, FloorIdentity, nil},
		{"kubeadm's administrators", identity.User{Name: "jane", Groups: []string{"kubeadm:cluster-admins"}}, FloorAdministrators, func(_ *Facts, o *certificatesv1.CertificateSigningRequest) {
			o.Spec.Groups = append(o.Spec.Groups, "kubeadm:cluster-admins")
		}},
		{"a group bound to cluster-admin", jane, FloorAdministrators, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Grants[access.Holder{IsGroup: true, Name: "dev"}] = held(access.Grant{Role: access.ClusterAdmin})
		}},
		{"a user bound to cluster-admin", jane, FloorAdministrators, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Grants[access.Holder{Name: "jane"}] = held(access.Grant{Role: access.ClusterAdmin})
		}},
		{"user and group that together can do everything", jane, FloorAdministrators, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Grants[access.Holder{Name: "jane"}] = held(clusterRole("readers"))
			f.Grants[access.Holder{IsGroup: true, Name: "dev"}] = held(clusterRole("writers"))
			f.Reaches = halves()
		}},
		{"an option for a name", identity.User{Name: "-jane"}, FloorFindings, nil},
		{"control characters", identity.User{Name: "jane\x1b[2J"}, FloorFindings, nil},
		{"a request that is being deleted", jane, FloorFindings, func(_ *Facts, o *certificatesv1.CertificateSigningRequest) {
			at := metav1.NewTime(now)
			o.DeletionTimestamp = &at
		}},
		{"text around the request", jane, FloorFindings, func(_ *Facts, o *certificatesv1.CertificateSigningRequest) {
			o.Spec.Request = append([]byte("hello\n"), o.Spec.Request...)
		}},
		{"no request", jane, FloorReadable, func(_ *Facts, o *certificatesv1.CertificateSigningRequest) { o.Spec.Request = []byte("none") }},
		{"no lifetime", jane, FloorLifetime, func(_ *Facts, o *certificatesv1.CertificateSigningRequest) { o.Spec.ExpirationSeconds = nil }},
		{"a blocked user", jane, FloorStanding, listed(access.Entry{Blocked: access.Blocked{User: "jane"}, Details: access.Details{User: "jane"}})},
		{"a user who was offboarded", jane, FloorStanding, listed(access.Entry{Details: access.Details{User: "jane"}})},
		{"a revoked certificate", jane, FloorStanding, listed(access.Entry{Blocked: access.Blocked{CredentialID: ownID}, Details: access.Details{User: "jane"}})},
		{"a revoked certificate of a requester for another user, which has expired since", bob, FloorStanding, func(f *Facts, o *certificatesv1.CertificateSigningRequest) {
			other(f, o)
			notAfter := now.Add(-time.Minute)
			f.List = listOf(t, access.Entry{Blocked: access.Blocked{CredentialID: ownID}, Details: access.Details{User: "lead", NotAfter: &notAfter, IsRevoked: true}})
		}},
		{"a certificate that is not pinned", jane, FloorStanding, listed(access.Entry{
			Blocked: access.Blocked{User: "jane", IsPin: true}, Details: access.Details{User: "jane", PinGroup: "pinned"},
		})},
		{"a revoked requester", bob, FloorStanding, func(f *Facts, o *certificatesv1.CertificateSigningRequest) {
			other(f, o)
			listed(access.Entry{Blocked: access.Blocked{User: "lead"}, Details: access.Details{User: "lead"}})(f, o)
		}},
		{"for a user whom a role binding names", bob, FloorKnownUser, func(f *Facts, o *certificatesv1.CertificateSigningRequest) {
			other(f, o)
			f.Grants[access.Holder{Name: "bob"}] = held(clusterRole("view"))
		}},
		{"for a user who has another request", bob, FloorKnownUser, func(f *Facts, o *certificatesv1.CertificateSigningRequest) {
			other(f, o)
			f.Others = []Other{{Name: "bob-1", Requester: "bob"}}
		}},
		{"for a user who has a certificate", bob, FloorKnownUser, func(f *Facts, o *certificatesv1.CertificateSigningRequest) {
			other(f, o)
			f.Certificates = Certificates{ownID: {CredentialID: ownID, User: bob, NotAfter: now.Add(-time.Hour)}}
		}},
		{"for a user who may have a certificate that nobody has recorded", bob, FloorKnownUser, func(f *Facts, o *certificatesv1.CertificateSigningRequest) {
			other(f, o)
			f.WithoutLedger = true
		}},
		{"for a user, where the API server does not answer", bob, FloorKnownUser, func(f *Facts, o *certificatesv1.CertificateSigningRequest) {
			other(f, o)
			f.Others = []Other{{Name: "bob-1", Requester: "bob"}}
			f.CanApprove = func() (bool, error) { return true, errors.New("no answer") }
		}},
		{"a renewal for more groups", identity.User{Name: "jane", Groups: []string{"dev", "admins"}}, FloorRenewal, nil},
		{"a renewal for groups that a token has and the certificate has not", identity.User{Name: "jane", Groups: []string{"sre"}}, FloorRenewal, func(_ *Facts, o *certificatesv1.CertificateSigningRequest) {
			o.Spec.Groups = append(o.Spec.Groups, "sre")
		}},
		{"a renewal of a certificate that nobody knows", jane, FloorRenewal, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) { f.Certificates = nil }},
		{"a renewal of a certificate that has expired", jane, FloorRenewal, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Certificates[ownID].NotAfter = now
		}},
		{"a renewal of somebody else's certificate", jane, FloorRenewal, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Certificates[ownID].User.Name = "john"
		}},
		{"a renewal with the same key", jane, FloorRenewal, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Certificates[ownID].Key = pki.Fingerprint(keys()[0].Public())
		}},
		{"a renewal with the key of an earlier certificate", jane, FloorRenewal, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Certificates[otherID] = &Certificate{CredentialID: otherID, User: jane, Key: pki.Fingerprint(keys()[0].Public())}
		}},
		{"two credentials", jane, FloorRenewal, func(_ *Facts, o *certificatesv1.CertificateSigningRequest) {
			o.Spec.Extra[access.CredentialIDKey] = append(o.Spec.Extra[access.CredentialIDKey], "JTI=1")
		}},
		{"a second pending key", jane, FloorOneKey, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Others = []Other{{Name: "jane-2", Requester: "jane", Key: "SHA256:other", IsPending: true}}
		}},
		{"the approver's own request", jane, FloorOwnRequest, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) { f.Approver = "jane" }},
	} {
		t.Run(test.about, func(t *testing.T) {
			var changes []change
			if test.do != nil {
				changes = append(changes, test.do)
			}
			facts := factsOf(t, test.user, changes...)
			decision := Decide(facts, []*Compiled{everything()})
			if decision.Outcome == Approved || decision.Outcome == Denied {
				t.Fatalf("it was %s", decision.Outcome)
			}
			failing := firstFailing(decision.Floors)
			if failing == nil || failing.Name != test.floor || failing.Says == "" {
				t.Errorf("%+v", decision.Floors)
			}
		})
	}
}

// halves are two roles that permit everything only together.
func halves() access.Reaches {
	return access.Reaches{"readers": reachOf("get", "list", "watch"), "writers": reachOf("create", "update", "patch", "delete")}
}

// TestPolicy_WhatOthersSubmitDoesNotStopAUser is for requests in the name of a user.
func TestPolicy_WhatOthersSubmitDoesNotStopAUser(t *testing.T) {
	facts := factsOf(t, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
		for i := range 100 {
			f.Others = append(f.Others, Other{Name: fmt.Sprint("junk-", i), Requester: "mallory", Key: fmt.Sprint("SHA256:", i), IsPending: true})
		}
		f.Others = append(f.Others, Other{Name: "before", Requester: "jane", Key: "SHA256:before"})
	})
	if decision := Decide(facts, []*Compiled{everything()}); decision.Outcome != Approved {
		t.Errorf("%+v", decision)
	}
}

func TestPolicy_AnAdministratorCanRequestForAUserWhoExists(t *testing.T) {
	facts := factsOf(t, identity.User{Name: "bob"}, func(f *Facts, o *certificatesv1.CertificateSigningRequest) {
		o.Spec.Username = "admin"
		f.Others = []Other{{Name: "bob-1", Requester: "bob"}}
		f.CanApprove = func() (bool, error) { return true, nil }
	})
	if decision := Decide(facts, []*Compiled{everything()}); decision.Outcome != Approved {
		t.Errorf("%+v", decision)
	}
}

func TestPolicy_BoundsBound(t *testing.T) {
	day := 24 * time.Hour
	byLead := func(f *Facts, o *certificatesv1.CertificateSigningRequest) {
		o.Spec.Username, o.Spec.Groups, f.Certificates = "lead", []string{"leads"}, nil
	}
	noLedger := func(f *Facts, _ *certificatesv1.CertificateSigningRequest) { f.WithoutLedger = true }
	byToken := func(_ *Facts, o *certificatesv1.CertificateSigningRequest) { o.Spec.Extra = nil }
	revokedUntil := func(until *time.Time) change {
		return func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Certificates[otherID] = &Certificate{CredentialID: otherID, User: jane, NotAfter: now.Add(time.Hour)}
			f.List = listOf(t, access.Entry{Blocked: access.Blocked{CredentialID: otherID}, Details: access.Details{User: "jane", IsRevoked: true, Until: until}})
		}
	}
	for _, test := range []struct {
		about  string
		policy Policy
		user   identity.User
		do     change
		fails  string
	}{
		{"the users", Policy{Users: []string{"john"}}, jane, nil, "subject.users"},
		{"the users, one of them", Policy{Users: []string{"john", "jane"}}, jane, nil, ""},
		{"the groups", Policy{Groups: []string{"ops"}}, jane, nil, "subject.groups"},
		{"the groups, all of them", Policy{Groups: []string{"ops", "dev"}}, identity.User{Name: "jane", Groups: []string{"dev", "ops"}}, nil, ""},
		{"the groups, one outside", Policy{Groups: []string{"dev"}}, identity.User{Name: "jane", Groups: []string{"dev", "ops"}}, nil, "subject.groups"},
		{"the groups of a user in none", Policy{Groups: []string{"dev"}}, identity.User{Name: "jane"}, nil, ""},
		{"the lifetime", Policy{MaximumLifetime: 8*time.Hour - time.Second}, jane, nil, "maximumLifetime"},
		{"the lifetime exactly", Policy{MaximumLifetime: 8 * time.Hour}, jane, nil, ""},
		{"the key", Policy{KeyAlgorithms: []string{"Ed25519"}}, jane, nil, "keyAlgorithms"},
		{"the key, as it is", Policy{KeyAlgorithms: []string{"Ed25519", "ECDSA-P256"}}, jane, nil, ""},
		{"another requester", Policy{}, identity.User{Name: "bob", Groups: []string{"dev"}}, byLead, "accept"},
		{"another requester who is accepted", Policy{Accept: []string{request.RequestedByOther}}, identity.User{Name: "bob", Groups: []string{"dev"}}, byLead, ""},
		{"more groups than the requester", Policy{}, identity.User{Name: "jane", Groups: []string{"admins"}}, byToken, "accept"},
		{"more groups than the requester, accepted", Policy{Accept: []string{request.MoreThanRequester}}, identity.User{Name: "jane", Groups: []string{"admins"}}, byToken, ""},
		{"the rate", Policy{RateRequests: 2, RatePeriod: time.Hour}, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Approvals = []time.Time{now.Add(-59 * time.Minute), now.Add(-time.Minute)}
		}, "rate"},
		{"the rate, after a while", Policy{RateRequests: 2, RatePeriod: time.Hour}, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Approvals = []time.Time{now.Add(-time.Hour), now.Add(-time.Minute)}
		}, ""},
		{"the certificates, with the one to renew", Policy{MaximumCertificates: 1}, jane, nil, "maximumCertificates"},
		{"the certificates, exactly", Policy{MaximumCertificates: 2}, jane, nil, ""},
		{"the certificates, with another", Policy{MaximumCertificates: 2}, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Certificates[otherID] = &Certificate{CredentialID: otherID, User: jane, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
		}, "maximumCertificates"},
		{"the certificates, with one that has expired", Policy{MaximumCertificates: 2}, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Certificates[otherID] = &Certificate{CredentialID: otherID, User: jane, NotAfter: now}
		}, ""},
		{"the certificates, with one that is revoked", Policy{MaximumCertificates: 2}, jane, revokedUntil(nil), ""},
		{"the certificates, with one that was revoked until now", Policy{MaximumCertificates: 2}, jane, revokedUntil(&now), "maximumCertificates"},
		{"the certificates, with one that is approved and not issued", Policy{MaximumCertificates: 2}, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Awaited = 1
		}, "maximumCertificates"},
		{"the certificates, exactly with one that is approved and not issued", Policy{MaximumCertificates: 3}, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Awaited = 1
		}, ""},
		{"the age of the chain", Policy{MaximumChainAge: 30 * time.Minute}, jane, nil, "maximumChainAge"},
		{"the age of the chain, of the first one", Policy{MaximumChainAge: day}, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Certificates[otherID] = &Certificate{CredentialID: otherID, User: jane, NotBefore: now.Add(-day - time.Second)}
			f.Certificates[ownID].Renews = otherID
		}, "maximumChainAge"},
		{"the certificates, without a ledger", Policy{MaximumCertificates: 9}, jane, noLedger, "maximumCertificates"},
		{"the age of the chain, without a ledger", Policy{MaximumChainAge: day}, jane, noLedger, ""},
		{"the age of the chain, whose beginning is unknown without a ledger", Policy{MaximumChainAge: day}, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Certificates[ownID].Renews, f.WithoutLedger = "X509SHA256=unknown", true
		}, "maximumChainAge"},
		{"the age of the chain, whose beginning is unknown", Policy{MaximumChainAge: day}, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Certificates[ownID].Renews = "X509SHA256=unknown"
		}, "maximumChainAge"},
		{"the age of the chain, as it was recorded", Policy{MaximumChainAge: day}, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.Certificates[ownID].Renews, f.Certificates[ownID].ChainStart = "X509SHA256=unknown", now.Add(-day)
		}, ""},
		{"the use", Policy{}, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
			f.MayUse = func(string) (bool, error) { return false, nil }
		}, UseVerb},
	} {
		t.Run(test.about, func(t *testing.T) {
			var changes []change
			if test.do != nil {
				changes = append(changes, test.do)
			}
			test.policy.Name, test.policy.Action = "bounded", Approve
			decision := Decide(factsOf(t, test.user, changes...), []*Compiled{{Policy: &test.policy, Program: values{}}})
			switch {
			case test.fails == "" && decision.Outcome != Approved:
				t.Errorf("%+v", decision)
			case test.fails != "" && (decision.Outcome != Left || !strings.Contains(decision.Why, `policy "bounded": `+test.fails+": ")):
				t.Errorf("%s: %s", decision.Outcome, decision.Why)
			}
		})
	}
}

func TestPolicy_OneCertificateIsCountedAsOne(t *testing.T) {
	facts := factsOf(t, identity.User{Name: "jane"}, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) { f.Certificates = nil })
	checks := (&Policy{Action: Approve, MaximumCertificates: 1}).bounds(facts)
	if !slices.ContainsFunc(checks, func(check Check) bool {
		return check.Says == "the user would have 1 valid certificate, and at most 1 are permitted"
	}) {
		t.Errorf("%+v", checks)
	}
}

func TestPolicy_FloorsThenDenyThenApprove(t *testing.T) {
	yes, no, failing := Evaluated{Value: true}, Evaluated{}, Evaluated{Err: errors.New("1:3: division by zero")}
	one := []Condition{{Name: "c", Message: "because"}}
	two := []Condition{one[0], {Name: "d"}}
	approve := func(conditions []Condition, results ...Evaluated) *Compiled {
		return &Compiled{Policy: &Policy{Name: "approve", Action: Approve, Conditions: conditions}, Program: values(results)}
	}
	deny := func(conditions []Condition, results ...Evaluated) *Compiled {
		return &Compiled{Policy: &Policy{Name: "deny", Action: Deny, Conditions: conditions}, Program: values(results)}
	}
	broken := func(action Action) *Compiled {
		return &Compiled{Policy: &Policy{Name: "broken", Action: action}, Mistakes: []Mistake{{Field: "spec.conditions[0].expression", At: "1:7", Problem: "undefined field"}}}
	}
	for _, test := range []struct {
		about    string
		policies []*Compiled
		want     Outcome
		says     string
	}{
		{"no policy", nil, Left, "no policy approves"},
		{"one that approves", []*Compiled{approve(one, yes)}, Approved, ""},
		{"one that does not", []*Compiled{approve(one, no)}, Left, "condition c: because"},
		{"one that fails", []*Compiled{approve(one, failing)}, Failed, "division by zero"},
		{"one that fails after a false one", []*Compiled{approve(two, no, failing)}, Left, "because"},
		{"one that fails before a false one", []*Compiled{approve(two, failing, no)}, Left, "division by zero"},
		{"one that fails and one that approves", []*Compiled{approve(one, failing), {Policy: &Policy{Name: "other", Action: Approve}, Program: values{}}}, Approved, ""},
		{"one that is broken", []*Compiled{broken(Approve)}, Failed, "it is broken: spec.conditions[0].expression: 1:7: undefined field"},
		{"one that is broken and one that approves", []*Compiled{broken(Approve), approve(nil)}, Approved, ""},
		{"one that denies", []*Compiled{approve(nil), deny(one, yes)}, Denied, "because"},
		{"one that does not deny", []*Compiled{approve(nil), deny(one, no)}, Approved, ""},
		{"one that cannot say whether it denies", []*Compiled{approve(nil), deny(one, failing)}, Failed, `the Deny policy "deny" could not be evaluated`},
		{"one that fails and does not deny", []*Compiled{approve(nil), deny(two, failing, no)}, Approved, ""},
		{"six that do not", []*Compiled{approve(one, no), approve(one, no), approve(one, no), approve(one, no), approve(one, no), approve(one, no)}, Left, "; and 1 more policy"},
		{"one that was not compiled", []*Compiled{{Policy: &Policy{Name: "approve", Action: Approve}}}, Failed, "it is broken: it was not compiled"},
		{"a broken one that would deny", []*Compiled{approve(nil), broken(Deny)}, Failed, `the Deny policy "broken" is broken, and nothing is approved`},
		{"a broken one of which nobody knows what it does", []*Compiled{approve(nil), broken("")}, Failed, "nothing is approved"},
		{"a broken one and one that denies", []*Compiled{broken(Deny), deny(one, yes)}, Failed, "nothing is approved"},
	} {
		t.Run(test.about, func(t *testing.T) {
			decision := Decide(factsOf(t, jane), test.policies)
			if decision.Outcome != test.want || !strings.Contains(decision.Why, test.says) || (decision.By != nil) != (test.want == Approved || test.want == Denied) {
				t.Errorf("%s by %v: %s", decision.Outcome, decision.By, decision.Why)
			}
		})
	}
}

// TestPolicy_WithoutALedgerConditionsAboutCertificatesAreNotEvaluated: a condition that no certificate exists would be
// true.
func TestPolicy_WithoutALedgerConditionsAboutCertificatesAreNotEvaluated(t *testing.T) {
	with := func(action Action, expression string, users ...string) *Compiled {
		value := Evaluated{Value: action == Approve}
		return &Compiled{Policy: &Policy{Name: "reads", Action: action, Users: users, Conditions: []Condition{{Name: "c", Expression: expression}}}, Program: values{value}}
	}
	for _, test := range []struct {
		about    string
		policies []*Compiled
		want     Outcome
	}{
		{"to approve", []*Compiled{with(Approve, "size(certificates) < 2")}, Failed},
		{"to approve others", []*Compiled{with(Approve, "size(certificates) < 2", "john")}, Left},
		{"to deny", []*Compiled{with(Deny, "size(certificates)>2"), everything()}, Failed},
		{"to deny others", []*Compiled{with(Deny, "size(certificates)>2", "john"), everything()}, Approved},
		{"about the API group", []*Compiled{with(Approve, "authorizer.group('certificates.k8s.io').resource('certificatesigningrequests').check('get').allowed()")}, Approved},
	} {
		facts := factsOf(t, jane)
		facts.WithoutLedger = true
		decision := Decide(facts, test.policies)
		if decision.Outcome != test.want || test.want == Failed && !strings.Contains(decision.Why, "the ledger is not installed") {
			t.Errorf("%s: %s: %s", test.about, decision.Outcome, decision.Why)
		}
	}
}

func TestPolicy_ADenyPolicyIsAboutItsSubject(t *testing.T) {
	deny := &Compiled{Policy: &Policy{Name: "deny", Action: Deny, Groups: []string{"contractors"}}, Program: values{}}
	if decision := Decide(factsOf(t, jane), []*Compiled{deny, everything()}); decision.Outcome != Approved {
		t.Errorf("%+v", decision)
	}
	deny.Groups = []string{"dev"}
	if decision := Decide(factsOf(t, jane), []*Compiled{deny, everything()}); decision.Outcome != Denied {
		t.Errorf("%+v", decision)
	}
}

// TestPolicy_WhoCanUseAPolicyIsAskedOfThoseThatWouldApprove keeps the API server from being asked
// about requests that no policy approves.
func TestPolicy_WhoCanUseAPolicyIsAskedOfThoseThatWouldApprove(t *testing.T) {
	asked := 0
	facts := factsOf(t, jane, func(f *Facts, _ *certificatesv1.CertificateSigningRequest) {
		f.MayUse = func(string) (bool, error) { asked++; return true, nil }
	})
	Decide(facts, []*Compiled{{Policy: &Policy{Name: "other", Action: Approve, Users: []string{"john"}}, Program: values{}}})
	if asked != 0 {
		t.Errorf("it was asked %d times", asked)
	}
	facts.MayUse = func(string) (bool, error) { return true, errors.New("no answer") }
	if decision := Decide(facts, []*Compiled{everything()}); decision.Outcome != Failed {
		t.Errorf("%+v", decision)
	}
}

func TestPolicy_AnOutcomeHasWords(t *testing.T) {
	for outcome, want := range map[Outcome]string{Approved: "approved by policy", Denied: "denied by policy", Left: "left to people", Failed: "error, left to people"} {
		if got := outcome.Sentence(); got != want {
			t.Errorf("%s: %q", outcome, got)
		}
	}
}
