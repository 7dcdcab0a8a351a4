package onboard

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// fetchByHand is Fetch for a request that other tools made, such as openssl and kubectl
// apply: its key is in a file that was named, or its object has a name that was given. The
// user's groups are what the request says, and the key has to be the request's.
func fetchByHand(ctx context.Context, p *Program, in FetchInput) (*Fetched, error) {
	directory, err := in.DirectoryOf(in.Name)
	if err != nil {
		return nil, err
	}
	key, keyPath, err := keyByHand(in, directory)
	if err != nil {
		return nil, err
	}
	keyPEM, err := pki.EncodeKey(key)
	if err != nil {
		return nil, err
	}
	begun := beginLogin(ctx, p, in)
	defer begun.end()
	object, err := objectByHand(ctx, p, in, key.Public())
	if err != nil {
		return nil, err
	}
	user, err := request.UserByHand(object, key.Public())
	if err != nil {
		return nil, err
	}
	if user.Name != in.Name {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "certificate signing request %q, created with the key %q, is for the user %s, not for %q", object.Name, keyPath, identity.Quote(user.Name), in.Name),
			"name that user: %s", identity.NewCommand("kubectl csr-onboard fetch").Argument(user.Name))
	}
	return p.collect(ctx, in, directory, user, &Submission{Object: object, Key: key, KeyPEM: keyPEM}, begun)
}

// keyByHand reads the key that was named, or the one in the user's directory.
func keyByHand(in FetchInput, directory store.UserDirectory) (_ crypto.Signer, path string, _ error) {
	if in.KeyFile != "" {
		key, err := givenKey(in.KeyFile)
		return key, in.KeyFile, err
	}
	key, _, err := ReadKey(directory)
	return key, directory.KeyPath(), outcome.WithHint(err, "name the private key that the request was created with: --key FILE")
}

// objectByHand gets the object that was named, or finds the one of the user for the key.
func objectByHand(ctx context.Context, p *Program, in FetchInput, key crypto.PublicKey) (*request.Request, error) {
	if in.RequestName != "" {
		return p.Cluster.Requests().Get(ctx, in.RequestName)
	}
	var found []*request.Request
	err := p.Cluster.Requests().EachOfUsers(ctx, requests.Query{AllSigners: true}, func(object *request.Request, _ []string) {
		if _, err := request.UserByHand(object, key); err == nil {
			found = append(found, object)
		}
	})
	switch {
	case err != nil:
		return nil, outcome.WithHint(err, "name the certificate signing request: --request-name NAME")
	case len(found) == 0:
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrNotFound, "certificate signing request for the key %s not found", pki.Fingerprint(key)),
			"check --key, or name the certificate signing request: --request-name NAME")
	case len(found) > 1:
		return nil, severalFor(found, in.Name, identity.Command{}.Option("--request-name", found[0].Name))
	}
	return found[0], nil
}

func severalFor(found []*request.Request, user string, which identity.Command) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "%d certificate signing requests are for the key of %q", len(found), user),
		"name the one that is meant: %s", which)
}

// noKey is the error of a user whose private key is not where it is kept. named is the
// request that was found by the name that was given; nil if there is none.
func noKey(err error, user string, named *request.Request) error {
	err = fmt.Errorf("private key of %q not found: %w", user, err)
	if named != nil {
		return outcome.WithHint(err, "name the file with the private key that the request was created with: %s",
			identity.NewCommand("kubectl csr-onboard fetch").Argument(user).Words("--key FILE").Option("--request-name", named.Name))
	}
	return outcome.WithHint(err, "create one and submit a request: %s; or name its directory: --dir DIR",
		identity.NewCommand("kubectl csr-onboard new-user").Argument(user))
}

// namesake gets the request whose object has the user's own name, which is what people
// call the ones they make by hand, where it is for the user's key; nil where it is not.
func namesake(ctx context.Context, p *Program, user identity.User, key crypto.PublicKey) (*request.Request, error) {
	object, err := p.Cluster.Requests().Get(ctx, user.Name)
	if errors.Is(err, outcome.ErrNotFound) {
		return nil, nil
	}
	if err != nil || request.CheckOwn(object, key, user, object.Spec.SignerName) != nil {
		return nil, err
	}
	return object, nil
}
