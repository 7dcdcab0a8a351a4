package onboard_test

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
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

var errLost = errors.New("lost")

// wrong answers calls of a method to a path with this part as a server that fails.
func wrong(method, part string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		isMeant := r.Method == method && strings.Contains(r.URL.Path, part)
		if isMeant {
			clustertest.Fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		}
		return isMeant
	}
}

// obstruct puts a directory that is not empty in the place of a file.
func obstruct(t *testing.T, path string) {
	t.Helper()
	err := os.RemoveAll(path)
	if err == nil {
		err = os.MkdirAll(filepath.Join(path, "obstacle"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// faulted is a user jane who is about to be onboarded.
type faulted struct {
	*onboardtest.World

	in     *onboard.NewUserInput
	giving *onboard.GrantInput
	fetch  *onboard.FetchInput
}

// TestNewUser_WhatFailsInTheMiddleIsTold has one thing at a time go wrong, in each way to onboard a user.
func TestNewUser_WhatFailsInTheMiddleIsTold(t *testing.T) {
	t.Parallel()
	const submitted, approved, fetched = "submitted", "approved", "fetched"
	run := map[string]func(f faulted, p *onboard.Program) error{
		submitted: func(f faulted, p *onboard.Program) error { _, _, err := p.NewUser(t.Context(), *f.in); return err },
		approved: func(f faulted, p *onboard.Program) error {
			_, err := p.NewUserApproved(t.Context(), *f.in, *f.giving, *f.fetch)
			return err
		},
		fetched: func(f faulted, p *onboard.Program) error {
			_, err := p.NewUserFetched(t.Context(), *f.in, *f.fetch)
			return err
		},
	}
	for about, test := range map[string]struct {
		how        string
		prepare    func(*testing.T, faulted)
		want       error
		says, hint string
		// requests is how many are on the cluster then.
		requests int
	}{
		"the kubeconfig cannot be written": {
			how: fetched, prepare: func(t *testing.T, f faulted) { obstruct(t, f.in.Directory.KubeconfigPath()) }, says: "jane.kubeconfig",
		},
		"the user is revoked": {
			how: fetched, prepare: func(t *testing.T, f faulted) {
				entry := access.Entry{Details: access.Details{User: "jane", At: f.Now(), IsRevoked: true}, Blocked: access.Blocked{User: "jane"}}
				if err := f.Cluster.Blocking().Remember(t.Context(), f.Now(), false, entry); err != nil {
					t.Fatal(err)
				}
			}, want: outcome.ErrRefused, says: "is revoked", hint: "--approve --pin",
		},
		"the request is not taken": {
			how: fetched, prepare: func(_ *testing.T, f faulted) { f.Server.Answer = wrong(http.MethodPost, "/certificatesigningrequests") },
			says: "by the test", hint: "run the same command again to continue",
		},
		"the request cannot be written": {
			how: submitted, prepare: func(t *testing.T, f faulted) { obstruct(t, f.in.Directory.RequestPath()) }, says: "jane.csr",
		},
		"the approval is not taken": {
			how: approved, prepare: func(_ *testing.T, f faulted) { f.Server.Answer = wrong(http.MethodPut, "/approval") }, says: "by the test", requests: 1,
		},
		"no group to give to": {
			how: approved, prepare: func(_ *testing.T, f faulted) {
				*f.giving = onboard.GrantInput{ToGroup: true, Grants: []access.Grant{access.RenewableGrant}}
			}, want: outcome.ErrUsage, says: "is not in any group", hint: "--to-group",
		},
		"the group of administrators": {
			how: approved, prepare: func(_ *testing.T, f faulted) { f.in.User.Groups = []string{clustertest.Masters} }, want: outcome.ErrRefused, says: "system-group", requests: 1,
		},
		"an unknown key algorithm": {
			how: submitted, prepare: func(_ *testing.T, f faulted) { f.in.KeyAlgorithm = "none" }, says: "none",
		},
		"the key of an expired certificate cannot be moved": {
			how: submitted, prepare: func(t *testing.T, f faulted) {
				first := f.Submit(t, *f.in)
				f.Server.ChangeCertificate = func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
				f.Server.Decide(first.Name, certificatesv1.CertificateApproved)
				expired, err := pki.ParseCertificate(f.Stored(t, first.Name).Status.Certificate)
				if err != nil {
					t.Fatal(err)
				}
				retired := strings.TrimSuffix(f.in.Directory.KeyPath(), ".key") + "-" + identity.Digest(10, expired.SHA256()) + ".key"
				obstruct(t, retired)
			}, says: "jane", hint: "move the private key away", requests: 1,
		},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			in := onboardtest.Asked(t, "jane")
			fetch := onboardtest.Fetching(in)
			f := faulted{onboardtest.New(t), &in, &onboard.GrantInput{}, &fetch}
			test.prepare(t, f)
			key, _ := os.ReadFile(in.Directory.KeyPath())
			p := f.Program
			if test.requests == 1 && test.how == submitted {
				p = f.As(t, "jane")
			}
			err := run[test.how](f, p)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || !strings.Contains(outcome.Hint(err), test.hint) {
				t.Errorf("%v (%s), want %q (%q)", err, outcome.Hint(err), test.says, test.hint)
			}
			if names := f.Server.Names("certificatesigningrequests"); len(names) != test.requests || len(f.Server.Names("clusterrolebindings")) != 0 {
				t.Errorf("%q are on the cluster", names)
			}
			if told := onboardtest.Told[onboard.RequestApproved](f.World); len(told) != 0 {
				t.Errorf("%+v", told)
			}
			if now, _ := os.ReadFile(in.Directory.KeyPath()); key != nil && !bytes.Equal(key, now) {
				t.Error("the key is another")
			}
		})
	}
}

// TestFetch_WhatFailsByTheWayIsTold has one thing at a time go wrong while a request is looked for.
func TestFetch_WhatFailsByTheWayIsTold(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]failedFetch{
		"the directory is not known, by hand": {func(_ *testing.T, _ *onboardtest.World, f *onboard.FetchInput, in onboard.NewUserInput, _ string) {
			f.KeyFile = in.Directory.KeyPath()
			f.DirectoryOf = func(string) (store.UserDirectory, error) { return store.UserDirectory{}, errLost }
		}, errLost, "", ""},
		"the key cannot be parsed": {func(t *testing.T, _ *onboardtest.World, _ *onboard.FetchInput, in onboard.NewUserInput, _ string) {
			write(t, in.Directory.KeyPath(), []byte("garbled"))
		}, nil, "cannot be used", "move it away"},
		"the request is a directory": {func(t *testing.T, _ *onboardtest.World, _ *onboard.FetchInput, in onboard.NewUserInput, _ string) {
			obstruct(t, in.Directory.RequestPath())
		}, nil, "jane.csr", "name a file in it"},
		"the request that was named is not given": {func(_ *testing.T, w *onboardtest.World, f *onboard.FetchInput, _ onboard.NewUserInput, name string) {
			f.RequestName, w.Server.Answer = name, wrong(http.MethodGet, "/certificatesigningrequests/")
		}, nil, "by the test", ""},
		"the requests are not listed, by hand": {func(_ *testing.T, w *onboardtest.World, f *onboard.FetchInput, in onboard.NewUserInput, _ string) {
			f.KeyFile, w.Server.Answer = in.Directory.KeyPath(), wrong(http.MethodGet, "/certificatesigningrequests")
		}, nil, "by the test", "--request-name NAME"},
		"two requests for the key, by hand": {func(t *testing.T, w *onboardtest.World, f *onboard.FetchInput, in onboard.NewUserInput, name string) {
			f.KeyFile = in.Directory.KeyPath()
			copied := w.Stored(t, name).DeepCopy()
			copied.Name, copied.UID = "copied", ""
			w.Server.Put(t, copied)
		}, outcome.ErrUsage, `2 certificate signing requests are for the key of "jane"`, "--request-name "},
		"the request of another key, by hand": {func(t *testing.T, w *onboardtest.World, f *onboard.FetchInput, _ onboard.NewUserInput, name string) {
			other := onboardtest.Asked(t, "jane")
			w.Submit(t, other)
			f.RequestName, f.KeyFile = name, other.Directory.KeyPath()
		}, nil, "key", ""},
		"a namesake of another key": {func(t *testing.T, w *onboardtest.World, _ *onboard.FetchInput, _ onboard.NewUserInput, name string) {
			other := w.Submit(t, onboardtest.Asked(t, "jane"))
			renamed(t, w, other.Name, "jane", nil)
			w.Server.Remove("certificatesigningrequests", "", name)
		}, outcome.ErrNotFound, "not found", "never submitted"},
		"the namesake is not given": {func(_ *testing.T, w *onboardtest.World, _ *onboard.FetchInput, _ onboard.NewUserInput, name string) {
			w.Server.Remove("certificatesigningrequests", "", name)
			answer := wrong(http.MethodGet, "/certificatesigningrequests/jane")
			w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
				return strings.HasSuffix(r.URL.Path, "/jane") && answer(rw, r)
			}
		}, nil, "by the test", ""},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			test.check(t)
		})
	}
}

// TestNewUser_ARequestThatWasApprovedMeanwhileIsFetchedAtOnce is for a request that is found decided by a command
// that submits.
func TestNewUser_ARequestThatWasApprovedMeanwhileIsFetchedAtOnce(t *testing.T) {
	t.Parallel()
	w, in, _ := approved(t)
	fetched, err := w.As(t, "jane").NewUserFetched(t.Context(), in, onboardtest.Fetching(in))
	if err != nil || !fetched.LoggedIn || len(onboardtest.Told[onboard.LoggedIn](w)) != 1 {
		t.Errorf("%+v, %v", fetched, err)
	}
}

// TestNewUser_ALoginFromACacheNeedsTheCache is for a program that is to log in from a credential cache.
func TestNewUser_ALoginFromACacheNeedsTheCache(t *testing.T) {
	t.Parallel()
	w := onboardtest.New(t)
	before := w.Cluster
	if err := w.LogInFromCache(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) || w.Cluster != before {
		t.Errorf("%v", err)
	}
}

// TestNewUser_AGrantThatNamesNoGroupIsWrongUsage is for what is given, and what is looked at before.
func TestNewUser_AGrantThatNamesNoGroupIsWrongUsage(t *testing.T) {
	t.Parallel()
	w := onboardtest.New(t)
	user, in := identity.User{Name: "jane"}, onboard.GrantInput{ToGroup: true, Grants: []access.Grant{access.RenewableGrant}}
	for about, err := range map[string]error{"given": w.Give(t.Context(), user, in), "checked": w.CheckGiving(t.Context(), user, in)} {
		if !errors.Is(err, outcome.ErrUsage) || !strings.Contains(outcome.Hint(err), "--group GROUP") {
			t.Errorf("%s: %v (%s)", about, err, outcome.Hint(err))
		}
	}
	if names := w.Server.Names("clusterrolebindings"); len(names) != 0 || len(onboardtest.Told[onboard.Given](w)) != 0 {
		t.Errorf("%q", names)
	}
}

// TestNewUser_RunsAtOnceUseOneKey is for two runs at once: one key counts.
func TestNewUser_RunsAtOnceUseOneKey(t *testing.T) {
	t.Parallel()
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "jane")
	var failed atomic.Int32
	done := make(chan string)
	const runs = 8
	for range runs {
		go func() {
			key, _, err := onboard.PrepareKey(w.Program, in)
			if err != nil {
				failed.Add(1)
				done <- err.Error()
				return
			}
			done <- pki.Fingerprint(key.Public())
		}()
	}
	keys := map[string]bool{}
	for range runs {
		keys[<-done] = true
	}
	created := 0
	for _, ready := range onboardtest.Told[onboard.KeyReady](w) {
		if ready.Created {
			created++
		}
	}
	if len(keys) != 1 || failed.Load() != 0 || created != 1 {
		t.Errorf("%v, %d failed, %d created", keys, failed.Load(), created)
	}
}
