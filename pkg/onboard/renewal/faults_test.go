package renewal_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
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

// put writes a file, and the directories above it.
func put(t *testing.T, path string, text []byte) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}

// obstruct puts a directory that is not empty in the place of a file.
func obstruct(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Error(err)
	}
	put(t, filepath.Join(path, "obstacle"), nil)
}

// isAt reports whether a call is of a method, to a path with this end.
func isAt(r *http.Request, method, end string) bool {
	return r.Method == method && strings.HasSuffix(r.URL.Path, end)
}

func (h *holder) held(t *testing.T) *pair.Held {
	t.Helper()
	held, err := h.in.User.Read(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// renewal is where the renewal of the present certificate waits.
func (h *holder) renewal(t *testing.T) store.Renewal {
	t.Helper()
	return store.RenewalOf(h.in.Renewals, "jane", h.held(t).Certificate.SHA256())
}

func refusalPath(of store.Renewal) string {
	return strings.TrimSuffix(of.PreviousPath(), ".previous.kubeconfig") + ".refused"
}

// atNow does something when the clock is read for the n-th time.
func (h *holder) atNow(n int, do func()) {
	count := 0
	h.Now = func() time.Time {
		if count++; count == n {
			do()
		}
		return time.Now()
	}
}

// onTold does something after an event of a type.
func onTold[E event.Event](h *holder, do func(E)) {
	tell := h.Tell
	h.Tell = func(e event.Event) {
		tell(e)
		if one, isOfType := e.(E); isOfType {
			do(one)
		}
	}
}

// afterFirstRead is when the clock is read for the first time after a kubeconfig was read once.
const afterFirstRead = 3

// TestRenew_WhatFailsInTheMiddleIsTold has one thing at a time go wrong, at its moment.
func TestRenew_WhatFailsInTheMiddleIsTold(t *testing.T) {
	t.Parallel()
	fail := func(method, end string) func(*testing.T, *holder) {
		return func(_ *testing.T, h *holder) {
			h.Server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
				isMeant := isAt(r, method, end)
				if isMeant {
					clustertest.Fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
				}
				return isMeant
			}
		}
	}
	approving := func(then func(*testing.T, *holder)) func(*testing.T, *holder) {
		return func(t *testing.T, h *holder) {
			h.Server.Permit("jane", "update", "certificatesigningrequests/approval")
			h.Server.Permit("jane", "approve", "signers")
			h.Server.Permit("jane", "get", "configmaps")
			h.in.Approve = true
			then(t, h)
		}
	}
	for about, test := range map[string]struct {
		prepare func(*testing.T, *holder)
		want    error
		says    []string
		hint    string
		// isDamaged says that the test itself damages the kubeconfig.
		isDamaged bool
	}{
		"the kubeconfig is damaged while it waits for the lock": {
			prepare: func(t *testing.T, h *holder) {
				h.atNow(afterFirstRead, func() { put(t, h.in.User.Path, []byte("garbled")) })
			},
			says: []string{"is not a kubeconfig"}, isDamaged: true,
		},
		"the renewal cannot be given up": {
			prepare: func(t *testing.T, h *holder) {
				h.in.Force = true
				obstruct(t, h.renewal(t).KeyPath())
			},
			says: []string{"jane.key", "directory"},
		},
		"what an earlier renewal left cannot be removed": {
			prepare: func(t *testing.T, h *holder) {
				earlier := store.RenewalOf(h.in.Renewals, "jane", []byte("earlier"))
				put(t, earlier.KeyPath(), h.held(t).Credentials.Key)
				obstruct(t, earlier.RequestPath())
			},
			says: []string{"jane.csr"},
		},
		"the request is not accepted": {
			prepare: fail(http.MethodPost, "/certificatesigningrequests"),
			says:    []string{"by the test"}, hint: "nothing was changed; run the same command again to continue",
		},
		"a denial cannot be remembered": {
			prepare: func(t *testing.T, h *holder) {
				obstruct(t, refusalPath(h.renewal(t)))
				h.decides(certificatesv1.CertificateDenied)
			},
			want: outcome.ErrRejected, says: []string{"denied", "jane.refused"},
		},
		"who left cannot be found out": {
			prepare: approving(fail(http.MethodGet, "/certificatesigningrequests")),
			says:    []string{"by the test"},
		},
		"the approval is not accepted": {
			prepare: approving(fail(http.MethodPut, "/approval")),
			says:    []string{"by the test"},
		},
		"it expires while it waits": {
			prepare: func(_ *testing.T, h *holder) {
				h.in.Timeout = 30 * time.Millisecond
				onTold(h, func(onboard.RequestReady) { h.Now = func() time.Time { return time.Now().Add(2 * time.Hour) } })
			},
			says: []string{"expired"}, hint: "new-user",
		},
		"the present pair cannot be kept": {
			prepare: func(t *testing.T, h *holder) {
				obstruct(t, h.renewal(t).PreviousPath())
				h.approves()
			},
			says: []string{"the present certificate and key cannot be kept: "},
		},
		"the kubeconfig is damaged before it is written": {
			prepare: func(t *testing.T, h *holder) {
				held := h.held(t)
				h.approves()
				h.onNewLogin(held, func(http.ResponseWriter, int32) bool { put(t, h.in.User.Path, []byte("garbled")); return false })
			},
			says: []string{"the kubeconfig was not written: ", "is not a kubeconfig"}, isDamaged: true,
		},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			h := newHolder(t)
			before := h.kubeconfig(t)
			lock := h.renewal(t).LockPath()
			test.prepare(t, h)
			renewed, err := renewal.Run(t.Context(), h.Program, h.in)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(outcome.Hint(err), test.hint) {
				t.Fatalf("%+v, %v (%s), want %q", renewed, err, outcome.Hint(err), test.hint)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is missing: %v", part, err)
				}
			}
			if !test.isDamaged && !bytes.Equal(before, h.kubeconfig(t)) {
				t.Error("the kubeconfig has changed")
			}
			if len(onboardtest.Told[renewal.Rotated](h.World)) != 0 || len(onboardtest.Told[onboard.RequestApproved](h.World)) != 0 {
				t.Error("it is told as done")
			}
			if held, err := store.TryLock(lock); err != nil || held == nil {
				t.Errorf("the lock is still held: %v", err)
			} else if err := held.Release(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRenew_AnotherRunThatWasFasterIsEnough is for two runs of which one waits for the lock.
func TestRenew_AnotherRunThatWasFasterIsEnough(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	later := h.Server.CredentialsFor(t, 3*time.Hour, "jane")
	h.atNow(afterFirstRead, func() { h.write(t, h.in.User.Path, later) })
	renewed, err := renewal.Run(t.Context(), h.Program, h.in)
	if err != nil || renewed.State != renewal.RenewalDone || renewed.Context != "jane@test" || time.Until(renewed.NotAfter) < 2*time.Hour {
		t.Fatalf("%+v, %v", renewed, err)
	}
	if told := onboardtest.Told[renewal.RenewedMeanwhile](h.World); len(told) != 1 || !told[0].NotAfter.Equal(renewed.NotAfter) {
		t.Errorf("%+v", told)
	}
	if names := h.Server.Names("certificatesigningrequests"); len(names) != 0 {
		t.Errorf("%q were submitted", names)
	}
}

// TestRenew_ACertificateThatHasExpiredUnusedIsRequestedAgain is for a renewal that was approved, and then left.
func TestRenew_ACertificateThatHasExpiredUnusedIsRequestedAgain(t *testing.T) {
	t.Parallel()
	for _, isObstructed := range []bool{false, true} {
		h := newHolder(t)
		if _, err := renewal.Run(t.Context(), h.Program, h.in); err != nil {
			t.Fatal(err)
		}
		h.Server.ChangeCertificate = func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
		first := h.Server.Names("certificatesigningrequests")[0]
		h.Server.Decide(first, certificatesv1.CertificateApproved)
		h.Server.ChangeCertificate = nil
		key, err := h.renewal(t).ReadKey()
		if err != nil {
			t.Fatal(err)
		}
		if isObstructed {
			obstruct(t, h.renewal(t).PreviousPath())
		}
		renewed, err := renewal.Run(t.Context(), h.Program, h.in)
		now, readErr := h.renewal(t).ReadKey()
		if readErr != nil {
			t.Fatal(readErr)
		}
		if isObstructed {
			if err == nil || !strings.Contains(err.Error(), "jane.previous.kubeconfig") || !bytes.Equal(key, now) {
				t.Errorf("%+v, %v", renewed, err)
			}
			continue
		}
		if err != nil || renewed.State != renewal.RenewalPending || bytes.Equal(key, now) || len(h.Server.Names("certificatesigningrequests")) != 2 {
			t.Errorf("%+v, %v", renewed, err)
		}
	}
}

// inFiles has the kubeconfig name a certificate and a key in files next to it.
func (h *holder) inFiles(t *testing.T) {
	t.Helper()
	credentials := h.Server.Credentials(t, "jane")
	directory := filepath.Dir(h.in.User.Path)
	put(t, filepath.Join(directory, "jane.crt"), credentials.Certificate)
	put(t, filepath.Join(directory, "jane.key"), credentials.Key)
	put(t, h.in.User.Path, []byte("apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers:\n- name: jane@test\n  user: {client-certificate: jane.crt, client-key: jane.key}\n"))
}

// onNewFiles does something with the paths that the new certificate and its key will have, and with
// what will be in them, before they are written.
func (h *holder) onNewFiles(t *testing.T, do func(certificate, key string, certificateText, keyText []byte)) {
	t.Helper()
	of := h.renewal(t)
	present, isDone := h.held(t).Certificate.Leaf.Raw, false
	h.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if !isAt(r, http.MethodPost, "/selfsubjectreviews") || isDone || bytes.Equal(r.TLS.PeerCertificates[0].Raw, present) {
			return false
		}
		isDone = true
		raw := r.TLS.PeerCertificates[0].Raw
		sum := sha256.Sum256(raw)
		stem := filepath.Join(filepath.Dir(h.in.User.Path), "jane-"+identity.Digest(10, sum[:]))
		key, err := of.ReadKey()
		if err != nil {
			t.Error(err)
		}
		do(stem+".crt", stem+".key", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), key)
		return false
	}
}

// TestRenew_FilesOfAnInterruptedRunAreKeptAndOthersAreNotWrittenOver has something in the place of the
// new files already.
func TestRenew_FilesOfAnInterruptedRunAreKeptAndOthersAreNotWrittenOver(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]struct {
		prepare func(t *testing.T, certificate, key string, certificateText, keyText []byte)
		says    string
	}{
		"the same files": {func(t *testing.T, certificate, key string, certificateText, keyText []byte) {
			put(t, certificate, certificateText)
			put(t, key, keyText)
		}, ""},
		"another certificate": {func(t *testing.T, certificate, _ string, _, keyText []byte) { put(t, certificate, keyText) }, ".crt"},
		"another key":         {func(t *testing.T, _, key string, certificateText, _ []byte) { put(t, key, certificateText) }, ".key"},
		"a directory":         {func(t *testing.T, _, key string, _, _ []byte) { obstruct(t, key) }, ".key"},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			h := newHolder(t)
			h.inFiles(t)
			before := h.kubeconfig(t)
			h.approves()
			var paths []string
			h.onNewFiles(t, func(certificate, key string, certificateText, keyText []byte) {
				paths = []string{certificate, key}
				test.prepare(t, certificate, key, certificateText, keyText)
			})
			renewed, err := renewal.Run(t.Context(), h.Program, h.in)
			if test.says == "" {
				if err != nil || renewed.State != renewal.RenewalDone || h.held(t).Pair.CertificateFile != filepath.Base(paths[0]) {
					t.Errorf("%+v, %v", renewed, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(outcome.Hint(err), "nothing was changed; ") || !bytes.Equal(before, h.kubeconfig(t)) {
				t.Errorf("%+v, %v (%s)", renewed, err, outcome.Hint(err))
			}
			// Once the obstacle is away, the same renewal comes to its end.
			for _, path := range paths {
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}
			if renewed, err := renewal.Run(t.Context(), h.Program, h.in); err != nil || renewed.State != renewal.RenewalDone {
				t.Errorf("the next run: %+v, %v", renewed, err)
			}
		})
	}
}

// TestRenew_APairThatIsInPlaceAlreadyStaysAsItIs is for a person who puts the new pair into the kubeconfig
// by hand: the file stays byte by byte.
func TestRenew_APairThatIsInPlaceAlreadyStaysAsItIs(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	h.approves()
	of, present := h.renewal(t), h.held(t)
	var byHand []byte
	h.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		raw := r.TLS.PeerCertificates[0].Raw
		if byHand == nil && isAt(r, http.MethodPost, "/selfsubjectreviews") && !bytes.Equal(raw, present.Certificate.Leaf.Raw) {
			key, err := of.ReadKey()
			if err != nil {
				t.Error(err)
			}
			credentials := present.Credentials
			credentials.Certificate, credentials.Key = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), key
			h.write(t, h.in.User.Path, credentials)
			byHand = append(h.kubeconfig(t), "# by hand\n"...)
			put(t, h.in.User.Path, byHand)
		}
		return false
	}
	if renewed, err := renewal.Run(t.Context(), h.Program, h.in); err != nil || renewed.State != renewal.RenewalDone || !bytes.Equal(byHand, h.kubeconfig(t)) {
		t.Errorf("%+v, %v", renewed, err)
	}
}

// TestRenew_AFileThatCannotBeRemovedIsNamed is for the files of an earlier renewal.
func TestRenew_AFileThatCannotBeRemovedIsNamed(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	h.inFiles(t)
	h.approves()
	if _, err := renewal.Run(t.Context(), h.Program, h.in); err != nil {
		t.Fatal(err)
	}
	present := h.held(t)
	path := h.in.User.Resolve(present.Pair.CertificateFile)
	h.onNewLogin(present, func(_ http.ResponseWriter, count int32) bool {
		if count == 2 {
			obstruct(t, path)
		}
		return false
	})
	_, err := renewal.Run(t.Context(), h.Program, h.in)
	if err == nil || !strings.Contains(err.Error(), filepath.Base(path)) {
		t.Errorf("%v", err)
	}
	// The new pair is in use all the same, and the earlier one is not lost.
	if bytes.Equal(h.held(t).Certificate.SHA256(), present.Certificate.SHA256()) || len(onboardtest.Told[renewal.Rotated](h.World)) != 2 {
		t.Error("the new pair is not in use")
	}
	checkKept(t, store.RenewalOf(h.in.Renewals, "jane", present.Certificate.SHA256()).PreviousPath(), present)
}

// TestStatus_ARenewalIsToldAsFarAsItsFilesTell is for the files of a renewal that is under way.
func TestStatus_ARenewalIsToldAsFarAsItsFilesTell(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	if _, err := renewal.Run(t.Context(), h.Program, h.in); err != nil {
		t.Fatal(err)
	}
	of, name := h.renewal(t), h.Server.Names("certificatesigningrequests")[0]
	for _, test := range []struct {
		about, path, text string
		state             request.State
		name              string
	}{
		{"it waits", "", "", request.Pending, name},
		{"it was refused", refusalPath(of), "denied\n", request.Denied, name},
		{"its request is garbled", of.RequestPath(), "garbled", "", ""},
		{"its request is gone", of.RequestPath(), "", "", ""},
	} {
		if test.path != "" {
			if err := os.RemoveAll(test.path); err != nil {
				t.Fatal(err)
			}
		}
		if test.text != "" {
			put(t, test.path, []byte(test.text))
		}
		got := renewal.Status(t.Context(), h.Program, []renewal.ContextInput{{
			Name: "jane@test", User: &h.in.User, Renewals: h.in.Renewals, Connect: func() (*cluster.Client, error) { return h.Cluster, nil },
		}})[0]
		if got.Renewal != test.state || got.RenewalRequest != test.name || got.Live != renewal.Live {
			t.Errorf("%s: %+v", test.about, got)
		}
	}
}

// TestCredential_ACacheIsNotUsedAfterAFailure has one thing at a time go wrong while a kubeconfig is about
// to log in from a cache.
func TestCredential_ACacheIsNotUsedAfterAFailure(t *testing.T) {
	t.Parallel()
	cacheOf := func(t *testing.T, h *holder, base string) store.CredentialCache {
		t.Helper()
		directory, err := store.UserDirectoryOf(base, "", "jane")
		if err != nil {
			t.Fatal(err)
		}
		cache, err := destination.CacheFor(directory, h.Cluster.Endpoint(), identity.User{Name: "jane"})
		if err != nil {
			t.Fatal(err)
		}
		return cache
	}
	for about, test := range map[string]struct {
		prepare func(t *testing.T, h *holder, base string)
		// noDirectory is why the directory of the user is not known.
		noDirectory error
		says, hint  string
		// isDamaged says that the test itself damages the kubeconfig, and isInUse that it names the cache.
		isDamaged, isInUse bool
	}{
		"the kubeconfig cannot be read": {
			prepare: func(t *testing.T, h *holder, _ string) { put(t, h.in.User.Path, []byte("garbled")) }, says: "is not a kubeconfig", isDamaged: true,
		},
		"the directory is not known": {noDirectory: errOff, says: errOff.Error()},
		"the cluster takes the holder for another": {
			prepare: func(_ *testing.T, h *holder, _ string) {
				h.Server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
					isMeant := isAt(r, http.MethodPost, "/selfsubjectreviews")
					if isMeant {
						clustertest.RespondWho(w, "sam")
					}
					return isMeant
				}
			}, says: `"jane" as "sam"`, hint: "nothing was changed",
		},
		"what is permitted is not told": {
			prepare: func(_ *testing.T, h *holder, _ string) {
				h.Server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
					isMeant := isAt(r, http.MethodPost, "/selfsubjectaccessreviews")
					if isMeant {
						clustertest.Fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
					}
					return isMeant
				}
			}, says: "by the test", hint: "nothing was changed",
		},
		"a file is in the place of the cache": {
			prepare: func(t *testing.T, h *holder, base string) { put(t, cacheOf(t, h, base).Directory(), nil) }, says: "credential-",
		},
		"the kubeconfig is damaged meanwhile": {
			prepare: func(t *testing.T, h *holder, _ string) {
				onTold(h, func(destination.CacheFilled) { put(t, h.in.User.Path, []byte("garbled")) })
			}, says: "the kubeconfig was not written: ", isDamaged: true,
		},
		"the cache is damaged meanwhile": {
			prepare: func(t *testing.T, h *holder, base string) {
				onTold(h, func(renewal.CacheInUse) { put(t, cacheOf(t, h, base).KubeconfigPath(), []byte("garbled")) })
			}, says: "cannot be used", hint: "fetch NAME --exec", isInUse: true,
		},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			h, base := newHolder(t), t.TempDir()
			before := h.kubeconfig(t)
			if test.prepare != nil {
				test.prepare(t, h, base)
			}
			user, err := renewal.UseCache(t.Context(), h.Program, h.in.User, func(name string) (store.UserDirectory, error) {
				if test.noDirectory != nil {
					return store.UserDirectory{}, test.noDirectory
				}
				return store.UserDirectoryOf(base, "", name)
			}, "kubectl-csr_onboard")
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(outcome.Hint(err), test.hint) || user.Cache != nil {
				t.Errorf("%+v, %v (%s)", user, err, outcome.Hint(err))
			}
			if !test.isDamaged && bytes.Equal(before, h.kubeconfig(t)) == test.isInUse {
				t.Error("the kubeconfig is another than it should be")
			}
			if told := onboardtest.Told[renewal.CacheInUse](h.World); len(told) == 1 != test.isInUse {
				t.Errorf("%+v", told)
			}
		})
	}
}

// TestCredential_ACacheThatCannotMoveStays is for the two moments at which a cache is read.
func TestCredential_ACacheThatCannotMoveStays(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]struct {
		change func(t *testing.T, c *cached)
		says   string
		// isSame says that the API server has not moved.
		isSame bool
	}{
		"nothing has moved": {isSame: true},
		"the cache is damaged": {
			change: func(t *testing.T, c *cached) { put(t, c.cache.KubeconfigPath(), []byte("garbled")) }, says: "cannot be used",
		},
		"the answer that was kept is in the way": {
			change: func(t *testing.T, c *cached) {
				if _, _, err := c.ask(t); err != nil {
					t.Error(err)
				}
				kept, err := filepath.Glob(filepath.Join(c.cache.Directory(), "*answer*"))
				if err != nil || len(kept) != 1 {
					t.Errorf("%q, %v", kept, err)
					return
				}
				obstruct(t, kept[0])
			}, says: "answer",
		},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			c := newCached(t)
			c.in.User = pair.KubeconfigUser{Context: "jane@test", Path: c.cache.KubeconfigPath(), Entry: "jane@test", Cache: &c.cache}
			c.in.MoveCache = true
			if !test.isSame {
				c.Server.Endpoint.Server = strings.Replace(c.Server.Endpoint.Server, "127.0.0.1", "localhost", 1)
				c.Server.Endpoint.ServerName = "127.0.0.1"
				c.Cluster = c.Server.Client(t, "jane")
			}
			before := read(t, c.cache.KubeconfigPath())
			if test.change != nil {
				c.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
					if isAt(r, http.MethodPost, "/selfsubjectreviews") {
						test.change(t, c)
					}
					return false
				}
			}
			renewed, err := renewal.Run(t.Context(), c.Program, c.in)
			if test.isSame {
				if err != nil || renewed.State != renewal.RenewalPending || !bytes.Equal(before, read(t, c.cache.KubeconfigPath())) {
					t.Errorf("%+v, %v", renewed, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.says) || len(c.Server.Names("certificatesigningrequests")) != 0 {
				t.Errorf("%+v, %v", renewed, err)
			}
			if told := onboardtest.Told[renewal.CacheMoved](c.World); len(told) != 0 {
				t.Errorf("%+v", told)
			}
		})
	}
}

// TestCredential_WhatKeepsARenewalFromBeingBegunIsTold gives kubectl the pair all the same.
func TestCredential_WhatKeepsARenewalFromBeingBegunIsTold(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]struct {
		startErr     error
		isObstructed bool
		says         string
	}{
		"no process can be started":        {startErr: errOff, says: errOff.Error()},
		"the attempt cannot be remembered": {isObstructed: true, says: "renewal.json"},
	} {
		c := newCached(t)
		c.passed = 45 * time.Minute
		if test.isObstructed {
			obstruct(t, c.cache.StatePath())
		}
		started := 0
		text, err := renewal.Credential(t.Context(), c.Program, renewal.CredentialInput{
			Cache: c.cache, APIVersion: "client.authentication.k8s.io/v1",
			StartRenewal: func() error { started++; return test.startErr },
		})
		if err != nil || !strings.Contains(string(text), "clientCertificateData") || started == 0 != test.isObstructed {
			t.Errorf("%s: %d renewals, %v", about, started, err)
		}
		if told := onboardtest.Told[renewal.NotStarted](c.World); len(told) != 1 || !strings.Contains(told[0].Reason.Error(), test.says) {
			t.Errorf("%s: %+v", about, told)
		}
	}
}

// TestCredential_ShortlyBeforeTheEndAClientComesBackAtTheEnd is for the last seconds of a certificate.
func TestCredential_ShortlyBeforeTheEndAClientComesBackAtTheEnd(t *testing.T) {
	t.Parallel()
	c := newCached(t)
	held, err := pair.ReadCache(c.cache)
	if err != nil {
		t.Fatal(err)
	}
	end := held.Certificate.UsableUntil()
	for left, want := range map[time.Duration]time.Time{5 * time.Second: end, 5 * time.Minute: end.Add(-4*time.Minute - 30*time.Second)} {
		c.Now = func() time.Time { return end.Add(-left) }
		answer, _, err := c.ask(t)
		status, _ := answer["status"].(map[string]any)
		if err != nil || status["expirationTimestamp"] != want.UTC().Format(time.RFC3339) {
			t.Errorf("%v before the end: %v, want %v, %v", left, status["expirationTimestamp"], want, err)
		}
	}
}

// TestCredential_ACommandThatHasWaitedInVainIsToldWhy is for what others do to a cache meanwhile.
func TestCredential_ACommandThatHasWaitedInVainIsToldWhy(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]struct {
		meanwhile func(*testing.T, *cached)
		says      string
	}{
		"another expired certificate": {func(t *testing.T, c *cached) { c.write(t, c.cache.KubeconfigPath(), c.Server.Credentials(t, "jane")) }, "expired"},
		"the cache is damaged":        {func(t *testing.T, c *cached) { put(t, c.cache.KubeconfigPath(), []byte("garbled")) }, "cannot be used"},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			c := newCached(t)
			isAwaited := false
			c.Now = func() time.Time {
				if isAwaited {
					test.meanwhile(t, c)
				}
				return time.Now().Add(2 * time.Hour)
			}
			other := c.isBusy(t)
			onTold(c.holder, func(renewal.Awaited) {
				isAwaited = true
				if err := other.Release(); err != nil {
					t.Error(err)
				}
			})
			if _, started, err := c.ask(t); err == nil || !strings.Contains(err.Error(), test.says) || started != 0 {
				t.Errorf("%d renewals, %v", started, err)
			}
		})
	}
}

// TestCredential_TheSameTroubleIsNotToldAgain is for a renewal that fails in the same way twice.
func TestCredential_TheSameTroubleIsNotToldAgain(t *testing.T) {
	t.Parallel()
	c := newCached(t)
	c.passed = 45 * time.Minute
	c.Server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		isMeant := isAt(r, http.MethodPost, "/certificatesigningrequests")
		if isMeant {
			clustertest.Fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		}
		return isMeant
	}
	var records [][]byte
	for range 2 {
		if err := renewal.RenewCached(t.Context(), c.Program, c.cache, time.Second); err == nil {
			t.Error("no failure")
		}
		records = append(records, read(t, c.cache.StatePath()))
	}
	var record map[string]any
	if err := json.Unmarshal(records[1], &record); err != nil || record["ending"] != "failed" || !bytes.Equal(records[0], records[1]) {
		t.Errorf("%s, then %s: %v", records[0], records[1], err)
	}
	// Who was told of it is not told of it again, though it fails again.
	for range 2 {
		if _, _, err := c.ask(t); err != nil {
			t.Error(err)
		}
		if err := renewal.RenewCached(t.Context(), c.Program, c.cache, time.Second); err == nil {
			t.Error("no failure")
		}
	}
	if told := onboardtest.Told[renewal.InTrouble](c.World); len(told) != 1 {
		t.Errorf("%+v", told)
	}
}

// TestCredential_ATroubleIsTheSameWhateverItsRequestIsCalled is for a user who cannot create requests:
// each attempt has another key, and so another name.
func TestCredential_ATroubleIsTheSameWhateverItsRequestIsCalled(t *testing.T) {
	t.Parallel()
	c := newCached(t)
	c.passed = 45 * time.Minute
	c.Server.Refuse("create", "certificatesigningrequests")
	var records []string
	for range 2 {
		if err := renewal.RenewCached(t.Context(), c.Program, c.cache, time.Second); err == nil {
			t.Error("no failure")
		}
		if _, _, err := c.ask(t); err != nil {
			t.Error(err)
		}
		records = append(records, string(read(t, c.cache.StatePath())))
	}
	if told := onboardtest.Told[renewal.InTrouble](c.World); len(told) != 1 || records[0] == records[1] {
		t.Errorf("%+v; %q", told, records)
	}
}
