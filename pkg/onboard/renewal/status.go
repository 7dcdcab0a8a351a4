package renewal

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/parallel"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// ContextInput is a context of a kubeconfig to look at.
type ContextInput struct {
	// Name is the context's, and IsCurrent reports whether kubectl uses it now.
	Name      string
	IsCurrent bool
	// Login is what it logs in with, for a person, where that is not a client
	// certificate.
	Login string
	// User is the entry with the client certificate; nil where Login is something
	// else, or UserErr why it cannot be read.
	User    *pair.KubeconfigUser
	UserErr error
	// ReadCertificate reads the certificate alone, for where User cannot be read because of
	// its key; nil where that cannot be read either. Optional.
	ReadCertificate func() *pki.Certificate
	// Renewals is where a renewal of User waits.
	Renewals string
	// Connect makes a client that logs in as the context does; nil where the context's
	// API server must not be asked: that would run a program, or nobody chose the
	// context.
	Connect func() (*cluster.Client, error)
}

// Liveness reports whether a context's credentials log in.
type Liveness string

// What is known of a context's credentials.
const (
	// Live are credentials that have just logged in.
	Live Liveness = "yes"
	// NotLive are credentials that the API server has refused.
	NotLive Liveness = "no"
	// Unreachable is an API server that did not decide about the credentials: it cannot be reached or
	// trusted, or it fails.
	Unreachable Liveness = "unreachable"
	// NotTried are credentials that were not tried (see ContextInput.Connect).
	NotTried Liveness = "not tried"
)

// ContextStatus is how things are with one context.
type ContextStatus struct {
	Name      string
	IsCurrent bool
	// Login is what it logs in with.
	Login string
	// User is who it is: as the API server says, where it was asked, and as the
	// certificate says otherwise; the zero value where neither is known.
	User identity.User
	// Certificate is the client certificate; nil where there is none.
	Certificate *pki.Certificate
	// IsUnread says that the context logs in with a certificate that cannot be read.
	IsUnread bool
	// Renewal is the state of the request that is to renew it, and RenewalRequest
	// its object's name; "" if no renewal was begun. State is Pending where
	// the API server could not be asked.
	Renewal        request.State
	RenewalRequest string
	// RenewsItself reports that csr-onboard renews the certificate before it expires, and
	// InTrouble why it does not; "" where nothing is wrong.
	RenewsItself bool
	InTrouble    string
	// Unrenewed are further certificates of the user, of no context here, that were due to be renewed
	// and were not, as far as the context's credentials can list the cluster's ledger.
	Unrenewed []*ledger.ClientCertificate
	// Live reports whether the credentials log in, and Problem what is wrong with
	// them; "" if nothing is.
	Live    Liveness
	Problem string
}

// lastWeek is from when on the end of a certificate is to be noticed, however long its
// lifetime is.
const lastWeek = 7 * 24 * time.Hour

// IsInvalid reports whether the context's certificate has expired or is not valid yet.
func (s ContextStatus) IsInvalid(now time.Time) bool {
	return s.Certificate != nil && s.Certificate.CheckValidity(now) != nil
}

// ExpiresUnrenewed reports whether the context's certificate is not valid, or expires within a
// time and nothing is seen to that: one that csr-onboard renews is healthy until its
// renewal is in trouble or overdue.
func (s ContextStatus) ExpiresUnrenewed(within time.Duration, now time.Time) bool {
	switch {
	case s.Certificate == nil:
		return false
	case s.IsInvalid(now):
		return true
	case s.isRenewedInTime(now):
		return false
	}
	return s.Certificate.Leaf.NotAfter.Sub(now) <= within
}

// ShouldWarn reports whether the context's certificate is to be renewed by somebody: in
// the last third of its lifetime, and not before the last week.
func (s ContextStatus) ShouldWarn(now time.Time) bool {
	return s.Certificate != nil && s.ExpiresUnrenewed(min(lastWeek, s.Certificate.Leaf.NotAfter.Sub(s.Certificate.RenewFrom())), now)
}

// isRenewedInTime reports whether csr-onboard renews the certificate, and nothing has
// kept it from that.
func (s ContextStatus) isRenewedInTime(now time.Time) bool {
	return s.RenewsItself && s.InTrouble == "" && s.Renewal != request.Denied && now.Before(s.Certificate.WarnFrom())
}

// statusWorkers bounds how many API servers are asked at once.
const statusWorkers = 16

// Status looks at contexts, and asks each one's API server who that is.
func Status(ctx context.Context, p *onboard.Program, contexts []ContextInput) []ContextStatus {
	all := parallel.Map(statusWorkers, contexts, func(in ContextInput) ContextStatus { return status(ctx, p, in) })
	known := map[string]bool{}
	for _, found := range all {
		if found.Certificate != nil {
			known[ledger.NameOf(found.Certificate.Leaf.Raw)] = true
		}
	}
	for i := range all {
		all[i].Unrenewed = slices.DeleteFunc(all[i].Unrenewed, func(record *ledger.ClientCertificate) bool { return known[record.Name] })
	}
	return all
}

func status(ctx context.Context, p *onboard.Program, in ContextInput) ContextStatus {
	found := ContextStatus{Name: in.Name, IsCurrent: in.IsCurrent, Login: in.Login, Live: NotTried}
	var held *pair.Held
	err := in.UserErr
	if in.User != nil {
		found.Login = "certificate"
		if in.User.Cache != nil {
			found.Login, found.RenewsItself = "certificate, renewed by csr-onboard", true
		}
		if held, err = in.User.Read(p.Now); err == nil {
			found.Certificate, found.User = held.Certificate, held.Certificate.User()
		}
	}
	if err != nil {
		found.Problem = err.Error()
		if in.ReadCertificate != nil {
			found.Certificate = in.ReadCertificate()
		}
		if found.IsUnread = found.Certificate == nil; !found.IsUnread {
			found.User = found.Certificate.User()
		}
		return found
	}
	var client *cluster.Client
	var others []*ledger.ClientCertificate
	var reading sync.WaitGroup
	if in.Connect != nil {
		client, err = in.Connect()
		if err == nil && in.User != nil {
			err = pair.CheckCacheOf(*in.User, client.Endpoint())
		}
		if err == nil && held != nil {
			client, err = client.With(cluster.ByCertificate(held.Credentials))
		}
		if err != nil {
			found.Problem = err.Error()
			return found
		}
		if held != nil {
			reading.Go(func() { others = unrenewed(ctx, p, client, held.Certificate.User().Name) })
		}
		found.tryLogin(ctx, client)
	}
	if held != nil {
		found.findRenewal(ctx, client, store.RenewalOf(in.Renewals, held.Certificate.User().Name, held.Certificate.SHA256()))
	}
	if found.RenewsItself {
		found.InTrouble = readRenewalRecord(*in.User.Cache, held).Trouble
	}
	if held != nil {
		// Of what the API server says about such a certificate, this is the cause.
		if err := held.Certificate.CheckValidity(p.Now()); err != nil && found.Live != Live {
			found.Problem = err.Error()
		}
	}
	if found.InTrouble != "" && found.Problem == "" {
		found.Problem = "it is not renewed: " + found.InTrouble
	}
	reading.Wait()
	if found.Live == Live {
		found.Unrenewed = others
	}
	return found
}

// unrenewed are the certificates of a user that were due to be renewed and were not. It is empty where
// the cluster has no ledger, or the user cannot list it: RBAC cannot permit a user to list only the
// user's own records.
func unrenewed(ctx context.Context, p *onboard.Program, client *cluster.Client, user string) (found []*ledger.ClientCertificate) {
	asUser := *p
	asUser.Cluster = client
	err := audit.EachPageQuietly(ctx, &asUser, ledger.Query{User: user, WithoutRenewal: true}, func(page []*ledger.ClientCertificate) error {
		found = append(found, page...)
		return nil
	})
	if err != nil {
		return nil
	}
	return found
}

func (s *ContextStatus) tryLogin(ctx context.Context, client *cluster.Client) {
	me, err := client.WhoAmI(ctx)
	switch {
	case err == nil:
		s.Live = Live
		s.User = identity.User{Name: me.Name, Groups: withoutAuthenticated(me.Groups)}
	case isLoginRefused(err):
		s.Live, s.Problem = NotLive, err.Error()
	default:
		s.Live, s.Problem = Unreachable, err.Error()
	}
}

// isLoginRefused reports whether the API server itself has refused a login. Of every other error,
// such as one of TLS or of a server that is overloaded, nothing follows about the credentials.
func isLoginRefused(err error) bool {
	return errors.Is(err, cluster.ErrNotAccepted) || cluster.IsRevoked(err) || apierrors.IsForbidden(err) && !cluster.IsForeignAnswer(err)
}

// withoutAuthenticated leaves out the group that the API server adds to everybody.
func withoutAuthenticated(groups []string) []string {
	var rest []string
	for _, group := range groups {
		if group != "system:authenticated" {
			rest = append(rest, group)
		}
	}
	return rest
}

// findRenewal looks for a renewal that was begun on this machine. The API server is asked
// about it only where the context has logged in there.
func (s *ContextStatus) findRenewal(ctx context.Context, client *cluster.Client, renewal store.Renewal) {
	if !renewal.HasKey() {
		return
	}
	encoded, err := renewal.ReadRequest()
	if err != nil {
		return
	}
	parsed, err := pki.ParseRequest(encoded)
	if err != nil {
		return
	}
	s.RenewalRequest = request.ObjectName(parsed.User(), parsed.PublicKey)
	if renewal.Refusal() != "" {
		s.Renewal = request.Denied
		return
	}
	s.Renewal = request.Pending
	if s.Live != Live {
		return
	}
	switch object, err := client.Requests().Get(ctx, s.RenewalRequest); {
	case err == nil:
		s.Renewal = request.StateOf(object)
	case errors.Is(err, outcome.ErrNotFound):
		// It was collected; another run submits it again.
		s.Renewal, s.RenewalRequest = "", ""
	}
}
