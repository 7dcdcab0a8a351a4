package onboard

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// NewUserInput is what it takes to ask for a user's certificate.
type NewUserInput struct {
	// User is who the certificate is for. Required.
	User identity.User
	// Directory is where their key and request are kept. Required.
	Directory store.UserDirectory
	// KeyAlgorithm is for a new key. Required.
	KeyAlgorithm pki.KeyAlgorithm
	// RequireAlgorithm says that a key that exists must be of KeyAlgorithm, because a
	// person asked for it. Otherwise it is used whatever its kind.
	RequireAlgorithm bool
	// KeyFile is a private key to use in place of a new one. It is read, and a
	// copy is kept in the directory as PKCS#8. Optional.
	KeyFile string
	// Lifetime is how long the certificate should be good for. Required.
	Lifetime time.Duration
	// LifetimeSource is what a person named Lifetime with, such as "--expiration"; "" if it is
	// the default. A pending request that asks for another one is not approved (see CheckLifetime).
	LifetimeSource string
	// Signer is who is to sign it. Required.
	Signer string
	// RequestName is the request object's name. Optional; one that is derived if empty.
	RequestName string
	// DryRun says how much is done. The key and the PKCS#10 request are made in
	// any case: an object to submit later is worth nothing without its key.
	// Required.
	DryRun DryRun
}

// Submission is a request that stands on the cluster, with the key it is for.
type Submission struct {
	// Object is the request as it is on the cluster, or, before it is submitted, as it will be.
	Object *request.Request
	// Created reports whether this run created it.
	Created bool
	// Key is the private key, and KeyPEM the same in PEM (PKCS#8).
	Key    crypto.Signer
	KeyPEM []byte
	// Keep writes the PKCS#10 request to the user's directory, if it is not there already.
	Keep func() error
}

// NewUser makes the user's key and request where they are not there yet,
// submits the request, and returns the object as the cluster stores it, and
// whether it was created now. In a client's dry run, it is the object that would
// be sent, and Cluster is not used.
func (p *Program) NewUser(ctx context.Context, in NewUserInput) (_ *request.Request, created bool, _ error) {
	p.WarnOfName(in.User)
	if err := checkNotRevoked(ctx, p, in); err != nil {
		return nil, false, err
	}
	submitted, err := submitNew(ctx, p, in)
	if err != nil {
		return nil, false, err
	}
	return submitted.Object, submitted.Created, nil
}

// NewUserFetched submits a user's request as NewUser does, waits until somebody has
// approved it, and fetches the kubeconfig. That it can be written is looked at first.
func (p *Program) NewUserFetched(ctx context.Context, in NewUserInput, fetch FetchInput) (*Fetched, error) {
	if err := p.Destination(fetch.Kubeconfig, in.Directory, in.User).CheckEarly(ctx); err != nil {
		return nil, err
	}
	if fetch.VerifyLogin {
		if err := p.CheckReached(ctx); err != nil {
			return nil, err
		}
	}
	p.WarnOfName(in.User)
	if err := checkNotRevoked(ctx, p, in); err != nil {
		return nil, err
	}
	submitted, err := submitNew(ctx, p, in)
	if err != nil {
		return nil, err
	}
	begun := beginRecording(ctx, p)
	defer begun.end()
	return p.collect(ctx, fetch, in.Directory, in.User, submitted, begun)
}

// checkNotRevoked refuses a user whom the API servers would refuse with any certificate, where
// this client can know that.
func checkNotRevoked(ctx context.Context, p *Program, in NewUserInput) error {
	if in.DryRun == DryRunClient {
		return nil
	}
	// Users who ask for themselves cannot read the list, as a rule, and need not.
	list, _, err := p.Cluster.Blocking().List(ctx)
	details, isListed := list.Refuses(access.Blocked{User: in.User.Name}, p.Now())
	if err != nil || !isListed || !details.IsRevoked {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrRefused, "%s: the user %s is revoked (%s); API servers refuse every certificate of that name", request.UserBlocked, identity.Quote(in.User.Name), details),
		"use another user name; or, as an administrator, let the name come back with new certificates only: %s",
		pinned(in.User))
}

// pinned is the command that lets the name of a user come back, in the same groups.
func pinned(user identity.User) identity.Command {
	command := identity.NewCommand("kubectl csr-onboard new-user").Argument(user.Name)
	for _, group := range user.Groups {
		command = command.Option("--group", group)
	}
	return command.Words("--approve --pin")
}

// WarnOfName tells what there is to say about the names of a user and the user's groups.
func (p *Program) WarnOfName(user identity.User) {
	for _, problem := range identity.Examine(user) {
		p.Tell(NameWarned{Problem: problem})
	}
}

// Submit makes a user's key and request, or finds them, and submits the request.
func (p *Program) Submit(ctx context.Context, in NewUserInput) (*Submission, error) {
	s, err := p.PrepareRequest(in)
	if err != nil {
		return nil, err
	}
	return submitPrepared(ctx, p, in, s)
}

// submitPrepared writes the request to the user's directory, and submits it.
func submitPrepared(ctx context.Context, p *Program, in NewUserInput, s *Submission) (*Submission, error) {
	if err := s.Keep(); err != nil || in.DryRun == DryRunClient {
		return s, err
	}
	return s, p.Send(ctx, in, s, p.Cluster.WhoAmI)
}

// PrepareRequest makes the user's key and request where they are not there yet, and
// the object that is to be sent. The request is to be kept by the caller.
func (p *Program) PrepareRequest(in NewUserInput) (*Submission, error) {
	key, keyPEM, err := PrepareKey(p, in)
	if err != nil {
		return nil, err
	}
	wanted, keep, err := ensureRequest(in, key)
	if err != nil {
		return nil, err
	}
	object := request.Build(wanted, request.Terms{Lifetime: in.Lifetime, Signer: in.Signer, Name: in.RequestName})
	return &Submission{Object: object, Created: true, Key: key, KeyPEM: keyPEM, Keep: keep}, nil
}

// PrepareKey makes the user's key where it is not there yet, and returns it with its PEM.
func PrepareKey(p *Program, in NewUserInput) (crypto.Signer, []byte, error) {
	var given crypto.Signer
	if in.KeyFile != "" {
		var err error
		if given, err = givenKey(in.KeyFile); err != nil {
			return nil, nil, err
		}
	}
	if err := in.Directory.Prepare(); err != nil {
		return nil, nil, err
	}
	return ensureKey(p, in, given)
}

// Send submits what was prepared, or finds it submitted. whoAmI says who runs this.
func (p *Program) Send(ctx context.Context, in NewUserInput, s *Submission, whoAmI func(context.Context) (identity.User, error)) error {
	stored, created, err := p.Cluster.Requests().Submit(ctx, s.Object, in.DryRun == DryRunServer)
	if err != nil {
		return outcome.WithHint(err, "the key %s stays; run the same command again to continue", identity.PrintableSentence(in.Directory.KeyPath()))
	}
	if !created {
		if err := checkFound(ctx, stored, s.Key.Public(), in.User, s.Object.Spec.SignerName, whoAmI); err != nil {
			return err
		}
	}
	s.Object, s.Created = stored, created
	if got := request.LifetimeOf(stored); created && got != in.Lifetime {
		p.Tell(LifetimeChanged{Asked: in.Lifetime, Stored: got})
	}
	if in.DryRun == DryRunServer && created {
		return nil
	}
	p.Tell(RequestReady{
		Name:           stored.Name,
		Server:         p.Cluster.Endpoint().Server,
		State:          request.StateOf(stored),
		Created:        created,
		AskedLifetime:  in.Lifetime,
		StoredLifetime: request.LifetimeOf(stored),
	})
	return nil
}

// ensureKey reads the user's private key, or makes one, or takes the given one.
func ensureKey(p *Program, in NewUserInput, given crypto.Signer) (crypto.Signer, []byte, error) {
	key, encoded, err := ReadKey(in.Directory)
	created := false
	if errors.Is(err, fs.ErrNotExist) {
		key, encoded, created, err = createKey(in, given)
	}
	if err != nil {
		return nil, nil, err
	}
	if given != nil && !pki.SamePublicKey(given.Public(), key.Public()) {
		return nil, nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--key %q is another key than %q, which already exists", in.KeyFile, in.Directory.KeyPath()),
			"a key is never replaced; name another directory: --dir DIR")
	}
	if in.RequireAlgorithm && !pki.IsOfAlgorithm(key.Public(), in.KeyAlgorithm) {
		return nil, nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the private key %q already exists and is %s, not %s", in.Directory.KeyPath(), pki.DescribeKey(key.Public()), in.KeyAlgorithm),
			"a key is never replaced: leave out the key algorithm to use it, or name another directory: --dir DIR")
	}
	p.Tell(KeyReady{
		Path:        in.Directory.KeyPath(),
		CopiedFrom:  in.KeyFile,
		Kind:        pki.DescribeKey(key.Public()),
		Fingerprint: pki.Fingerprint(key.Public()),
		Created:     created,
	})
	return key, encoded, nil
}

// givenKey reads a key that the person named with --key.
func givenKey(file string) (crypto.Signer, error) {
	encoded, err := store.ReadSecret(file)
	var key crypto.Signer
	if err == nil {
		key, err = pki.ParseKey(encoded)
	}
	if err != nil {
		return nil, outcome.WithHint(outcome.BadFile("--key", file, err),
			"give a private key (PKCS#8, PKCS#1, SEC1 or OpenSSH's form) that only you can read, or leave --key out")
	}
	return key, nil
}

// createKey makes the key, or takes the given one, and writes it. Where another
// run was quicker, that run's key is the one.
func createKey(in NewUserInput, key crypto.Signer) (_ crypto.Signer, _ []byte, created bool, err error) {
	if key == nil {
		if key, err = pki.NewKey(in.KeyAlgorithm); err != nil {
			return nil, nil, false, err
		}
	}
	encoded, err := pki.EncodeKey(key)
	if err != nil {
		return nil, nil, false, err
	}
	err = in.Directory.CreateKey(encoded)
	if errors.Is(err, fs.ErrExist) {
		key, encoded, err := ReadKey(in.Directory)
		return key, encoded, false, err
	}
	if err != nil {
		return nil, nil, false, outcome.AddHint(fmt.Errorf("the private key cannot be written: %w", err),
			"name a directory that you can write to: --dir DIR")
	}
	return key, encoded, true, nil
}

// ReadKey reads the private key of a user's directory, and its PEM; fs.ErrNotExist if there
// is none.
func ReadKey(directory store.UserDirectory) (crypto.Signer, []byte, error) {
	encoded, err := directory.ReadKey()
	if err != nil {
		return nil, nil, err
	}
	key, err := pki.ParseKey(encoded)
	if err != nil {
		return nil, nil, outcome.WithHint(fmt.Errorf("the private key %q cannot be used: %w", directory.KeyPath(), err),
			"move it away to have a new one created, or name another directory: --dir DIR")
	}
	// Whatever form the file has, a kubeconfig gets one that every client reads.
	encoded, err = pki.EncodeKey(key)
	return key, encoded, err
}

// ensureRequest reads the PKCS#10 request if it is the one for this key and
// user, and makes it otherwise; keep writes it. An older request for the same key
// is replaced: it holds nothing that could be lost.
func ensureRequest(in NewUserInput, key crypto.Signer) (_ *pki.Request, keep func() error, _ error) {
	existing, err := in.Directory.ReadRequest()
	switch {
	case err == nil:
		if parsed, err := pki.ParseRequest(existing); err == nil && !parsed.OutsidePEM &&
			pki.SamePublicKey(parsed.PublicKey, key.Public()) && parsed.IsExactly(in.User) {
			return parsed, func() error { return nil }, nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, err
	}
	made, err := pki.NewRequest(key, in.User)
	if err != nil {
		return nil, nil, err
	}
	return made, func() error {
		if err := in.Directory.WriteRequest(made.PEM()); err != nil {
			return fmt.Errorf("the request cannot be written: %w", err)
		}
		return nil
	}, nil
}

// checkFound reports whether an object that stood under our name already is our
// own from an earlier run, and one that can still become a certificate.
func checkFound(ctx context.Context, found *request.Request, key crypto.PublicKey, user identity.User, signer string, whoAmI func(context.Context) (identity.User, error)) error {
	if err := request.CheckOwn(found, key, user, signer); err != nil {
		return err
	}
	me, err := whoAmI(ctx)
	if err != nil {
		return err
	}
	if found.Spec.Username != me.Name {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrChanged, "certificate signing request %q was submitted by %q, not by you (%q)", found.Name, found.Spec.Username, me.Name),
			"if that was intended: kubectl csr-onboard fetch accepts a request that somebody else submitted")
	}
	return request.CheckOpen(found)
}
