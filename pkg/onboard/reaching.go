package onboard

import (
	"context"
	"errors"
	"fmt"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// errNotReached is the error of a server at which client certificates do not reach the
// API server, so that none will ever log in there.
var errNotReached = errors.New("client certificates do not reach the API server")

// CheckReached looks, before a certificate is issued that could not log in, whether
// client certificates reach the API server. Where that cannot be found out, the login
// will tell.
func (p *Program) CheckReached(ctx context.Context) error {
	if p.Cluster.LogsInByCertificate() {
		return nil
	}
	return outcome.WithHint(notReached(ctx, p.Cluster), "nothing was created: %s; to issue a certificate all the same: --verify-login=false", cluster.TLSInBetween)
}

// notReached is the error of a server that is seen not to ask for client certificates;
// nil where it asks, or that cannot be found out.
func notReached(ctx context.Context, client *cluster.Client) error {
	asks, err := client.AsksForClientCertificates(ctx)
	if err != nil || asks {
		return nil
	}
	return fmt.Errorf("%w: %s does not ask for one when a connection is made", errNotReached, client.Endpoint().Server)
}

// SkipLogin is how to do without the login.
const SkipLogin = "nothing was written; to write the kubeconfig all the same: --verify-login=false"

// LoginFailed says what to do where a login with a new certificate failed. elsewhere is
// what else may be wrong where the server does not accept the certificate, and may be "".
func LoginFailed(ctx context.Context, client *cluster.Client, err error, elsewhere string) error {
	own := outcome.Hint(err)
	switch reachErr := notReached(ctx, client); {
	case errors.Is(err, outcome.ErrInterrupted):
		return err
	case reachErr != nil:
		return outcome.ReplaceHint(fmt.Errorf("%w: %w", err, reachErr), "%s; %s", cluster.TLSInBetween, SkipLogin)
	case own == "", errors.Is(err, cluster.ErrNotAccepted):
		return outcome.ReplaceHint(err, "%s%s", elsewhere, SkipLogin)
	}
	return outcome.ReplaceHint(err, "%s; %s", own, SkipLogin)
}
