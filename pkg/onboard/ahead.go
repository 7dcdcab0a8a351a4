package onboard

import (
	"context"
	"sync"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/recording"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// ahead is what is begun before its turn, because the API server may be far away: the
// connection over which the certificate logs in, the watch that brings it, and whether it is to be
// recorded on the ledger. The first two may be missing.
type ahead struct {
	logIn     cluster.LogIn
	abandon   func()
	following *requests.Following
	standby   *recording.Standby
}

// beginLogin connects for the login with a certificate that is there within moments, or is
// expected to be. end has to be called.
func beginLogin(ctx context.Context, p *Program, in FetchInput) *ahead {
	a := beginRecording(ctx, p)
	if in.VerifyLogin {
		a.logIn, a.abandon = p.Cluster.ExpectLogIn(ctx)
	}
	return a
}

// beginRecording begins what is needed for any certificate, whenever it comes.
func beginRecording(ctx context.Context, p *Program) *ahead {
	return &ahead{standby: recording.BeginStandby(ctx, p.Cluster, p.Now)}
}

// record records an issued certificate where nobody else does, while it logs in. end waits for that,
// and tells it.
func (a *ahead) record(ctx context.Context, p *Program, issued *request.Request) (end func()) {
	var isNew bool
	var err error
	var writing sync.WaitGroup
	writing.Go(func() { isNew, err = a.standby.Record(ctx, issued) })
	return func() {
		writing.Wait()
		p.TellRecorded(issued, isNew, err)
	}
}

// follow watches a request from its version on, where its certificate is not there yet.
func (a *ahead) follow(ctx context.Context, p *Program, object *request.Request) {
	if request.StateOf(object) == request.Issued {
		return
	}
	a.following = p.Cluster.Requests().Follow(ctx, object)
}

// end ends what was not needed.
func (a *ahead) end() {
	if a.abandon != nil {
		a.abandon()
	}
	if a.following != nil {
		a.following.Stop()
	}
}

// logInFor is the login for the certificate of a request: the one that was begun, where the
// certificate is there or comes within moments.
func (a *ahead) logInFor(ctx context.Context, p *Program, object *request.Request) cluster.LogIn {
	isNear := request.StateOf(object) == request.Approved || request.StateOf(object) == request.Issued
	if !isNear {
		if a.abandon != nil {
			a.abandon()
		}
		return p.Cluster.LogIn
	}
	if a.logIn == nil {
		a.logIn, a.abandon = p.Cluster.ExpectLogIn(ctx)
	}
	return a.logIn
}

// await is Await of the program, over the watch that was begun.
func (a *ahead) await(ctx context.Context, p *Program, timeout time.Duration, resume string, object *request.Request) (*request.Request, error) {
	if a.following == nil {
		return p.Await(ctx, timeout, resume, object)
	}
	return await(ctx, p, timeout, resume, object, a.following.Await)
}
