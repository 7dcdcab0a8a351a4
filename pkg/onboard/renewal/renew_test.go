package renewal_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// holder is the user jane with a kubeconfig, who is permitted to approve if a member of masters.
type holder struct {
	*onboardtest.World

	in renewal.Input
}

func newHolder(t *testing.T, groups ...string) *holder {
	t.Helper()
	w := onboardtest.New(t)
	h := &holder{World: w}
	path := filepath.Join(t.TempDir(), "config")
	h.write(t, path, w.Server.Credentials(t, "jane", groups...))
	h.in = renewal.Input{
		User: pair.KubeconfigUser{Context: "jane@test", Path: path, Entry: "jane@test"}, Renewals: filepath.Join(t.TempDir(), "renewals"),
		Resume: "kubectl csr-onboard renew", Again: "kubectl csr-onboard renew --force",
	}
	h.Program = w.As(t, "jane", groups...)
	return h
}

// onNewLogin has each login with another certificate than this one be answered, counted from 1. Where
// answer returns false, the server does.
func (h *holder) onNewLogin(held *pair.Held, answer func(rw http.ResponseWriter, count int32) bool) {
	var logins atomic.Int32
	h.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
		isNew := strings.HasSuffix(r.URL.Path, "/selfsubjectreviews") && !bytes.Equal(r.TLS.PeerCertificates[0].Raw, held.Certificate.Leaf.Raw)
		return isNew && answer(rw, logins.Add(1))
	}
}

// checkKept compares the pair in a kubeconfig that was kept.
func checkKept(t *testing.T, path string, held *pair.Held) {
	t.Helper()
	_, _, credentials, err := kubeconfig.DecodeOwn(read(t, path))
	if err != nil || !bytes.Equal(credentials.Certificate, held.Credentials.Certificate) || !bytes.Equal(credentials.Key, held.Credentials.Key) {
		t.Errorf("another pair is kept: %v", err)
	}
}

func (h *holder) write(t *testing.T, path string, credentials kubeconfig.Credentials) {
	t.Helper()
	encoded, err := kubeconfig.Encode(kubeconfig.Assemble(h.Server.Endpoint, credentials, kubeconfig.Names{Cluster: "test", Context: "jane@test"}, ""))
	if err == nil {
		err = os.WriteFile(path, encoded, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// approves has everything approved that is submitted from now on.
func (h *holder) approves() { h.decides(certificatesv1.CertificateApproved) }

// decides has everything decided that is submitted from now on.
func (h *holder) decides(decision certificatesv1.RequestConditionType) {
	tell := h.Tell
	h.Tell = func(e event.Event) {
		tell(e)
		if ready, isReady := e.(onboard.RequestReady); isReady {
			h.Server.Decide(ready.Name, decision)
		}
	}
	h.in.Timeout = time.Minute
}

func (h *holder) kubeconfig(t *testing.T) []byte { t.Helper(); return read(t, h.in.User.Path) }

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRenew_ACertificateIsReplacedByOneThatLogsIn(t *testing.T) {
	t.Parallel()
	h := newHolder(t, "dev")
	before := h.kubeconfig(t)
	h.approves()
	renewed, err := renewal.Run(t.Context(), h.Program, h.in)
	if err != nil || renewed.State != renewal.RenewalDone || bytes.Equal(before, h.kubeconfig(t)) {
		t.Fatalf("%+v, %v", renewed, err)
	}
	held, err := h.in.User.Read(h.Now)
	if err != nil {
		t.Fatal(err)
	}
	me, err := h.Cluster.LogIn(t.Context(), held.Credentials)
	if err != nil || me.Name != "jane" || held.Certificate.User().Groups[0] != "dev" {
		t.Errorf("%v, %v", me, err)
	}
	if left := store.RenewalsOf(h.in.Renewals, "jane"); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// TestRenew_ThePresentCertificateStaysUntilTheNewOneHasLoggedIn is the promise of a renewal.
func TestRenew_ThePresentCertificateStaysUntilTheNewOneHasLoggedIn(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]struct {
		// accepted is how many logins with the new certificate the server accepts, and takenFor
		// whom it takes the holder for after that; "" for nobody.
		accepted int32
		takenFor string
		hint     string
	}{
		"it does not log in":               {0, "", "the present certificate stays in use; try again with: kubectl csr-onboard renew"},
		"it logs in as another":            {0, "sam", "the present certificate stays in use"},
		"it logs in once":                  {1, "", "the present certificate was put back"},
		"it logs in once, then as another": {1, "sam", "the present certificate was put back"},
	} {
		t.Run(about, func(t *testing.T) {
			h := newHolder(t)
			before := h.kubeconfig(t)
			held, err := h.in.User.Read(h.Now)
			if err != nil {
				t.Fatal(err)
			}
			h.approves()
			h.onNewLogin(held, func(rw http.ResponseWriter, count int32) bool {
				if count <= test.accepted {
					return false
				}
				if test.takenFor == "" {
					clustertest.Fail(rw, http.StatusUnauthorized, metav1.StatusReasonUnauthorized)
					return true
				}
				clustertest.RespondWho(rw, test.takenFor)
				return true
			})
			_, err = renewal.Run(t.Context(), h.Program, h.in)
			if err == nil || !strings.Contains(outcome.Hint(err), test.hint) {
				t.Errorf("%v (%s)", err, outcome.Hint(err))
			}
			now, err := h.in.User.Read(h.Now)
			if err != nil || !bytes.Equal(now.Certificate.SHA256(), held.Certificate.SHA256()) || test.accepted == 0 && !bytes.Equal(before, h.kubeconfig(t)) {
				t.Errorf("the kubeconfig is another: %v", err)
			}
			if len(onboardtest.Told[renewal.Rotated](h.World)) != 0 {
				t.Error("it is told as done")
			}
			// The next run finishes with the same key.
			h.Server.Answer = nil
			if renewed, err := renewal.Run(t.Context(), h.Program, h.in); err != nil || renewed.State != renewal.RenewalDone {
				t.Errorf("the next run: %+v, %v", renewed, err)
			}
			keys := map[string]bool{}
			for _, ready := range onboardtest.Told[onboard.KeyReady](h.World) {
				keys[ready.Fingerprint] = true
			}
			if len(keys) != 1 {
				t.Errorf("%d keys were made", len(keys))
			}
		})
	}
}

// TestRenew_WhatCannotBeTriedInPlaceIsKept is for a server that goes away between the two logins.
func TestRenew_WhatCannotBeTriedInPlaceIsKept(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	held, err := h.in.User.Read(h.Now)
	if err != nil {
		t.Fatal(err)
	}
	h.approves()
	h.onNewLogin(held, func(_ http.ResponseWriter, count int32) bool {
		if count > 1 {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	_, err = renewal.Run(t.Context(), h.Program, h.in)
	if err == nil || !strings.Contains(err.Error(), "could not be tried there") || !strings.Contains(outcome.Hint(err), "the one before it is kept in") {
		t.Errorf("%v (%s)", err, outcome.Hint(err))
	}
	var kept []string
	_ = filepath.WalkDir(h.in.Renewals, func(path string, _ os.DirEntry, _ error) error {
		if strings.HasSuffix(path, ".previous.kubeconfig") {
			kept = append(kept, path)
		}
		return nil
	})
	if len(kept) != 1 {
		t.Fatalf("kept: %q", kept)
	}
	checkKept(t, kept[0], held)
}

// TestRenew_WhatCannotBePutBackIsKept is for a kubeconfig that another program damages meanwhile.
func TestRenew_WhatCannotBePutBackIsKept(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	held, err := h.in.User.Read(h.Now)
	if err != nil {
		t.Fatal(err)
	}
	h.approves()
	h.onNewLogin(held, func(rw http.ResponseWriter, count int32) bool {
		if count == 1 {
			return false
		}
		if err := os.WriteFile(h.in.User.Path, []byte("garbled"), 0o600); err != nil {
			t.Error(err)
		}
		clustertest.Fail(rw, http.StatusUnauthorized, metav1.StatusReasonUnauthorized)
		return true
	})
	_, err = renewal.Run(t.Context(), h.Program, h.in)
	path, isNamed := strings.CutPrefix(outcome.Hint(err), "the certificate before it is kept in ")
	if err == nil || !isNamed || !strings.Contains(err.Error(), "is not a kubeconfig") {
		t.Fatalf("%v (%s)", err, outcome.Hint(err))
	}
	checkKept(t, path, held)
}

// TestRenew_GroupsThatWereLostAreNotAskedFor is for a server that takes a group out of who it accepts.
func TestRenew_GroupsThatWereLostAreNotAskedFor(t *testing.T) {
	t.Parallel()
	h := newHolder(t, "dev", "ops")
	h.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
		isMeant := strings.HasSuffix(r.URL.Path, "/selfsubjectreviews")
		if isMeant {
			clustertest.RespondWho(rw, "jane", "dev", "system:authenticated")
		}
		return isMeant
	}
	if renewed, err := renewal.Run(t.Context(), h.Program, h.in); err != nil || renewed.State != renewal.RenewalPending {
		t.Fatalf("%+v, %v", renewed, err)
	}
	review := request.ReviewOf(h.Stored(t, h.Server.Names("certificatesigningrequests")[0]))
	if len(review.User.Groups) != 1 || review.User.Groups[0] != "dev" {
		t.Errorf("%+v is asked for", review.User)
	}
	if told := onboardtest.Told[renewal.GroupsLost](h.World); len(told) != 1 || len(told[0].Groups) != 1 || told[0].Groups[0] != "ops" {
		t.Errorf("%+v", told)
	}
}

func TestRenew_NothingChangesWithoutACertificate(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]struct {
		groups  []string
		prepare func(*holder)
		want    error
		says    string
		hint    string
	}{
		"denied": {nil, func(h *holder) { h.decides(certificatesv1.CertificateDenied) }, outcome.ErrRejected, "was refused", "--force"},
		"another user's certificate": {nil, func(h *holder) {
			h.approves()
			h.Server.ChangeCertificate = func(c *x509.Certificate) { c.RawSubject, c.Subject.CommonName = nil, "sam" }
		}, nil, "cannot be used", ""},
		"creating is forbidden": {nil, func(h *holder) { h.Server.Refuse("create", "certificatesigningrequests") }, nil, `the user "jane" cannot renew the certificate: forbidden: `, "grant jane --renewable"},
		"a policy denies it": {nil, func(h *holder) {
			h.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
				isMeant := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/certificatesigningrequests")
				if isMeant {
					clustertest.Respond(rw, http.StatusForbidden, map[string]any{
						"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": http.StatusForbidden, "reason": metav1.StatusReasonForbidden,
						"message": "ValidatingAdmissionPolicy 'intake' with binding 'intake' denied request: not today",
					})
				}
				return isMeant
			}
		}, nil, "not today", "the cluster denies this by an admission policy"},
		"approving is forbidden": {nil, func(h *holder) { h.in.Approve = true }, nil, "forbidden: you cannot approve", ""},
		"masters":                {[]string{clustertest.Masters}, func(*holder) {}, outcome.ErrRefused, "system-group", "kubeadm certs renew"},
		"nobody approves":        {nil, func(h *holder) { h.in.Timeout = 50 * time.Millisecond }, outcome.ErrTimedOut, "timed out", "to continue to wait"},
		"another user is logged in": {nil, func(h *holder) {
			h.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
				isMeant := strings.HasSuffix(r.URL.Path, "/selfsubjectreviews")
				if isMeant {
					clustertest.RespondWho(rw, "sam")
				}
				return isMeant
			}
		}, nil, `the cluster accepts the certificate of "jane" as "sam"`, "another cluster's"},
		"it has expired":      {nil, func(h *holder) { h.Now = func() time.Time { return time.Now().Add(2 * time.Hour) } }, nil, "expired", ""},
		"it is not valid yet": {nil, func(h *holder) { h.Now = func() time.Time { return time.Now().Add(-time.Hour) } }, nil, "not valid", ""},
		"deleted while it waits": {nil, func(h *holder) {
			tell := h.Tell
			h.Tell = func(e event.Event) {
				tell(e)
				if ready, isReady := e.(onboard.RequestReady); isReady {
					h.Server.Remove("certificatesigningrequests", "", ready.Name)
				}
			}
			h.in.Timeout = time.Minute
		}, outcome.ErrNotFound, "was deleted", "ask again with the same key"},
	} {
		t.Run(about, func(t *testing.T) {
			h := newHolder(t, test.groups...)
			before := h.kubeconfig(t)
			test.prepare(h)
			_, err := renewal.Run(t.Context(), h.Program, h.in)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || !strings.Contains(outcome.Hint(err), test.hint) {
				t.Errorf("%v (%s), want %q (%q)", err, outcome.Hint(err), test.says, test.hint)
			}
			if !bytes.Equal(before, h.kubeconfig(t)) {
				t.Error("the kubeconfig has changed")
			}
		})
	}
}

func TestRenew_ADenialIsRememberedUntilForced(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	pending, err := renewal.Run(t.Context(), h.Program, h.in)
	if err != nil || pending.State != renewal.RenewalPending || len(onboardtest.Told[renewal.Waits](h.World)) != 1 {
		t.Fatalf("%+v, %v", pending, err)
	}
	h.Server.Decide(h.Server.Names("certificatesigningrequests")[0], certificatesv1.CertificateDenied)
	for range 2 {
		if _, err := renewal.Run(t.Context(), h.Program, h.in); !errors.Is(err, outcome.ErrRejected) {
			t.Errorf("%v", err)
		}
	}
	h.Server.Remove("certificatesigningrequests", "", h.Server.Names("certificatesigningrequests")[0])
	if _, err := renewal.Run(t.Context(), h.Program, h.in); !errors.Is(err, outcome.ErrRejected) {
		t.Errorf("a denial that is gone is forgotten: %v", err)
	}
	h.in.Force = true
	if renewed, err := renewal.Run(t.Context(), h.Program, h.in); err != nil || renewed.State != renewal.RenewalPending {
		t.Errorf("%+v, %v", renewed, err)
	}
}

// TestRenew_AnotherLifetimeIsNotApproved is for the request of an earlier run.
func TestRenew_AnotherLifetimeIsNotApproved(t *testing.T) {
	t.Parallel()
	h := newHolder(t, "dev")
	h.Server.Permit("jane", "update", "certificatesigningrequests/approval")
	h.Server.Permit("jane", "approve", "signers")
	h.in.Lifetime = 365 * 24 * time.Hour
	if renewed, err := renewal.Run(t.Context(), h.Program, h.in); err != nil || renewed.State != renewal.RenewalPending {
		t.Fatal(renewed, err)
	}
	h.in.Lifetime, h.in.Approve = 10*time.Minute, true
	_, err := renewal.Run(t.Context(), h.Program, h.in)
	if !errors.Is(err, outcome.ErrChanged) || !strings.Contains(err.Error(), "asks for 365d, not for the 10m of --expiration") || !strings.Contains(outcome.Hint(err), h.in.Again) {
		t.Errorf("%v, %q", err, outcome.Hint(err))
	}
	h.in.Lifetime = 365 * 24 * time.Hour
	if renewed, err := renewal.Run(t.Context(), h.Program, h.in); err != nil || renewed.State != renewal.RenewalDone {
		t.Errorf("%+v, %v", renewed, err)
	}
}

func TestRenew_ADryRunAsksForNothing(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	before := h.kubeconfig(t)
	h.in.DryRun = true
	renewed, err := renewal.Run(t.Context(), h.Program, h.in)
	if err != nil || renewed.State != renewal.RenewalDue || len(onboardtest.Told[renewal.Due](h.World)) != 1 {
		t.Errorf("%+v, %v", renewed, err)
	}
	if names := h.Server.Names("certificatesigningrequests"); len(names) != 0 || !bytes.Equal(before, h.kubeconfig(t)) || len(store.RenewalsOf(h.in.Renewals, "jane")) != 0 {
		t.Errorf("requests %q, or something was written", names)
	}
}

// wasDenied keeps that the renewal was denied.
func wasDenied(t *testing.T, h *holder) {
	t.Helper()
	of := h.renewal(t)
	if err := os.MkdirAll(filepath.Dir(refusalPath(of)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := of.WriteRefusal("denied"); err != nil {
		t.Fatal(err)
	}
}

// TestRenew_ADryRunRefusesWhatARenewalWould is for what is known without the cluster.
func TestRenew_ADryRunRefusesWhatARenewalWould(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]struct {
		groups  []string
		prepare func(*testing.T, *holder)
		want    error
		says    string
		hint    string
	}{
		"it has expired": {nil, func(_ *testing.T, h *holder) { h.Now = func() time.Time { return time.Now().Add(2 * time.Hour) } }, nil, "expired", ""},
		"masters":        {[]string{clustertest.Masters}, func(*testing.T, *holder) {}, outcome.ErrRefused, "system-group", "kubeadm certs renew"},
		"it was denied":  {nil, wasDenied, outcome.ErrRejected, `the renewal of "jane" was refused: denied`, "--force"},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			h := newHolder(t, test.groups...)
			test.prepare(t, h)
			for _, dryRun := range []bool{true, false} {
				h.in.DryRun = dryRun
				renewed, err := renewal.Run(t.Context(), h.Program, h.in)
				if err == nil || renewed != nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || !strings.Contains(outcome.Hint(err), test.hint) {
					t.Errorf("a dry run is %v: %+v, %v (%s)", dryRun, renewed, err, outcome.Hint(err))
				}
			}
			if told := onboardtest.Told[renewal.Due](h.World); len(told) != 0 {
				t.Errorf("%+v", told)
			}
		})
	}
	h := newHolder(t)
	wasDenied(t, h)
	h.in.DryRun, h.in.Force = true, true
	if renewed, err := renewal.Run(t.Context(), h.Program, h.in); err != nil || renewed.State != renewal.RenewalDue || h.renewal(t).Refusal() == "" {
		t.Errorf("with --force: %+v, %v", renewed, err)
	}
}

func TestRenew_AKubeconfigThatOthersCanReadIsNamed(t *testing.T) {
	t.Parallel()
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o644: 1} {
		h := newHolder(t)
		if err := os.Chmod(h.in.User.Path, mode); err != nil {
			t.Fatal(err)
		}
		h.approves()
		if _, err := renewal.Run(t.Context(), h.Program, h.in); err != nil {
			t.Error(err)
		}
		if told := onboardtest.Told[destination.KubeconfigNotPrivate](h.World); len(told) != want || want == 1 && told[0].Path != h.in.User.Path {
			t.Errorf("mode %04o: %+v", mode, told)
		}
	}
}

func TestRenew_ItIsRenewedOnlyWhenDue(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		within string
		want   renewal.State
	}{{"10m", renewal.RenewalNotDue}, {"2h", renewal.RenewalPending}} {
		h := newHolder(t)
		var err error
		if h.in.Within, err = request.ParseWithin(test.within); err != nil {
			t.Fatal(err)
		}
		if renewed, err := renewal.Run(t.Context(), h.Program, h.in); err != nil || renewed.State != test.want {
			t.Errorf("%s: %+v, %v", test.within, renewed, err)
		}
	}
}

func TestRenew_WhoIsPermittedToApprovesTheRenewal(t *testing.T) {
	t.Parallel()
	h := newHolder(t, "dev")
	h.Server.Permit("jane", "update", "certificatesigningrequests/approval")
	h.Server.Permit("jane", "approve", "signers")
	h.in.Approve = true
	if renewed, err := renewal.Run(t.Context(), h.Program, h.in); err != nil || renewed.State != renewal.RenewalDone || len(onboardtest.Told[onboard.RequestApproved](h.World)) != 1 {
		t.Errorf("%+v, %v", renewed, err)
	}
	// One who was offboarded is not renewed without a word.
	if err := h.World.Server.Admin(t).Blocking().Remember(t.Context(), h.Now(), false, access.Entry{Details: access.Details{User: "jane", At: h.Now()}}); err != nil {
		t.Fatal(err)
	}
	h.Server.Permit("jane", "get", "configmaps")
	if _, err := renewal.Run(t.Context(), h.Program, h.in); !errors.Is(err, outcome.ErrRefused) {
		t.Errorf("%v", err)
	}
}

func TestRenew_FilesArePlacedNextToThePresentOnes(t *testing.T) {
	t.Parallel()
	for _, isOneFile := range []bool{true, false} {
		h := newHolder(t)
		credentials := h.Server.Credentials(t, "jane")
		directory := filepath.Dir(h.in.User.Path)
		certificateFile, keyFile := "jane.crt", "jane.key"
		if isOneFile {
			certificateFile, keyFile = "jane.pem", "jane.pem"
			credentials.Certificate = append(credentials.Certificate, credentials.Key...)
		}
		for name, text := range map[string][]byte{keyFile: credentials.Key, certificateFile: credentials.Certificate} {
			if isOneFile {
				text = credentials.Certificate
			}
			if err := os.WriteFile(filepath.Join(directory, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		text := "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers:\n- name: jane@test\n  user: {client-certificate: " + certificateFile + ", client-key: " + keyFile + "}\n"
		if err := os.WriteFile(h.in.User.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h.approves()
		for range 2 {
			if renewed, err := renewal.Run(t.Context(), h.Program, h.in); err != nil || renewed.State != renewal.RenewalDone {
				t.Fatalf("one file %v: %+v, %v (%s)", isOneFile, renewed, err, outcome.Hint(err))
			}
		}
		if !bytes.Equal(read(t, filepath.Join(directory, certificateFile)), credentials.Certificate) {
			t.Error("the file of a person has changed")
		}
		if left := onboardtest.Told[renewal.PairLeft](h.World); len(left) != 1 {
			t.Errorf("left files are told %d times", len(left))
		}
		files, err := filepath.Glob(filepath.Join(directory, "jane*"))
		if want := map[bool]int{true: 2, false: 4}[isOneFile]; err != nil || len(files) != want {
			t.Errorf("one file %v: files %q, want the first and the last ones", isOneFile, files)
		}
	}
}

func TestRenew_ADirectoryThatCannotBeWrittenIsFoundFirst(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	h.in.User.Path = filepath.Join(t.TempDir(), "missing", "config")
	if _, err := renewal.Run(t.Context(), h.Program, h.in); err == nil || len(h.Server.Names("certificatesigningrequests")) != 0 {
		t.Errorf("%v", err)
	}
}

func TestRenew_AnotherRunIsNotDisturbed(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	held, err := h.in.User.Read(h.Now)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := store.TryLock(store.RenewalOf(h.in.Renewals, "jane", held.Certificate.SHA256()).LockPath())
	if err != nil || lock == nil {
		t.Fatalf("%v", err)
	}
	defer func() { _ = lock.Release() }()
	renewed, err := renewal.Run(t.Context(), h.Program, h.in)
	if err != nil || renewed.State != renewal.RenewalPending || len(onboardtest.Told[renewal.Busy](h.World)) != 1 {
		t.Errorf("%+v, %v", renewed, err)
	}
	h.in.Timeout = 20 * time.Millisecond
	if _, err := renewal.Run(t.Context(), h.Program, h.in); !errors.Is(err, outcome.ErrTimedOut) || !strings.Contains(outcome.Hint(err), "another run is renewing it") {
		t.Errorf("%v (%s)", err, outcome.Hint(err))
	}
}

func TestStatus_EachContextIsToldAsItIs(t *testing.T) {
	t.Parallel()
	h := newHolder(t, "dev")
	if _, err := renewal.Run(t.Context(), h.Program, h.in); err != nil {
		t.Fatal(err)
	}
	input := func() renewal.ContextInput {
		return renewal.ContextInput{Name: "jane@test", User: &h.in.User, Renewals: h.in.Renewals, Connect: func() (*cluster.Client, error) { return h.Cluster, nil }}
	}
	one := func(change func(*renewal.ContextInput)) renewal.ContextStatus {
		in := input()
		if change != nil {
			change(&in)
		}
		return renewal.Status(t.Context(), h.Program, []renewal.ContextInput{in})[0]
	}
	name := h.Server.Names("certificatesigningrequests")[0]
	if got := one(nil); got.Live != renewal.Live || got.User.Name != "jane" || len(got.User.Groups) != 1 || got.Renewal != request.Pending || got.RenewalRequest != name || got.Login != "certificate" {
		t.Errorf("%+v", got)
	}
	if got := one(func(in *renewal.ContextInput) { in.Connect = nil }); got.Live != renewal.NotTried || got.Renewal != request.Pending || got.User.Name != "jane" {
		t.Errorf("not tried: %+v", got)
	}
	if got := one(func(in *renewal.ContextInput) { in.Connect = func() (*cluster.Client, error) { return nil, errOff } }); got.Problem != errOff.Error() {
		t.Errorf("no client: %+v", got)
	}
	if got := one(func(in *renewal.ContextInput) { in.User, in.UserErr = nil, errOff }); got.Problem != errOff.Error() || !got.IsUnread {
		t.Errorf("unread: %+v", got)
	}
	if got := one(func(in *renewal.ContextInput) { in.User, in.Login = nil, "a token" }); got.Live != renewal.Live || got.Certificate != nil || got.Login != "a token" {
		t.Errorf("a token: %+v", got)
	}
	h.Server.Decide(name, certificatesv1.CertificateDenied)
	if got := one(nil); got.Renewal != request.Denied {
		t.Errorf("denied: %+v", got)
	}
	h.Server.Remove("certificatesigningrequests", "", name)
	if got := one(nil); got.Renewal != "" || got.RenewalRequest != "" {
		t.Errorf("collected: %+v", got)
	}
	h.Server.Answer = func(rw http.ResponseWriter, _ *http.Request) bool {
		clustertest.Fail(rw, http.StatusUnauthorized, metav1.StatusReasonUnauthorized)
		return true
	}
	if got := one(nil); got.Live != renewal.NotLive || got.Problem == "" {
		t.Errorf("not accepted: %+v", got)
	}
	h.Server.Stop()
	if got := one(nil); got.Live != renewal.Unreachable || got.Problem == "" {
		t.Errorf("away: %+v", got)
	}
	h.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if got := one(nil); !strings.Contains(got.Problem, "expired") {
		t.Errorf("expired: %+v", got)
	}
}

// TestStatus_ALoginIsRefusedOnlyByTheAPIServer is for what says nothing of the credentials.
func TestStatus_ALoginIsRefusedOnlyByTheAPIServer(t *testing.T) {
	t.Parallel()
	status := func(code int, reason metav1.StatusReason) func(http.ResponseWriter, *http.Request) bool {
		return func(rw http.ResponseWriter, _ *http.Request) bool {
			clustertest.Fail(rw, code, reason)
			return true
		}
	}
	text := func(code int, text string) func(http.ResponseWriter, *http.Request) bool {
		return func(rw http.ResponseWriter, _ *http.Request) bool {
			http.Error(rw, text, code)
			return true
		}
	}
	message := func(code int32, reason metav1.StatusReason, message string) func(http.ResponseWriter, *http.Request) bool {
		return func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Content-Type", "application/json")
			clustertest.Respond(rw, int(code), &metav1.Status{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message,
			})
			return true
		}
	}
	otherName := func(endpoint *kubeconfig.Endpoint) { endpoint.ServerName = "another.example" }
	for about, test := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		change func(*kubeconfig.Endpoint)
		want   renewal.Liveness
	}{
		"401":                    {status(http.StatusUnauthorized, metav1.StatusReasonUnauthorized), nil, renewal.NotLive},
		"403":                    {status(http.StatusForbidden, metav1.StatusReasonForbidden), nil, renewal.NotLive},
		"nobody":                 {message(403, metav1.StatusReasonForbidden, `User "system:anonymous" cannot create`), nil, renewal.NotLive},
		"revoked":                {message(500, metav1.StatusReasonInternalError, access.RevokedMessage), nil, renewal.NotLive},
		"a proxy that forbids":   {text(http.StatusForbidden, "blocked"), nil, renewal.Unreachable},
		"500":                    {status(http.StatusInternalServerError, metav1.StatusReasonInternalError), nil, renewal.Unreachable},
		"503":                    {status(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable), nil, renewal.Unreachable},
		"429":                    {status(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests), nil, renewal.Unreachable},
		"404":                    {text(http.StatusNotFound, "not found"), nil, renewal.Unreachable},
		"something else":         {text(http.StatusOK, "welcome"), nil, renewal.Unreachable},
		"the wrong server name":  {nil, otherName, renewal.Unreachable},
		"a CA that is another's": {nil, func(endpoint *kubeconfig.Endpoint) { endpoint.CertificateAuthority = anotherAuthority(t) }, renewal.Unreachable},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			h := newHolder(t)
			h.Server.Answer = test.answer
			endpoint := h.Server.Endpoint
			if test.change != nil {
				test.change(&endpoint)
			}
			client, err := cluster.New(cluster.Target{Endpoint: endpoint, UserAgent: "test", Now: h.Now}, cluster.Credentials{})
			if err != nil {
				t.Fatal(err)
			}
			got := renewal.Status(t.Context(), h.Program, []renewal.ContextInput{{
				Name: "jane@test", User: &h.in.User, Renewals: h.in.Renewals, Connect: func() (*cluster.Client, error) { return client, nil },
			}})[0]
			if got.Live != test.want || got.Problem == "" {
				t.Errorf("%q, want %q: %s", got.Live, test.want, got.Problem)
			}
		})
	}
}

// anotherAuthority is the CA of another API server.
func anotherAuthority(t *testing.T) []byte {
	t.Helper()
	return onboardtest.New(t).Server.Endpoint.CertificateAuthority
}

// TestStatus_CertificatesThatNobodyRenewsAreTold is for users who can list the ledger: it knows also
// the certificates that are elsewhere.
func TestStatus_CertificatesThatNobodyRenewsAreTold(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	held, err := h.in.User.Read(h.Now)
	if err != nil {
		t.Fatal(err)
	}
	record := func(name, user string, age, left time.Duration) *ledger.ClientCertificate {
		return &ledger.ClientCertificate{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       ledger.Spec{User: user, NotBefore: metav1.NewTime(h.Now().Add(-age)), NotAfter: metav1.NewTime(h.Now().Add(left))},
		}
	}
	superseded, revoked := record(strings.Repeat("c", 64), "jane", 9*time.Hour, time.Hour), record(strings.Repeat("d", 64), "jane", 9*time.Hour, time.Hour)
	superseded.Status.SupersededBy, revoked.Status.Revoked = strings.Repeat("b", 64), true
	due := record(strings.Repeat("a", 64), "jane", 9*time.Hour, time.Hour)
	h.Server.Put(t, due, superseded, revoked, record(strings.Repeat("b", 64), "jane", time.Hour, 9*time.Hour),
		record(strings.Repeat("e", 64), "sam", 9*time.Hour, time.Hour), record(ledger.NameOf(held.Certificate.Leaf.Raw), "jane", 9*time.Hour, time.Hour))
	look := func() renewal.ContextStatus {
		return renewal.Status(t.Context(), h.Program, []renewal.ContextInput{{
			Name: "jane@test", User: &h.in.User, Renewals: h.in.Renewals, Connect: func() (*cluster.Client, error) { return h.Cluster, nil },
		}})[0]
	}
	if got := look(); got.Live != renewal.Live || got.Unrenewed != nil {
		t.Errorf("who cannot list the ledger: %+v", got)
	}
	h.Server.Permit("jane", "list", ledger.Resource)
	if got := look(); got.Live != renewal.Live || len(got.Unrenewed) != 1 || got.Unrenewed[0].Name != due.Name {
		t.Errorf("%+v", got)
	}
}

var errOff = errors.New("off")
