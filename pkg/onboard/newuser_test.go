package onboard_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

func TestNewUser_ARequestIsSubmittedOnceAndFoundAgain(t *testing.T) {
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "jane", "dev")
	first := w.Submit(t, in)
	if again := w.Submit(t, in); again.UID != first.UID {
		t.Error("a second run submits another request")
	}
	ready := onboardtest.Told[onboard.RequestReady](w)
	if len(ready) != 2 || !ready[0].Created || ready[1].Created || first.Spec.Username != "jane" {
		t.Errorf("%+v, submitted by %s", ready, first.Spec.Username)
	}
	keys := onboardtest.Told[onboard.KeyReady](w)
	if len(keys) != 2 || !keys[0].Created || keys[1].Created || keys[0].Fingerprint != keys[1].Fingerprint {
		t.Errorf("%+v", keys)
	}
	// Another person must not continue with it unseen.
	_, _, err := w.NewUser(t.Context(), in)
	if !errors.Is(err, outcome.ErrChanged) || !strings.Contains(err.Error(), `submitted by "jane", not by you ("admin")`) {
		t.Errorf("another person goes on with it: %v", err)
	}
}

func TestNewUser_WhatIsFoundIsCheckedAgain(t *testing.T) {
	for about, change := range map[string]struct {
		prepare func(*onboardtest.World, *request.Request)
		want    error
	}{
		"denied": {func(w *onboardtest.World, o *request.Request) {
			w.Server.Decide(o.Name, certificatesv1.CertificateDenied)
		}, outcome.ErrRejected},
		"other key": {func(w *onboardtest.World, o *request.Request) {
			w.Server.Remove("certificatesigningrequests", "", o.Name)
			other := w.Submit(t, onboardtest.Asked(t, "jane"))
			copied := other.DeepCopy()
			copied.Name = o.Name
			w.Server.Put(t, copied)
		}, outcome.ErrChanged},
	} {
		t.Run(about, func(t *testing.T) {
			w := onboardtest.New(t)
			in := onboardtest.Asked(t, "jane")
			change.prepare(w, w.Submit(t, in))
			if _, _, err := w.As(t, "jane").NewUser(t.Context(), in); !errors.Is(err, change.want) {
				t.Errorf("%v, want %v", err, change.want)
			}
		})
	}
}

func TestNewUser_ADryRunStoresNoRequest(t *testing.T) {
	for _, dryRun := range []onboard.DryRun{onboard.DryRunClient, onboard.DryRunServer} {
		w := onboardtest.New(t)
		in := onboardtest.Asked(t, "jane")
		in.DryRun = dryRun
		object, created, err := w.NewUser(t.Context(), in)
		if err != nil || !created || object.Name == "" || len(w.States(t)) != 0 {
			t.Errorf("%s: %v, %v, %v", dryRun, created, w.States(t), err)
		}
	}
}

func TestNewUser_AKeyIsNeverReplaced(t *testing.T) {
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "jane")
	w.Submit(t, in)
	before := read(t, in.Directory.KeyPath())
	other := onboardtest.Asked(t, "sam")
	w.Submit(t, other)
	for about, change := range map[string]func(*onboard.NewUserInput){
		"another algorithm": func(in *onboard.NewUserInput) { in.KeyAlgorithm, in.RequireAlgorithm = "ed25519", true },
		"another key":       func(in *onboard.NewUserInput) { in.KeyFile = other.Directory.KeyPath() },
		"no key":            func(in *onboard.NewUserInput) { in.KeyFile = other.Directory.RequestPath() },
		"a missing key":     func(in *onboard.NewUserInput) { in.KeyFile = other.Directory.KeyPath() + "x" },
	} {
		changed := in
		change(&changed)
		if _, _, err := w.NewUser(t.Context(), changed); !errors.Is(err, outcome.ErrUsage) {
			t.Errorf("%s: %v", about, err)
		}
	}
	if !bytes.Equal(before, read(t, in.Directory.KeyPath())) {
		t.Error("the key has changed")
	}
}

func TestNewUser_AGivenKeyIsCopied(t *testing.T) {
	w := onboardtest.New(t)
	given, in := onboardtest.Asked(t, "sam"), onboardtest.Asked(t, "jane")
	w.Submit(t, given)
	in.KeyFile = given.Directory.KeyPath()
	w.Submit(t, in)
	if !bytes.Equal(read(t, given.Directory.KeyPath()), read(t, in.Directory.KeyPath())) {
		t.Error("the key is another one")
	}
}

func TestNewUser_AKeyThatCannotBeReadStays(t *testing.T) {
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "jane")
	if err := os.WriteFile(in.Directory.KeyPath(), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.NewUser(t.Context(), in); err == nil || !strings.Contains(outcome.Hint(err), "move it away") {
		t.Errorf("%v", err)
	}
}

func TestNewUser_TheWholeStoryInOneRun(t *testing.T) {
	w := onboardtest.New(t)
	view := access.Grant{Role: access.Role{IsCluster: true, Name: "view"}, Namespace: "dev"}
	w.Server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
	in := onboardtest.Asked(t, "jane", "dev")
	fetched, err := w.NewUserApproved(t.Context(), in, onboard.GrantInput{Grants: []access.Grant{view}}, onboardtest.Fetching(in))
	if err != nil {
		t.Fatal(err)
	}
	if !fetched.LoggedIn || fetched.User.Name != "jane" || fetched.Path != in.Directory.KubeconfigPath() || len(read(t, fetched.Path)) == 0 {
		t.Errorf("%+v", fetched)
	}
	if len(onboardtest.Told[onboard.RequestApproved](w)) != 1 || len(onboardtest.Told[onboard.Given](w)) != 1 || len(w.Server.Names("rolebindings")) != 1 {
		t.Error("it was not approved, or nothing was given")
	}
	if information, err := os.Stat(fetched.Path); err != nil || information.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", information.Mode(), err)
	}
}

// leave has the cluster know that the user jane was offboarded.
func leave(t *testing.T, w *onboardtest.World) {
	t.Helper()
	if err := w.Cluster.Blocking().Remember(t.Context(), w.Now(), false, access.Entry{Details: access.Details{User: "jane", By: "sam", At: w.Now()}}); err != nil {
		t.Fatal(err)
	}
}

// TestNewUser_WhatIsRefusedChangesNothing is for what an administrator has to look at first.
func TestNewUser_WhatIsRefusedChangesNothing(t *testing.T) {
	admins := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "admins"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.GroupKind, Name: "admins"}},
	}
	everything := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "cluster-admin"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}}
	for about, test := range map[string]struct {
		prepare func(*testing.T, *onboardtest.World)
		giving  onboard.GrantInput
		want    error
		says    string
	}{
		"a group of administrators": {func(t *testing.T, w *onboardtest.World) { t.Helper(); w.Server.Put(t, admins, everything) }, onboard.GrantInput{}, outcome.ErrRefused, "admin"},
		"a user who left":           {leave, onboard.GrantInput{}, outcome.ErrRefused, request.UserOffboarded},
		"approving is forbidden": {func(_ *testing.T, w *onboardtest.World) {
			w.Server.Refuse("update", "certificatesigningrequests/approval")
		}, onboard.GrantInput{}, nil, "forbidden: you cannot approve"},
		"a role that does not exist": {nil, onboard.GrantInput{Grants: []access.Grant{{Role: access.Role{IsCluster: true, Name: "nothing"}}}}, nil, `ClusterRole "nothing" not found`},
	} {
		t.Run(about, func(t *testing.T) {
			w := onboardtest.New(t)
			if test.prepare != nil {
				test.prepare(t, w)
			}
			in := onboardtest.Asked(t, "jane", "admins")
			_, err := w.NewUserApproved(t.Context(), in, test.giving, onboardtest.Fetching(in))
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
			if len(w.States(t)) != 0 || len(w.Server.Names("rolebindings")) > 0 {
				t.Errorf("there are requests: %v", w.States(t))
			}
		})
	}
}

// TestNewUser_WhoComesBackHasANewKey is for a user who was revoked: somebody may have a copy of the
// key that exists.
func TestNewUser_WhoComesBackHasANewKey(t *testing.T) {
	w := onboardtest.New(t)
	leave(t, w)
	in := onboardtest.Asked(t, "jane", "dev")
	fetching := onboardtest.Fetching(in)
	fetching.Pin = func(context.Context, *pki.Certificate) error { return nil }
	if _, err := w.NewUserApproved(t.Context(), in, onboard.GrantInput{}, fetching); err != nil {
		t.Fatalf("without a key: %v", err)
	}
	told := onboardtest.Told[onboard.FindingWarned](w)
	if len(told) == 0 || told[0].Finding.Name != request.UserOffboarded || told[0].Finding.AcceptedBy != "--pin" {
		t.Errorf("what is accepted is not told as that: %+v", told)
	}
	requests := len(w.States(t))
	_, err := w.NewUserApproved(t.Context(), in, onboard.GrantInput{}, fetching)
	if !errors.Is(err, outcome.ErrUsage) || !strings.Contains(err.Error(), "comes back with a new one") || len(w.States(t)) != requests {
		t.Errorf("with the key that exists: %v", err)
	}
}

// TestNewUser_WhoComesBackIsPinnedBeforeTheLogin is for API servers that refuse the user until then.
func TestNewUser_WhoComesBackIsPinnedBeforeTheLogin(t *testing.T) {
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "jane", "dev")
	var pinned, logins atomic.Int64
	w.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/selfsubjectreviews") && len(r.TLS.PeerCertificates) > 0 && r.TLS.PeerCertificates[0].Subject.CommonName == "jane" {
			logins.Add(1)
			if pinned.Load() == 0 {
				t.Error("a login before the pin")
			}
		}
		return false
	}
	fetching := onboardtest.Fetching(in)
	fetching.Pin = func(_ context.Context, certificate *pki.Certificate) error {
		if certificate.User().Name != "jane" {
			t.Errorf("%s is pinned", certificate.Subject)
		}
		pinned.Add(1)
		return nil
	}
	fetched, err := w.NewUserApproved(t.Context(), in, onboard.GrantInput{}, fetching)
	if err != nil || !fetched.LoggedIn || pinned.Load() != 1 || logins.Load() == 0 {
		t.Errorf("%+v, %v: pinned %d times, %d logins", fetched, err, pinned.Load(), logins.Load())
	}
	other := onboardtest.Asked(t, "sam")
	pinErr := errors.New("not in force")
	fetching = onboardtest.Fetching(other)
	fetching.Pin = func(context.Context, *pki.Certificate) error { return pinErr }
	if _, err := w.NewUserApproved(t.Context(), other, onboard.GrantInput{}, fetching); !errors.Is(err, pinErr) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(other.Directory.KubeconfigPath()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a kubeconfig that the API servers refuse: %v", err)
	}
}

func TestNewUser_WhatCannotBeReadAboutUsersWhoLeftIsSaid(t *testing.T) {
	w := onboardtest.New(t)
	w.Server.Refuse("get", "configmaps")
	w.Server.Refuse("list", "certificatesigningrequests")
	in := onboardtest.Asked(t, "jane", "dev")
	if _, err := w.NewUserApproved(t.Context(), in, onboard.GrantInput{}, onboardtest.Fetching(in)); err != nil {
		t.Fatal(err)
	}
	told := onboardtest.Told[onboard.StandingUnread](w)
	if len(told) != 1 || !strings.Contains(told[0].Reason, "configmaps") || !strings.Contains(told[0].Reason, "certificatesigningrequests") {
		t.Errorf("%+v", told)
	}
}

func TestNewUser_NothingIsGivenThatCannotBeGiven(t *testing.T) {
	w := onboardtest.New(t)
	w.Server.Refuse("patch", "clusterrolebindings")
	in := onboardtest.Asked(t, "jane")
	giving := onboard.GrantInput{Grants: []access.Grant{access.RenewableGrant}}
	_, err := w.NewUserApproved(t.Context(), in, giving, onboardtest.Fetching(in))
	if err == nil || !strings.Contains(err.Error(), "forbidden: you cannot give") || len(w.Server.Names("clusterrolebindings")) != 0 {
		t.Errorf("%v", err)
	}
	giving.ToGroup = true
	if _, err := w.NewUserApproved(t.Context(), in, giving, onboardtest.Fetching(in)); !errors.Is(err, outcome.ErrUsage) {
		t.Errorf("the group of a user without groups is given something: %v", err)
	}
}

// TestGrantInput_TheGroupOfAPinGetsNothing is about a user who came back with a pin: the group changes
// with the next one.
func TestGrantInput_TheGroupOfAPinGetsNothing(t *testing.T) {
	in := onboard.GrantInput{Grants: []access.Grant{access.RenewableGrant}, ToGroup: true}
	pin := access.PinGroup([16]byte{1})
	if wanted, err := in.WantedFor(identity.User{Name: "jane", Groups: []string{pin}}); !errors.Is(err, outcome.ErrUsage) {
		t.Errorf("%+v, %v", wanted, err)
	}
	wanted, err := in.WantedFor(identity.User{Name: "jane", Groups: []string{pin, "dev"}})
	if err != nil || len(wanted) != 1 || wanted[0].Holder != (access.Holder{IsGroup: true, Name: "dev"}) {
		t.Errorf("%+v, %v", wanted, err)
	}
}

// TestNewUser_ACertificateThatWasNotAskedForIsNotUsed is for a signer that stores what it likes.
func TestNewUser_ACertificateThatWasNotAskedForIsNotUsed(t *testing.T) {
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	for about, change := range map[string]func(*x509.Certificate){
		"another user":     func(c *x509.Certificate) { c.RawSubject, c.Subject.CommonName = nil, "sam" },
		"another group":    func(c *x509.Certificate) { c.RawSubject, c.Subject.Organization = nil, []string{clustertest.Masters} },
		"another key":      func(c *x509.Certificate) { c.PublicKey = key.Public() },
		"an authority":     func(c *x509.Certificate) { c.IsCA = true },
		"no client":        func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
		"has expired":      func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) },
		"is not valid yet": func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) },
	} {
		t.Run(about, func(t *testing.T) {
			w := onboardtest.New(t)
			w.Server.ChangeCertificate = change
			in := onboardtest.Asked(t, "jane", "dev")
			_, err := w.NewUserApproved(t.Context(), in, onboard.GrantInput{}, onboardtest.Fetching(in))
			if err == nil || !strings.Contains(err.Error(), "cannot be used") {
				t.Errorf("%v", err)
			}
			if _, err := os.Stat(in.Directory.KubeconfigPath()); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a kubeconfig is written: %v", err)
			}
		})
	}
}

func TestNewUser_WhoLogsInIsCompared(t *testing.T) {
	for about, test := range map[string]struct{ name, says string }{
		"another user": {"sam", `the cluster accepts the new certificate as "sam", not as "jane"`},
		"nobody":       {"", "logging in"},
	} {
		t.Run(about, func(t *testing.T) {
			w := onboardtest.New(t)
			w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
				isLogin := strings.HasSuffix(r.URL.Path, "/selfsubjectreviews") && r.TLS.PeerCertificates[0].Subject.CommonName == "jane"
				switch {
				case !isLogin:
				case test.name == "":
					clustertest.Fail(rw, http.StatusUnauthorized, metav1.StatusReasonUnauthorized)
				default:
					_, _ = rw.Write([]byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","status":{"userInfo":{"username":"` + test.name + `"}}}`))
				}
				return isLogin
			}
			in := onboardtest.Asked(t, "jane")
			_, err := w.NewUserApproved(t.Context(), in, onboard.GrantInput{}, onboardtest.Fetching(in))
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(outcome.Hint(err), "nothing was written") {
				t.Errorf("%v (%s)", err, outcome.Hint(err))
			}
			if _, err := os.Stat(in.Directory.KubeconfigPath()); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a kubeconfig is written: %v", err)
			}
		})
	}
}

func TestNewUser_AnExpiredCertificateIsReplacedWithANewKey(t *testing.T) {
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "jane")
	w.Server.ChangeCertificate = func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }
	first := w.Submit(t, in)
	w.Server.Decide(first.Name, certificatesv1.CertificateApproved)
	before := read(t, in.Directory.KeyPath())
	w.Server.ChangeCertificate = nil

	named := in
	named.RequestName = first.Name
	if _, _, err := w.As(t, "jane").NewUser(t.Context(), named); !errors.Is(err, outcome.ErrUsage) || !strings.Contains(outcome.Hint(err), "--request-name") {
		t.Errorf("%v", err)
	}
	second := w.Submit(t, in)
	if second.Name == first.Name || bytes.Equal(before, read(t, in.Directory.KeyPath())) {
		t.Error("the key is used again")
	}
	retired := onboardtest.Told[onboard.KeyRetired](w)
	if len(retired) != 1 || !bytes.Equal(before, read(t, retired[0].Path)) {
		t.Errorf("the key before is not kept: %+v", retired)
	}
}

func TestNewUser_AWaitIsFetchedAfterTheApproval(t *testing.T) {
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "jane")
	jane := w.As(t, "jane")
	tell := jane.Tell
	jane.Tell = func(e event.Event) {
		tell(e)
		if ready, isReady := e.(onboard.RequestReady); isReady {
			w.Server.Decide(ready.Name, certificatesv1.CertificateApproved)
		}
	}
	fetch := onboardtest.Fetching(in)
	fetch.Kubeconfig = destination.Input{Path: "-"}
	fetched, err := jane.NewUserFetched(t.Context(), in, fetch)
	if err != nil || !bytes.Contains(fetched.InHand, []byte("client-key-data")) {
		t.Errorf("%v", err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// withRecorder has the cluster know the authorities of clients, and a recorder that was seen so long
// ago.
func withRecorder(t *testing.T, w *onboardtest.World, ago time.Duration) {
	t.Helper()
	seen := metav1.NewMicroTime(w.Now().Add(-ago))
	w.Server.Put(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "extension-apiserver-authentication", Namespace: metav1.NamespaceSystem},
		Data:       map[string]string{"client-ca-file": string(w.Server.Endpoint.CertificateAuthority)},
	}, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: ledger.RecorderLease, Namespace: ledger.Namespace}, Spec: coordinationv1.LeaseSpec{RenewTime: &seen},
	})
}

// TestNewUser_WhereNoRecorderRunsItIsRecordedAtOnce is for those who are permitted to: what they
// cannot read or write is not their mistake.
func TestNewUser_WhereNoRecorderRunsItIsRecordedAtOnce(t *testing.T) {
	for about, test := range map[string]struct {
		ago      time.Duration
		prepare  func(*onboardtest.World)
		recorded int
		warned   bool
	}{
		"no recorder runs":                {time.Hour, nil, 1, false},
		"a recorder runs":                 {time.Second, nil, 0, false},
		"the ledger cannot be listed":     {time.Hour, func(w *onboardtest.World) { w.Server.Refuse("list", ledger.Resource) }, 0, false},
		"nothing can be recorded":         {time.Hour, func(w *onboardtest.World) { w.Server.Refuse("create", ledger.Resource) }, 0, false},
		"whether one runs cannot be read": {time.Hour, func(w *onboardtest.World) { w.Server.Refuse("get", "leases") }, 0, false},
		"the authorities cannot be read": {time.Hour, func(w *onboardtest.World) {
			w.Server.Remove("configmaps", metav1.NamespaceSystem, "extension-apiserver-authentication")
		}, 0, false},
		"whether it is guarded is not known": {time.Hour, func(w *onboardtest.World) { w.Server.Refuse("get", "validatingadmissionpolicies") }, 0, false},
		"the ledger breaks": {time.Hour, func(w *onboardtest.World) {
			w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
				isRecord := r.Method == http.MethodPost && strings.Contains(r.URL.Path, ledger.Resource)
				if isRecord {
					clustertest.Fail(rw, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
				}
				return isRecord
			}
		}, 0, true},
	} {
		t.Run(about, func(t *testing.T) {
			w := onboardtest.New(t)
			withRecorder(t, w, test.ago)
			if test.prepare != nil {
				test.prepare(w)
			}
			in := onboardtest.Asked(t, "jane", "dev")
			fetched, err := w.NewUserApproved(t.Context(), in, onboard.GrantInput{}, onboardtest.Fetching(in))
			if err != nil {
				t.Fatal(err)
			}
			names := w.Server.Names(ledger.Resource)
			if len(names) != test.recorded || len(onboardtest.Told[onboard.Recorded](w)) != test.recorded || (len(onboardtest.Told[onboard.NotRecorded](w)) > 0) != test.warned {
				t.Fatalf("recorded %q, told %+v", names, onboardtest.Told[onboard.NotRecorded](w))
			}
			if test.recorded == 0 {
				return
			}
			var record ledger.ClientCertificate
			if !w.Server.Find(t, ledger.NameOf(fetched.Certificate.Leaf.Raw), &record) || !record.Spec.Verified || record.Spec.User != "jane" || record.Spec.Requester.User != "admin" {
				t.Errorf("%+v", record)
			}
			// Again, the record that exists stays as it is.
			if _, err := w.Fetch(t.Context(), onboardtest.Fetching(in)); err != nil || len(w.Server.Names(ledger.Resource)) != 1 || len(onboardtest.Told[onboard.Recorded](w)) != 1 {
				t.Errorf("%v", err)
			}
		})
	}
}
