// Package onboardtest is a program whose cluster is in memory, for tests of use cases.
package onboardtest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// World is a cluster with those who use it.
type World struct {
	Server *clustertest.Server
	// Program is run by an administrator who is permitted everything.
	*onboard.Program

	mutex sync.Mutex
	told  []event.Event
}

// New starts a cluster.
func New(t *testing.T) *World {
	t.Helper()
	w := &World{Server: clustertest.New(t)}
	w.Program = w.run(w.Server.Admin(t))
	return w
}

func (w *World) run(client *cluster.Client) *onboard.Program {
	return &onboard.Program{Cluster: client, Version: "v0.1.0", UserAgent: "test", Now: w.Server.Now, Tell: w.take}
}

// As is the program as another user runs it.
func (w *World) As(t *testing.T, name string, groups ...string) *onboard.Program {
	t.Helper()
	return w.run(w.Server.Client(t, name, groups...))
}

func (w *World) take(e event.Event) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.told = append(w.told, e)
}

// Told are the events of a type that were told, in their order.
func Told[E event.Event](w *World) []E {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	var told []E
	for _, one := range w.told {
		if e, isOfType := one.(E); isOfType {
			told = append(told, e)
		}
	}
	return told
}

// Asked is what new-user asks for a user, in a directory of the test's own.
func Asked(t *testing.T, name string, groups ...string) onboard.NewUserInput {
	t.Helper()
	return onboard.NewUserInput{
		User: identity.User{Name: name, Groups: groups}, Directory: Directory(t, t.TempDir(), name), KeyAlgorithm: pki.DefaultKeyAlgorithm,
		Lifetime: time.Hour, Signer: request.Signer, DryRun: onboard.DryRunNone,
	}
}

// Directory is where the files of a user are below a directory.
func Directory(t *testing.T, directory, name string) store.UserDirectory {
	t.Helper()
	of, err := store.UserDirectoryOf(directory, "", name)
	if err != nil {
		t.Fatal(err)
	}
	return of
}

// Fetching fetches what was asked, and writes the kubeconfig next to the key.
func Fetching(in onboard.NewUserInput) onboard.FetchInput {
	return onboard.FetchInput{
		Name: in.User.Name, DirectoryOf: func(string) (store.UserDirectory, error) { return in.Directory, nil },
		Timeout: time.Minute, VerifyLogin: true, Resume: "kubectl csr-onboard fetch",
	}
}

// Submit has a user submit a request as the user, and returns what the cluster stores.
func (w *World) Submit(t *testing.T, in onboard.NewUserInput) *request.Request {
	t.Helper()
	object, _, err := w.As(t, in.User.Name, in.User.Groups...).NewUser(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// Stored is a request as the cluster stores it now.
func (w *World) Stored(t *testing.T, name string) *request.Request {
	t.Helper()
	object, err := w.Cluster.Requests().Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// States are the states of all requests of the cluster, in the order of their names.
func (w *World) States(t *testing.T) []request.State {
	t.Helper()
	states := []request.State{}
	for _, name := range slices.Sorted(slices.Values(w.Server.Names("certificatesigningrequests"))) {
		states = append(states, request.StateOf(w.Stored(t, name)))
	}
	return states
}
