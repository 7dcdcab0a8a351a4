package render

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/granting"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/offboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/sign"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/teamfile"
)

var (
	errHostile = outcome.WithHint(errors.New("forbidden: "+hostile), "ask "+hostile)
	fetch      = identity.NewCommand("kubectl csr-onboard fetch").Argument(hostile)
	viewer     = access.Wanted{Holder: access.Holder{Name: hostile}, Grant: access.Grant{Role: access.Role{IsCluster: true, Name: "view"}, Namespace: "dev"}}
	later      = now.Add(48 * time.Hour)
)

// recordFor is the record of a certificate that is valid for two more days.
func recordFor(user, group string) *ledger.ClientCertificate {
	return &ledger.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Name: ledger.NameOf([]byte("one"))},
		Spec:       ledger.Spec{User: user, Groups: []string{group}, NotBefore: metav1.NewTime(now), NotAfter: metav1.NewTime(later)},
	}
}

// held is a role binding of a user and of others.
func held(name, user string, isOwn bool, others ...string) access.Held {
	binding := access.Held{Grant: access.Grant{Role: access.Role{Name: "edit"}, Namespace: "dev"}, Meta: metav1.ObjectMeta{Name: name, Namespace: "dev"}}
	if isOwn {
		binding.Meta.Labels = map[string]string{access.ManagedByLabel: access.ManagedByValue}
		binding.Meta.Annotations = map[string]string{access.UserAnnotation: user}
	}
	for _, subject := range append([]string{user}, others...) {
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: subject})
	}
	return binding
}

// narrated are events, at least one of every type. Every text in them that can come from outside
// is hostile.
func narrated(t *testing.T) []event.Event {
	t.Helper()
	user := identity.User{Name: hostile, Groups: []string{hostile, "developers"}}
	pending := object(t, hostile, jane(), nil)
	foreign := object(t, "jane-foreign", jane(), func(o *certificatesv1.CertificateSigningRequest) { o.Spec.SignerName = "example.com/" + hostile })
	approved := object(t, "jane-approved", jane(), hasCondition(certificatesv1.CertificateApproved, ""))
	review := request.ReviewOf(object(t, hostile, user, nil))
	authorities := []handoff.Authority{{Subject: hostile, Fingerprint: "SHA256:ca"}, {Subject: "kubernetes", Fingerprint: "SHA256:signer", HasSigned: true}}
	member := team.Result{User: user, Line: 7, State: team.MemberFailed, Err: errHostile}
	return []event.Event{
		onboard.Warning{Text: hostile},
		onboard.NameWarned{Problem: identity.Examine(identity.User{Name: hostile})[0]},
		onboard.FindingWarned{Finding: review.Findings[0]},
		onboard.Recorded{Request: hostile}, onboard.NotRecorded{Reason: errHostile},
		onboard.KeyReady{Path: "d/" + hostile, Kind: "Ed25519", Fingerprint: "SHA256:key", Created: true},
		onboard.KeyReady{Path: "d/jane.key", CopiedFrom: hostile, Kind: "Ed25519", Fingerprint: "SHA256:key", Created: true},
		onboard.KeyReady{Path: hostile, Kind: "Ed25519", Fingerprint: "SHA256:key"},
		onboard.KeyRetired{Request: hostile, NotAfter: now, Path: hostile},
		onboard.RequestReady{Name: hostile, Server: hostile, State: request.Pending, Created: true, AskedLifetime: 8 * time.Hour, StoredLifetime: 8 * time.Hour},
		onboard.RequestReady{Name: hostile, State: request.Approved, AskedLifetime: 8 * time.Hour},
		onboard.RequestReady{Name: "jane", State: request.Issued, AskedLifetime: time.Hour, StoredLifetime: time.Hour},
		onboard.NextSteps{Object: pending, Fetch: fetch},
		onboard.NextSteps{Object: foreign, Fetch: fetch},
		onboard.NextSteps{Object: approved, Fetch: fetch},
		onboard.NextStepsOffline{Path: hostile, Fingerprint: "SHA256:key", Approve: identity.NewCommand("kubectl csr-onboard approve -f").File(hostile), Fetch: fetch},
		onboard.ServerVersionUnknown{Reason: errHostile},
		onboard.GrantsUnread{Reason: hostile},
		onboard.ContextsNotAsked{Contexts: 3},
		onboard.StandingUnread{Reason: hostile},
		onboard.Called{Call: cluster.Call{Method: "GET", Path: "/" + hostile, Status: 200, Duration: 12 * time.Millisecond, AuditID: hostile}},
		onboard.Called{Call: cluster.Call{Method: "GET", Path: "/", Err: errHostile}},
		destination.KubeconfigWritten{Path: hostile, Named: hostile, Context: hostile, LoginChecked: true},
		destination.KubeconfigWritten{Path: hostile, Context: hostile, IsMerged: true, LoginChecked: true},
		destination.KubeconfigWritten{Path: hostile, Context: hostile, IsMerged: true, IsCurrent: true, LoginChecked: true},
		sign.NothingSigned{User: user, Authority: hostile, Lifetime: time.Hour},
		renewal.Due{Context: hostile, User: user, NotAfter: later},
		audit.NothingListed{}, audit.RecorderAwaited{Left: 15 * time.Second}, audit.AuthoritiesUnknown{Reason: errHostile}, audit.LaterFields{Certificates: 2, Fields: []string{"spec.device", "status." + hostile}}, audit.Exported{Head: strings.Repeat("0", 64), Lines: 3},
		revoke.Holdings{User: hostile, Own: []*ledger.ClientCertificate{recordFor("jane", "dev")}, Others: []*ledger.ClientCertificate{recordFor(hostile, hostile)}, Now: now},
		revoke.LedgerUnread{Reason: errHostile},
		revoke.Listed{Blocked: access.Blocked{User: hostile}},
		revoke.NotInForce{Server: revocation.Server{Node: hostile, Why: "its enforcer does not report"}},
		revoke.KeptFromBefore{Node: hostile},
		revoke.NotRendered{Problem: revocation.Problem{Key: hostile, Says: "the entry names nobody"}},
		revoke.APIServersUnknown{Reason: errHostile},
		onboard.NotDecided{Decision: request.Approval(), Reason: errHostile},
		onboard.NotDecided{Decision: request.Denial(), Reason: errHostile},
		onboard.StillFollowing{Trouble: errHostile},
		onboard.Reviewed{Review: review, Now: now},
		onboard.Reviewed{Review: review, Now: now, Clusters: []string{"dev", hostile}},
		onboard.Given{Wanted: viewer},
		onboard.RequestApproved{Name: hostile},
		onboard.StillWaiting{Sighting: requests.Sighting{Object: pending}},
		onboard.StillWaiting{Sighting: requests.Sighting{Object: approved}},
		onboard.StillWaiting{Sighting: requests.Sighting{Object: approved, Unsigned: true}},
		onboard.StillWaiting{Sighting: requests.Sighting{Object: foreign, Unsigned: true}},
		onboard.StillWaiting{Sighting: requests.Sighting{Object: pending, Trouble: errHostile}},
		onboard.CertificateIssued{Issuer: "CN=" + hostile, NotAfter: later, Asked: 48 * time.Hour, Given: 48*time.Hour + 5*time.Minute},
		onboard.CertificateIssued{Issuer: "CN=" + hostile, NotAfter: later, Asked: 100 * time.Hour, Given: 48 * time.Hour},
		onboard.Progress{Doing: "onboarding", Done: 2, Failed: 1, Total: 2},
		onboard.LoggedIn{User: user},
		onboard.LifetimeChanged{Asked: 8 * time.Hour, Stored: time.Hour},
		onboard.LifetimeChanged{Asked: 8 * time.Hour},
		approval.CandidatesFound{Name: hostile, Reviews: []*request.Review{review, request.ReviewOf(approved)}},
		approval.ToBeGiven{Wanted: []access.Wanted{viewer, {Holder: access.Holder{IsGroup: true, Name: "developers"}, Grant: access.RenewableGrant}}},
		approval.AlreadyDecided{Decision: request.Approval(), Name: hostile, Message: hostile},
		approval.AlreadyDecided{Decision: request.Denial(), Name: "jane"},
		approval.NothingPending{}, approval.NothingListed{},
		approval.NothingDecided{Decision: request.Approval()},
		approval.RequestGivenTwice{Source: hostile, First: hostile},
		approval.SignerAssumed{Source: hostile, Signer: request.Signer},
		destination.KubeconfigWritten{Path: hostile, Context: hostile, LoginChecked: true},
		destination.KubeconfigWritten{Path: "d/jane's config", Context: "jane@c"},
		destination.CertificateWritten{Path: hostile, User: user},
		destination.KubeconfigNotPrivate{Path: hostile},
		destination.ExecIsLocal{},
		destination.ServerIsLoopback{Server: hostile},
		destination.ServerNotVerified{Server: hostile},
		destination.CacheFilled{Directory: hostile},
		destination.CacheKept{Directory: hostile, NotAfter: later},
		granting.UserUnknown{Name: hostile},
		handoff.NotHandedOff{Reason: errHostile},
		handoff.Written{Path: hostile, User: user},
		handoff.ToConfirm{User: user, Endpoints: []handoff.EndpointToConfirm{{Server: hostile, Authorities: authorities}}, KeyFingerprints: []string{"SHA256:key"}, Command: fetch.String()},
		handoff.ToConfirm{User: user, Endpoints: []handoff.EndpointToConfirm{{Server: hostile}}, KeyFingerprints: []string{"SHA256:key"}, Command: fetch.String()},
		handoff.ToConfirm{User: user, Endpoints: []handoff.EndpointToConfirm{{Cluster: hostile, Server: hostile}, {Cluster: "prod", Authorities: authorities[:1]}}, KeyFingerprints: []string{"SHA256:key"}, Command: fetch.String()},
		handoff.EndpointNamed{Server: hostile, Authorities: authorities, RestsOnFile: true},
		handoff.EndpointNamed{Server: hostile, Authorities: authorities[:1]},
		handoff.EndpointNamed{Server: hostile, RestsOnFile: true},
		handoff.CertificatesNotReaching{Server: hostile},
		handoff.ClusterUnreachable{Reason: errHostile},
		offboard.OffboardingPlanned{Plan: plans(t)["everything"]},
		offboard.IdentityBlocked{Blocked: access.Blocked{User: hostile}, IsProven: true},
		offboard.IdentityBlocked{Blocked: access.Blocked{CredentialID: hostile}},
		offboard.BlockNotProven{Reason: errHostile},
		offboard.NotRemembered{Reason: errHostile},
		offboard.RequestDenied{Name: hostile},
		offboard.TakenAway{Held: held(hostile, hostile, true), User: hostile},
		offboard.TakenAway{Held: held(hostile, hostile, true, "sam"), User: hostile},
		offboard.NotTakenAway{Reason: errHostile},
		renewal.NotDue{Context: hostile, NotAfter: later},
		renewal.OthersUnrenewed{Context: hostile, User: hostile, Certificates: 2},
		renewal.Busy{Context: hostile},
		renewal.RenewedMeanwhile{Context: hostile, NotAfter: later},
		renewal.GroupsLost{User: hostile, Groups: user.Groups},
		renewal.Waits{Request: hostile, State: request.Pending, NotAfter: later, Resume: hostile},
		renewal.Waits{Request: hostile, State: request.Approved, NotAfter: later, Resume: hostile},
		renewal.Rotated{Context: hostile, Path: hostile, NotAfter: later},
		renewal.PairLeft{Paths: []string{hostile, "jane.key"}, NotAfter: later},
		renewal.NotRenewed{Context: hostile, Reason: errHostile},
		renewal.NotStarted{Reason: errHostile},
		renewal.InTrouble{User: hostile, NotAfter: later, Trouble: hostile, Advice: hostile},
		renewal.InTrouble{User: hostile, NotAfter: later, Trouble: hostile},
		renewal.Awaited{User: hostile, NotAfter: later},
		renewal.CacheMoved{Directory: hostile, From: hostile, To: hostile},
		renewal.CacheInUse{Context: hostile, Path: hostile},
		renewal.LifetimeNotAskable{Present: 100 * 365 * 24 * time.Hour, Asked: 68 * 365 * 24 * time.Hour},
		sign.AuthorityKeyNotPrivate{Path: hostile},
		sign.PassphraseNotPrivate{Path: hostile},
		sign.SignerTrustedForServer{Authority: hostile, Server: hostile},
		team.MembersNotOnboarded{Users: []team.Result{member, {User: jane()}}, Reason: errHostile},
		team.Waits{Waiting: 1, Signer: request.Signer},
		team.Waits{Waiting: 2, AreApproved: true, Signer: request.Signer},
		team.Waits{Waiting: 2, AreApproved: true, Signer: "example.com/" + hostile},
		team.CertificatesProven{User: user, Key: "Ed25519", Authority: hostile},
		clusters.NotDone{Cluster: hostile, Reason: errHostile},
		clusters.NextSteps{Approve: fetch, Fetch: fetch},
		destination.KubeconfigJoined{Path: hostile, Named: hostile, Contexts: []string{hostile, "jane@dev"}},
		destination.KubeconfigJoined{Path: hostile, Contexts: []string{hostile}, IsMerged: true, LoginChecked: true},
		team.MemberNotOnboarded{User: hostile, Line: 3, Reason: errHostile},
		team.MemberNotOnboarded{User: hostile, Reason: errors.New(hostile)},
		team.LifetimesDiffer{Asked: 48 * time.Hour, Given: time.Hour},
		team.RolesUnchecked{},
		team.FileRefused{File: hostile, Mistakes: []teamfile.Mistake{{Line: 3, Problem: "invalid user name"}, {Problem: "no users found"}}},
		team.Summary{Results: []team.Result{member, {State: team.MemberFetched}, {State: team.MemberFetched}, {State: team.MemberComplete}, {State: team.MemberSubmitted}, {State: team.MemberFound}, {State: team.MemberMade}, {State: team.MemberChecked}}},
		team.Summary{Results: []team.Result{{State: team.MemberFetched}}},
		team.NextSteps{Approve: identity.NewCommand("kubectl csr-onboard approve"), Again: fetch},
		team.NextStepsOffline{Fetch: fetch, Lifetimes: []team.LifetimeOfUsers{{Users: []string{"jane"}}}},
		team.NextStepsOffline{Fetch: fetch, Lifetimes: []team.LifetimeOfUsers{{Users: []string{"jane"}}, {Lifetime: 36 * time.Hour, Users: []string{"sam", "joe"}}}},
	}
}

// narrate is what a person reads of an event.
func narrate(told event.Event, dryRun onboard.DryRun) string {
	var said bytes.Buffer
	narrator := NewNarrator(&said, clock).In(dryRun)
	narrator.Tell(told)
	narrator.Close()
	return said.String()
}

func TestNarrate_EventsAreToldAsInTheGoldenFile(t *testing.T) {
	g := golden{name: "narration"}
	seen := map[string]bool{}
	for _, told := range narrated(t) {
		kind := reflect.TypeOf(told).String()
		seen[kind] = true
		said := narrate(told, onboard.DryRunNone)
		checkHidden(t, kind, said)
		g.add(t, kind, func(out io.Writer) error { _, err := io.WriteString(out, said); return err })
		if rehearsed := narrate(told, onboard.DryRunServer); rehearsed != said {
			g.add(t, kind+", server dry run", func(out io.Writer) error { _, err := io.WriteString(out, rehearsed); return err })
		}
	}
	g.compare(t)
	for _, path := range []string{"narrate.go", "renewal.go"} {
		for _, kind := range toldIn(t, path) {
			if !seen[kind] {
				t.Errorf("no golden file shows how %s is told", kind)
			}
		}
	}
}

// toldIn are the types of events in the type switch of a file.
func toldIn(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	ast.Inspect(file, func(node ast.Node) bool {
		clause, isCase := node.(*ast.CaseClause)
		if !isCase {
			return true
		}
		for _, expression := range clause.List {
			if selector, isSelector := expression.(*ast.SelectorExpr); isSelector {
				kinds = append(kinds, fmt.Sprintf("%s.%s", selector.X, selector.Sel))
			}
		}
		return true
	})
	if len(kinds) == 0 {
		t.Errorf("%s tells no events", path)
	}
	return kinds
}

func TestNarrate_AWarningOfTheServerIsOneLine(t *testing.T) {
	var said bytes.Buffer
	NewNarrator(&said, clock).Warn(hostile)
	if want := `warning: jane\x1b[2J\u202eenaj\nerror: x` + "\n"; said.String() != want {
		t.Errorf("got %q, want %q", said.String(), want)
	}
}

func TestNarrate_AWaitIsALineThatGoesAway(t *testing.T) {
	var screen bytes.Buffer
	narrator := &Narrator{voice: &voice{out: &screen, now: clock, animated: true}, mutex: new(sync.Mutex)}
	narrator.Tell(onboard.StillWaiting{Sighting: requests.Sighting{Object: object(t, "jane-x", jane(), nil)}})
	narrator.Tell(onboard.RequestApproved{Name: "jane-x"})
	narrator.Close()
	shown := screen.String()
	if !strings.HasPrefix(shown, "\r\x1b[K"+"waiting for an administrator to approve jane-x (0s)") || !strings.HasSuffix(shown, "\r\x1b[K"+"approved jane-x\n") {
		t.Errorf("%q", shown)
	}
}

func TestNarrate_ProgressIsToldNowAndThen(t *testing.T) {
	var said bytes.Buffer
	at := now
	narrator := NewNarrator(&said, func() time.Time { return at })
	for _, step := range []struct {
		passed       time.Duration
		done, failed int
		want         string
	}{
		{0, 0, 0, ""},
		{9 * time.Second, 1, 0, ""},
		{time.Second, 2, 0, "onboarding: 2 of 9 users\n"},
		{9 * time.Second, 3, 0, ""},
		{time.Second, 4, 1, "onboarding: 4 of 9 users, 1 failed\n"},
		{10 * time.Second, 4, 1, ""},
		{49 * time.Second, 4, 1, ""},
		{time.Second, 4, 1, "onboarding: 4 of 9 users, 1 failed\n"},
		{time.Minute, 9, 1, ""},
		{0, 0, 0, ""},
	} {
		at = at.Add(step.passed)
		said.Reset()
		narrator.Tell(onboard.Progress{Doing: "onboarding", Done: step.done, Failed: step.failed, Total: 9})
		if said.String() != step.want {
			t.Errorf("%d of 9 after another %s: got %q, want %q", step.done, step.passed, said.String(), step.want)
		}
	}
}

func TestNarrate_AProgressBarGoesAway(t *testing.T) {
	var screen bytes.Buffer
	at := now
	narrator := &Narrator{voice: &voice{out: &screen, now: func() time.Time { return at }, animated: true}, mutex: new(sync.Mutex)}
	narrator.Tell(onboard.Progress{Doing: "onboarding", Total: 9})
	at = at.Add(2 * progressPatience)
	narrator.Tell(onboard.Progress{Doing: "onboarding", Done: 3, Total: 9})
	if !strings.Contains(screen.String(), "onboarding") || !strings.Contains(screen.String(), "3/9") {
		t.Errorf("no bar is shown: %q", screen.String())
	}
	narrator.Tell(onboard.Progress{Doing: "onboarding", Done: 9, Total: 9})
	screen.Reset()
	narrator.Close()
	if screen.Len() != 0 {
		t.Errorf("a bar is left: %q", screen.String())
	}
}

func TestNarrate_WhatHappensOnOneOfSeveralClustersBeginsWithItsName(t *testing.T) {
	var out bytes.Buffer
	all := NewNarrator(&out, func() time.Time { return now })
	one := all.ForCluster(hostile)
	all.Tell(approval.NothingListed{})
	one.Tell(team.MemberNotOnboarded{User: "jane", Reason: errHostile})
	one.Warn("a")
	lines := strings.Split(out.String(), "\n")
	prefix := ClusterPrefix(hostile)
	if len(lines) != 5 || strings.HasPrefix(lines[0], prefix) || !strings.HasPrefix(lines[1], prefix+"not onboarded: jane") || !strings.HasPrefix(lines[2], prefix+"  hint: ") || lines[3] != prefix+"warning: a" {
		t.Errorf("got %q", lines)
	}
	if identity.HasHidden(prefix, func(rune) bool { return false }) {
		t.Errorf("the prefix is %q", prefix)
	}
}

// TestNarrate_AdviceForOneClusterIsNotGivenForSeveral is for flags that are refused with several.
func TestNarrate_AdviceForOneClusterIsNotGivenForSeveral(t *testing.T) {
	for _, told := range []event.Event{destination.ServerIsLoopback{Server: "https://127.0.0.1"}, handoff.CertificatesNotReaching{Server: "https://h"}} {
		var out bytes.Buffer
		NewNarrator(&out, func() time.Time { return now }).ForCluster("dev").Tell(told)
		if !strings.HasSuffix(out.String(), "--external-server URL, in a command for this cluster alone\n") {
			t.Errorf("got %q", out.String())
		}
	}
	var out bytes.Buffer
	authorities := []handoff.Authority{{Subject: "CN=kubernetes", Fingerprint: "SHA256:ca", HasSigned: true}}
	NewNarrator(&out, func() time.Time { return now }).ForCluster("dev").Tell(handoff.EndpointNamed{Server: "https://h", Authorities: authorities, RestsOnFile: true})
	if !strings.HasSuffix(out.String(), "--ca-fingerprint CLUSTER=SHA256:…\n") {
		t.Errorf("got %q", out.String())
	}
}
