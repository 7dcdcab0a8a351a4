package revoke_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

// site is a cluster whose nodes have enforcers.
type site struct {
	*onboardtest.World
	// change changes what a node reports. Optional.
	change func(*revocation.Report)
	// meanwhile is done before the next look at the reports. Optional.
	meanwhile func()
}

// newSite has enforcers that report whatever the list is at each look, as those that see each change.
func newSite(t *testing.T, nodes ...string) *site {
	t.Helper()
	s := &site{World: onboardtest.New(t)}
	s.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/leases") {
			return false
		}
		if s.meanwhile != nil {
			s.meanwhile()
		}
		for _, node := range nodes {
			list := s.list(t)
			report := revocation.Report{Node: node, Version: "v0.1.0", List: list.Digest(), Entries: len(list.Items()), ProvenUntil: s.Now().Add(time.Minute), Renewed: s.Now()}
			if s.change != nil {
				s.change(&report)
			}
			lease, err := report.Lease()
			if err != nil {
				t.Error(err)
				return false
			}
			s.Server.Put(t, lease)
		}
		return false
	}
	return s
}

// hurry has the clock be a second later at each look at it.
func (s *site) hurry() {
	begin := s.Now()
	var looks atomic.Int64
	s.Now = func() time.Time { return begin.Add(time.Duration(looks.Add(1)) * time.Second) }
}

// patience is how long is waited where the clock hurries.
const patience = 5 * time.Second

// list is the list as the cluster has it.
func (s *site) list(t *testing.T) access.List {
	t.Helper()
	stored := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: access.BlockNamespace}}
	s.Server.Find(t, access.BlockName, stored)
	return access.ListOf(stored.Data)
}

func (s *site) revokes(t *testing.T, blocked access.Blocked) bool {
	t.Helper()
	_, isListed := s.list(t).Blocks(blocked)
	return isListed
}

var (
	jane       = access.Blocked{User: "jane"}
	pinnedJane = access.Blocked{User: "jane", IsPin: true}
)

func about(blocked access.Blocked) revoke.Input {
	return revoke.Input{
		Entry:  access.Entry{Blocked: blocked, Details: access.Details{User: "jane", Reason: "left"}},
		DryRun: onboard.DryRunNone, AreHoldingsTold: true, Patience: time.Minute,
	}
}

// must revokes, which has to succeed.
func (s *site) must(t *testing.T, blocked access.Blocked) {
	t.Helper()
	if _, err := revoke.Run(t.Context(), s.Program, about(blocked)); err != nil {
		t.Fatal(err)
	}
}

func TestRevoke_ItIsDoneOnceEachServerRefuses(t *testing.T) {
	s := newSite(t, "node-1", "node-2")
	looks := 0
	s.change = func(report *revocation.Report) {
		// The second node takes some looks longer.
		if looks++; report.Node == "node-2" && looks < 9 {
			report.List = "another"
		}
	}
	in := about(jane)
	in.AreHoldingsTold = false
	result, err := revoke.Run(t.Context(), s.Program, in)
	if err != nil || revocation.InForce(result.Servers) != 2 || looks < 9 {
		t.Fatalf("%+v, %v after %d looks", result, err, looks)
	}
	details, isListed := s.list(t).Blocks(jane)
	if !isListed || !details.IsRevoked || details.By != "admin" || details.Reason != "left" || s.Now().Sub(details.At) > time.Minute {
		t.Errorf("%v: %+v", isListed, details)
	}
	if told := onboardtest.Told[revoke.Listed](s.World); len(told) != 1 || told[0].Blocked != jane {
		t.Errorf("%v", told)
	}
}

func TestRevoke_AServerThatDoesNotRefuseIsNamed(t *testing.T) {
	s := newSite(t, "node-1", "node-2")
	s.hurry()
	for why, change := range map[string]func(*revocation.Report){
		"another version of the list": func(report *revocation.Report) { report.List = "another" },
		"not proven":                  func(report *revocation.Report) { report.ProvenUntil = time.Time{} },
		"has not reported":            func(report *revocation.Report) { report.Renewed = s.Now().Add(-time.Hour) },
		"cannot be refused":           func(report *revocation.Report) { report.Problems = []string{jane.Key() + ": cannot be refused"} },
	} {
		s.change = func(report *revocation.Report) {
			if report.Node == "node-2" {
				change(report)
			}
		}
		in := about(jane)
		in.Patience = patience
		before := len(onboardtest.Told[revoke.NotInForce](s.World))
		_, err := revoke.Run(t.Context(), s.Program, in)
		told := onboardtest.Told[revoke.NotInForce](s.World)[before:]
		if err == nil || !strings.Contains(err.Error(), "at 1 of 2 API servers: node-2") || len(told) != 1 || !strings.Contains(told[0].Server.Why, why) {
			t.Errorf("%s: %v, told %+v", why, err, told)
		}
		if !s.revokes(t, jane) {
			t.Errorf("%s: the entry is gone", why)
		}
	}
}

func TestRevoke_WhatTheClusterCannotDoIsRefusedFirst(t *testing.T) {
	other := about(access.Blocked{CredentialID: "JTI=00000000-0000-4000-8000-000000000001"})
	other.Entry.Details.User = "system:serviceaccount:default:robot"
	certificate := about(access.Blocked{CredentialID: "X509SHA256=" + strings.Repeat("ab", 32)})
	certificate.Entry.Details.User = "jane"
	ofFile := certificate
	ofFile.CertificateFile = "jane's.crt"
	for name, test := range map[string]struct {
		change func(*site)
		in     revoke.Input
		is     error
		hint   string
	}{
		"no enforcer":                              {func(s *site) { s.Server.Answer = nil }, about(jane), nil, "offboard jane --block"},
		"no enforcer, for a pod":                   {func(s *site) { s.Server.Answer = nil }, other, nil, "a token is valid until it expires"},
		"no enforcer, for a certificate":           {func(s *site) { s.Server.Answer = nil }, ofFile, nil, `refuse writes with this certificate: kubectl csr-onboard offboard jane --block --certificate 'jane'\''s.crt'`},
		"no enforcer, for a certificate by its ID": {func(s *site) { s.Server.Answer = nil }, certificate, nil, "only by its file: kubectl csr-onboard offboard jane --block --certificate FILE"},
		"an early release":                         {func(s *site) { s.Server.Version = "v1.31.9" }, about(jane), revoke.ErrTooOld, "offboard NAME --block"},
		"oneself":                                  {nil, about(access.Blocked{User: "admin"}), outcome.ErrRefused, ""},
		"reports that cannot be read":              {func(s *site) { s.Server.Refuse("list", "leases") }, about(jane), nil, ""},
		"a list that cannot be changed": {func(s *site) {
			s.Server.Refuse("patch", "configmaps")
			s.Server.Refuse("create", "configmaps")
		}, about(jane), nil, ""},
	} {
		s := newSite(t, "node-1")
		if test.change != nil {
			test.change(s)
		}
		_, err := revoke.Run(t.Context(), s.Program, test.in)
		if err == nil || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(outcome.Hint(err), test.hint) {
			t.Errorf("%s: %v, hint %q", name, err, outcome.Hint(err))
		}
		if list := s.list(t); len(list.Items()) > 0 || len(onboardtest.Told[revoke.Listed](s.World)) > 0 {
			t.Errorf("%s: the list has %v", name, list.Items())
		}
	}
}

func TestRevoke_ADryRunChangesNothing(t *testing.T) {
	s := newSite(t, "node-1")
	for _, dryRun := range []onboard.DryRun{onboard.DryRunClient, onboard.DryRunServer} {
		in := about(jane)
		in.DryRun = dryRun
		if _, err := revoke.Run(t.Context(), s.Program, in); err != nil || s.revokes(t, jane) {
			t.Errorf("%s: %v, revoked %v", dryRun, err, s.revokes(t, jane))
		}
	}
	s.must(t, jane)
	for _, dryRun := range []onboard.DryRun{onboard.DryRunClient, onboard.DryRunServer} {
		in := about(jane)
		in.DryRun = dryRun
		if result, err := revoke.Undo(t.Context(), s.Program, in); err != nil || !result.WasListed || !s.revokes(t, jane) {
			t.Errorf("%s: %+v, %v, revoked %v", dryRun, result, err, s.revokes(t, jane))
		}
	}
	if told := onboardtest.Told[revoke.Listed](s.World); len(told) != 1 {
		t.Errorf("%v", told)
	}
}

func TestRevoke_AnEntryThatIsTakenOffMeanwhileIsNotInForce(t *testing.T) {
	s := newSite(t, "node-1")
	looks := 0
	s.meanwhile = func() {
		// The first look is whether the cluster can revoke.
		if looks++; looks > 1 {
			s.Server.Remove("configmaps", access.BlockNamespace, access.BlockName)
		}
	}
	s.change = func(report *revocation.Report) { report.ProvenUntil = time.Time{} }
	if _, err := revoke.Run(t.Context(), s.Program, about(jane)); !errors.Is(err, outcome.ErrChanged) {
		t.Errorf("%v", err)
	}
}

func TestRevoke_AnInterruptEndsTheWait(t *testing.T) {
	s := newSite(t, "node-1")
	ctx, cancel := context.WithCancel(t.Context())
	looks := 0
	s.meanwhile = func() {
		if looks++; looks > 3 {
			cancel()
		}
	}
	s.change = func(report *revocation.Report) { report.ProvenUntil = time.Time{} }
	if _, err := revoke.Run(ctx, s.Program, about(jane)); !errors.Is(err, outcome.ErrInterrupted) || !s.revokes(t, jane) {
		t.Errorf("%v", err)
	}
}

func TestUndo_OneIsTakenOffAndTheOthersStay(t *testing.T) {
	s := newSite(t, "node-1")
	sam := access.Blocked{User: "sam"}
	s.must(t, jane)
	s.must(t, sam)
	result, err := revoke.Undo(t.Context(), s.Program, about(jane))
	if err != nil || !result.WasListed || len(result.Servers) != 1 || s.revokes(t, jane) || !s.revokes(t, sam) {
		t.Errorf("%+v, %v", result, err)
	}
	if result, err = revoke.Undo(t.Context(), s.Program, about(jane)); err != nil || result.WasListed {
		t.Errorf("a second time: %+v, %v", result, err)
	}
	// What a list refused that was deleted is refused, though not listed.
	s.change = func(report *revocation.Report) { report.Kept = 1 }
	if _, err := revoke.Undo(t.Context(), s.Program, about(jane)); err == nil || outcome.Hint(err) != revoke.HowToAccept {
		t.Errorf("%v, hint %q", err, outcome.Hint(err))
	}
	s.hurry()
	in := about(sam)
	in.Patience = patience
	if _, err := revoke.Undo(t.Context(), s.Program, in); err == nil || outcome.Hint(err) != revoke.HowToAccept {
		t.Errorf("%v, hint %q", err, outcome.Hint(err))
	}
}

func TestUndo_WithoutEnforcersNothingIsWaitedFor(t *testing.T) {
	s := newSite(t)
	for name, entry := range map[string]access.Entry{"blocked": {Blocked: jane, Details: access.Details{User: "jane"}}, "offboarded": {Details: access.Details{User: "jane"}}} {
		if err := s.Cluster.Blocking().Remember(t.Context(), s.Now(), false, entry); err != nil {
			t.Fatal(err)
		}
		in := about(jane)
		in.Patience = 0
		result, err := revoke.Undo(t.Context(), s.Program, in)
		if err != nil || result.WasListed != (name == "blocked") || result.WasOffboarded != (name == "offboarded") || len(result.Servers) != 0 || s.revokes(t, jane) {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
	}
}

func TestRevoke_WhatIsRefusedForLongerStaysRefused(t *testing.T) {
	s := newSite(t, "node-1")
	until := s.Now().Add(time.Hour)
	forAWhile := about(jane)
	forAWhile.Entry.Details.Until = &until
	s.pin(t)
	if _, err := revoke.Run(t.Context(), s.Program, forAWhile); !errors.Is(err, outcome.ErrRefused) || !s.revokes(t, pinnedJane) {
		t.Errorf("a pin: %v", err)
	}
	s.must(t, jane)
	if _, err := revoke.Run(t.Context(), s.Program, forAWhile); !errors.Is(err, outcome.ErrRefused) || !s.revokes(t, jane) {
		t.Errorf("a revocation: %v", err)
	}
	again := about(jane)
	again.Entry.Details.Reason, again.DefaultReason = "", "offboarded"
	if _, err := revoke.Run(t.Context(), s.Program, again); err != nil {
		t.Fatal(err)
	}
	if details, _ := s.list(t).Blocks(jane); details.Reason != "left" {
		t.Errorf("the reason is %q", details.Reason)
	}
}

func TestRevoke_TheReasonIsNotThatOfARevocationThatIsOver(t *testing.T) {
	s := newSite(t, "node-1")
	past := s.Now().Add(-time.Hour)
	over := access.Entry{Blocked: jane, Details: access.Details{User: "jane", Reason: "holiday", IsRevoked: true, Until: &past}}
	if err := s.Cluster.Blocking().Remember(t.Context(), past.Add(-time.Hour), false, over); err != nil {
		t.Fatal(err)
	}
	in := about(jane)
	in.Entry.Details.Reason, in.DefaultReason = "", "offboarded"
	if _, err := revoke.Run(t.Context(), s.Program, in); err != nil {
		t.Fatal(err)
	}
	if details, _ := s.list(t).Blocks(jane); details.Reason != "offboarded" {
		t.Errorf("the reason is %q", details.Reason)
	}
}

// certificateOf is a certificate that the cluster has issued to jane.
func (s *site) certificateOf(t *testing.T, groups ...string) *pki.Certificate {
	t.Helper()
	certificate, err := pki.ParseCertificate(s.Server.Credentials(t, "jane", groups...).Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// returning begins the return of jane, in a group of random bytes unless it is that of a pin.
func (s *site) returning(t *testing.T, random byte, groups ...string) *revoke.Return {
	t.Helper()
	returning, err := revoke.Pinned(t.Context(), s.Program, identity.User{Name: "jane", Groups: groups}, bytes.NewReader(bytes.Repeat([]byte{random}, 16)))
	if err != nil {
		t.Fatal(err)
	}
	return returning
}

// pin pins jane.
func (s *site) pin(t *testing.T) {
	t.Helper()
	returning := s.returning(t, 1)
	if _, err := returning.Pin(t.Context(), s.Program, s.certificateOf(t, returning.User.Groups...), time.Minute); err != nil {
		t.Fatal(err)
	}
}

// TestPin_WhatWasRevokedMeanwhileStaysRevoked: the other administrator was told that it is in force.
func TestPin_WhatWasRevokedMeanwhileStaysRevoked(t *testing.T) {
	for about, isPinned := range map[string]bool{"a user who has a pin": true, "a user who is not revoked": false} {
		s := newSite(t, "node-1")
		if isPinned {
			s.pin(t)
		}
		returning := s.returning(t, 2, "dev")
		s.must(t, jane)
		_, err := returning.Pin(t.Context(), s.Program, s.certificateOf(t, returning.User.Groups...), time.Minute)
		if !errors.Is(err, outcome.ErrChanged) || !strings.Contains(err.Error(), `was revoked by "admin"`) || !s.revokes(t, jane) || s.revokes(t, pinnedJane) {
			t.Errorf("%s: %v", about, err)
		}
		returning = s.returning(t, 3, "dev")
		if _, err := returning.Pin(t.Context(), s.Program, s.certificateOf(t, returning.User.Groups...), time.Minute); err != nil || s.revokes(t, jane) {
			t.Errorf("%s, again: %v", about, err)
		}
	}
}

func TestPin_AUserComesBackWithNewCertificatesOnly(t *testing.T) {
	s := newSite(t, "node-1")
	s.must(t, jane)
	old := access.PinGroup([16]byte{7})
	returning := s.returning(t, 1, "dev", old)
	user := returning.User
	if len(user.Groups) != 2 || user.Groups[0] != "dev" || !access.IsPinGroup(user.Groups[1]) || user.Groups[1] == old {
		t.Fatalf("%+v", user)
	}
	if _, err := returning.Pin(t.Context(), s.Program, s.certificateOf(t, "dev"), time.Minute); err == nil || !s.revokes(t, jane) {
		t.Errorf("a certificate of before: %v", err)
	}
	result, err := returning.Pin(t.Context(), s.Program, s.certificateOf(t, user.Groups...), time.Minute)
	if err != nil || len(result.Servers) != 1 || s.revokes(t, jane) {
		t.Fatalf("%+v, %v", result, err)
	}
	if details, isPinned := s.list(t).Blocks(pinnedJane); !isPinned || details.PinGroup != user.Groups[1] || details.Reason != "left" || details.By != "admin" {
		t.Errorf("%v: %+v", isPinned, details)
	}
	// The next certificate is in the group of the pin, which stays.
	again := s.returning(t, 2, "dev").User
	if !slices.Equal(again.Groups, user.Groups) {
		t.Errorf("%+v", again)
	}
	// Who is revoked altogether needs no pin, and has another one after that.
	s.must(t, jane)
	if s.revokes(t, pinnedJane) || !s.revokes(t, jane) {
		t.Error("the pin is still there, or the revocation is not")
	}
	if other := s.returning(t, 2, again.Groups...).User; slices.Equal(other.Groups, user.Groups) {
		t.Errorf("%+v", other)
	}
	if _, err := revoke.Pinned(t.Context(), s.Program, user, bytes.NewReader(nil)); err == nil {
		t.Error("a group without random bytes")
	}
}

func TestPin_TakingBackTakesThePinBackToo(t *testing.T) {
	s := newSite(t, "node-1")
	if s.pin(t); !s.revokes(t, pinnedJane) {
		t.Fatal("jane is not pinned")
	}
	if result, err := revoke.Undo(t.Context(), s.Program, about(jane)); err != nil || !result.WasListed || s.revokes(t, pinnedJane) {
		t.Errorf("%+v, %v", result, err)
	}
	if err := revoke.CheckPinnable(t.Context(), s.Program, "jane"); err != nil {
		t.Error(err)
	}
	if err := revoke.CheckPinnable(t.Context(), s.Program, "system:masters"); err == nil {
		t.Error("a system user can be pinned")
	}
}

func TestAccept_OnlyWhatIsKeptIsAccepted(t *testing.T) {
	s := newSite(t, "node-1")
	s.must(t, jane)
	isAccepted := func() bool {
		stored := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: access.BlockNamespace}}
		return s.Server.Find(t, access.BlockName, stored) && stored.Annotations[access.AcceptedAnnotation] == string(stored.UID)
	}
	if result, err := revoke.Accept(t.Context(), s.Program, onboard.DryRunNone, time.Minute); err != nil || result.WasListed || isAccepted() {
		t.Errorf("%+v, %v", result, err)
	}
	s.change = func(report *revocation.Report) {
		if !isAccepted() {
			report.Kept = 2
		}
	}
	for _, dryRun := range []onboard.DryRun{onboard.DryRunClient, onboard.DryRunServer, onboard.DryRunNone} {
		result, err := revoke.Accept(t.Context(), s.Program, dryRun, time.Minute)
		if err != nil || !result.WasListed || isAccepted() != (dryRun == onboard.DryRunNone) {
			t.Errorf("%s: %+v, %v, accepted %v", dryRun, result, err, isAccepted())
		}
	}
}

func TestAccept_AListThatIsMissingIsNotAcceptedInADryRunEither(t *testing.T) {
	s := newSite(t, "node-1")
	s.must(t, jane)
	s.Server.Remove("configmaps", access.BlockNamespace, access.BlockName)
	s.change = func(report *revocation.Report) { report.List, report.Kept = "", 1 }
	for _, dryRun := range []onboard.DryRun{onboard.DryRunClient, onboard.DryRunServer, onboard.DryRunNone} {
		if result, err := revoke.Accept(t.Context(), s.Program, dryRun, time.Minute); !errors.Is(err, outcome.ErrNotFound) {
			t.Errorf("%s: %+v, %v", dryRun, result, err)
		}
	}
}

func TestLook_TheListIsReadWithTheReports(t *testing.T) {
	s := newSite(t, "node-1")
	s.must(t, jane)
	status, err := revoke.Look(t.Context(), s.Program)
	if err != nil || !status.Exists || !status.CanRevoke() || status.IsMoreInForce() || len(status.Entries) != 1 || len(status.Problems) != 0 {
		t.Errorf("%+v, %v", status, err)
	}
	s.Server.Remove("configmaps", access.BlockNamespace, access.BlockName)
	s.change = func(report *revocation.Report) { report.List, report.Entries = "", 1 }
	if status, err = revoke.Look(t.Context(), s.Program); err != nil || status.Exists || !status.IsMoreInForce() {
		t.Errorf("%+v, %v", status, err)
	}
	s.Server.Refuse("list", "configmaps")
	if _, err = revoke.Look(t.Context(), s.Program); err == nil {
		t.Error("a list that cannot be read is not an error")
	}
}

func TestRender_TheFileIsOfTheList(t *testing.T) {
	const kubeconfig = "/etc/csr-onboard/denier.kubeconfig"
	s := newSite(t, "node-1")
	base, err := revocation.BaseOfModes("Node,RBAC")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := revoke.Render(t.Context(), s.Program, base, kubeconfig); !errors.Is(err, outcome.ErrNotFound) || text != nil {
		t.Errorf("without a list: %s, %v", text, err)
	}
	s.must(t, jane)
	if text, err := revoke.Render(t.Context(), s.Program, base, kubeconfig); err != nil || !bytes.Contains(text, []byte("jane")) || !bytes.Contains(text, []byte(kubeconfig)) {
		t.Errorf("%s, %v", text, err)
	}
	// What cannot be in the file is said.
	s.Server.Put(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: access.BlockNamespace, Name: access.BlockName},
		Data:       map[string]string{access.Blocked{User: "system:admin"}.Key(): "user:system:admin"},
	})
	if _, err := revoke.Render(t.Context(), s.Program, base, kubeconfig); err != nil || len(onboardtest.Told[revoke.NotRendered](s.World)) != 1 {
		t.Errorf("%v, told %v", err, onboardtest.Told[revoke.NotRendered](s.World))
	}
}

// TestRevoke_WhoseACertificateIsIsLookedUp is for one of which only the credential ID is known: it is refused only if its
// user can be, so that has to be known, or be said.
func TestRevoke_WhoseACertificateIsIsLookedUp(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	record := func(user string, isVerified bool, groups ...string) *ledger.ClientCertificate {
		return &ledger.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Name: hash}, Spec: ledger.Spec{User: user, Groups: groups, Verified: isVerified}}
	}
	certificate, token := access.Blocked{CredentialID: access.CertificateIDPrefix + hash}, access.Blocked{CredentialID: "JTI=1"}
	for name, test := range map[string]struct {
		blocked   access.Blocked
		record    *ledger.ClientCertificate
		user      string
		isUnknown bool
		is        error
	}{
		"a user's":                  {certificate, record("kim", true, "dev"), "kim", false, nil},
		"a kubelet's":               {certificate, record("system:node:one", true), "system:node:one", false, nil},
		"the control plane's":       {certificate, record("system:kube-scheduler", true), "", false, outcome.ErrRefused},
		"a service account's":       {certificate, record("system:serviceaccount:kube-system:x", true), "", false, outcome.ErrRefused},
		"an administrator's":        {certificate, record("root", true, "system:masters"), "", false, outcome.ErrRefused},
		"one that was not verified": {certificate, record("kim", false), "", true, nil},
		"a name that is too long":   {certificate, record(strings.Repeat("x", access.MaximumBlockedName+1), true), "", true, nil},
		"one that is not recorded":  {certificate, nil, "", true, nil},
		"a token":                   {token, nil, "", true, nil},
	} {
		s := newSite(t, "node-1")
		if test.record != nil {
			s.Server.Put(t, test.record)
		}
		in := about(test.blocked)
		in.Entry.Details.User = ""
		result, err := revoke.Run(t.Context(), s.Program, in)
		if !errors.Is(err, test.is) || err == nil && result.IsUserUnknown != test.isUnknown {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
		if details, isListed := s.list(t).Blocks(test.blocked); isListed != (test.is == nil) || details.User != test.user {
			t.Errorf("%s: listed: %t, of %q", name, isListed, details.User)
		}
	}
	s := newSite(t, "node-1")
	s.Server.Refuse("get", "clientcertificates")
	in := about(certificate)
	in.Entry.Details.User = ""
	if result, err := revoke.Run(t.Context(), s.Program, in); err != nil || !result.IsUserUnknown {
		t.Errorf("a ledger that cannot be read: %+v, %v", result, err)
	}
}
