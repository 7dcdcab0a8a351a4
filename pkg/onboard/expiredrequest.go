package onboard

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// A request stays on the cluster for an hour after it was issued. Where its certificate has
// expired by then, the same key finds the same request again, of which nothing more can
// come: another request takes another key.

// ExpiredCertificate is the certificate of a request that was found on the cluster, if it
// has expired; nil otherwise.
func (s *Submission) ExpiredCertificate(now time.Time) *pki.Certificate {
	if s.Created || request.StateOf(s.Object) != request.Issued {
		return nil
	}
	certificate, err := pki.ParseCertificate(s.Object.Status.Certificate)
	if err != nil || now.Before(certificate.Leaf.NotAfter) {
		return nil
	}
	return certificate
}

// submitNew is submit, with another key and request where the ones that were found are of
// a certificate that has expired.
func submitNew(ctx context.Context, p *Program, in NewUserInput) (*Submission, error) {
	s, err := p.Submit(ctx, in)
	if err != nil {
		return nil, err
	}
	return s, replaceExpired(ctx, p, in, s)
}

// replaceExpired submits a request with another key in place of one that was found and
// whose certificate has expired.
func replaceExpired(ctx context.Context, p *Program, in NewUserInput, s *Submission) error {
	replaced, err := p.PrepareAgain(in, s)
	if err != nil || !replaced {
		return err
	}
	return p.Send(ctx, in, s, p.Cluster.WhoAmI)
}

// PrepareAgain moves the key of an expired certificate aside and makes another key and
// request, which are to be sent. It reports whether it did: in a dry run, and where
// nothing has expired, it changes nothing.
func (p *Program) PrepareAgain(in NewUserInput, s *Submission) (replaced bool, _ error) {
	expired := s.ExpiredCertificate(p.Now())
	if expired == nil || in.DryRun != DryRunNone {
		return false, nil
	}
	for _, given := range []struct{ flag, value string }{{"key", in.KeyFile}, {"request-name", in.RequestName}} {
		if given.value != "" {
			return false, outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "certificate signing request %q has been issued, and its certificate expired %s", s.Object.Name, pki.Stamp(expired.Leaf.NotAfter)),
				"a new request needs a new key and a new name: leave out --%s", given.flag)
		}
	}
	path, err := in.Directory.RetireKey(identity.Digest(10, expired.SHA256()))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, outcome.WithHint(err, "move the private key away, or name another directory: --dir DIR")
	}
	if err == nil {
		p.Tell(KeyRetired{Request: s.Object.Name, NotAfter: expired.Leaf.NotAfter, Path: path})
	}
	again, err := p.PrepareRequest(in)
	if err != nil {
		return false, err
	}
	*s = *again
	return true, s.Keep()
}
