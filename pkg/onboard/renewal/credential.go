package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// CredentialInput is what it takes to answer kubectl.
type CredentialInput struct {
	// Cache is where the pair is. Required.
	Cache store.CredentialCache
	// APIVersion is the ExecCredential's, one of package answer's. Required.
	APIVersion string
	// StartRenewal has RenewCached run for the cache in another process, and does
	// not wait for it. Required.
	StartRenewal func() error
}

const (
	// blockingPatience is how long a person's command waits at most for the renewal of
	// a pair that has ended, which another process has begun.
	blockingPatience = time.Minute
	// comeBack is how soon a client asks again at the earliest while a renewal is
	// under way.
	comeBack = 10 * time.Second
)

// Credential is the answer of the credential plugin: the pair of the cache, as an
// ExecCredential. When the pair is due to be renewed, that is begun elsewhere and not
// waited for; only without a pair that is still valid, it is. The answer is
// kept for the next time.
func Credential(ctx context.Context, p *onboard.Program, in CredentialInput) ([]byte, error) {
	held, err := pair.ReadCache(in.Cache)
	if err != nil {
		return nil, err
	}
	if !p.Now().Before(held.Certificate.UsableUntil()) {
		if held, err = renewBlocking(ctx, p, in, held); err != nil {
			return nil, err
		}
	}
	now := p.Now()
	renewFrom := held.Certificate.RenewFrom()
	expires := renewFrom
	if isDue := !now.Before(renewFrom); isDue {
		// What keeps it from being renewed is not this command's trouble.
		if err := renewElsewhere(ctx, p, in, held); err != nil {
			p.Tell(NotStarted{Reason: err})
		}
		expires = nextAsking(held, now)
	}
	body, err := kubeconfig.EncodeExecCredential(held.Credentials, expires)
	if err != nil {
		return nil, err
	}
	if now.Before(renewFrom) {
		// Without it the next answer is only slower.
		_ = in.Cache.KeepAnswer(held.Kubeconfig, answer.Encode(body, held.Certificate.Leaf.NotBefore.Unix(), renewFrom.Unix()))
	}
	return answer.Credential(body, in.APIVersion), nil
}

// nextAsking is when a client that continues is to ask for the new pair, which may be
// there by then.
func nextAsking(held *pair.Cached, now time.Time) time.Time {
	end := held.Certificate.UsableUntil()
	next := now.Add(max(comeBack, end.Sub(now)/10))
	if next.After(end) {
		return end
	}
	return next
}

// renewElsewhere begins a renewal in another process, unless one was begun a moment
// ago, and tells what keeps it from coming to its end: once a day.
func renewElsewhere(ctx context.Context, p *onboard.Program, in CredentialInput, held *pair.Cached) error {
	refused := renewalOf(in.Cache, held).Refusal() != ""
	left := held.Certificate.Leaf.NotAfter.Sub(p.Now())
	state := readRenewalRecord(in.Cache, &held.Held)
	if !state.isToBeTold(p.Now()) && !state.isToBeTried(p.Now(), left, refused) {
		return nil
	}
	var tell, try bool
	err := changeRenewalRecord(ctx, in.Cache, &held.Held, func(state *renewalRecord) {
		// Of many that come here at once, the first has written down what it does.
		if tell = state.isToBeTold(p.Now()); tell {
			state.Told = p.Now()
		}
		if try = state.isToBeTried(p.Now(), left, refused); try {
			state.Attempted = p.Now()
		}
	})
	if err != nil {
		return err
	}
	if tell {
		p.Tell(InTrouble{User: held.Certificate.User().Name, NotAfter: held.Certificate.Leaf.NotAfter, Trouble: state.Trouble, Advice: state.Advice})
	}
	if !try {
		return nil
	}
	return in.StartRenewal()
}

func renewalOf(cache store.CredentialCache, held *pair.Cached) store.Renewal {
	return store.RenewalOf(cache.Renewals(), held.Certificate.User().Name, held.Certificate.SHA256())
}

// renewBlocking renews a pair that is of no use any more, while the person's command
// waits. One that has expired can come only from a process that is renewing it: without
// one, nothing is waited for.
func renewBlocking(ctx context.Context, p *onboard.Program, in CredentialInput, held *pair.Cached) (*pair.Cached, error) {
	end := held.Certificate.Leaf.NotAfter
	if p.Now().Before(end) || isRenewedElsewhere(renewalOf(in.Cache, held)) {
		p.Tell(Awaited{User: held.Certificate.User().Name, NotAfter: end})
	}
	// While the pair is good for a moment yet, half of that; a client that comes too late
	// can still wait for a process that came in time.
	patience := end.Sub(p.Now()) / 2
	if patience <= 0 {
		patience = blockingPatience
	}
	_, renewErr := renewCache(ctx, p, in.Cache, held, Input{Timeout: patience})
	held, err := pair.ReadCache(in.Cache)
	switch {
	case err != nil:
		return nil, err
	case p.Now().Before(held.Certificate.Leaf.NotAfter):
		// Renewed, or good for a last moment.
		return held, nil
	case renewErr != nil:
		return nil, renewErr
	}
	return nil, pair.Expired(pair.KubeconfigUser{Context: held.Entry}, held.Certificate, p.Now())
}

// isRenewedElsewhere reports whether another process works on a renewal. Where it cannot be looked at,
// the renewal itself says why.
func isRenewedElsewhere(of store.Renewal) bool {
	lock, err := store.TryLock(of.LockPath())
	if err != nil || lock == nil {
		return err == nil
	}
	return lock.Release() != nil
}

func renewCache(ctx context.Context, p *onboard.Program, cache store.CredentialCache, held *pair.Cached, in Input) (*Renewed, error) {
	client, err := cluster.New(onboard.TargetAt(p, held.Endpoint, 0), cluster.ByCertificate(held.Credentials))
	if err != nil {
		return nil, err
	}
	there := *p
	there.Cluster = client
	in.User = pair.KubeconfigUser{Context: held.Entry, Path: cache.KubeconfigPath(), Entry: held.Entry, Cache: &cache}
	in.Renewals = cache.Renewals()
	// Where the kubeconfig is that names the cache is unknown here.
	resume := identity.NewCommand("kubectl csr-onboard renew").Argument(held.Entry)
	in.Resume, in.Again = resume.String(), resume.Words("--force").String()
	return Run(ctx, &there, in)
}

// RenewCached renews the pair of a credential cache if it is due, as the credential
// plugin has it done in the background, and keeps for the plugin what it should tell
// its user. patience is how long it waits for an approval before it leaves that to a
// later run.
func RenewCached(ctx context.Context, p *onboard.Program, cache store.CredentialCache, patience time.Duration) error {
	held, err := pair.ReadCache(cache)
	if err != nil || p.Now().Before(held.Certificate.RenewFrom()) {
		return err
	}
	renewed, err := renewCache(ctx, p, cache, held, Input{Timeout: patience, SkipIfBusy: true})
	if err == nil && renewed.State == RenewalDone {
		return store.RemoveFile(cache.StatePath())
	}
	if err == nil {
		// Another process is at it.
		return nil
	}
	return errors.Join(err, changeRenewalRecord(ctx, cache, &held.Held, func(record *renewalRecord) {
		before := record.Trouble
		record.Ending, record.Trouble, record.Advice = renewalFailed, identity.PrintableSentence(err.Error()), outcome.Hint(err)
		switch {
		case errors.Is(err, outcome.ErrTimedOut):
			record.Ending, record.Trouble = renewalWaits, "it waits for an administrator's approval"
			record.Advice = "the administrator runs: " + identity.NewCommand("kubectl csr-onboard approve").Argument(held.Certificate.User().Name).String()
		case cluster.IsRevoked(err):
			record.Ending = renewalRevoked
		case errors.Is(err, outcome.ErrInterrupted), cluster.IsUnreachable(err) && !p.Now().After(held.Certificate.WarnFrom()):
			// An address that does not answer just now may answer again.
			record.Trouble, record.Advice = "", ""
		}
		if withoutNames(record.Trouble) != withoutNames(before) {
			record.Told = time.Time{}
		}
	}))
}
