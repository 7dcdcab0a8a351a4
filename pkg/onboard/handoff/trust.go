package handoff

import (
	"context"
	"crypto/x509"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Trust is what the person says of a handoff, apart from the file
// (docs/decisions/0010-the-address-of-a-handoff-is-confirmed.md).
type Trust struct {
	// AuthorityFingerprints are of the certificate authorities (CAs) that the
	// administrator told (see pki.AuthorityFingerprint). With any, each CA of the handoff
	// must be among them. Optional.
	AuthorityFingerprints []string
	// OfClusters are the same for each cluster of the handoff, by the name that it has there.
	// With any, each cluster must have some. Required instead of AuthorityFingerprints for
	// several clusters, so that no cluster's CA vouches for another. Optional.
	OfClusters map[string][]string
	// Server is the API server's address, which a handoff without a CA needs. With it, the
	// handoff must name the same. Optional.
	Server string
	// Insecure accepts a handoff whose server's certificate is not checked. Optional.
	Insecure bool
	// Proxy is the proxy that a handoff may name. Optional.
	Proxy string
	// Confirm asks the person about an endpoint that nothing else vouches for; an error
	// is a no, or that nobody can be asked. Required.
	Confirm func(ctx context.Context, server string, authorities []Authority) error
}

// Authority is a certificate authority (CA) that a handoff's server is checked
// against.
type Authority struct {
	// Subject is the CA's name, which anybody can choose.
	Subject string
	// Fingerprint is the CA's (see pki.AuthorityFingerprint).
	Fingerprint string
	// HasSigned says that the certificate in the handoff is signed by the CA.
	HasSigned bool
}

// authoritiesOf lists the authorities that an endpoint's server is checked against; none
// where they are the system's, or the server is not checked.
func authoritiesOf(endpoint kubeconfig.Endpoint, hasSigned func(*x509.Certificate) bool) ([]Authority, error) {
	if len(endpoint.CertificateAuthority) == 0 {
		return nil, nil
	}
	parsed, err := pki.ParseAuthorities(endpoint.CertificateAuthority)
	var authorities []Authority
	for _, authority := range parsed {
		authorities = append(authorities, Authority{
			Subject: authority.Subject.String(), Fingerprint: pki.AuthorityFingerprint(authority), HasSigned: hasSigned(authority),
		})
	}
	return authorities, err
}

// trustNeededFor is what a user has to say of a handoff for it to be accepted without a
// question, and not only because of what is in the file.
func trustNeededFor(endpoint kubeconfig.Endpoint, authorities []Authority) Trust {
	trust := Trust{Insecure: endpoint.InsecureSkipVerify, Proxy: endpoint.ProxyURL}
	for _, authority := range authorities {
		if !slices.Contains(trust.AuthorityFingerprints, authority.Fingerprint) {
			trust.AuthorityFingerprints = append(trust.AuthorityFingerprints, authority.Fingerprint)
		}
	}
	if len(authorities) == 0 && !endpoint.InsecureSkipVerify {
		trust.Server = endpoint.Server
	}
	return trust
}

// byCluster finds what is said of each cluster of a handoff.
func (t Trust) byCluster(handoffs []kubeconfig.Handoff) (map[string]Trust, error) {
	names := clustersOf(handoffs)
	for _, told := range slices.Sorted(maps.Keys(t.OfClusters)) {
		if !slices.Contains(names, told) {
			return nil, otherClusters(names, "--ca-fingerprint names the cluster "+identity.Quote(told)+", which is not in it")
		}
	}
	if len(names) > 1 && len(t.AuthorityFingerprints) > 0 {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "it is for several clusters, and --ca-fingerprint does not say for which"),
			"name the cluster with each fingerprint: --ca-fingerprint CLUSTER=SHA256:…")
	}
	trusts := map[string]Trust{}
	for _, one := range handoffs {
		name, trust := one.Endpoint.Cluster, t
		trust.AuthorityFingerprints, trust.OfClusters = append(slices.Clone(t.AuthorityFingerprints), t.OfClusters[name]...), nil
		// Without a CA there is nothing to name, and the person is asked.
		if len(t.OfClusters) > 0 && len(t.OfClusters[name]) == 0 && len(one.Endpoint.CertificateAuthority) > 0 {
			return nil, otherClusters(names, "--ca-fingerprint says nothing of the cluster "+identity.Quote(name))
		}
		trusts[name] = trust
	}
	return trusts, nil
}

func otherClusters(names []string, problem string) error {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = identity.Quote(name)
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "%s; its clusters: %s", problem, strings.Join(quoted, ", ")),
		"nothing was written, and nothing was sent; the file may have been exchanged on the way: ask the administrator")
}

// checkTrust decides whether a handoff's endpoint may be used: the file came from outside,
// and somebody who exchanged it chose server and CA. Nothing is sent before.
// isOwn says that the endpoint is the person's own word, and not the file's.
func checkTrust(ctx context.Context, p *onboard.Program, trust Trust, isOwn bool, endpoint kubeconfig.Endpoint, certificate *pki.Certificate) error {
	authorities, err := authoritiesOf(endpoint, func(authority *x509.Certificate) bool { return certificate.IsSignedBy(authority, p.Now()) })
	if err != nil {
		return err
	}
	if !isOwn {
		if err := checkWay(trust, endpoint); err != nil {
			return err
		}
	}
	confirmed, err := isConfirmed(trust, authorities)
	if err != nil {
		return err
	}
	confirmed = confirmed || isOwn
	vouchedFor := isVouchedFor(trust, endpoint, authorities)
	p.Tell(EndpointNamed{Server: endpoint.Server, Authorities: authorities, RestsOnFile: !confirmed && vouchedFor})
	if confirmed || vouchedFor {
		return nil
	}
	return trust.Confirm(ctx, endpoint.Server, authorities)
}

// checkWay refuses what a handoff may say only if the person says so too: to skip the
// check of the server's certificate, and a proxy, which sees where its user connects. An
// address that the person has said is the handoff's as well.
func checkWay(trust Trust, endpoint kubeconfig.Endpoint) error {
	switch {
	case trust.Server != "" && trust.Server != endpoint.Server:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrChanged, "it names the API server %s, and --server another", endpoint.Server),
			"nothing was written, and nothing was sent; ask the administrator; to use another address of the same cluster: --external-server URL")
	case endpoint.InsecureSkipVerify && len(endpoint.CertificateAuthority) > 0:
		return errors.New("it names a certificate authority (CA) and skips the check against it")
	case endpoint.InsecureSkipVerify && !trust.Insecure:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "it skips the check of the server's certificate (insecure-skip-tls-verify), so anybody on the way can pose as the server"),
			"ask the administrator for a handoff with a certificate authority; to accept it: --insecure-skip-tls-verify")
	case trust.Insecure && !endpoint.InsecureSkipVerify:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--insecure-skip-tls-verify does nothing: the handoff has the server's certificate checked"),
			"leave it out")
	case endpoint.ProxyURL != trust.Proxy && trust.Proxy != "":
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the handoff does not name the proxy of --proxy-url"),
			"leave it out, or ask the administrator which proxy to use")
	case endpoint.ProxyURL != trust.Proxy:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "it names a proxy, %s, through which all connections would go", endpoint.ProxyURL),
			"ask the administrator whether that is right; to accept it: %s", identity.Command{}.Option("--proxy-url", endpoint.ProxyURL))
	}
	return nil
}

// isConfirmed reports whether the person has confirmed every CA by its fingerprint. With
// fingerprints that are not those of the handoff the error is an outcome.ErrChanged.
func isConfirmed(trust Trust, authorities []Authority) (bool, error) {
	if len(trust.AuthorityFingerprints) == 0 {
		return false, nil
	}
	var found []string
	for _, authority := range authorities {
		found = append(found, authority.Fingerprint)
		if !slices.Contains(trust.AuthorityFingerprints, authority.Fingerprint) {
			return false, otherAuthorities(authority.Fingerprint)
		}
	}
	for _, told := range trust.AuthorityFingerprints {
		if !slices.Contains(found, told) {
			return false, otherAuthorities(strings.Join(found, ", "))
		}
	}
	return true, nil
}

func otherAuthorities(found string) error {
	if found == "" {
		found = "none"
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "its server is checked against another certificate authority (CA) than --ca-fingerprint says: %s", found),
		"nothing was written, and nothing was sent; the file may have been exchanged on the way: ask the administrator")
}

// isVouchedFor reports whether an endpoint is bound to the certificate without the
// person's word: every CA that can vouch for the server has signed the certificate. One
// more CA could vouch for another server. Without a CA the person has said the address, or
// has accepted that the server is not checked.
func isVouchedFor(trust Trust, endpoint kubeconfig.Endpoint, authorities []Authority) bool {
	if len(authorities) == 0 {
		return endpoint.InsecureSkipVerify || kubeconfig.SameServer(trust.Server, endpoint.Server)
	}
	return !slices.ContainsFunc(authorities, func(authority Authority) bool { return !authority.HasSigned })
}
