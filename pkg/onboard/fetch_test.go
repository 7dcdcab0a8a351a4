package onboard_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// approved is a cluster with an issued request of the user jane, and what was asked.
func approved(t *testing.T) (*onboardtest.World, onboard.NewUserInput, string) {
	t.Helper()
	w, in := onboardtest.New(t), onboardtest.Asked(t, "jane")
	name := w.Submit(t, in).Name
	w.Server.Decide(name, certificatesv1.CertificateApproved)
	return w, in, name
}

func TestFetch_TheRequestIsFoundInEveryWay(t *testing.T) {
	for about, change := range map[string]func(*testing.T, *onboard.FetchInput, *onboardtest.World, string){
		"by the key":            func(*testing.T, *onboard.FetchInput, *onboardtest.World, string) {},
		"by the request's name": func(_ *testing.T, in *onboard.FetchInput, _ *onboardtest.World, name string) { in.RequestName = name },
		"by a file": func(_ *testing.T, in *onboard.FetchInput, _ *onboardtest.World, _ string) {
			f, _ := in.DirectoryOf("")
			in.KeyFile = f.KeyPath()
		},
		"under another name": func(t *testing.T, _ *onboard.FetchInput, w *onboardtest.World, name string) {
			renamed(t, w, name, "chosen-by-hand", nil)
		},
		"without its label": func(t *testing.T, _ *onboard.FetchInput, w *onboardtest.World, name string) {
			renamed(t, w, name, "by-hand", map[string]string{})
		},
		"by the user's name, who cannot list": func(t *testing.T, _ *onboard.FetchInput, w *onboardtest.World, name string) {
			renamed(t, w, name, "jane", nil)
			w.Server.Refuse("list", "certificatesigningrequests")
		},
	} {
		t.Run(about, func(t *testing.T) {
			w, in, name := approved(t)
			fetch := onboardtest.Fetching(in)
			change(t, &fetch, w, name)
			fetched, err := w.As(t, "jane").Fetch(t.Context(), fetch)
			if err != nil || !fetched.LoggedIn || fetched.User.Name != "jane" {
				t.Errorf("%+v, %v (%s)", fetched, err, outcome.Hint(err))
			}
		})
	}
}

// renamed moves a request to another name, with other labels unless they are nil.
func renamed(t *testing.T, w *onboardtest.World, name, to string, labels map[string]string) {
	t.Helper()
	moved := w.Stored(t, name).DeepCopy()
	moved.Name = to
	if labels != nil {
		moved.Labels = labels
	}
	w.Server.Remove("certificatesigningrequests", "", name)
	w.Server.Put(t, moved)
}

func TestFetch_ADirectoryIsFoundByTheNameOfTheRequest(t *testing.T) {
	w, in, name := approved(t)
	fetch := onboardtest.Fetching(in)
	fetch.Name = name
	base := filepath.Dir(in.Directory.KeyPath())
	fetch.DirectoryOf = func(user string) (store.UserDirectory, error) { return store.UserDirectoryOf(base, "", user) }
	if fetched, err := w.Fetch(t.Context(), fetch); err != nil || fetched.User.Name != "jane" {
		t.Errorf("%v", err)
	}
}

// failedFetch is a fetch of an approved request of jane in which something fails.
type failedFetch struct {
	// change makes it fail; the last argument is the request's name.
	change func(*testing.T, *onboardtest.World, *onboard.FetchInput, onboard.NewUserInput, string)
	// want is the kind of the error; nil for any.
	want       error
	says, hint string
}

// check runs it, which writes no kubeconfig.
func (f failedFetch) check(t *testing.T) {
	w, in, name := approved(t)
	fetch := onboardtest.Fetching(in)
	f.change(t, w, &fetch, in, name)
	_, err := w.As(t, "jane").Fetch(t.Context(), fetch)
	if err == nil || f.want != nil && !errors.Is(err, f.want) || !strings.Contains(err.Error(), f.says) || !strings.Contains(outcome.Hint(err), f.hint) {
		t.Errorf("%v (hint %q), want %q (%q)", err, outcome.Hint(err), f.says, f.hint)
	}
	if _, err := os.Stat(in.Directory.KubeconfigPath()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a kubeconfig is written: %v", err)
	}
}

func TestFetch_WhatDoesNotBelongTogetherIsRefused(t *testing.T) {
	for about, test := range map[string]failedFetch{
		"no key": {func(t *testing.T, _ *onboardtest.World, _ *onboard.FetchInput, in onboard.NewUserInput, _ string) {
			t.Helper()
			remove(t, in.Directory.KeyPath())
		}, nil, `private key of "jane" not found`, "create one and submit a request"},
		"no key for a request": {func(t *testing.T, _ *onboardtest.World, f *onboard.FetchInput, in onboard.NewUserInput, name string) {
			t.Helper()
			remove(t, in.Directory.KeyPath())
			f.Name = name
		}, nil, `private key of "jane" not found`, "--key FILE --request-name"},
		"no request next to the key": {func(t *testing.T, _ *onboardtest.World, _ *onboard.FetchInput, in onboard.NewUserInput, _ string) {
			t.Helper()
			remove(t, in.Directory.RequestPath())
		}, nil, "no request found next to the key", "run new-user again"},
		"a damaged request": {func(t *testing.T, _ *onboardtest.World, _ *onboard.FetchInput, in onboard.NewUserInput, _ string) {
			t.Helper()
			write(t, in.Directory.RequestPath(), []byte("text"))
		}, nil, "cannot be used", "run new-user again"},
		"the request of another key": {func(t *testing.T, w *onboardtest.World, _ *onboard.FetchInput, in onboard.NewUserInput, _ string) {
			t.Helper()
			other := onboardtest.Asked(t, "jane")
			w.Submit(t, other)
			write(t, in.Directory.RequestPath(), read(t, other.Directory.RequestPath()))
		}, nil, "is for another key than", "run new-user again"},
		"the request of another user": {func(t *testing.T, w *onboardtest.World, _ *onboard.FetchInput, in onboard.NewUserInput, _ string) {
			t.Helper()
			other := onboardtest.Asked(t, "sam")
			other.KeyFile = in.Directory.KeyPath()
			w.Submit(t, other)
			write(t, in.Directory.RequestPath(), read(t, other.Directory.RequestPath()))
		}, nil, `is for CN=sam, not for "jane"`, "run new-user again"},
		"never submitted": {func(_ *testing.T, w *onboardtest.World, _ *onboard.FetchInput, _ onboard.NewUserInput, name string) {
			w.Server.Remove("certificatesigningrequests", "", name)
		}, outcome.ErrNotFound, "not found", "never submitted, or was garbage-collected"},
		"two requests for the key": {func(t *testing.T, w *onboardtest.World, _ *onboard.FetchInput, _ onboard.NewUserInput, name string) {
			t.Helper()
			stored := w.Stored(t, name)
			for _, other := range []string{"one", "two"} {
				copied := stored.DeepCopy()
				copied.Name, copied.UID = other, ""
				w.Server.Put(t, copied)
			}
			w.Server.Remove("certificatesigningrequests", "", name)
		}, outcome.ErrUsage, `2 certificate signing requests are for the key of "jane"`, "name the one that is meant"},
		"denied": {func(_ *testing.T, w *onboardtest.World, _ *onboard.FetchInput, _ onboard.NewUserInput, name string) {
			w.Server.Decide(name, certificatesv1.CertificateDenied)
		}, outcome.ErrRejected, "was denied", ""},
		"the key of another user by hand": {func(_ *testing.T, _ *onboardtest.World, f *onboard.FetchInput, in onboard.NewUserInput, _ string) {
			f.Name, f.KeyFile = "sam", in.Directory.KeyPath()
		}, outcome.ErrUsage, `is for the user "jane", not for "sam"`, "kubectl csr-onboard fetch jane"},
		"no request for a key by hand": {func(_ *testing.T, w *onboardtest.World, f *onboard.FetchInput, in onboard.NewUserInput, name string) {
			f.KeyFile = in.Directory.KeyPath()
			w.Server.Remove("certificatesigningrequests", "", name)
		}, outcome.ErrNotFound, "certificate signing request for the key", "--request-name NAME"},
	} {
		t.Run(about, test.check)
	}
}

// TestNewUser_AWaitThatRunsOutNamesTheRequestThatWasSubmitted is for one that fetch does not find by its
// user.
func TestNewUser_AWaitThatRunsOutNamesTheRequestThatWasSubmitted(t *testing.T) {
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "jane")
	in.Signer = "example.com/other"
	fetching := onboardtest.Fetching(in)
	fetching.Timeout = 50 * time.Millisecond
	fetching.ResumeRequest = func(name string) string { return "kubectl csr-onboard fetch " + name }
	_, err := w.NewUserFetched(t.Context(), in, fetching)
	names := w.Server.Names("certificatesigningrequests")
	if !errors.Is(err, outcome.ErrTimedOut) || len(names) != 1 || !strings.HasSuffix(outcome.Hint(err), "to continue to wait: kubectl csr-onboard fetch "+names[0]) {
		t.Errorf("%v (%s), requests %q", err, outcome.Hint(err), names)
	}
}

func TestFetch_AWaitThatRunsOutSaysHowToContinue(t *testing.T) {
	w, in := onboardtest.New(t), onboardtest.Asked(t, "jane")
	w.Submit(t, in)
	fetch := onboardtest.Fetching(in)
	fetch.Timeout = 50 * time.Millisecond
	_, err := w.As(t, "jane").Fetch(t.Context(), fetch)
	if !errors.Is(err, outcome.ErrTimedOut) || !strings.Contains(outcome.Hint(err), "no certificate was received; to continue to wait: kubectl csr-onboard fetch") {
		t.Errorf("%v (%s)", err, outcome.Hint(err))
	}
	if waiting := onboardtest.Told[onboard.StillWaiting](w); len(waiting) != 1 {
		t.Errorf("%d sightings were told", len(waiting))
	}
}

// TestFetch_AServerThatFailsIsNoMissingRequest is for an error that must not be taken for an answer.
func TestFetch_AServerThatFailsIsNoMissingRequest(t *testing.T) {
	w, in, _ := approved(t)
	w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
		isGet := r.Method == http.MethodGet && strings.Contains(r.URL.Path, "certificatesigningrequests/")
		if isGet {
			clustertest.Fail(rw, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		}
		return isGet
	}
	if _, err := w.As(t, "jane").Fetch(t.Context(), onboardtest.Fetching(in)); err == nil || errors.Is(err, outcome.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFetch_AnObjectIsNotTheUserOfItsName is for csr/NAME.
func TestFetch_AnObjectIsNotTheUserOfItsName(t *testing.T) {
	w := onboardtest.New(t)
	base := t.TempDir()
	jane, sam := onboardtest.Asked(t, "jane"), onboardtest.Asked(t, "sam")
	jane.Directory, sam.Directory = onboardtest.Directory(t, filepath.Join(base, "j"), "jane"), onboardtest.Directory(t, filepath.Join(base, "s"), "sam")
	sam.RequestName = "jane"
	w.Server.Decide(w.Submit(t, jane).Name, certificatesv1.CertificateApproved)
	w.Server.Decide(w.Submit(t, sam).Name, certificatesv1.CertificateApproved)
	fetch := onboardtest.Fetching(jane)
	fetch.DirectoryOf = func(user string) (store.UserDirectory, error) {
		if user == "jane" {
			return jane.Directory, nil
		}
		return sam.Directory, nil
	}
	fetch.Name, fetch.IsObject = "jane", true
	fetched, err := w.Fetch(t.Context(), fetch)
	if err != nil || fetched.User.Name != "sam" || fetched.Request != "jane" {
		t.Errorf("%+v, %v", fetched, err)
	}
	fetch.Name = "sam"
	if _, err := w.Fetch(t.Context(), fetch); !errors.Is(err, outcome.ErrNotFound) {
		t.Errorf("a user is taken for a request: %v", err)
	}
}
