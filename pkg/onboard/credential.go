package onboard

import (
	"context"
	"errors"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
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
// waited for; only where there is no pair that is still good, it is. The answer is
// kept for the next time.
func (p *Program) Credential(ctx context.Context, in CredentialInput) ([]byte, error) {
	held, err := readCache(in.Cache)
	if err != nil {
		return nil, err
	}
	if !p.Now().Before(held.certificate.UsableUntil()) {
		if held, err = p.renewBlocking(ctx, in, held); err != nil {
			return nil, err
		}
	}
	now := p.Now()
	renewFrom := held.certificate.RenewFrom()
	expires := renewFrom
	if isDue := !now.Before(renewFrom); isDue {
		// What keeps it from being renewed is not this command's trouble.
		if err := p.renewElsewhere(ctx, in, held); err != nil {
			p.Tell(RenewalNotStarted{Reason: err})
		}
		expires = nextAsking(held, now)
	}
	body, err := kubeconfig.EncodeExecCredential(held.credentials, expires)
	if err != nil {
		return nil, err
	}
	if now.Before(renewFrom) {
		// Without it the next answer is only slower.
		_ = in.Cache.KeepAnswer(held.kubeconfig, answer.Encode(body, held.certificate.Leaf.NotBefore.Unix(), renewFrom.Unix()))
	}
	return answer.Credential(body, in.APIVersion), nil
}

// nextAsking is when a client that goes on is to ask for the new pair, which may be
// there by then.
func nextAsking(held *cachedPair, now time.Time) time.Time {
	end := held.certificate.UsableUntil()
	next := now.Add(max(comeBack, end.Sub(now)/10))
	if next.After(end) {
		return end
	}
	return next
}

// renewElsewhere begins a renewal in another process, unless one was begun a moment
// ago, and tells what keeps it from coming to its end: once a day.
func (p *Program) renewElsewhere(ctx context.Context, in CredentialInput, held *cachedPair) error {
	refused := p.renewalOf(in.Cache, held).Refusal() != ""
	left := held.certificate.Leaf.NotAfter.Sub(p.Now())
	state := readRenewalRecord(in.Cache, &held.heldPair)
	if !state.isToBeTold(p.Now()) && !state.isToBeTried(p.Now(), left, refused) {
		return nil
	}
	var tell, try bool
	err := changeRenewalRecord(ctx, in.Cache, &held.heldPair, func(state *renewalRecord) {
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
		p.Tell(RenewalTrouble{User: held.certificate.User().Name, NotAfter: held.certificate.Leaf.NotAfter, Trouble: state.Trouble, Advice: state.Advice})
	}
	if !try {
		return nil
	}
	return in.StartRenewal()
}

func (p *Program) renewalOf(cache store.CredentialCache, held *cachedPair) store.Renewal {
	return store.RenewalOf(cache.Renewals(), held.certificate.User().Name, held.certificate.SHA256())
}

// renewBlocking renews a pair that is of no use any more, while the person's command
// waits.
func (p *Program) renewBlocking(ctx context.Context, in CredentialInput, held *cachedPair) (*cachedPair, error) {
	end := held.certificate.Leaf.NotAfter
	p.Tell(RenewalAwaited{User: held.certificate.User().Name, NotAfter: end})
	// While the pair is good for a moment yet, half of that; whoever comes too late
	// can still wait for a process that came in time.
	patience := end.Sub(p.Now()) / 2
	if patience <= 0 {
		patience = blockingPatience
	}
	_, failed := p.renewCache(ctx, in.Cache, held, RenewInput{Timeout: patience})
	held, err := readCache(in.Cache)
	switch {
	case err != nil:
		return nil, err
	case p.Now().Before(held.certificate.Leaf.NotAfter):
		// Renewed, or good for a last moment.
		return held, nil
	case failed != nil:
		return nil, failed
	}
	return nil, ended(KubeconfigUser{Context: held.entry}, held.certificate, p.Now())
}

func (p *Program) renewCache(ctx context.Context, cache store.CredentialCache, held *cachedPair, in RenewInput) (*Renewed, error) {
	client, err := cluster.ConnectAs(held.endpoint, held.credentials, p.UserAgent, 0)
	if err != nil {
		return nil, err
	}
	there := *p
	there.Cluster = client
	in.User = KubeconfigUser{Context: held.entry, Path: cache.KubeconfigPath(), Entry: held.entry, Cache: &cache}
	in.Renewals = cache.Renewals()
	// Where the kubeconfig is that names the cache is not known here.
	resume := identity.NewCommand("kubectl csr-onboard renew").Argument(held.entry)
	in.Resume, in.Again = resume.String(), resume.Words("--force").String()
	return there.Renew(ctx, in)
}

// RenewCached renews the pair of a credential cache if it is due, as the credential
// plugin has it done in the background, and keeps for the plugin what it should tell
// its user. patience is how long it waits for an approval before it leaves that to a
// later run.
func (p *Program) RenewCached(ctx context.Context, cache store.CredentialCache, patience time.Duration) error {
	held, err := readCache(cache)
	if err != nil || p.Now().Before(held.certificate.RenewFrom()) {
		return err
	}
	renewed, err := p.renewCache(ctx, cache, held, RenewInput{Timeout: patience, SkipIfBusy: true})
	if err == nil && renewed.State == RenewalDone {
		return store.RemoveFile(cache.StatePath())
	}
	if err == nil {
		// Another process is at it.
		return nil
	}
	return errors.Join(err, changeRenewalRecord(ctx, cache, &held.heldPair, func(record *renewalRecord) {
		before := record.Trouble
		record.Ending, record.Trouble, record.Advice = renewalFailed, identity.PrintableSentence(err.Error()), outcome.Hint(err)
		switch {
		case errors.Is(err, outcome.ErrTimedOut):
			record.Ending, record.Trouble = renewalWaits, "it waits for an administrator's approval"
			record.Advice = "she runs: " + identity.NewCommand("kubectl csr-onboard approve").Argument(held.certificate.User().Name).String()
		case errors.Is(err, outcome.ErrInterrupted), cluster.IsUnreachable(err) && !p.Now().After(held.certificate.WarnFrom()):
			// An address that does not answer just now may answer again.
			record.Trouble, record.Advice = "", ""
		}
		if record.Trouble != before {
			record.Told = time.Time{}
		}
	}))
}
