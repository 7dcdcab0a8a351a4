package onboard

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// FetchInput is what it takes to turn a request into a kubeconfig.
type FetchInput struct {
	// Name is the user's name, or the name of their request's object. Required.
	Name string
	// IsObject reports whether Name is the name of an object alone, and no user's.
	IsObject bool
	// DirectoryOf says where a user's key and request are, and where their
	// kubeconfig goes. Required.
	DirectoryOf func(user string) (store.UserDirectory, error)
	// Timeout is how long to wait for the certificate. Required.
	Timeout time.Duration
	// Kubeconfig says what to write and where to.
	Kubeconfig destination.Input
	// VerifyLogin reports whether to log in with the new certificate before the
	// kubeconfig is written.
	VerifyLogin bool
	// Resume is the command that continues with an interrupted wait, for hints.
	// Required.
	Resume string
	// ResumeRequest is Resume for the request's object of that name, where the name is known only
	// after it was submitted. Optional.
	ResumeRequest func(name string) string
	// KeyFile is the private key of a request that another tool made. Optional: the one
	// in the user's directory.
	KeyFile string
	// RequestName is the name of such a request's object. Optional: it is found by its
	// user and key.
	RequestName string
	// Pin has the API servers accept the certificate of a user who was revoked, before it logs
	// in. Optional.
	Pin func(context.Context, *pki.Certificate) error
}

// Fetched is a user's certificate, and where it was written.
type Fetched struct {
	destination.Written

	// User is the user in the certificate.
	User identity.User
	// Request is the name of the request that it came from.
	Request string
	// Certificate is what the cluster signed.
	Certificate *pki.Certificate
	// LoggedIn reports whether the certificate has logged in.
	LoggedIn bool
}

// Fetch waits for the certificate of the request that is in the user's directory,
// checks it, logs in with it, and writes the kubeconfig.
func (p *Program) Fetch(ctx context.Context, in FetchInput) (*Fetched, error) {
	if in.KeyFile != "" || in.RequestName != "" {
		return fetchByHand(ctx, p, in)
	}
	directory, user, object, err := locate(ctx, p, in)
	if err != nil {
		return nil, err
	}
	key, keyPEM, err := ReadKey(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noKey(err, user, object)
	}
	if err != nil {
		return nil, err
	}
	who, err := ReadUser(directory, user, key)
	if err != nil {
		return nil, outcome.WithHint(err, "run new-user again with the same groups: it creates the request again from the same key")
	}
	begun := beginLogin(ctx, p, in)
	defer begun.end()
	if object == nil {
		object, err = findSubmitted(ctx, p, who, key.Public())
	}
	if errors.Is(err, outcome.ErrNotFound) {
		return nil, outcome.WithHint(err,
			"it was never submitted, or was garbage-collected (an hour after it was issued or denied, a day after it was created): run new-user again, which submits it with the same key")
	}
	if err != nil {
		return nil, err
	}
	// No matter who signs it, the certificate has to be theirs and to log in.
	if err := request.CheckOwn(object, key.Public(), who, object.Spec.SignerName); err != nil {
		return nil, err
	}
	return p.collect(ctx, in, directory, who, &Submission{Object: object, Key: key, KeyPEM: keyPEM}, begun)
}

// locate finds the user's directory. Without a key under the given name,
// and the name is a request object's, that object is the one that was meant, and the
// directory is that of the user in it.
func locate(ctx context.Context, p *Program, in FetchInput) (_ store.UserDirectory, user string, named *request.Request, _ error) {
	var directory store.UserDirectory
	var err error
	if !in.IsObject {
		if directory, err = in.DirectoryOf(in.Name); err != nil || directory.HasKey() {
			return directory, in.Name, nil, err
		}
	}
	object, err := p.Cluster.Requests().Get(ctx, in.Name)
	if errors.Is(err, outcome.ErrNotFound) && !in.IsObject {
		return directory, in.Name, nil, nil
	}
	if err != nil {
		return directory, in.Name, nil, err
	}
	user = request.ReviewOf(object).User.Name
	directory, err = in.DirectoryOf(user)
	return directory, user, object, err
}

// findSubmitted finds the request of a user for a key: under the name that is derived
// for it, or, if it was submitted under another name or for another signer, among all
// requests, which requires permission to list them.
func findSubmitted(ctx context.Context, p *Program, user identity.User, key crypto.PublicKey) (*request.Request, error) {
	object, derivedErr := p.Cluster.Requests().Get(ctx, request.ObjectName(user, key))
	if !errors.Is(derivedErr, outcome.ErrNotFound) {
		return object, derivedErr
	}
	var found []*request.Request
	var err error
	// The label saves reading the others' requests. Where none with it is for the key, one
	// without it or with another may be.
	for _, labels := range []string{request.UserLabel + "=" + request.UserLabelValue(user.Name), ""} {
		err = p.Cluster.Requests().Each(ctx, requests.Query{AllSigners: true, Labels: labels}, func(object *request.Request) {
			if request.CheckOwn(object, key, user, object.Spec.SignerName) == nil {
				found = append(found, object)
			}
		})
		if err != nil || len(found) > 0 {
			break
		}
	}
	switch {
	case err != nil && !apierrors.IsForbidden(err):
		return nil, err
	case len(found) > 1:
		return nil, severalFor(found, user.Name, identity.NewCommand("kubectl csr-onboard fetch").Argument(found[0].Name))
	case len(found) == 1:
		return found[0], nil
	}
	if object, err := namesake(ctx, p, user, key); object != nil || err != nil {
		return object, err
	}
	return nil, derivedErr
}

// ReadUser reads who the user is from the request in their directory.
func ReadUser(directory store.UserDirectory, name string, key crypto.Signer) (identity.User, error) {
	encoded, err := directory.ReadRequest()
	if errors.Is(err, fs.ErrNotExist) {
		return identity.User{}, fmt.Errorf("no request found next to the key of %q: %w", name, err)
	}
	if err != nil {
		return identity.User{}, err
	}
	parsed, err := pki.ReadRequest(encoded)
	switch {
	case err != nil:
		return identity.User{}, fmt.Errorf("the request %q cannot be used: %w", directory.RequestPath(), err)
	case !pki.SamePublicKey(parsed.PublicKey, key.Public()):
		return identity.User{}, fmt.Errorf("the request %q is for another key than %q", directory.RequestPath(), directory.KeyPath())
	case parsed.User().Name != name:
		return identity.User{}, fmt.Errorf("the request %q is for %s, not for %q", directory.RequestPath(), parsed.Subject, name)
	}
	return parsed.User(), nil
}

// collect waits for the certificate, checks it, logs in and writes the
// kubeconfig. What was begun for it before is used.
func (p *Program) collect(ctx context.Context, in FetchInput, directory store.UserDirectory, user identity.User, submitted *Submission, begun *ahead) (*Fetched, error) {
	to := p.Destination(in.Kubeconfig, directory, user)
	if err := to.CheckEarly(ctx); err != nil {
		return nil, err
	}
	var prove Prove
	if in.VerifyLogin {
		logIn := begun.logInFor(ctx, p, submitted.Object)
		prove = func(ctx context.Context, user identity.User, _ *pki.Certificate, credentials kubeconfig.Credentials) (bool, error) {
			err := p.ProveLogIn(ctx, user, credentials, logIn)
			return err == nil, err
		}
	}
	resume := in.Resume
	if in.ResumeRequest != nil {
		resume = in.ResumeRequest(submitted.Object.Name)
	}
	issued, err := begun.await(ctx, p, in.Timeout, resume, submitted.Object)
	if err != nil {
		return nil, err
	}
	defer begun.record(ctx, p, issued)()
	return p.Receive(ctx, to, submitted, issued, in.pinned(prove))
}

// pinned has a certificate pinned before it logs in, where that is wanted.
func (in FetchInput) pinned(prove Prove) Prove {
	if in.Pin == nil {
		return prove
	}
	return func(ctx context.Context, user identity.User, certificate *pki.Certificate, credentials kubeconfig.Credentials) (bool, error) {
		if err := in.Pin(ctx, certificate); err != nil || prove == nil {
			return false, err
		}
		return prove(ctx, user, certificate, credentials)
	}
}

// Prove says why a user's certificate does not log in, and whether it has been tried; nil
// where that is not wanted.
type Prove func(ctx context.Context, user identity.User, certificate *pki.Certificate, credentials kubeconfig.Credentials) (loggedIn bool, _ error)

// Receive checks the certificate of a request, proves that it logs in if that is wanted,
// and writes it to its destination.
func (p *Program) Receive(ctx context.Context, to *destination.Destination, submitted *Submission, issued *request.Request, prove Prove) (*Fetched, error) {
	certificate, err := p.CheckIssued(issued, submitted.Key.Public(), to.User)
	if err != nil {
		return nil, err
	}
	credentials := kubeconfig.Credentials{Certificate: certificate.PEM, Key: submitted.KeyPEM}
	fetched := &Fetched{User: to.User, Request: issued.Name, Certificate: certificate}
	if prove != nil {
		if fetched.LoggedIn, err = prove(ctx, to.User, certificate, credentials); err != nil {
			return nil, err
		}
	}
	fetched.Written, err = to.Deliver(ctx, p.Run(), destination.Issued{
		Certificate: certificate, Credentials: credentials, LoggedIn: fetched.LoggedIn, ForAnother: issued.Spec.Username != to.User.Name,
	})
	return fetched, err
}

// Await waits for the certificate of an approved request, and tells how the wait stands.
// resume is the command that continues with it after timeout.
func (p *Program) Await(ctx context.Context, timeout time.Duration, resume string, object *request.Request) (*request.Request, error) {
	return await(ctx, p, timeout, resume, object, p.Cluster.Requests().Await)
}

// await is Await by one of the ways to wait.
func await(ctx context.Context, p *Program, timeout time.Duration, resume string, object *request.Request, wait func(context.Context, *request.Request, func(requests.Sighting)) (*request.Request, error)) (*request.Request, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	issued, err := wait(ctx, object, func(sighting requests.Sighting) {
		p.Tell(StillWaiting{Sighting: sighting})
	})
	if errors.Is(err, outcome.ErrInterrupted) || errors.Is(err, outcome.ErrTimedOut) {
		return nil, outcome.WithHint(err, "no certificate was received; to continue to wait: %s", resume)
	}
	return issued, err
}

// ProveLogIn proves the new certificate: the cluster must take its holder for the
// user that was asked for.
func (p *Program) ProveLogIn(ctx context.Context, user identity.User, credentials kubeconfig.Credentials, logIn cluster.LogIn) error {
	me, err := cluster.ProveLogIn(ctx, logIn, credentials, user.Name)
	if err != nil {
		return LoginFailed(ctx, p.Cluster, err, "")
	}
	p.Tell(LoggedIn{User: me})
	return nil
}
